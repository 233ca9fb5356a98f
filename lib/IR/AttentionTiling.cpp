//===- AttentionTiling.cpp - Tiling of lot.attention ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadTile.h"

#include "lot/IR/Lot.h"

using namespace mlir;
using namespace mlir::lot;

// Batch, query heads and the value dim are tiled. Queries are not in the
// domain: the solve reads all of them.
static constexpr StringLiteral kDims = "bqie";
static constexpr StringLiteral kDomain = "bqe";

/// Residuals are those of all batch entries and heads: with them there are no
/// loops.
static StringRef getDomain(AttentionOp op) {
  return op.getResiduals() ? StringRef() : StringRef(kDomain);
}

/// The letters of a result.
static StringRef getDims(unsigned result) { return result == 0 ? kDims : "."; }

SmallVector<utils::IteratorType> AttentionOp::getLoopIteratorTypes() {
  return SmallVector<utils::IteratorType>(getDomain(*this).size(),
                                          utils::IteratorType::parallel);
}

SmallVector<Range> AttentionOp::getIterationDomain(OpBuilder &b) {
  return domainOf(b, getLoc(), getInit(), kDims, getDomain(*this));
}

LogicalResult AttentionOp::getResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  Tile tile(b, getLoc());
  tile.set(getDomain(*this), offsets, sizes);
  tile.position(getInits()[resultNumber], getDims(resultNumber), resultOffsets,
                resultSizes);
  return success();
}

FailureOr<TilingResult>
AttentionOp::generateResultTileValue(OpBuilder &b, unsigned resultNumber,
                                     ArrayRef<OpFoldResult> offsets,
                                     ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> tileOffsets, tileSizes;
  if (failed(domainTileOfResult(b, getInits()[resultNumber],
                                getDims(resultNumber), getIterationDomain(b),
                                getDomain(*this), offsets, sizes, tileOffsets,
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
AttentionOp::getTiledImplementation(OpBuilder &b,
                                    ArrayRef<OpFoldResult> offsets,
                                    ArrayRef<OpFoldResult> sizes) {
  Tile tile(b, getLoc());
  if (getResiduals())
    return tile.cloneOn(*this, getOperands());
  tile.set(kDomain, offsets, sizes);
  auto rank = [&](Value value) { return getShapedType(value).getRank(); };
  HeadsOf query{"query", {{getQuery(), 1}, {getInit(), 1}}};
  HeadsOf key{"key", {{getKey(), 1}, {getValue(), 1}}};
  HeadsOf pivots{"pivots", {{getPivots(), rank(getPivots()) - 3}}};
  if (failed(setHeadTile(*this, b, tile, 'h', query, key)) ||
      failed(setHeadTile(*this, b, tile, 'p', query, pivots)) ||
      failed(expectStaticValueDim(*this, tile)))
    return failure();
  SmallVector<Value> operands{
      tile.slice(getQuery(), "bqid"), tile.slice(getKey(), "bhkd"),
      tile.slice(getValue(), "bhke"),
      tile.slice(getPivots(), rank(getPivots()) == 4 ? "bpjd" : "pjd")};
  if (Value mass = getQueryLogMass())
    operands.push_back(tile.slice(mass, rank(mass) == 3 ? "bqi" : "bi"));
  if (Value mass = getKeyLogMass())
    operands.push_back(tile.slice(mass, rank(mass) == 3 ? "bhk" : "bk"));
  for (Value mass : {getPivotLogMass(), getGlueLogMass()})
    if (mass)
      operands.push_back(tile.slice(mass, rank(mass) == 3 ? "bpj" : "pj"));
  operands.push_back(tile.slice(getInit(), kDims));
  return tile.cloneOn(*this, operands);
}
