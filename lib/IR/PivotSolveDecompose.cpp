//===- PivotSolveDecompose.cpp - lot.pivot_solve in simpler ops -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

FailureOr<SmallVector<Value>> PivotSolveOp::decomposeOperation(OpBuilder &b) {
  return failure();
}
