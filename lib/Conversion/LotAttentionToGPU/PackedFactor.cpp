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

/// The factor relative to the potentials in `base`, and the sums of the sweep
/// from there, in f32. Absent pivots and tokens are 0. In the key side's first
/// one tokens have no potential.
PackedSolve::Sums PackedSolve::emitBuild(Value step,
                                         function_ref<void()> prefetch) {
  KernelBuilder::FreshThread fresh(k);
  FreshSide here(k, side, numbers);
  Sums sums = branch(
      k.equal(step, 0), facts.pivots() / 4, [&] { return emitFirstBuild(); },
      [&] { return emitNextBuild(); });
  if (prefetch)
    k.ifThen(isKey, prefetch);
  sums.columns = scatterColumns(k, sums.columns);
  return sums;
}

PackedSolve::Sums PackedSolve::emitFirstBuild() {
  int64_t group = getGroup(facts);
  auto startLane = [&] { return ring.startLane(getSource(facts, side)); };
  // Where registers are short, it does not wait for the tiles before its own.
  bool isCrowded = group == 1;
  Lane lane;
  if (!isCrowded)
    lane = startLane();
  Values columns;
  if (absentPivots)
    columns = spreadRaw(base);
  Sums sums{Values(facts.pivots() / 4, k.f32(0)), startReference};
  Values words;
  for (int64_t i = 0; i < facts.residentTiles(); i += group) {
    auto build = [&] {
      ring.wait(ring.getSlots() - group);
      SmallVector<Value> rows;
      for (int64_t t = 0; t < group; ++t)
        rows.push_back(ring.getFirstRow(i + t));
      Values all =
          emitBuildTiles(k.index(i), rows, /*first=*/true, columns, sums);
      all.append(sums.columns);
      return all;
    };
    Sums before = sums;
    Values results;
    if (i == 0) {
      results = build();
    } else {
      SmallVector<Type> types(group * tileWords(), k.getI32Type());
      types.append(sums.columns.size(), k.getF32Type());
      results = k.ifElse(hasTile(i), types, build, [&] {
        Value zero = k.word(0);
        Values all(group * tileWords(), zero);
        all.append(before.columns);
        return all;
      });
    }
    words.append(results.begin(), results.begin() + group * tileWords());
    sums.columns = Values(ArrayRef(results).drop_front(group * tileWords()));
    // Into the slots that they leave.
    k.warpBarrier();
    for (int64_t t = 0; t < group; ++t) {
      int64_t next = i + t + ring.getSlots();
      if (isCrowded && next < facts.residentTiles())
        lane = startLane();
      copyTile(k, facts, side, ring, lane, next);
    }
  }
  factor = words;
  return sums;
}

PackedSolve::Sums PackedSolve::emitNextBuild() {
  int64_t group = getGroup(facts);
  Lane lane = ring.startLane(getSource(facts, side));
  Value slots = k.index(ring.getSlots());
  ring.wait(0);
  for (int64_t i = 0; i < ring.getSlots(); ++i)
    copyTile(k, facts, side, ring, lane, i);
  Values columns = spreadRaw(base);
  Sums sums{Values(facts.pivots() / 4, k.f32(0)), reference};
  sums.columns = k.forLoop(
      k.index(0), countTiles(), k.index(group), sums.columns,
      [&](Value i, ValueRange carried) {
        Sums some{Values(carried), reference};
        ring.wait(ring.getSlots() - group);
        SmallVector<Value> rows;
        for (int64_t t = 0; t < group; ++t)
          rows.push_back(ring.getFirstRow(k.add(i, t)));
        Values words = emitBuildTiles(i, rows, /*first=*/false, columns, some);
        Value at = k.mul(i, tileWords());
        for (auto [w, word] : llvm::enumerate(words))
          k.store(word, planWords, k.add(at, w));
        k.warpBarrier();
        Value next = k.add(i, slots);
        for (int64_t t = 0; t < group; ++t)
          ring.copy(getSource(facts, side), lane, getTileStart(k.add(next, t)),
                    0, k.add(i, t), hasTile(next));
        return some.columns;
      });
  factor = loadPlanWords();
  return sums;
}

Values PackedSolve::emitBuildTiles(Value i, ArrayRef<Value> firstRows,
                                   bool first, const Values &columns,
                                   Sums &sums) {
  // Pivots from shared memory: the compiler would keep them in registers.
  Matrix reloaded = pivots;
  reloaded.shift = emitOpaque(k, k.index(0));
  // Scores are tiles times `unit`.
  Value unit = k.f32(getUnit());
  SmallVector<Tile> tiles = emitStagedScores(k, facts, ring.getRows(), k.warp(),
                                             firstRows, reloaded, columns);
  SmallVector<Rows> rows;
  SmallVector<std::array<Value, 2>> tops;
  for (auto [t, tile] : llvm::enumerate(tiles)) {
    rows.push_back(locateOwnRows(k.add(i, t)));
    tops.push_back(
        {emitTop(tile, rows[t], 0, unit), emitTop(tile, rows[t], 1, unit)});
  }
  Values words;
  for (auto [t, tile] : llvm::enumerate(tiles)) {
    for (auto [at, value] : llvm::enumerate(tile))
      value = k.exp2(k.fma(value, unit, k.negf(tops[t][rowOf(at)])));
    words.append(packTile(k, k.getF16Type(), tile));
  }
  for (auto [t, tile] : llvm::enumerate(tiles)) {
    std::array<Value, 2> rowSums =
        emitRowTotals(k, ArrayRef(words).slice(t * tileWords(), tileWords()));
    Value weight[2];
    for (int64_t row = 0; row < 2; ++row) {
      Value inverse = k.reciprocal(rowSums[row]);
      if (rows[t].masked)
        inverse = k.mulf(inverse, getWeight(rows[t].mass[row]));
      if (first) {
        Value begin = k.exp2(k.subf(tops[t][row], startReference));
        inverse = k.select(isKey, begin, inverse);
      }
      // A live row without a sum (no pivot, or not numbers) makes all sums NaN.
      weight[row] = k.select(rows[t].live[row], inverse, k.f32(0));
    }
    addToColumns(k, tile, weight, sums.columns);
  }
  return words;
}

Value PackedSolve::emitTop(const Tile &tile, const Rows &rows, int64_t row,
                           Value unit) {
  // Of all -inf: something that 2^(-inf - it) is 0 with.
  Value max = k.f32(-0x1p+120);
  for (auto [at, value] : llvm::enumerate(tile))
    if (rowOf(at) == row)
      max = k.maxf(max, value);
  max = k.maxLanes(max, kRowLanes);
  max = unit ? k.fma(max, unit, k.f32(-kHeadroom))
             : k.subf(max, k.f32(kHeadroom));
  // 2^-inf where there is nothing.
  return k.select(rows.live[row], max, k.negf(k.noMass()));
}
