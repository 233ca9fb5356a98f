//===- SweepPass.cpp - The sums of one sweep over a chunk -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SweepPass.h"

#include "InlinePTX.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that share columns.
static constexpr int64_t kColumnLanes[] = {4, 8, 16};

void lot::mergePair(Kernel &k, Value &max, Value &sum, Value otherMax,
                    Value otherSum) {
  Value both = k.maxf(max, otherMax);
  Value base = k.select(k.isLive(both), both, k.f32(0));
  sum = k.fma(sum, k.exp2(k.subf(max, base)),
              k.mulf(otherSum, k.exp2(k.subf(otherMax, base))));
  max = both;
}

Values lot::foldLogSums(Kernel &k, Value count,
                        function_ref<Value(Value i)> part) {
  constexpr int64_t kAtOnce = 32; // parts that are read together
  Value last = k.sub(count, k.index(1));
  return k.forLoop(k.index(0), count, k.index(kAtOnce), {k.noMass(), k.f32(0)},
                   [&](Value first, ValueRange carried) -> Values {
                     Values parts;
                     Value max = carried[0];
                     for (int64_t i = 0; i < kAtOnce; ++i) {
                       Value value = part(k.min(k.add(first, i), last));
                       Value counts = k.less(k.add(first, i), count);
                       parts.push_back(k.select(counts, value, k.noMass()));
                       max = k.maxf(max, parts.back());
                     }
                     Value base = k.select(k.isLive(max), max, k.f32(0));
                     Value sum =
                         k.mulf(carried[1], k.exp2(k.subf(carried[0], base)));
                     for (Value value : parts)
                       sum = k.addf(sum, k.exp2(k.subf(value, base)));
                     return {max, sum};
                   });
}

Value SweepPass::emitReference() {
  if (!side.mass)
    return k.negf(k.log2(k.toFloat(side.length)));
  // Without scores: the chunk's rows, tile by tile.
  Value start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  Value max = k.forLoop(
      start, side.end, k.index(k.getWarps() * Facts::kTile), k.noMass(),
      [&](Value tile, ValueRange carried) -> Values {
        Rows rows = locateRows(k, side, tile);
        return {k.maxf(carried[0], k.maxf(rows.mass[0], rows.mass[1]))};
      })[0];
  max = k.maxLanes(max, kColumnLanes);
  k.ifThen(k.equal(k.lane(), 0),
           [&] { k.store(max, sums, {k.warp(), k.index(0)}); });
  k.barrier();
  Value all = k.noMass();
  for (int64_t warp = 0; warp < k.getWarps(); ++warp)
    all = k.maxf(all, k.load(sums, {k.index(warp), k.index(0)}));
  k.barrier();
  return k.select(k.isLive(all), all, k.f32(0));
}

void SweepPass::storeWarp(Values values) {
  Value first = laneColumn(k);
  k.ifThen(k.less(k.lane(), k.index(4)), [&] {
    for (int64_t c = 0; c < columns(); ++c)
      k.store(values[c], sums, {k.warp(), k.add(first, c / 2 * 8 + c % 2)});
  });
  k.barrier();
}

Value SweepPass::foldWarps(bool logarithms) {
  Value j = k.min(k.thread(), k.index(facts.pivots() - 1));
  if (!logarithms)
    return k.sumWarps(
        [&](int64_t warp) { return k.load(sums, {k.index(warp), j}); });
  // Opaque: what seldom runs is not to be computed before all else.
  Values pair = foldLogSums(k, emitOpaque(k, k.warpCount()), [&](Value warp) {
    return k.load(sums, {warp, j});
  });
  return k.addf(pair[0], k.log2(pair[1]));
}

/// The log of the plain sum, and whether any of the block's may have lost
/// something, the same in all threads.
std::pair<Value, Value> SweepPass::emitPlainSum(Value reference) {
  Values start(columns(), k.f32(0));
  Values added = forTiles(
      start,
      [&](const Rows &rows, const Tile &scores, ValueRange carried) -> Values {
        TokenStep step = emitTokenStep(
            k, addColumns(k, scores, loadColumns(k, facts, state)));
        Value weight[2];
        for (int64_t i = 0; i < 2; ++i) {
          Value mass =
              rows.masked ? k.exp2(k.subf(rows.mass[i], reference)) : k.f32(1);
          weight[i] = k.mulf(mass, k.reciprocal(step.sum[i]));
          Value live = k.both(rows.live[i], k.greater(step.sum[i], k.f32(0)));
          weight[i] = k.select(live, weight[i], k.f32(0));
        }
        Values next(carried);
        addToColumns(k, step.terms, weight, next);
        return next;
      });
  return foldPlain(added, reference, k.f32(0x1p-80));
}

