//===- PackedSolve.cpp - Half-steps on a factor of 16 bits ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedSolve.h"

#include "InlinePTX.h"
#include "StagedScores.h"

using namespace mlir;
using namespace mlir::lot;

/// The smallest sums of columns that nothing counts as missing from.
static constexpr double kLeastColumnShare = 0x1p-13;
static constexpr double kLeastColumnSum = 0x1p-80;
static constexpr double kMostColumnSum = 0x1p+100;

PackedSolve::PackedSolve(Kernel &k, const Facts &facts, const Side &side,
                         Value isKey, const Matrix &pivots, Value allMasses,
                         Value noted, const SharedRegion &memory)
    : k(k), facts(facts), side(side), isKey(isKey), pivots(pivots),
      noted(noted), ring(k, memory, facts.io, facts.depth(),
                         getStagedStride(facts.d), 0, memory.partBytes),
      cluster(k, facts.pivots()),
      pass{k, facts, side, Value(), Value(), nullptr} {
  Type f32 = k.getF32Type(), i32 = k.getI32Type();
  int64_t r = facts.pivots(), count = facts.residentTiles() * tileWords();
  state = k.shared.allocate({r}, f32);
  Value masses = k.shared.allocate({r}, f32);
  planWords = k.allocateLocal(count, i32);
  pivotFactors = k.shared.allocate({r}, f32);
  rowFactors = k.shared.allocate(
      {k.getWarps(), facts.residentTiles() * Facts::kTile}, f32);
  pass.state = state;
  pass.sums = k.shared.allocate({k.getWarps(), r}, f32);
  pass.forTiles = [this](const Values &init, SweepPass::TileBody body) {
    return this->k.forLoop(start, this->side.end, this->k.index(stride()), init,
                           [&](Value tile, ValueRange carried) {
                             Rows rows = locateRows(this->k, this->side, tile);
                             Tile scores =
                                 emitScores(this->k, this->facts, this->side,
                                            rows, this->pivots);
                             return body(rows, scores, carried);
                           });
  };
  k.ifThen(k.less(k.thread(), k.index(r)), [&] {
    Value mass = k.load(allMasses, {side.pivotIndex, k.thread()});
    k.store(mass, masses, k.thread());
  });
  start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  reference = k.negf(k.log2(k.toFloat(side.length)));
  tokens = k.select(k.less(side.begin, side.end), k.sub(side.end, side.begin),
                    k.index(0));
  // Of the pivots' copy, too, and before anything comes from other blocks.
  k.clusterBarrier();
  laneMasses = cluster.loadLaneColumns(masses);
  for (Value mass : laneMasses)
    last.push_back(k.select(k.isLive(mass), k.f32(0), k.noMass()));
  base = prev = last;
  note(last, k.index(0));
  startReference = emitStartReference();
  factor.assign(count, arith::ConstantOp::create(k, k.getI32IntegerAttr(0)));
  stale = k.flag(true);
  turn = k.index(0);
}

void PackedSolve::note(const Values &potentials, Value step) {
  if (!noted)
    return;
  Value mine = k.both(k.equal(side.chunk, 0), k.equal(k.warp(), 0));
  k.ifThen(mine, [&] {
    for (auto [i, y] : llvm::enumerate(potentials))
      k.store(y, noted, {side.problem, step, cluster.columnOf(i)});
  });
}

std::pair<Values, Value> PackedSolve::scale(const Values &potentials) {
  Values moved;
  Value max = k.f32(-16384);
  for (auto [y, b] : llvm::zip(potentials, base)) {
    moved.push_back(k.select(k.isLive(b), k.subf(y, b), k.noMass()));
    max = k.maxf(max, moved.back());
  }
  Value offset = k.maxOfWarp(max);
  for (Value &v : moved)
    v = k.exp2(k.subf(v, offset));
  return {moved, offset};
}

Value PackedSolve::getTileStart(Value i) {
  // From the block's rank rather than from `begin`, which would wait in memory.
  Value rank = emitOpaque(k, k.clusterRank());
  Value start =
      k.add(k.mul(rank, side.chunkTokens), k.mul(k.warp(), Facts::kTile));
  return k.add(start, k.mul(i, stride()));
}

Value PackedSolve::isInside(Value tile, int64_t row) {
  Value first = k.add(k.mul(k.warp(), Facts::kTile), k.div(k.lane(), 4));
  return k.lessNarrow(k.add(k.add(first, k.mul(tile, stride())), 8 * row),
                      tokens);
}

/// Rows of which no index is needed.
Rows PackedSolve::locateOwnRows(int64_t tile) {
  if (side.mass)
    return locateRows(k, side, getTileStart(tile));
  Rows rows;
  for (int64_t i = 0; i < 2; ++i) {
    rows.live[i] = isInside(k.index(tile), i);
    rows.mass[i] = reference;
  }
  return rows;
}

