//===- PackedSolve.cpp - Half-steps on a factor of 16 bits ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedSolve.h"

#include "InlinePTX.h"
#include "StagedScores.h"

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// The smallest sums of columns that nothing counts as missing from, of the
/// largest one and for each pivot.
static constexpr double kLeastColumnShare = 0x1p-21;
static constexpr double kLeastColumnSum = 0x1p-80;
static constexpr double kMostColumnSum = 0x1p+100;
/// The range of 2^(y_j - b_j) beyond which the factor is made again before it
/// loses something: that takes a fraction of a sweep in the log domain.
static constexpr double kLargestRange = 0x1p+13;
/// The smallest masses of pivots, and 2^(y_j - b_j), that are numbers.
static constexpr double kLeastMass = -26;
static constexpr double kLeastFactor = 0x1p-110;

/// Tiles of each warp.
static Value getWarpTiles(Kernel &k, const Side &side) {
  return k.divNarrow(side.chunkTokens, k.mul(k.warpCount(), Facts::kTile));
}

static Value getStart(Kernel &k, const Side &side, Value i) {
  // From the block's rank rather than from `begin`, which would wait in memory.
  Value rank = emitOpaque(k, k.teamRank());
  Value tile = k.add(k.mul(k.warp(), getWarpTiles(k, side)), i);
  return k.add(k.mul(rank, side.chunkTokens), k.mul(tile, Facts::kTile));
}

/// Token `i` of 16 all over the side.
static Value getSampleToken(Kernel &k, const Side &side, Value i) {
  return k.div(k.mul(i, side.length), Facts::kTile);
}

WarpRing PackedSolve::makeRing(Kernel &k, const Facts &facts,
                               const SharedRegion &memory) {
  return WarpRing(k, memory, facts.io, facts.depth(), getStagedStride(facts.d),
                  0, memory.partBytes);
}

int64_t PackedSolve::getGroup(const Facts &facts) {
  // As long as there are registers for their scores.
  return facts.pivots() <= 32 ? 2 : 1;
}

WarpRing::Source PackedSolve::getSource(const Facts &facts, const Side &side) {
  return {side, side.tokens, {side.batch, side.tokenHead}, facts.d};
}

void PackedSolve::copyTile(Kernel &k, const Facts &facts, const Side &side,
                           WarpRing &ring, const Lane &lane, int64_t i) {
  WarpRing::Source source = getSource(facts, side);
  bool some = i < facts.residentTiles();
  // All that is started is waited for: other copies follow in its place. Of
  // tiles that are made together all are copied.
  Value there;
  int64_t begin = llvm::alignDown(i, getGroup(facts));
  if (begin > 0)
    there = k.lessNarrow(k.index(begin), getWarpTiles(k, side));
  ring.copy(some ? &source : nullptr, lane,
            some ? getStart(k, side, k.index(i)) : Value(), 0, i, there);
}

Value PackedSolve::startCopies(Kernel &k, const Facts &facts, const Side &side,
                               Value isKey, const SharedRegion &memory) {
  KernelBuilder::FreshThread fresh(k);
  Value sample =
      k.shared.allocate({Facts::kTile, getStagedStride(facts.d)}, facts.io);
  Type token = nvgpu::DeviceAsyncTokenType::get(k.getContext());
  k.ifThen(isKey, [&] {
    int64_t vectors = facts.depth() / 8;
    k.forLoop(k.thread(), k.index(Facts::kTile * vectors), k.threadCount(),
              [&](Value i) {
                Value row = k.div(i, vectors);
                Value column = k.mul(k.rem(i, vectors), 8);
                // Zeros beyond the columns.
                Value some = k.less(column, k.index(facts.d));
                Value from = k.select(some, column, k.index(0));
                Value view =
                    k.viewRows(side.tokens, {side.batch, side.tokenHead}, from);
                nvgpu::DeviceAsyncCopyOp::create(
                    k, token, sample, ValueRange{row, column}, view,
                    ValueRange{getSampleToken(k, side, row), k.index(0)},
                    k.getIndexAttr(8), k.select(some, k.index(8), k.index(0)),
                    k.getUnitAttr());
              });
  });
  nvgpu::DeviceAsyncCreateGroupOp::create(k, token, ValueRange());
  WarpRing ring = makeRing(k, facts, memory);
  Lane lane = ring.startLane(getSource(facts, side));
  for (int64_t i = 0; i < ring.getSlots(); ++i)
    copyTile(k, facts, side, ring, lane, i);
  return sample;
}

