//===- PivotSolveTiling.cpp - Tiling of lot.pivot_solve -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"
#include "Tile.h"

#include "lot/IR/Lot.h"

using namespace mlir;
using namespace mlir::lot;

// Only the batch is tiled: every half-step reads all tokens and all pivots.
static std::string domainDims(PivotSolveOp op) {
  return ScoreDims(op.getScores()).batch;
}
static std::string resultDims(PivotSolveOp op) {
  return ScoreDims(op.getScores()).pivot;
}

SmallVector<utils::IteratorType> PivotSolveOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(domainDims(*this).size(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> PivotSolveOp::getIterationDomain(OpBuilder &b) {
  return domainOf(b, getLoc(), getInits()[0], resultDims(*this),
                  domainDims(*this));
}

LogicalResult PivotSolveOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  Tile tile(b, getLoc());
  tile.set(domainDims(*this), offsets, sizes);
  tile.position(getDpsInits()[resultNumber], resultDims(*this), resultOffsets,
                resultSizes);
  return success();
}

FailureOr<TilingResult>
PivotSolveOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                      ArrayRef<OpFoldResult> offsets,
                                      ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> tileOffsets, tileSizes;
  if (failed(domainTileOfResult(b, getDpsInits()[resultNumber],
                                resultDims(*this), getIterationDomain(b),
                                domainDims(*this), offsets, sizes, tileOffsets,
                                tileSizes)))
    return failure();
  FailureOr<TilingResult> tiled =
      getTiledImplementation(b, tileOffsets, tileSizes);
  if (failed(tiled))
    return failure();
  tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}

FailureOr<TilingResult>
PivotSolveOp::getTiledImplementation(OpBuilder &b,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  ScoreDims dims(getScores());
  Tile tile(b, getLoc());
  tile.set(dims.batch, offsets, sizes);
  SmallVector<Value> operands{tile.slice(getScores(), dims.all)};
  if (getTokenLogMass())
    operands.push_back(tile.slice(getTokenLogMass(), dims.token));
  if (getPivotLogMass())
    operands.push_back(tile.slice(getPivotLogMass(), dims.pivot));
  for (Value init : getInits())
    operands.push_back(tile.slice(init, dims.pivot));
  return tile.cloneOn(*this, operands);
}
