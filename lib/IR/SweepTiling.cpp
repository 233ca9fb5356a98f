//===- SweepTiling.cpp - Tiling of lot.sweep ------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SweepTiling.h"
#include "Decompose.h"
#include "Tile.h"

#include "lot/IR/Lot.h"

using namespace mlir;
using namespace mlir::lot;

// The batch is parallel, the tokens are a reduction. Pivots are not in the
// domain: a token step needs its whole row.
static std::string domainDims(SweepOp op) {
  return ScoreDims(op.getScores()).token;
}
static std::string resultDims(SweepOp op) {
  return ScoreDims(op.getScores()).pivot;
}

SmallVector<utils::IteratorType> SweepOp::getLoopIteratorTypes() {
  SmallVector<utils::IteratorType> types(domainDims(*this).size(),
                                         utils::IteratorType::parallel);
  types.back() = utils::IteratorType::reduction;
  return types;
}

SmallVector<Range> SweepOp::getIterationDomain(OpBuilder &b) {
  return domainOf(b, getLoc(), getScores(), ScoreDims(getScores()).all,
                  domainDims(*this));
}

LogicalResult SweepOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  Tile tile(b, getLoc());
  tile.set(domainDims(*this), offsets, sizes);
  tile.position(getInits()[resultNumber], resultDims(*this), resultOffsets,
                resultSizes);
  return success();
}

FailureOr<TilingResult> lot::tileSweep(SweepOp op, OpBuilder &b, Tile &tile,
                                       ValueRange inits) {
  ScoreDims dims(op.getScores());
  SmallVector<Value> operands{tile.slice(op.getScores(), dims.all)};
  if (op.getPrev())
    operands.push_back(tile.slice(op.getPrev(), dims.pivot));
  if (op.getTokenLogMass())
    operands.push_back(tile.slice(op.getTokenLogMass(), dims.token));
  llvm::append_range(operands, inits);

  // Uniform means over all tokens, not over those of this tile.
  Value mass;
  int64_t tokens = dims.batch.size();
  if (op.getPrev() && !op.getTokenLogMass() &&
      !tile.isWhole('i', op.getScores(), tokens)) {
    FailureOr<Value> uniform =
        uniformMassOfTile(op, b, tile, dims.token, op.getScores(), tokens);
    if (failed(uniform))
      return failure();
    mass = *uniform;
  }
  TilingResult result = tile.cloneOn(op, operands);
  if (mass)
    cast<SweepOp>(result.tiledOps[0]).getTokenLogMassMutable().assign(mass);
  return result;
}

FailureOr<TilingResult>
SweepOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                                ArrayRef<OpFoldResult> sizes) {
  Tile tile(b, getLoc());
  tile.set(domainDims(*this), offsets, sizes);
  SmallVector<Value> inits;
  for (Value init : getInits())
    inits.push_back(tile.slice(init, resultDims(*this)));
  return tileSweep(*this, b, tile, inits);
}

FailureOr<TilingResult>
SweepOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                 ArrayRef<OpFoldResult> offsets,
                                 ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> tileOffsets, tileSizes;
  if (failed(domainTileOfResult(b, getInits()[resultNumber], resultDims(*this),
                                getIterationDomain(b), domainDims(*this),
                                offsets, sizes, tileOffsets, tileSizes)))
    return failure();
  FailureOr<TilingResult> tiled =
      getTiledImplementation(b, tileOffsets, tileSizes);
  if (failed(tiled))
    return failure();
  tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}