/// emitPlainSum from the lane's parts.
std::pair<Value, Value> SweepPass::foldPlain(Values added, Value reference,
                                             Value least, Value lost) {
  for (Value &sum : added)
    sum = k.sumLanes(sum, kColumnLanes);
  storeWarp(added);
  Value total = foldWarps(/*logarithms=*/false);
  Value j = k.min(k.thread(), k.index(facts.pivots() - 1));
  Value good =
      k.both(k.greater(total, least), k.greater(k.f32(0x1p+100), total));
  Value suspect = k.both(k.invert(good), k.isLive(k.load(state, j)));
  if (lost)
    suspect = k.either(suspect, lost);
  return {k.addf(k.log2(total), reference), k.barrierAny(suspect)};
}

Value SweepPass::emitPairSum(Value first) {
  Values start;
  for (int64_t c = 0; c < columns(); ++c)
    start.append({k.noMass(), k.f32(0)});
  Values added = forTiles(
      start,
      [&](const Rows &rows, const Tile &scores, ValueRange carried) -> Values {
        Values y = loadColumns(k, facts, state);
        TokenStep step = emitTokenStep(k, addColumns(k, scores, y));
        Value potential[2];
        for (int64_t i = 0; i < 2; ++i) {
          Value x = k.subf(rows.mass[i], step.logSum[i]);
          Value live = k.both(rows.live[i], k.isLive(step.logSum[i]));
          x = k.select(first, k.f32(0), x);
          potential[i] =
              k.select(k.select(first, rows.live[i], live), x, k.noMass());
        }
        Values next(carried);
        for (int64_t i = 0; i < static_cast<int64_t>(scores.size()); i += 4)
          for (int64_t c = 0; c < 2; ++c) {
            int64_t column = i / 4 * 2 + c;
            for (int64_t row = 0; row < 2; ++row) {
              // -inf where the token or the pivot has no mass.
              Value term = k.addf(k.addf(scores[i + 2 * row + c], y[column]),
                                  potential[row]);
              mergePair(k, next[2 * column], next[2 * column + 1], term,
                        k.f32(1));
            }
          }
        return next;
      });
  Values logSums;
  for (int64_t c = 0; c < columns(); ++c) {
    Value max = added[2 * c], sum = added[2 * c + 1];
    for (int64_t mask : kColumnLanes)
      mergePair(k, max, sum, k.exchange(max, mask), k.exchange(sum, mask));
    logSums.push_back(k.addf(max, k.log2(sum)));
  }
  storeWarp(logSums);
  return foldWarps(/*logarithms=*/true);
}

/// For any scores.
Value SweepPass::emitSafeSum(Value first, Value reference) {
  Values plain = k.ifElse(
      first, {k.getF32Type(), k.getI1Type()},
      [&] { return Values{k.noMass(), k.flag(true)}; },
      [&] {
        auto [sum, lost] = emitPlainSum(reference);
        return Values{sum, lost};
      });
  return k.ifElse(
      plain[1], k.getF32Type(), [&] { return Values{emitPairSum(first)}; },
      [&] { return Values{plain[0]}; })[0];
}

Value SweepPass::emitLogSum(Value first, Value reference) {
  Value sum;
  if (addQuickly) {
    QuickSums quick = addQuickly(first, reference);
    auto [logSum, lost] =
        foldPlain(quick.columns, quick.reference, quick.least, quick.lost);
    sum = k.ifElse(
        lost, k.getF32Type(),
        [&] { return Values{emitSafeSum(first, reference)}; },
        [&, logSum = logSum] { return Values{logSum}; })[0];
  } else {
    sum = emitSafeSum(first, reference);
  }
  // The terms have y_j in them, which the next potential has not.
  Value y = k.load(state, k.min(k.thread(), k.index(facts.pivots() - 1)));
  return k.select(k.isLive(y), k.subf(sum, y), k.noMass());
}
