//===- PlanTiling.cpp - Tiling of lot.plan --------------------------------===//
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

// Batch and tokens are tiled. A row of the plan is a function of its own scores
// and of whole pivot potentials, so pivots are not in the domain.
static std::string domainDims(PlanOp op) {
  return ScoreDims(op.getScores()).token;
}
static std::string resultDims(PlanOp op) {
  return ScoreDims(op.getScores()).all;
}

SmallVector<utils::IteratorType> PlanOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(domainDims(*this).size(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> PlanOp::getIterationDomain(OpBuilder &b) {
  return domainOf(b, getLoc(), getScores(), resultDims(*this),
                  domainDims(*this));
}

LogicalResult PlanOp::getResultTilePosition(
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
PlanOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
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
PlanOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                               ArrayRef<OpFoldResult> sizes) {
  ScoreDims dims(getScores());
  Tile tile(b, getLoc());
  tile.set(dims.token, offsets, sizes);
  SmallVector<Value> operands{tile.slice(getScores(), dims.all)};
  for (auto [value, letters] :
       {std::pair(getPrev(), dims.pivot), std::pair(getLast(), dims.pivot),
        std::pair(getTokenLogMass(), dims.token),
        std::pair(getPivotLogMass(), dims.pivot),
        std::pair(getInit(), dims.all)})
    if (value)
      operands.push_back(tile.slice(value, letters));

  // Uniform means over all tokens, not over those of this tile.
  Value mass;
  int64_t tokens = dims.batch.size();
  if (getPrev() && !getTokenLogMass() && getConditional() == Marginal::pivots &&
      !tile.isWhole('i', getScores(), tokens)) {
    FailureOr<Value> uniform =
        uniformMassOfTile(*this, b, tile, dims.token, getScores(), tokens);
    if (failed(uniform))
      return failure();
    mass = *uniform;
  }
  TilingResult result = tile.cloneOn(*this, operands);
  if (mass)
    cast<PlanOp>(result.tiledOps[0]).getTokenLogMassMutable().assign(mass);
  return result;
}