PackedSolve::PackedSolve(Kernel &k, const Facts &facts, Side &side,
                         const SharedSide &numbers, Value isKey,
                         const Matrix &pivots, Value allMasses, Value noted,
                         Value mail, Value turn, const SharedRegion &memory,
                         Value sample)
    : k(k), facts(facts), side(side), numbers(numbers), isKey(isKey),
      pivots(pivots), noted(noted), ring(makeRing(k, facts, memory)),
      cluster(k, facts.pivots(), mail),
      pass{k, facts, side, Value(), Value(), nullptr},
      absentPivots(allMasses || facts.r < facts.pivots()), turn(turn) {
  Type f32 = k.getF32Type(), i32 = k.getI32Type();
  int64_t r = facts.pivots(), count = facts.residentTiles() * tileWords();
  masses = k.shared.allocate({r}, f32);
  weights = k.shared.allocate({r}, f32);
  potentials = k.shared.allocate({2 * k.getWarps() * r}, f32);
  state = k.shared.allocate({r}, f32);
  planWords = k.allocateLocal(count, i32);
  pivotFactors = k.shared.allocate({r}, f32);
  rowFactors = k.shared.allocate(
      {k.getWarps(), facts.residentTiles() * Facts::kTile}, f32);
  pass.state = state;
  pass.sums = k.shared.allocate({k.getWarps(), r}, f32);
  pass.forTiles = [this](const Values &init, SweepPass::TileBody body) {
    Value tiles = getWarpTiles(this->k, this->side);
    return this->k.forLoop(
        this->k.index(0), tiles, this->k.index(1), init,
        [&](Value i, ValueRange carried) {
          Rows rows = locateRows(this->k, this->side, getTileStart(i));
          Tile scores =
              emitScores(this->k, this->facts, this->side, rows, this->pivots);
          return body(rows, scores, carried);
        });
  };
  k.ifThen(k.less(k.thread(), k.index(r)), [&] {
    Value mass = allMasses
                     ? k.load(allMasses, {side.pivotIndex, k.thread()})
                     : k.select(k.less(k.thread(), k.index(facts.r)),
                                k.f32(-std::log2(static_cast<double>(facts.r))),
                                k.noMass());
    k.store(mass, masses, k.thread());
    if (!absentPivots)
      return;
    Value few = k.greater(k.f32(kLeastMass), mass);
    Value weight = k.select(few, k.f32(-1), k.exp2(mass));
    k.store(k.select(k.isLive(mass), weight, k.f32(0)), weights, k.thread());
  });
  // Without a negation: the assembler would keep the value before it, too.
  reference = k.log2(k.reciprocal(k.toFloat(side.length)));
  tokens = k.select(k.less(side.begin, side.end), k.sub(side.end, side.begin),
                    k.index(0));
  // Others may send their sums when this block's barriers are there; it waits
  // for theirs before it sends.
  k.clusterArrive();
  // The sample is there, and after the barrier the pivots are.
  ring.wait(ring.getSlots());
  k.barrier();
  if (absentPivots)
    for (Value mass : cluster.loadLaneColumns(masses))
      base.push_back(k.select(k.isLive(mass), k.f32(0), k.noMass()));
  else
    base.assign(cluster.columnsOfLane(), k.f32(0));
  keepPotentials(base, k.index(0));
  startReference = emitStartReference(sample);
  factor.assign(count, k.word(0));
  scaled = Values(base.size(), k.f32(0));
  offset = k.f32(0);
  stale = k.flag(true);
}

/// The largest score of 16 tokens all over the side, the same for all blocks:
/// what the terms of the key side's first sweep, in f32, are relative to. Those
/// of queries are to their potentials, of uniform mass.
Value PackedSolve::emitStartReference(Value sample) {
  auto fromSample = [&]() -> Values {
    Tile tile = emitStagedScores(k, facts, sample, {}, k.index(0), pivots,
                                 absentPivots ? spreadRaw(base) : Values());
    Value max = k.noMass();
    for (int64_t row = 0; row < 2; ++row) {
      Value most = k.noMass();
      for (auto [at, value] : llvm::enumerate(tile))
        if (rowOf(at) == row)
          most = k.maxf(most, value);
      if (side.mass) {
        Value token =
            getSampleToken(k, side, k.add(k.div(k.lane(), 4), 8 * row));
        most = k.select(k.isLive(getMass(token)), most, k.noMass());
      }
      max = k.maxf(max, most);
    }
    max = k.mulf(k.maxLanes(max, {1, 2, 4, 8, 16}), k.f32(getUnit()));
    return {k.select(k.isLive(max), max, k.f32(0))};
  };
  return k.ifElse(isKey, k.getF32Type(), fromSample,
                  [&] { return Values{reference}; })[0];
}

Values PackedSolve::spreadRaw(const Values &values) {
  Values columns = cluster.spread(values);
  if (facts.rawScores())
    for (Value &column : columns)
      column = k.mulf(column, k.f32(1 / facts.scoreScale));
  return columns;
}

