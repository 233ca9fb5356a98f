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
/// from there, in f32. Absent pivots and tokens are 0. In the key side's
/// `first` one tokens have no potential.
PackedSolve::Sums PackedSolve::emitBuild(Value step,
                                         function_ref<void()> prefetch) {
  KernelBuilder::FreshThread fresh(k);
  FreshSide here(k, side, numbers);
  int64_t ahead = ring.getSlots() - 1;
  Lane lane = ring.startLane(getSource(facts, side));
  // The first time, the copies have been started.
  k.ifThen(k.less(k.index(0), step), [&] {
    ring.wait(0);
    for (int64_t i = 0; i < ahead; ++i)
      copyTile(k, facts, side, ring, lane, i);
  });
  Value first = isFirst(step);
  Values columns = spreadRaw(base);
  Values ones = columnOperand(k, Values(facts.pivots() / 4, k.f32(1)));
  Sums sums{Values(facts.pivots() / 4, k.f32(0)),
            k.select(first, startReference, reference)};
  Values words;
  for (int64_t i = 0; i < facts.residentTiles(); ++i) {
    if (i == 0) {
      words = emitBuildTile(i, lane, first, columns, ones, sums);
      continue;
    }
    SmallVector<Type> types(tileWords(), k.getI32Type());
    types.append(sums.columns.size(), k.getF32Type());
    auto withSums = [&](Values all) {
      all.append(sums.columns);
      return all;
    };
    Sums before = sums;
    Values results = k.ifElse(
        hasTile(i), types,
        [&] {
          return withSums(emitBuildTile(i, lane, first, columns, ones, sums));
        },
        [&] {
          sums = before;
          Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
          return withSums(Values(tileWords(), zero));
        });
    words.append(results.begin(), results.begin() + tileWords());
    sums.columns = Values(ArrayRef(results).drop_front(tileWords()));
  }
  if (prefetch)
    k.ifThen(isKey, prefetch);
  factor = words;
  return sums;
}

Values PackedSolve::emitBuildTile(int64_t i, const Lane &lane, Value first,
                                  const Values &columns, const Values &ones,
                                  Sums &sums) {
  int64_t ahead = ring.getSlots() - 1;
  copyTile(k, facts, side, ring, lane, i + ahead);
  ring.wait(ahead);
  // Pivots from shared memory: the compiler would keep them in registers.
  Matrix reloaded = pivots;
  reloaded.shift = emitOpaque(k, k.index(0));
  Rows rows = locateOwnRows(i);
  // Scores are `tile` times `unit`.
  Value unit = k.f32(getUnit());
  Tile tile = emitStagedScores(k, facts, ring.getRows(), k.warp(),
                               ring.getFirstRow(i), reloaded, columns);
  Value top[2];
  for (int64_t row = 0; row < 2; ++row)
    top[row] = emitTop(tile, rows, row, unit);
  for (auto [at, value] : llvm::enumerate(tile))
    value = k.exp2(k.fma(value, unit, k.negf(top[rowOf(at)])));
  Values words = packTile(k, k.getF16Type(), tile);
  std::array<Value, 2> rowSums = emitRowSums(k, words, ones);
  Value weight[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value inverse = k.reciprocal(rowSums[row]);
    if (rows.masked)
      inverse = k.mulf(inverse, getWeight(rows.mass[row]));
    Value begin = k.exp2(k.subf(top[row], startReference));
    // A live row without a sum (no pivot, or not numbers) makes all sums NaN.
    weight[row] =
        k.select(rows.live[row], k.select(first, begin, inverse), k.f32(0));
  }
  addToColumns(k, tile, weight, sums.columns);
  k.warpBarrier();
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
