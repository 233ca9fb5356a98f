//===- PackedSolve.cpp - Half-steps on a factor of 16 bits ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedSolve.h"

#include "InlinePTX.h"
#include "StagedScores.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that share a row.
static constexpr int64_t kRowLanes[] = {1, 2};
/// Bits that the largest entry of a row is above 1.
static constexpr double kHeadroom = 8;
/// The smallest sums that nothing counts as missing from.
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
  Value start = k.add(emitOpaque(k, side.begin), k.mul(k.warp(), Facts::kTile));
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

/// Four tiles: each of the four lanes that share rows inverts the sums of one.
void PackedSolve::addTiles(int64_t firstTile, const Values &operand,
                           Values &packed, Sums &sums, Value &smallest) {
  Type f16 = k.getF16Type();
  Value quad = k.rem(k.lane(), 4);
  SmallVector<std::array<Value, 2>> rowSums;
  for (int64_t i = 0; i < 4; ++i)
    rowSums.push_back(emitRowSums(k, getTile(firstTile + i), operand));
  Value odd = k.equal(k.rem(quad, 2), 1), high = k.equal(k.div(quad, 2), 1);
  Value tile = k.add(quad, firstTile);
  Value weight[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value sum = k.select(high, k.select(odd, rowSums[3][row], rowSums[2][row]),
                         k.select(odd, rowSums[1][row], rowSums[0][row]));
    Value live = isInside(tile, row), mass;
    if (side.mass) {
      Value token =
          k.add(getTileStart(tile), k.add(k.div(k.lane(), 4), 8 * row));
      mass = getMass(k.min(token, k.sub(side.length, k.index(1))));
      live = k.both(live, k.isLive(mass));
    }
    sum = k.select(live, sum, k.negf(k.noMass()));
    smallest = k.minf(smallest, sum);
    weight[row] = k.reciprocal(sum);
    if (mass)
      weight[row] =
          k.select(live, k.mulf(weight[row], getWeight(mass)), k.f32(0));
    sums.inverses = k.addf(sums.inverses, weight[row]);
  }
  Value lanes = k.sub(k.lane(), quad);
  Value pair = packWord(k, f16, weight[0], weight[1]);
  for (int64_t i = 0; i < 4; ++i) {
    ArrayRef<Value> words = getTile(firstTile + i);
    Value from = k.add(lanes, i);
    if (side.mass) {
      // Masses are of any size: f32.
      Value all[2] = {k.fromLane(weight[0], from), k.fromLane(weight[1], from)};
      for (auto [at, entry] : llvm::enumerate(unpackTile(k, f16, words))) {
        Value &sum = sums.columns[at / 4 * 2 + at % 2];
        sum = k.fma(entry, all[rowOf(at)], sum);
      }
      continue;
    }
    Value both = k.fromWord(k.fromLane(pair, from), f16);
    for (int64_t row = 0; row < 2; ++row) {
      Value one = k.element(both, row);
      Value splat = k.pack({one, one});
      for (size_t at = row; at < words.size(); at += 2)
        packed[at / 2] =
            k.fma(k.fromWord(words[at], f16), splat, packed[at / 2]);
    }
  }
}

PackedSolve::Sums PackedSolve::emitSweep() {
  KernelBuilder::FreshThread fresh(k);
  auto [scaled, offset] = scale(last);
  Values operand = cluster.spreadOperand(scaled);
  Sums sums{Values(facts.pivots() / 4, k.f32(0)), k.f32(0),
            k.subf(reference, offset)};
  Values packed(facts.pivots() / 8,
                k.zeros(VectorType::get({2}, k.getF16Type())));
  Value infinite = k.negf(k.noMass()), smallest = infinite;
  for (int64_t i = 0; i < facts.residentTiles(); i += 4)
    addTiles(i, operand, packed, sums, smallest);
  if (!side.mass)
    for (auto [i, pair] : llvm::enumerate(packed)) {
      Value wide = k.convert(pair, k.getF32Type());
      sums.columns[2 * i] = k.element(wide, 0);
      sums.columns[2 * i + 1] = k.element(wide, 1);
    }
  Value good = k.greater(smallest, k.f32(kLeastRowSum));
  sums.inverses = k.select(good, sums.inverses, infinite);
  return sums;
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
