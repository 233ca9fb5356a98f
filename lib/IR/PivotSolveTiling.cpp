//===- PivotSolveTiling.cpp - Tiling of lot.pivot_solve -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

SmallVector<utils::IteratorType> PivotSolveOp::getLoopIteratorTypes() {
  return {};
}
SmallVector<Range> PivotSolveOp::getIterationDomain(OpBuilder &b) { return {}; }
FailureOr<TilingResult>
PivotSolveOp::getTiledImplementation(OpBuilder &b,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  return failure();
}
LogicalResult PivotSolveOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  return failure();
}
FailureOr<TilingResult>
PivotSolveOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                      ArrayRef<OpFoldResult> offsets,
                                      ArrayRef<OpFoldResult> sizes) {
  return failure();
}
