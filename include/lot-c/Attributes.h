/*===- lot-c/Attributes.h - C API of the attributes ---------------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM          *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception       *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef LOT_C_ATTRIBUTES_H
#define LOT_C_ATTRIBUTES_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Getters load the dialect into the context. Values are those of the
   attribute's cases. */

/* #lot.normalization<...>: what divides a row of the glued coupling. */
typedef enum LotNormalization {
  LotNormalizationQueryMass = 0,
  LotNormalizationRowSum = 1,
  LotNormalizationNone = 2
} LotNormalization;
MLIR_CAPI_EXPORTED bool lotAttributeIsANormalization(MlirAttribute attr);
MLIR_CAPI_EXPORTED MlirAttribute
lotNormalizationAttrGet(MlirContext context, LotNormalization value);
MLIR_CAPI_EXPORTED LotNormalization
lotNormalizationAttrGetValue(MlirAttribute attr);

/* #lot.marginal<...>: a side of a pivot coupling. */
typedef enum LotMarginal {
  LotMarginalTokens = 0,
  LotMarginalPivots = 1
} LotMarginal;
MLIR_CAPI_EXPORTED bool lotAttributeIsAMarginal(MlirAttribute attr);
MLIR_CAPI_EXPORTED MlirAttribute lotMarginalAttrGet(MlirContext context,
                                                    LotMarginal value);
MLIR_CAPI_EXPORTED LotMarginal lotMarginalAttrGetValue(MlirAttribute attr);

/* #lot.domain<...>: the domain a sweep computes in. */
typedef enum LotDomain { LotDomainLog = 0, LotDomainScaling = 1 } LotDomain;
MLIR_CAPI_EXPORTED bool lotAttributeIsADomain(MlirAttribute attr);
MLIR_CAPI_EXPORTED MlirAttribute lotDomainAttrGet(MlirContext context,
                                                  LotDomain value);
MLIR_CAPI_EXPORTED LotDomain lotDomainAttrGetValue(MlirAttribute attr);

/* #lot.cpu_schedule<...>: how the CPU pipeline tiles one head. */
typedef enum LotFactorStorage {
  LotFactorStorageStored = 0,
  LotFactorStorageRecomputed = 1
} LotFactorStorage;
MLIR_CAPI_EXPORTED bool lotAttributeIsACPUSchedule(MlirAttribute attr);
/* A null attribute, with the reason as a diagnostic at `location`, where the
   numbers are no schedule. */
MLIR_CAPI_EXPORTED MlirAttribute lotCPUScheduleAttrGetChecked(
    MlirLocation location, int64_t tokenTile, int64_t lanes, int64_t rowBlock,
    int64_t vectorBlock, LotFactorStorage factor);
MLIR_CAPI_EXPORTED int64_t lotCPUScheduleAttrGetTokenTile(MlirAttribute attr);
MLIR_CAPI_EXPORTED int64_t lotCPUScheduleAttrGetLanes(MlirAttribute attr);
MLIR_CAPI_EXPORTED int64_t lotCPUScheduleAttrGetRowBlock(MlirAttribute attr);
MLIR_CAPI_EXPORTED int64_t lotCPUScheduleAttrGetVectorBlock(MlirAttribute attr);
MLIR_CAPI_EXPORTED LotFactorStorage
lotCPUScheduleAttrGetFactor(MlirAttribute attr);

#ifdef __cplusplus
}
#endif

#endif /* LOT_C_ATTRIBUTES_H */
