//===- GlueTiling.cpp - Tiling of lot.glue --------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadTile.h"

#include "lot/IR/Lot.h"

using namespace mlir;
using namespace mlir::lot;

// Batch, query heads, queries and the value dim are tiled. Every tile of
// queries recomputes G = R2^T V, which a loop over them leaves invariant.
static constexpr StringLiteral kDims = "bqie";
static constexpr StringLiteral kDomain = "bqie";

SmallVector<utils::IteratorType> GlueOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(kDomain.size(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> GlueOp::getIterationDomain(OpBuilder &b) {
  return domainOf(b, getLoc(), getInit(), kDims, kDomain);
}

LogicalResult GlueOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  Tile tile(b, getLoc());
  tile.set(kDomain, offsets, sizes);
  tile.position(getDpsInits()[resultNumber], kDims, resultOffsets, resultSizes);
  return success();
}

FailureOr<TilingResult>
GlueOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                ArrayRef<OpFoldResult> offsets,
                                ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> tileOffsets, tileSizes;
  if (failed(domainTileOfResult(b, getDpsInits()[resultNumber], kDims,
                                getIterationDomain(b), kDomain, offsets, sizes,
                                tileOffsets, tileSizes)))
    return failure();
  FailureOr<TilingResult> tiled =
      getTiledImplementation(b, tileOffsets, tileSizes);
  if (failed(tiled))
    return failure();
  tiled->tiledValues = {tiled->tiledValues[resultNumber]};
  return tiled;
}

FailureOr<TilingResult>
GlueOp::getTiledImplementation(OpBuilder &b, ArrayRef<OpFoldResult> offsets,
                               ArrayRef<OpFoldResult> sizes) {
  Tile tile(b, getLoc());
  tile.set(kDomain, offsets, sizes);
  HeadsOf query{"query_plan", {{getQueryPlan(), 1}, {getInit(), 1}}};
  HeadsOf plan{"key_plan", {{getKeyPlan(), 1}}};
  HeadsOf value{"value", {{getValue(), 1}}};
  if (failed(setHeadTile(*this, b, tile, 's', query, plan)) ||
      failed(setHeadTile(*this, b, tile, 'h', query, value)) ||
      failed(expectStaticValueDim(*this, tile)))
    return failure();
  SmallVector<Value> operands{tile.slice(getQueryPlan(), "bqij"),
                              tile.slice(getKeyPlan(), "bskj"),
                              tile.slice(getValue(), "bhke")};
  if (getQueryLogMass())
    operands.push_back(tile.slice(getQueryLogMass(), "bqi"));
  if (getGlueLogRatio())
    operands.push_back(tile.slice(getGlueLogRatio(), "bsj"));
  operands.push_back(tile.slice(getInit(), kDims));

  // Uniform means over all queries, not over those of this tile.
  Value mass;
  bool usesMass = getNormalization() == Normalization::none ||
                  (getNormalization() == Normalization::row_sum &&
                   getRowFloor().convertToDouble() > 0);
  if (usesMass && !getQueryLogMass() && !tile.isWhole('i', getInit(), 2)) {
    FailureOr<Value> uniform =
        uniformMassOfTile(*this, b, tile, "bqi", getQueryPlan(), 2);
    if (failed(uniform))
      return failure();
    mass = *uniform;
  }
  TilingResult result = tile.cloneOn(*this, operands);
  if (mass)
    cast<GlueOp>(result.tiledOps[0]).getQueryLogMassMutable().assign(mass);
  return result;
}
