//===- PackedPlan.cpp - Plans of a factor of 16 bits ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plan is E_ij v_j u_i: products take E as it is, v goes to the other
// operand or to the result, u to the result or to the tokens' side.
//
//===----------------------------------------------------------------------===//

#include "PackedSolve.h"

using namespace mlir;
using namespace mlir::lot;

/// The factor relative to the last potentials, where it has lost something,
/// from scores; with its u.
Values PackedSolve::emitPlansFromTokens(const Values &last,
                                        const Values &read) {
  k.forLoop(k.index(0), countTiles(), k.index(1), [&](Value i) {
    Rows rows = locateRows(k, side, getTileStart(i));
    Tile scores = emitScores(k, facts, side, rows, pivots);
    TokenStep before = emitTokenStep(k, addColumns(k, scores, read));
    Tile tile = addColumns(k, scores, last);
    Value top[2];
    for (int64_t row = 0; row < 2; ++row) {
      top[row] = emitTop(tile, rows, row);
      Value mass = k.select(isKey, rows.mass[row], k.f32(0));
      Value u = k.exp2(k.addf(k.subf(top[row], before.logSum[row]), mass));
      Value some = k.both(rows.live[row], k.isLive(before.logSum[row]));
      some = k.both(some, k.greater(k.negf(k.noMass()), top[row]));
      k.ifThen(k.equal(k.rem(k.lane(), 4), 0), [&] {
        k.store(k.select(some, u, k.f32(0)), rowFactors,
                {k.warp(), rowOfWarp(i, row)});
      });
    }
    for (auto [at, value] : llvm::enumerate(tile))
      value = k.exp2(k.subf(value, top[rowOf(at)]));
    Value at = k.mul(i, tileWords());
    for (auto [w, word] : llvm::enumerate(packTile(k, k.getF16Type(), tile)))
      k.store(word, planWords, k.add(at, w));
  });
  return loadPlanWords();
}

Values PackedSolve::loadPlanWords() {
  Values words;
  Value none = k.word(0);
  for (int64_t i = 0; i < static_cast<int64_t>(factor.size()); ++i)
    words.push_back(k.select(hasTile(i / tileWords()),
                             k.load(planWords, k.index(i)), none));
  return words;
}

Value PackedSolve::rowOfWarp(Value tile, int64_t row) {
  return k.add(k.add(k.mul(tile, Facts::kTile), k.div(k.lane(), 4)), 8 * row);
}

std::array<Value, 2> PackedSolve::loadRowFactors(int64_t tile) {
  std::array<Value, 2> result;
  for (int64_t row = 0; row < 2; ++row)
    result[row] = k.load(rowFactors, {k.warp(), rowOfWarp(k.index(tile), row)});
  return result;
}

void PackedSolve::emitPlans() {
  KernelBuilder::FreshThread fresh(k);
  // The potential that the last token step read.
  Value readsLast =
      k.select(isKey, k.flag(facts.keyPrev() == facts.keySweeps()),
               k.flag(facts.queryPrev() == facts.querySweeps()));
  Value steps = countSteps();
  Values last = loadPotentials(steps), read;
  // Those of the step before have the place that the next one would take.
  Values previous = loadPotentials(k.add(steps, 1));
  for (auto [y, before] : llvm::zip(last, previous))
    read.push_back(k.select(readsLast, y, before));
  auto [readScaled, readOffset] = scale(read);
  auto [lastScaled, lastOffset] = scale(last);
  Value change = k.subf(lastOffset, readOffset);
  // Plans of keys are without the mass of the pivot.
  Values columns, logColumns;
  for (auto [v, y, mass] :
       llvm::zip(lastScaled, last, cluster.loadLaneColumns(masses))) {
    Value none = k.f32(0);
    Value less = k.select(k.both(isKey, k.isLive(mass)), mass, none);
    columns.push_back(k.mulf(v, k.exp2(k.negf(less))));
    logColumns.push_back(k.subf(y, less));
  }
  Values operand = cluster.spreadOperand(readScaled);
  Value smallest = k.negf(k.noMass());
  for (int64_t i = 0; i < facts.residentTiles(); i += 4) {
    QuadSums rows = emitQuadSums(i, operand);
    for (int64_t row = 0; row < 2; ++row) {
      smallest = k.minf(smallest, rows.sums[row]);
      Value mass = rows.masses[row] ? rows.masses[row] : reference;
      Value exponent = k.addf(change, k.select(isKey, mass, k.f32(0)));
      Value u = k.mulf(k.reciprocal(rows.sums[row]), k.exp2(exponent));
      if (rows.masses[row])
        u = k.select(rows.live[row], u, k.f32(0));
      k.store(u, rowFactors, {k.warp(), rowOfWarp(rows.tile, row)});
    }
  }
  Value good = k.greater(smallest, k.f32(kLeastRowSum));
  Value suspect = k.either(stale, k.invert(good));
  SmallVector<Type> types(factor.size(), k.getI32Type());
  types.append(columns.size(), k.getF32Type());
  Values result = k.ifElse(
      k.barrierAny(suspect), types,
      [&] {
        Values logLast = cluster.spread(logColumns);
        Values words = emitPlansFromTokens(logLast, cluster.spread(read));
        words.append(columns.size(), k.f32(1));
        return words;
      },
      [&] {
        Values same = factor;
        same.append(columns);
        return same;
      });
  factor = Values(ArrayRef(result).take_front(factor.size()));
  k.ifThen(k.equal(k.warp(), 0), [&] {
    for (auto [i, v] :
         llvm::enumerate(ArrayRef(result).drop_front(factor.size())))
      k.store(v, pivotFactors, cluster.columnOf(i));
  });
  // The others' are read after another barrier, but with masses for rows.
  if (facts.rowSum())
    k.barrier();
  else
    k.warpBarrier();
}
