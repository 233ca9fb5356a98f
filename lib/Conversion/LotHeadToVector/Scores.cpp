//===- Scores.cpp - Scores of a tile, with tokens in the lanes ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

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

Scores lot::makeScores(Emitter &e, Value tokens, Value pivots, Value log2Mass,
                       bool maskedTokens, FloatAttr clamp, int64_t numPivots) {
  auto type = cast<MemRefType>(pivots.getType());
  Value rows = e.scratch({e.tile(), type.getDimSize(0)});
  Value products = e.scratch({e.tile(), type.getDimSize(1)});
  return {tokens, pivots,  maskedTokens ? log2Mass : Value(), clamp, numPivots,
          rows,   products};
}

/// products[token][j] = tokens . pivots_j: rows are tokens, the vectors pivots.
static void emitProducts(Emitter &e, const Scores &s, TokenTile tile) {
  auto type = cast<MemRefType>(s.pivots.getType());
  // A row of an absent token gives a score that is not used.
  Value rows = readRows(e, s.tokens, tile, s.rows, /*log2Mass=*/Value());
  Value next = e.addIndex(tile.first, e.tile());
  emitProduct(e,
              {e.tile(), type.getDimSize(1) / e.lanes(), type.getDimSize(0),
               [&](Value row, Value k) { return e.loadSplat(rows, {row, k}); },
               [&](Value k, Value column) {
                 return e.loadVector(s.pivots, {k, column});
               },
               [&](Value, Value) { return e.splat(0.0); },
               [&](Value acc, Value row, Value column) {
                 e.storeVector(acc, s.products, {row, column});
               },
               [&](Value row, int64_t count) {
                 prefetchRows(e, s.tokens, e.addIndex(next, row), count);
               }});
}

Value lot::makeNoBias(Emitter &e, int64_t r) {
  Value bias = e.scratch({r});
  e.forEach(r, [&](Value j) { e.store(e.scalar(0.0), bias, {j}); });
  return bias;
}

void lot::emitScores(Emitter &e, const Scores &s, TokenTile tile, Value bias,
                     Value dst, ValueRange at) {
  emitProducts(e, s, tile);
  e.forEach(e.index(0), e.index(e.tile()), e.lanes(), [&](Value lane0) {
    Value live;
    if (s.log2Mass)
      live =
          isLive(e, e.loadVector(s.log2Mass, {e.addIndex(tile.first, lane0)}));
    e.forBlocks(s.numPivots, e.lanes(), [&](Value j0, int64_t count) {
      SmallVector<Value> x;
      for (int64_t i = 0; i < e.lanes(); ++i)
        x.push_back(e.loadVector(s.products, {e.addIndex(lane0, i), j0}));
      transpose(e, x);
      for (int64_t i = 0; i < count; ++i) {
        Value j = e.addIndex(j0, i), score = x[i];
        if (s.clamp) {
          double c = s.clamp.getValueAsDouble();
          score = e.min(e.max(score, e.splat(-c)), e.splat(c));
        }
        if (live) // a choice: memory of an absent token may hold NaN
          score = e.select(live, score, e.splat(0.0));
        SmallVector<Value> indices(at);
        indices.append({j, lane0});
        e.storeVector(e.add(score, e.loadSplat(bias, {j})), dst, indices);
      }
    });
  });
}
