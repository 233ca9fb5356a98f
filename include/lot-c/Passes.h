/*===- lot-c/Passes.h - C API of the passes -----------------------*- C -*-===*\
|*                                                                            *|
|* Part of the lot project, under the Apache License v2.0 with LLVM          *|
|* Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception       *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef LOT_C_PASSES_H
#define LOT_C_PASSES_H

#include "mlir-c/Pass.h"
#include "mlir-c/Support.h"

/* mlirCreateLot<Pass>(): each pass by itself, with its default options
   (mlirCreateLotLotExpandSolve, mlirCreateLotConversionLotSelectSchedule, ...).
 */
#include "lot/Conversion/Passes.capi.h.inc"
#include "lot/Transforms/Passes.capi.h.inc"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes every pass and pipeline of the project known by name. Harmless when
   called again. */
MLIR_CAPI_EXPORTED void lotRegisterAllPasses(void);

/* MLIR's own passes, too (they are needed to write pipelines by hand). */
MLIR_CAPI_EXPORTED void lotRegisterUpstreamPasses(void);

#ifdef __cplusplus
}
#endif

#endif /* LOT_C_PASSES_H */
