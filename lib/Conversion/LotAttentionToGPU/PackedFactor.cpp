//===- PackedFactor.cpp - The factor of 16 bits from scores ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InlinePTX.h"
#include "PackedSolve.h"
#include "StagedScores.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that share a row.
static constexpr int64_t kRowLanes[] = {1, 2};
/// Bits that the largest entry of a row is above 1.
static constexpr double kHeadroom = 8;

/// The largest score of 16 tokens all over the side, the same for all blocks:
/// what the terms of the key side's first sweep, in f32, are relative to.
Value PackedSolve::emitStartReference() {
  return k.ifElse(
      isKey, k.getF32Type(),
      [&]() -> Values {
        Rows rows;
        for (int64_t i = 0; i < 2; ++i) {
          Value at = k.add(k.div(k.lane(), 4), 8 * i);
          rows.index[i] = k.div(k.mul(at, side.length), Facts::kTile);
          rows.live[i] =
              side.mass ? k.isLive(getMass(rows.index[i])) : k.flag(true);
          rows.mass[i] = k.f32(0);
        }
        rows.masked = side.mass;
        Value max = k.noMass();
        Tile scores = addColumns(k, emitScores(k, facts, side, rows, pivots),
                                 cluster.spread(last));
        for (auto [i, score] : llvm::enumerate(scores))
          max = k.maxf(max, k.select(rows.live[rowOf(i)], score, k.noMass()));
        max = k.maxLanes(max, {1, 2, 4, 8, 16});
        return {k.select(k.isLive(max), max, k.f32(0))};
      },
      [&] { return Values{k.f32(0)}; })[0];
}

/// The factor relative to the potentials in `base`, and the sums of the sweep
/// from there, in f32. Absent pivots and tokens are 0. In the key side's
/// `first` one tokens have no potential.
PackedSolve::Sums PackedSolve::emitBuild(Value first) {
  KernelBuilder::FreshThread fresh(k);
  Values columns = cluster.spread(base);
  // With a positive scale and no clipping, what is added to scores goes into
  // the accumulators, and the scale into the exponential.
  bool raw = facts.rawScores();
  Value unit = k.f32(raw ? facts.scoreScale : 1);
  if (raw)
    for (Value &column : columns)
      column = k.mulf(column, k.f32(1 / facts.scoreScale));
  Values ones = columnOperand(k, Values(facts.pivots() / 4, k.f32(1)));
  Values words;
  Sums sums{Values(facts.pivots() / 4, k.f32(0)), k.f32(0),
            k.select(first, startReference, reference)};
  Value infinite = k.negf(k.noMass());
  WarpRing::Source source{
      side, side.tokens, {side.batch, side.tokenHead}, facts.d};
  auto copy = [&](int64_t i) {
    bool some = i < facts.residentTiles();
    ring.copy(some ? &source : nullptr, some ? getTileStart(i) : Value(), 0, i);
  };
  int64_t ahead = ring.getSlots() - 1;
  for (int64_t i = 0; i < ahead; ++i)
    copy(i);
  for (int64_t i = 0; i < facts.residentTiles(); ++i) {
    copy(i + ahead);
    ring.wait(ahead);
    // Pivots from shared memory: the compiler would keep them in registers.
    Matrix reloaded = pivots;
    reloaded.shift = emitOpaque(k, k.index(0));
    Rows rows = locateOwnRows(i);
    // Scores are `tile` times `unit`.
    Tile tile = emitStagedScores(k, facts, ring.getRows(), k.warp(),
                                 ring.getFirstRow(i), reloaded, columns);
    Value top[2];
    for (int64_t row = 0; row < 2; ++row)
      top[row] = emitTop(tile, rows, row, unit);
    for (auto [at, value] : llvm::enumerate(tile))
      value = k.exp2(k.fma(value, unit, k.negf(top[rowOf(at)])));
    Values packed = packTile(k, k.getF16Type(), tile);
    words.append(packed);
    std::array<Value, 2> rowSums = emitRowSums(k, packed, ones);
    Value weight[2];
    for (int64_t row = 0; row < 2; ++row) {
      Value live = k.greater(rowSums[row], k.f32(0));
      Value inverse = k.reciprocal(rowSums[row]);
      if (rows.masked)
        inverse = k.mulf(inverse, getWeight(rows.mass[row]));
      Value begin = k.exp2(k.subf(top[row], startReference));
      weight[row] = k.select(live, k.select(first, begin, inverse), k.f32(0));
      // A live row without a sum: no pivot, or not numbers.
      Value bad = k.both(rows.live[row], k.invert(live));
      Value added = k.select(first, k.f32(0), weight[row]);
      sums.inverses = k.addf(sums.inverses, k.select(bad, infinite, added));
    }
    for (auto [at, entry] : llvm::enumerate(tile)) {
      Value &sum = sums.columns[at / 4 * 2 + at % 2];
      sum = k.fma(entry, weight[rowOf(at)], sum);
    }
    k.warpBarrier();
  }
  // All four lanes of a row have its sum.
  sums.inverses = k.mulf(sums.inverses, k.f32(0.25));
  factor = words;
  return sums;
}

Value PackedSolve::emitTop(const Tile &tile, const Rows &rows, int64_t row,
                           Value unit) {
  Value max = k.noMass();
  for (auto [at, value] : llvm::enumerate(tile))
    if (rowOf(at) == row)
      max = k.maxf(max, value);
  max = k.maxLanes(max, kRowLanes);
  Value live = k.both(rows.live[row], k.isLive(max));
  if (unit)
    max = k.mulf(max, unit);
  // 2^-inf where there is nothing.
  return k.select(live, k.subf(max, k.f32(kHeadroom)), k.negf(k.noMass()));
}