Value PackedSolve::getMass(Value token) {
  auto read = [&]() -> Values {
    Value mass = k.load(side.mass, {side.batch, side.tokenHead, token});
    return {k.mulf(mass, k.f32(llvm::numbers::log2e))};
  };
  return side.present ? k.ifElse(side.present, k.getF32Type(), read,
                                 [&] { return Values{reference}; })[0]
                      : read()[0];
}

/// The potentials from the tokens in the log domain. All blocks of the cluster
/// are here.
Values PackedSolve::emitLogSweep(Value first, Value turn) {
  k.barrier();
  k.ifThen(k.equal(k.warp(), 0), [&] {
    for (auto [i, y] : llvm::enumerate(last))
      k.store(y, state, cluster.columnOf(i));
  });
  k.barrier();
  Value sum = pass.emitPairSum(first);
  // Its terms have y_j in them.
  Value y = k.load(state, k.min(k.thread(), k.index(facts.pivots() - 1)));
  sum = k.select(k.isLive(y), k.subf(sum, y), k.noMass());
  Values next;
  for (auto [logSum, mass] :
       llvm::zip(cluster.addLogs(sum, turn), laneMasses)) {
    Value live = k.both(k.isLive(logSum), k.isLive(mass));
    next.push_back(k.select(live, k.subf(mass, logSum), k.noMass()));
  }
  return next;
}

/// y_j = mass_j - logsumexp_i(score_ij + x_i).
void PackedSolve::emitPivotStep(const Sums &sums, Value step) {
  KernelBuilder::FreshThread fresh(k);
  Values totals = cluster.add(sums.columns, sums.inverses, turn);
  Value inverses = totals.pop_back_val();
  Value least = k.maxf(k.mulf(inverses, k.f32(kLeastColumnShare)),
                       k.f32(kLeastColumnSum));
  Value bad = k.flag(false);
  Values next;
  for (auto [total, b, mass] : llvm::zip(totals, base, laneMasses)) {
    Value good = k.both(k.greater(total, least),
                        k.greater(k.f32(kMostColumnSum), total));
    bad = k.either(bad, k.both(k.isLive(mass), k.invert(good)));
    Value logSum = k.addf(k.subf(k.log2(total), b), sums.shift);
    next.push_back(k.select(k.isLive(mass), k.subf(mass, logSum), k.noMass()));
  }
  stale = k.anyLane(bad);
  turn = k.add(turn, 1);
  SmallVector<Type> types(next.size(), k.getF32Type());
  types.push_back(k.getIndexType());
  Value first = k.both(isKey, k.equal(step, 0));
  Values result = k.ifElse(
      stale, types,
      [&] {
        Values logged = emitLogSweep(first, turn);
        logged.push_back(k.add(turn, 1));
        return logged;
      },
      [&] {
        Values plain = next;
        plain.push_back(turn);
        return plain;
      });
  turn = result.pop_back_val();
  prev = last;
  last = result;
  for (auto [b, y] : llvm::zip(base, last))
    b = k.select(stale, y, b);
  note(last, k.add(step, 1));
}

void PackedSolve::emitSweeps() {
  Value steps =
      k.select(isKey, k.index(facts.keySweeps()), k.index(facts.querySweeps()));
  size_t lane = last.size();
  auto carry = [&] {
    Values all = factor;
    for (const Values *values : {&base, &last, &prev})
      all.append(*values);
    all.append({stale, turn});
    return all;
  };
  auto take = [&](ValueRange values) {
    auto next = [&](size_t count) {
      Values taken(values.take_front(count));
      values = values.drop_front(count);
      return taken;
    };
    factor = next(factor.size());
    base = next(lane);
    last = next(lane);
    prev = next(lane);
    stale = values[0];
    turn = values[1];
  };
  Values results =
      k.forLoop(k.index(0), steps, k.index(1), carry(),
                [&](Value step, ValueRange carried) {
                  take(carried);
                  size_t columns = facts.pivots() / 4;
                  SmallVector<Type> types(factor.size(), k.getI32Type());
                  types.append(columns + 2, k.getF32Type());
                  Values kept = factor;
                  auto yield = [&](const Sums &sums) {
                    Values all = factor;
                    all.append(sums.columns);
                    all.append({sums.inverses, sums.shift});
                    return all;
                  };
                  Value first = k.both(isKey, k.equal(step, 0));
                  Values swept = k.ifElse(
                      stale, types, [&] { return yield(emitBuild(first)); },
                      [&] {
                        factor = kept;
                        return yield(emitSweep());
                      });
                  Sums sums;
                  factor = Values(ArrayRef(swept).take_front(factor.size()));
                  sums.columns =
                      Values(ArrayRef(swept).slice(factor.size(), columns));
                  sums.inverses = swept[swept.size() - 2];
                  sums.shift = swept.back();
                  emitPivotStep(sums, step);
                  return carry();
                });
  take(results);
}
