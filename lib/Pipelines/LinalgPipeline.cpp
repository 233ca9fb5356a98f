//===- LinalgPipeline.cpp - lot-to-linalg ---------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Pipelines/Pipelines.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::lot;

void lot::buildLotToLinalgPipeline(OpPassManager &pm,
                                   const LotToLinalgOptions &options) {
  // Work without mass becomes a fill, default operands are dropped.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createLotDecomposeAttention());
  LotExpandSolveOptions expand;
  expand.unroll = options.unroll;
  pm.addPass(createLotExpandSolve(expand));
  pm.addPass(createLotDecomposeOps());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  LotCheckLoweredOptions check;
  check.pipeline = "lot-to-linalg";
  pm.addPass(createLotCheckLowered(check));
}
