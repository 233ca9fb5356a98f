//===- ResidentSolve.cpp - Half-steps on a factor in registers ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ResidentSolve.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that share a row, and columns.
static constexpr int64_t kRowLanes[] = {1, 2};
static constexpr int64_t kColumnLanes[] = {4, 8, 16};

/// The smallest sums that nothing can be missing from.
static constexpr double kLeastRowSum = 0x1p-60;
static constexpr double kLeastColumnSum = 0x1p-35;
/// Half-steps that move a potential by more than 2^30 take the log domain in
/// the plan.
static constexpr double kMostChange = 30;

ResidentSolve::ResidentSolve(Kernel &k, const Facts &facts, const Side &side,
                             const Matrix &pivots, Value allMasses,
                             bool keySide, Value noted)
    : k(k), facts(facts), side(side), pivots(pivots), keySide(keySide),
      noted(noted), pass{k, facts, side, Value(), Value(), nullptr} {
  Type f32 = k.getF32Type();
  int64_t r = facts.pivots();
  state = k.shared.allocate({r}, f32);
  prev = k.shared.allocate({r}, f32);
  masses = k.shared.allocate({r}, f32);
  slots = k.shared.allocate({2 * kMaxCluster * r}, f32);
  arrivals = k.shared.allocate({2}, k.getI64Type());
  sums = k.shared.allocate({Facts::kWarps, r}, f32);
  lastTile.emplace(k, Facts::kWarps, r / 2, f32);
  if (keySide)
    tops = k.shared.allocate(
        {Facts::kWarps, facts.residentTiles() * Facts::kTile}, f32);
  k.initTransactions(arrivals, 2);
  Value pivot = ownPivot();
  Value pivotMass = k.load(allMasses, {side.pivotIndex, pivot});
  k.ifThen(hasPivot(), [&] {
    Value start = k.select(k.isLive(pivotMass), k.f32(0), k.noMass());
    k.store(start, state, pivot);
    k.store(start, prev, pivot);
    k.store(pivotMass, masses, pivot);
    if (noted)
      k.ifThen(k.equal(side.chunk, 0), [&] {
        k.store(start, noted, {side.problem, k.index(0), pivot});
      });
  });
  // Of the pivots' copy, too, and before anything comes from other blocks.
  k.clusterBarrier();
  pass.state = state;
  pass.sums = sums;
  pass.forTiles = [this](const Values &init, SweepPass::TileBody body) {
    return forLoggedTiles(init, body);
  };
  reference = pass.emitReference();
  emitFactor();
}

Value ResidentSolve::hasPivot() {
  return k.less(k.thread(), k.index(facts.pivots()));
}

Value ResidentSolve::ownPivot() {
  return k.min(k.thread(), k.index(facts.pivots() - 1));
}

Value ResidentSolve::getTileStart(int64_t i) {
  Value warp = k.add(k.warp(), i * Facts::kWarps);
  return k.add(side.begin, k.mul(warp, Facts::kTile));
}

/// Where the lane's first row of a tile is in `tops`.
static Value rowOfWarp(Kernel &k, int64_t tile) {
  return k.add(k.div(k.lane(), 4), tile * Facts::kTile);
}

/// The last tile lies in shared memory: registers are short.
void ResidentSolve::keepTile(int64_t i, const Tile &tile) {
  if (i + 1 < getTileCount())
    factor.push_back(tile);
  else
    lastTile->store(0, tile);
}

Tile ResidentSolve::getTile(int64_t i) {
  if (i + 1 < getTileCount())
    return factor[i];
  return Tile(lastTile->load(0, facts.pivots() / 2));
}

/// Only keys ask for them, before and after the half-steps.
void ResidentSolve::keepTop(int64_t tile, const std::array<Value, 2> &top) {
  if (!keySide)
    return;
  for (int64_t row = 0; row < 2; ++row)
    k.store(top[row], tops, {k.warp(), k.add(rowOfWarp(k, tile), 8 * row)});
}

std::array<Value, 2> ResidentSolve::loadTop(int64_t tile) {
  std::array<Value, 2> top;
  for (int64_t row = 0; row < 2; ++row)
    top[row] = k.load(tops, {k.warp(), k.add(rowOfWarp(k, tile), 8 * row)});
  return top;
}

