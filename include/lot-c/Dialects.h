/*===- lot-c/Dialects.h - C API of the lot dialect ----------------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM          *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception       *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef LOT_C_DIALECTS_H
#define LOT_C_DIALECTS_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Lot, lot);

/* The lot dialect with every external model. */
MLIR_CAPI_EXPORTED void lotRegisterAllDialects(MlirDialectRegistry registry);

/* What extends dialects of others: the transform ops of lot. */
MLIR_CAPI_EXPORTED void lotRegisterAllExtensions(MlirDialectRegistry registry);

/* Besides the above: every dialect, extension and translation of MLIR that the
   pipelines and the runtime use. */
MLIR_CAPI_EXPORTED void lotRegisterEverything(MlirDialectRegistry registry);

#ifdef __cplusplus
}
#endif

#endif /* LOT_C_DIALECTS_H */