Value PackedSolve::countSteps() {
  return k.select(isKey, k.index(facts.keySweeps()),
                  k.index(facts.querySweeps()));
}

Value PackedSolve::placeOf(Value step, int64_t i) {
  Value row = k.add(k.mul(k.rem(step, 2), k.getWarps()), k.warp());
  return k.add(k.mul(row, facts.pivots()), cluster.columnOf(i));
}

Values PackedSolve::loadPotentials(Value step) {
  Values result;
  for (int64_t i = 0; i < cluster.columnsOfLane(); ++i)
    result.push_back(k.load(potentials, placeOf(step, i)));
  return result;
}

/// Not in registers, which they would take during all sweeps; each warp has its
/// own.
void PackedSolve::keepPotentials(const Values &values, Value step) {
  for (auto [i, y] : llvm::enumerate(values))
    k.store(y, potentials, placeOf(step, i));
  if (!noted)
    return;
  // Where they go is not kept from before the sweeps.
  FreshSide fresh(k, side, numbers);
  Value mine = k.both(k.equal(side.chunk, 0), k.equal(k.warp(), 0));
  k.ifThen(mine, [&] {
    for (auto [i, y] : llvm::enumerate(values))
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

Value PackedSolve::getTileStart(Value i) { return getStart(k, side, i); }

Value PackedSolve::countTiles() { return getWarpTiles(k, side); }

Value PackedSolve::countLaneRows() {
  // The last warps with some have fewer than all.
  Value most = k.mul(countTiles(), Facts::kTile);
  Value left = k.sub(tokens, k.mul(k.warp(), most));
  return k.sub(k.minSigned(left, most), k.div(k.lane(), 4));
}

Value PackedSolve::isInside(Value tile, int64_t row) {
  return k.lessSigned(k.add(k.mul(tile, Facts::kTile), 8 * row),
                      countLaneRows());
}

LaneRows PackedSolve::locateLaneRows(Value memref, ValueRange leading) {
  Value own = k.mul(k.warp(), k.mul(countTiles(), Facts::kTile));
  return lot::locateLaneRows(k, memref, leading, side.begin, own,
                             k.toWord(countLaneRows()));
}

/// Rows of which no index is needed.
Rows PackedSolve::locateOwnRows(Value tile) {
  if (side.mass) {
    Rows rows = locateRows(k, side, getTileStart(tile));
    // Past the last tile of a warp are those of the next one.
    Value mine = hasTile(tile);
    for (Value &live : rows.live)
      live = k.both(live, mine);
    return rows;
  }
  Rows rows;
  for (int64_t i = 0; i < 2; ++i) {
    rows.live[i] = isInside(tile, i);
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
Values PackedSolve::emitLogSweep(Value step, Value first, Value turn) {
  FreshSide fresh(k, side, numbers);
  k.barrier();
  k.ifThen(k.equal(k.warp(), 0), [&] {
    for (auto [i, y] : llvm::enumerate(loadPotentials(step)))
      k.store(y, state, cluster.columnOf(i));
  });
  k.barrier();
  Value sum = pass.emitPairSum(first);
  // Its terms have y_j in them.
  Value y = k.load(state, k.min(k.thread(), k.index(facts.pivots() - 1)));
  sum = k.select(k.isLive(y), k.subf(sum, y), k.noMass());
  Values next;
  for (auto [logSum, mass] :
       llvm::zip(cluster.addLogs(sum, turn), cluster.loadLaneColumns(masses))) {
    Value live = k.both(k.isLive(logSum), k.isLive(mass));
    next.push_back(k.select(live, k.subf(mass, logSum), k.noMass()));
  }
  return next;
}

/// y_j = mass_j - logsumexp_i(score_ij + x_i).
void PackedSolve::emitPivotStep(const Sums &sums, Value step, Value isLast) {
  KernelBuilder::FreshThread fresh(k);
  k.ifThen(k.equal(step, 0), [&] {
    k.clusterWait();
    // From here on there is need of what `pack` leaves.
    if (facts.overlaps)
      k.waitForEarlier();
  });
  Values totals = cluster.addScattered(sums.columns, Value(), turn);
  Value first = isFirst(step);
  // Sums in f32 lose nothing to larger ones.
  Value share =
      k.select(first, k.f32(0), k.f32(kLeastColumnShare * facts.pivots()));
  Value most = totals[0];
  for (Value total : ArrayRef(totals).drop_front())
    most = k.maxf(most, total);
  most = k.maxOfPositive(most);
  Value least = k.maxf(k.mulf(most, share), k.f32(kLeastColumnSum));
  Value bad = k.invert(k.greater(k.f32(kMostColumnSum), most));
  // 2^(y_j - b_j) up to a factor: without logarithms.
  Values factors, next;
  Value largest = k.f32(0);
  Values pivotWeights(base.size(), k.f32(1.0 / facts.r));
  if (absentPivots)
    pivotWeights = cluster.loadLaneColumns(weights);
  for (auto [total, b, weight] : llvm::zip(totals, base, pivotWeights)) {
    Value factor = k.mulf(weight, k.reciprocal(total));
    Value good =
        k.both(k.greater(total, least), k.greater(factor, k.f32(kLeastFactor)));
    Value y = k.addf(k.log2(factor), k.subf(b, sums.shift));
    if (absentPivots) {
      Value absent =
          arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, weight, k.f32(0));
      good = k.either(absent, good);
      y = k.select(absent, k.noMass(), y);
      // Not 0 / 0.
      factor = k.select(absent, k.f32(0), factor);
    }
    bad = k.either(bad, k.invert(good));
    next.push_back(y);
    factors.push_back(factor);
    largest = k.maxf(largest, factor);
  }
  largest = k.maxOfPositive(largest);
  Value wide = k.flag(false);
  for (Value factor : factors) {
    Value small = k.greater(largest, k.mulf(factor, k.f32(kLargestRange)));
    wide = k.either(wide, k.both(small, k.greater(factor, k.f32(0))));
  }
  wide = k.both(wide, k.invert(isLast));
  stale = k.anyLane(k.either(bad, wide));
  // With the exchanges that there have been.
  Values plain = next;
  plain.push_back(k.index(1));
  SmallVector<Type> types(next.size(), k.getF32Type());
  types.push_back(k.getIndexType());
  auto logged = [&] {
    Values values = emitLogSweep(step, first, k.add(turn, 1));
    values.push_back(k.index(2));
    return values;
  };
  auto keep = [&] { return plain; };
  // A factor that is to be made anew ends here: the branch needs its registers.
  // Of 16 pivots it does not, and what comes after would have fewer.
  bool ends = facts.pivots() > 16;
  SmallVector<Type> allTypes(types);
  if (ends)
    allTypes.append(factor.size(), k.getI32Type());
  Values result = k.ifElse(
      stale, allTypes,
      [&] {
        Values values = k.ifElse(k.anyLane(bad), types, logged, keep);
        if (ends)
          values.append(factor.size(), k.word(0));
        return values;
      },
      [&] {
        Values values = plain;
        if (ends)
          values.append(factor);
        return values;
      });
  if (ends)
    factor = Values(ArrayRef(result).take_back(factor.size()));
  result.truncate(types.size());
  turn = k.add(turn, result.pop_back_val());
  // After the branch, which has no registers to spare for them.
  Value unit = k.powerOfTwo(largest);
  scaled.clear();
  for (Value factor : factors)
    scaled.push_back(k.mulf(factor, k.reciprocal(unit)));
  offset = k.subf(k.log2(unit), sums.shift);
  for (auto [b, y] : llvm::zip(base, result))
    b = k.select(stale, y, b);
  keepPotentials(result, k.add(step, 1));
}

PackedSolve::Sums PackedSolve::branch(Value condition, size_t columns,
                                      function_ref<Sums()> yes,
                                      function_ref<Sums()> no) {
  size_t words = factor.size();
  Values before = factor;
  SmallVector<Type> types(words, k.getI32Type());
  types.append(columns + 1, k.getF32Type());
  auto yield = [&](function_ref<Sums()> body) {
    factor = before;
    Sums sums = body();
    Values all = factor;
    all.append(sums.columns);
    all.push_back(sums.shift);
    return all;
  };
  Values results = k.ifElse(
      condition, types, [&] { return yield(yes); }, [&] { return yield(no); });
  ArrayRef<Value> all = results;
  factor = Values(all.take_front(words));
  return {Values(all.slice(words, columns)), all.back()};
}

void PackedSolve::emitSweeps(function_ref<void()> prefetch) {
  Value steps = countSteps();
  size_t lane = base.size();
  auto carry = [&] {
    Values all = factor;
    for (const Values *values : {&base, &scaled})
      all.append(*values);
    all.append({offset, stale, turn});
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
    scaled = next(lane);
    offset = values[0];
    stale = values[1];
    turn = values[2];
  };
  Values results = k.forLoop(
      k.index(0), steps, k.index(1), carry(),
      [&](Value step, ValueRange carried) {
        take(carried);
        Sums sums = branch(
            stale, countScattered(facts.pivots()),
            [&] { return emitBuild(step, prefetch); },
            [&] { return emitSweep(); });
        emitPivotStep(sums, step, k.invert(k.less(k.add(step, 1), steps)));
        return carry();
      });
  take(results);
}