/// E of all tiles. Absent pivots and tokens are 0.
void ResidentSolve::emitFactor() {
  Values columns = loadColumns(k, facts, state);
  Value largestHere = k.noMass();
  for (int64_t i = 0; i < facts.residentTiles(); ++i) {
    KernelBuilder::FreshThread inTile(k);
    Rows rows = locateRows(k, side, getTileStart(i));
    Tile scores =
        addColumns(k, emitScores(k, facts, side, rows, pivots), columns);
    std::array<Value, 2> max;
    for (int64_t row = 0; row < 2; ++row) {
      max[row] = k.noMass();
      for (auto [at, value] : llvm::enumerate(scores))
        if (rowOf(at) == row)
          max[row] = k.maxf(max[row], value);
      max[row] = k.maxLanes(max[row], kRowLanes);
      Value live = k.both(rows.live[row], k.isLive(max[row]));
      largestHere = k.maxf(largestHere, k.select(live, max[row], k.noMass()));
      max[row] = k.select(k.isLive(max[row]), max[row], k.f32(0));
      for (auto [at, value] : llvm::enumerate(scores))
        if (rowOf(at) == row)
          value = k.select(live, k.exp2(k.subf(value, max[row])), k.f32(0));
    }
    keepTile(i, scores);
    keepTop(i, max);
  }
  if (!keySide)
    return;
  largestHere = k.maxLanes(largestHere, kColumnLanes);
  k.ifThen(k.equal(k.lane(), 0),
           [&] { k.store(largestHere, sums, {k.warp(), k.index(0)}); });
  k.barrier();
  largest = k.noMass();
  for (int64_t warp = 0; warp < Facts::kWarps; ++warp)
    largest = k.maxf(largest, k.load(sums, {k.index(warp), k.index(0)}));
  largest = k.select(k.isLive(largest), largest, k.f32(0));
  k.barrier();
}

/// A loop over this warp's tiles with scores from the tokens.
Values ResidentSolve::forLoggedTiles(const Values &init,
                                     SweepPass::TileBody body) {
  Value start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  return k.forLoop(start, side.end, k.index(Facts::kWarps * Facts::kTile), init,
                   [&](Value tile, ValueRange carried) {
                     Rows rows = locateRows(k, side, tile);
                     return body(rows, emitScores(k, facts, side, rows, pivots),
                                 carried);
                   });
}

ResidentSolve::Scaling ResidentSolve::loadScaling(Value potentials,
                                                  Value lessMass) {
  Scaling scaling{loadColumns(k, facts, potentials), k.noMass()};
  if (lessMass)
    scaling.columns =
        subtractMass(k, scaling.columns, loadColumns(k, facts, lessMass));
  for (Value y : scaling.columns)
    scaling.max = k.maxf(scaling.max, y);
  scaling.max = k.maxLanes(scaling.max, kRowLanes);
  scaling.max = k.select(k.isLive(scaling.max), scaling.max, k.f32(0));
  for (Value &y : scaling.columns)
    y = k.exp2(k.subf(y, scaling.max));
  return scaling;
}

/// sum_j E_ij v_j of a row, in all lanes that share it.
Value ResidentSolve::emitRowSum(const Tile &tile, const Values &columns,
                                int64_t row) {
  Value sum = k.f32(0);
  for (auto [i, entry] : llvm::enumerate(tile))
    if (rowOf(i) == row)
      sum = k.fma(entry, columns[i / 4 * 2 + i % 2], sum);
  return k.sumLanes(sum, kRowLanes);
}

