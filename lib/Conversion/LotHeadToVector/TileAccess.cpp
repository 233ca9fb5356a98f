//===- TileAccess.cpp - Loads and stores of a tile of tokens --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

/// Whether rows can be read as vectors.
static bool hasUnitInnerStride(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

/// Memory row of lane `lane`: lanes past the end read the last token again.
static Value tokenRow(Emitter &e, TokenTile tile, Value lane) {
  Value last = e.addIndex(tile.length, -1);
  return e.minIndex(e.addIndex(tile.first, lane), last);
}

/// log2 mass > -inf: a mask, or a bit for a scalar.
static Value isLive(Emitter &e, Value log2Mass) {
  double ninf = -std::numeric_limits<double>::infinity();
  bool vector = isa<VectorType>(log2Mass.getType());
  return e.greater(log2Mass, vector ? e.splat(ninf) : e.scalar(ninf));
}

/// lanes x lanes transpose: log2(lanes) stages, each exchanging one bit of the
/// lane number with the same bit of the row number by shuffles of two vectors.
static void transpose(Emitter &e, SmallVectorImpl<Value> &rows) {
  int64_t lanes = e.lanes();
  for (int64_t bit = 1; bit < lanes; bit *= 2) {
    SmallVector<Value> next(lanes);
    SmallVector<int64_t> low(lanes), high(lanes);
    for (int64_t l = 0; l < lanes; ++l) {
      low[l] = l & bit ? lanes + (l & ~bit) : l;
      high[l] = l & bit ? lanes + l : l | bit;
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & bit)
        continue;
      next[i] = vector::ShuffleOp::create(e, rows[i], rows[i | bit], low);
      next[i | bit] =
          vector::ShuffleOp::create(e, rows[i], rows[i | bit], high);
    }
    rows.assign(next.begin(), next.end());
  }
}

void lot::packTokens(Emitter &e, Value tokens, TokenTile tile, Value log2Mass,
                     Value dst) {
  auto type = cast<MemRefType>(tokens.getType());
  int64_t d = type.getDimSize(1), lanes = e.lanes();
  bool vectors = hasUnitInnerStride(type) && d >= lanes;
  e.forEach(e.index(0), e.index(e.tile()), lanes, [&](Value lane0) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i)
      rows.push_back(tokenRow(e, tile, e.addIndex(lane0, i)));
    Value mask;
    if (log2Mass)
      mask = isLive(e, e.loadVector(log2Mass, {e.addIndex(tile.first, lane0)}));
    auto keep = [&](Value x) {
      return mask ? e.select(mask, x, e.splat(0.0)) : x;
    };
    auto block = [&](Value k0) {
      SmallVector<Value> x;
      for (Value row : rows)
        x.push_back(e.convert(e.loadVector(tokens, {row, k0}), e.scalarType()));
      transpose(e, x);
      for (int64_t k = 0; k < lanes; ++k)
        e.storeVector(keep(x[k]), dst, {e.addIndex(k0, k), lane0});
    };
    if (!vectors) {
      e.forEach(d, [&](Value k) {
        Value x = e.splat(0.0);
        for (int64_t i = 0; i < lanes; ++i)
          x = vector::InsertOp::create(
              e, e.convert(e.load(tokens, {rows[i], k}), e.scalarType()), x,
              ArrayRef<int64_t>{i});
        e.storeVector(keep(x), dst, {k, lane0});
      });
      return;
    }
    // The last block overlaps the one before instead of needing a mask.
    e.forEach(e.index(0), e.index(d / lanes * lanes), lanes, block);
    if (d % lanes)
      block(e.index(d - lanes));
  });
}

/// Calls `body(column)` for vectors that cover [0, columns), the last one
/// overlapping; `scalarBody` for each column where a vector is too wide.
static void forColumns(Emitter &e, int64_t columns, bool vectors,
                       function_ref<void(Value)> body,
                       function_ref<void(Value)> scalarBody) {
  int64_t lanes = e.lanes();
  if (!vectors || columns < lanes) {
    e.forEach(columns, scalarBody);
    return;
  }
  e.forEach(e.index(0), e.index(columns / lanes * lanes), lanes, body);
  if (columns % lanes)
    body(e.index(columns - lanes));
}

void lot::packRows(Emitter &e, Value value, TokenTile tile, Value log2Mass,
                   Value dst) {
  auto type = cast<MemRefType>(value.getType());
  e.forEach(e.tile(), [&](Value i) {
    Value row = tokenRow(e, tile, i), live;
    if (log2Mass)
      live = isLive(e, e.load(log2Mass, {e.addIndex(tile.first, i)}));
    forColumns(
        e, type.getDimSize(1), hasUnitInnerStride(type),
        [&](Value c) {
          Value x = e.convert(e.loadVector(value, {row, c}), e.scalarType());
          e.storeVector(live ? e.select(live, x, e.splat(0.0)) : x, dst,
                        {i, c});
        },
        [&](Value c) {
          Value x = e.convert(e.load(value, {row, c}), e.scalarType());
          e.store(live ? e.select(live, x, e.scalar(0.0)) : x, dst, {i, c});
        });
  });
}

void lot::storeRows(Emitter &e, Value src, TokenTile tile, Value log2Mass,
                    Value factors, Value out) {
  auto type = cast<MemRefType>(out.getType());
  Type io = type.getElementType();
  Value left = arith::SubIOp::create(e, tile.length, tile.first);
  e.forEach(e.index(0), e.minIndex(e.index(e.tile()), left), 1, [&](Value i) {
    Value row = e.addIndex(tile.first, i), factor = e.load(factors, {i});
    Value wide = e.broadcast(factor), live;
    if (log2Mass)
      live = isLive(e, e.load(log2Mass, {row}));
    forColumns(
        e, type.getDimSize(1), hasUnitInnerStride(type),
        [&](Value c) {
          Value x = e.mul(e.loadVector(src, {i, c}), wide);
          x = live ? e.select(live, x, e.splat(0.0)) : x;
          e.storeVector(e.convert(x, io), out, {row, c});
        },
        [&](Value c) {
          Value x = e.mul(e.load(src, {i, c}), factor);
          x = live ? e.select(live, x, e.scalar(0.0)) : x;
          e.store(e.convert(x, io), out, {row, c});
        });
  });
}