/// The block's logsumexp_i(score_ij + x_i) of this thread's pivot.
Value ResidentSolve::emitSweep(bool first) {
  KernelBuilder::FreshThread inSweep(k);
  Scaling scaling;
  if (!first)
    scaling = loadScaling(state);
  Values added(facts.pivots() / 4, k.f32(0));
  Value suspect = k.flag(false);
  for (int64_t i = 0; i < getTileCount(); ++i) {
    Tile tile = getTile(i);
    Value weight[2];
    if (first) {
      std::array<Value, 2> top = loadTop(i);
      for (int64_t row = 0; row < 2; ++row)
        weight[row] = k.exp2(k.subf(top[row], largest));
    } else {
      Rows rows = locateRows(k, side, getTileStart(i));
      for (int64_t row = 0; row < 2; ++row) {
        Value sum = emitRowSum(tile, scaling.columns, row);
        Value small = k.invert(k.greater(sum, k.f32(kLeastRowSum)));
        suspect = k.either(suspect, k.both(small, rows.live[row]));
        weight[row] = k.reciprocal(sum);
        if (rows.masked)
          weight[row] =
              k.mulf(weight[row], k.exp2(k.subf(rows.mass[row], reference)));
        weight[row] = k.select(rows.live[row], weight[row], k.f32(0));
      }
    }
    addToColumns(k, tile, weight, added);
  }
  for (Value &sum : added)
    sum = k.sumLanes(sum, kColumnLanes);
  pass.storeWarp(added);
  Value total = pass.foldWarps(/*logarithms=*/false);
  Value small = k.invert(k.greater(total, k.f32(kLeastColumnSum)));
  suspect =
      k.either(suspect, k.both(small, k.isLive(k.load(state, ownPivot()))));
  Value lost = k.barrierAny(suspect);
  Value base = first ? largest : k.subf(reference, scaling.max);
  Value plain = k.addf(k.log2(total), base);
  return k.ifElse(
      lost, k.getF32Type(), [&] { return Values{emitLogSweep(first)}; },
      [&] { return Values{plain}; })[0];
}

Value ResidentSolve::emitLogSweep(bool first) {
  Value sum = pass.emitPairSum(k.flag(first));
  // Its terms have y_j in them.
  Value y = k.load(state, ownPivot());
  return k.select(k.isLive(y), k.subf(sum, y), k.noMass());
}

/// Gives the block's sums to all blocks of the cluster and takes the pivot
/// step. A block that sends for step s + 2 has the sums of step s + 1 of all
/// others, which therefore are done with those of step s: two slots are enough.
void ResidentSolve::emitExchange(Value logSum, Value step) {
  KernelBuilder::FreshThread inExchange(k);
  int64_t r = facts.pivots();
  Value mine = hasPivot(), pivot = ownPivot();
  Value blocks = k.clusterSize(), rank = k.clusterRank();
  Value parity = k.rem(step, 2);
  Value slot = k.mul(parity, kMaxCluster * r);
  // A block that is alone is no cluster: each thread has the sum that it needs.
  Value alone = k.equal(blocks, 1);
  k.ifThen(k.both(k.equal(k.thread(), 0), k.invert(alone)),
           [&] { k.expectBytes(arrivals, parity, k.mul(blocks, 4 * r)); });
  k.ifThen(mine, [&] {
    Value at = k.add(slot, k.add(k.mul(rank, r), pivot));
    auto keep = [&]() -> Values {
      k.store(logSum, slots, at);
      return {};
    };
    auto send = [&]() -> Values {
      k.forLoop(k.index(0), blocks, k.index(1), [&](Value block) {
        k.sendTo(block, logSum, slots, at, arrivals, parity);
      });
      k.waitForBytes(arrivals, parity, k.rem(k.div(step, 2), 2));
      return {};
    };
    k.ifElse(alone, TypeRange(), keep, send);
  });
  k.ifThen(mine, [&] {
    Values pair = foldLogSums(k, blocks, [&](Value block) {
      return k.load(slots, k.add(slot, k.add(k.mul(block, r), pivot)));
    });
    Value all = k.addf(pair[0], k.log2(pair[1]));
    Value pivotMass = k.load(masses, pivot);
    Value live = k.both(k.isLive(all), k.isLive(pivotMass));
    Value y = k.select(live, k.subf(pivotMass, all), k.noMass());
    k.store(k.load(state, pivot), prev, pivot);
    k.store(y, state, pivot);
    if (noted)
      k.ifThen(k.equal(side.chunk, 0), [&] {
        k.store(y, noted, {side.problem, k.add(step, 1), pivot});
      });
  });
  k.barrier();
}

void ResidentSolve::emitSweeps() {
  int64_t steps = keySide ? facts.keySweeps() : facts.querySweeps();
  if (keySide)
    emitExchange(emitSweep(/*first=*/true), k.index(0));
  k.forLoop(
      k.index(keySide ? 1 : 0), k.index(steps), k.index(1),
      [&](Value step) { emitExchange(emitSweep(/*first=*/false), step); });
}

/// R_ij = E_ij 2^(last_j) / sum_j E_ij 2^(prev_j), and on the key side with the
/// masses; without a token step E_ij 2^(m_i + last_j).
SmallVector<Tile> ResidentSolve::emitFactorPlans(const Scaling &last,
                                                 const Scaling &prev) {
  bool tokenStep = !keySide || facts.keyTokenStep();
  SmallVector<Tile> plans;
  for (int64_t i = 0; i < getTileCount(); ++i) {
    Tile tile = getTile(i);
    Rows rows = locateRows(k, side, getTileStart(i));
    Value scale[2];
    for (int64_t row = 0; row < 2; ++row) {
      Value exponent = last.max;
      if (tokenStep) {
        Value sum = emitRowSum(tile, prev.columns, row);
        exponent = k.subf(k.subf(last.max, prev.max), k.log2(sum));
        if (keySide)
          exponent = k.addf(exponent, rows.mass[row]);
      } else {
        exponent = k.addf(exponent, loadTop(i)[row]);
      }
      scale[row] = k.select(rows.live[row], k.exp2(exponent), k.f32(0));
    }
    Tile plan;
    for (auto [at, entry] : llvm::enumerate(tile))
      plan.push_back(k.mulf(k.mulf(entry, last.columns[at / 4 * 2 + at % 2]),
                            scale[rowOf(at)]));
    plans.push_back(plan);
  }
  return plans;
}

SmallVector<Tile> ResidentSolve::emitPlans() {
  int64_t steps = keySide ? facts.keySweeps() : facts.querySweeps();
  int64_t prevStep = keySide ? facts.keyPrev() : facts.queryPrev();
  bool tokenStep = !keySide || facts.keyTokenStep();
  Value read = prevStep == steps ? state : prev;
  // Where the factor may have lost something: a small row sum, or potentials
  // that moved far since that token step.
  Scaling prevScaling = loadScaling(read);
  Value suspect = k.flag(false);
  if (tokenStep)
    for (int64_t i = 0; i < getTileCount(); ++i) {
      Tile tile = getTile(i);
      Rows rows = locateRows(k, side, getTileStart(i));
      for (int64_t row = 0; row < 2; ++row) {
        Value sum = emitRowSum(tile, prevScaling.columns, row);
        Value small = k.invert(k.greater(sum, k.f32(kLeastRowSum)));
        suspect = k.either(suspect, k.both(small, rows.live[row]));
      }
    }
  Values lastColumns = loadColumns(k, facts, state);
  Values readColumns = loadColumns(k, facts, read);
  for (auto [last, before] : llvm::zip_equal(lastColumns, readColumns)) {
    Value moved = k.greater(k.subf(last, before), k.f32(kMostChange));
    suspect = k.either(suspect, moved);
  }
  Value lost = k.barrierAny(suspect);

  int64_t entries = facts.pivots() / 2;
  SmallVector<Type> types(getTileCount() * entries, k.getF32Type());
  auto flatten = [](ArrayRef<Tile> plans) {
    Values all;
    for (const Tile &plan : plans)
      all.append(plan);
    return all;
  };
  Values all = k.ifElse(
      lost, types,
      [&] {
        Values last = lastColumns;
        if (keySide)
          last = subtractMass(k, last, loadColumns(k, facts, masses));
        SmallVector<Tile> plans;
        for (int64_t i = 0; i < getTileCount(); ++i) {
          Rows rows = locateRows(k, side, getTileStart(i));
          Tile scores = emitScores(k, facts, side, rows, pivots);
          plans.push_back(emitPlanEntries(k, scores, rows,
                                          tokenStep ? &readColumns : nullptr,
                                          last, keySide, nullptr));
        }
        return flatten(plans);
      },
      [&] {
        Scaling last = loadScaling(state, keySide ? masses : Value());
        return flatten(emitFactorPlans(last, prevScaling));
      });
  SmallVector<Tile> plans;
  for (int64_t i = 0; i < getTileCount(); ++i)
    plans.push_back(Tile(ArrayRef(all).slice(i * entries, entries)));
  return plans;
}
