//===- SweepKernel.cpp - One half-step pair over all tokens ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block takes a chunk of tokens of one side of one head. For each token it
// does the token step, x_i = mass_i - logsumexp_j(score_ij + y_j), and adds up
// what the pivot step after it needs, logsumexp_i(score_ij + x_i) + y_j. Blocks
// of the next launch fold those sums in the order of the chunks, so that
// results depend neither on the order of blocks nor on what else is in the
// batch.
//
// The sums are plain sums of 2^(score_ij + y_j + x_i), of at most 1 each. Where
// they could lose something (a pivot's sum below 2^-80: no term above the
// smallest number of f32 could be missing from a larger one), and in the first
// pass of the key side, which has no token step, the block adds up pairs
// (maximum, sum) instead, which holds for any scores (docs/semantics.md section
// 7).
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that share columns.
static constexpr int64_t kColumnLanes[] = {4, 8, 16};

/// m + log2(s) as one pair of (maximum, sum) with another; exact for -inf.
static void mergePair(Kernel &k, Value &max, Value &sum, Value otherMax,
                      Value otherSum) {
  Value both = k.maxf(max, otherMax);
  Value base = k.select(k.isLive(both), both, k.f32(0));
  sum = k.fma(sum, k.exp2(k.subf(max, base)),
              k.mulf(otherSum, k.exp2(k.subf(otherMax, base))));
  max = both;
}

Value AttentionKernels::emitState(Kernel &k, const Side &side, Value step) {
  Value state = k.shared.allocate({facts.pivots()}, k.getF32Type());
  Value partials = k.use(buffers.partials), states = k.use(buffers.states);
  Value pivotMass = k.use(buffers.pivotMass);
  Value parity = k.rem(k.add(step, 1), 2); // of the sweep before
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value j = k.thread();
    Value mass = k.load(pivotMass, {side.pivotIndex, j});
    Value start = k.select(k.isLive(mass), k.f32(0), k.noMass());
    Value y = k.ifElse(
        k.equal(step, 0), k.getF32Type(), [&] { return Values{start}; },
        [&]() -> Values {
          Values pair = k.forLoop(
              k.index(0), side.chunks, k.index(1), {k.noMass(), k.f32(0)},
              [&](Value chunk, ValueRange carried) -> Values {
                Value max = carried[0], sum = carried[1];
                mergePair(k, max, sum,
                          k.load(partials, {parity, side.problem, chunk, j}),
                          k.f32(1));
                return {max, sum};
              });
          Value logSum = k.addf(pair[0], k.log2(pair[1]));
          Value live = k.both(k.isLive(logSum), k.isLive(mass));
          return {k.select(live, k.subf(mass, logSum), k.noMass())};
        })[0];
    k.store(y, state, j);
    k.ifThen(k.equal(side.chunk, 0),
             [&] { k.store(y, states, {side.problem, step, j}); });
  });
  return state;
}

Value AttentionKernels::loadState(Kernel &k, const Side &side, int64_t step) {
  return stageVector(k, k.use(buffers.states), {side.problem, k.index(step)});
}

namespace {
/// What the passes of a sweep over a chunk share.
struct SweepPass {
  Kernel &k;
  const Facts &facts;
  const Side &side;
  Matrix pivots;
  Value state;  ///< shared [pivots]
  Value sums;   ///< shared [warps][pivots]
  Value totals; ///< shared [pivots]

  int64_t columns() const { return facts.pivots() / 4; }

  /// A loop of this warp over its tiles that have a token with mass.
  Values
  forTiles(const Values &init,
           function_ref<Values(const Rows &, const Tile &, ValueRange)> body);
  Value largestMass();
  void addRows(Values sums);
  Value foldWarps(bool logarithms);
  Value emitSums(Value reference);
  void emitLogSums(Value first);
};
} // namespace

Values SweepPass::forTiles(
    const Values &init,
    function_ref<Values(const Rows &, const Tile &, ValueRange)> body) {
  Value start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  return k.forLoop(
      start, side.end, k.index(Facts::kWarps * Facts::kTile), init,
      [&](Value tile, ValueRange carried) -> Values {
        Rows rows = locateRows(k, side, tile);
        auto compute = [&]() -> Values {
          return body(rows, emitScores(k, facts, side, rows, pivots), carried);
        };
        if (!rows.masked)
          return compute();
        return k.ifElse(k.anyLane(k.either(rows.live[0], rows.live[1])),
                        carried.getTypes(), compute,
                        [&] { return Values(carried); });
      });
}

/// The largest log mass of the chunk's tokens: what their weights are relative
/// to. Uses `sums`.
Value SweepPass::largestMass() {
  Value start = k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  Value max = k.forLoop(
      start, side.end, k.index(Facts::kWarps * Facts::kTile), k.noMass(),
      [&](Value tile, ValueRange carried) -> Values {
        Rows rows = locateRows(k, side, tile);
        return {k.maxf(carried[0], k.maxf(rows.mass[0], rows.mass[1]))};
      })[0];
  max = k.maxLanes(max, kColumnLanes);
  k.ifThen(k.equal(k.lane(), 0),
           [&] { k.store(max, sums, {k.warp(), k.index(0)}); });
  k.barrier();
  Value all = k.noMass();
  for (int64_t warp = 0; warp < Facts::kWarps; ++warp)
    all = k.maxf(all, k.load(sums, {k.index(warp), k.index(0)}));
  k.barrier();
  return k.select(k.isLive(all), all, k.f32(0));
}

/// Stores one value for each column of the warp.
void SweepPass::addRows(Values values) {
  Value first = laneColumn(k);
  k.ifThen(k.less(k.lane(), k.index(4)), [&] {
    for (int64_t c = 0; c < columns(); ++c)
      k.store(values[c], sums, {k.warp(), k.add(first, c / 2 * 8 + c % 2)});
  });
  k.barrier();
}

/// This thread's column of all warps, in their order.
Value SweepPass::foldWarps(bool logarithms) {
  Value j = k.min(k.thread(), k.index(facts.pivots() - 1));
  Value max = k.noMass(), sum = k.f32(0);
  for (int64_t warp = 0; warp < Facts::kWarps; ++warp) {
    Value part = k.load(sums, {k.index(warp), j});
    if (logarithms)
      mergePair(k, max, sum, part, k.f32(1));
    else
      sum = k.addf(sum, part);
  }
  return logarithms ? k.addf(max, k.log2(sum)) : sum;
}

/// Plain sums into `totals`, as logarithms. Returns whether they may have lost
/// something, the same in all threads.
Value SweepPass::emitSums(Value reference) {
  Values start(columns(), k.f32(0));
  Values added = forTiles(
      start,
      [&](const Rows &rows, const Tile &scores, ValueRange carried) -> Values {
        TokenStep step = emitTokenStep(
            k, addColumns(k, scores, loadColumns(k, facts, state)));
        Value weight[2];
        for (int64_t i = 0; i < 2; ++i) {
          Value mass = k.exp2(k.subf(rows.mass[i], reference));
          weight[i] = k.mulf(mass, k.reciprocal(step.sum[i]));
          Value live = k.both(rows.live[i], k.greater(step.sum[i], k.f32(0)));
          weight[i] = k.select(live, weight[i], k.f32(0));
        }
        Values next(carried);
        for (auto [i, term] : llvm::enumerate(step.terms)) {
          Value &sum = next[i / 4 * 2 + i % 2];
          sum = k.fma(term, weight[rowOf(i)], sum);
        }
        return next;
      });
  for (Value &sum : added)
    sum = k.sumLanes(sum, kColumnLanes);
  addRows(added);

  Value total = foldWarps(/*logarithms=*/false);
  Value j = k.thread();
  Value mine = k.less(j, k.index(facts.pivots()));
  Value clamped = k.min(j, k.index(facts.pivots() - 1));
  Value small = k.invert(k.greater(total, k.f32(0x1p-80)));
  Value suspect = k.both(mine, k.both(small, k.isLive(k.load(state, clamped))));
  k.barrier(); // sums are read
  k.ifThen(mine, [&] { k.store(k.addf(k.log2(total), reference), totals, j); });
  Value any = k.anyLane(suspect);
  k.ifThen(k.equal(k.lane(), 0), [&] {
    k.store(k.select(any, k.f32(1), k.f32(0)), sums, {k.warp(), k.index(0)});
  });
  k.barrier();
  Value lost = k.flag(false);
  for (int64_t warp = 0; warp < Facts::kWarps; ++warp)
    lost = k.either(
        lost, k.greater(k.load(sums, {k.index(warp), k.index(0)}), k.f32(0)));
  k.barrier();
  return lost;
}

/// The same by pairs (maximum, sum). Without a token step, `first`, tokens have
/// the potential 0.
void SweepPass::emitLogSums(Value first) {
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
  addRows(logSums);
  Value total = foldWarps(/*logarithms=*/true);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())),
           [&] { k.store(total, totals, k.thread()); });
}

void AttentionKernels::emitSweeps() {
  Kernel k = makeKernel("sweep");
  int64_t steps = std::max(facts.querySweeps(), facts.keySweeps());
  auto loop = scf::ForOp::create(b, arith::ConstantIndexOp::create(b, 0),
                                 arith::ConstantIndexOp::create(b, steps),
                                 arith::ConstantIndexOp::create(b, 1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value hostStep = loop.getInductionVar();
  // The query side has no sweep left where half_steps is odd.
  auto blocks = [&](const SideOperands &side, int64_t sweeps) -> Value {
    Value all = arith::MulIOp::create(b, side.problems, side.chunks);
    Value some =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, hostStep,
                              arith::ConstantIndexOp::create(b, sweeps));
    return arith::SelectOp::create(b, some, all,
                                   arith::ConstantIndexOp::create(b, 0));
  };
  Value queryBlocks = blocks(querySide, facts.querySweeps());
  Value keyBlocks = blocks(keySide, facts.keySweeps());

  // Key blocks come first: their side is needed first.
  Value split = k.use(keyBlocks), step = k.use(hostStep);
  Value isKey = k.less(k.block(), split);
  Value block = k.select(isKey, k.block(), k.sub(k.block(), split));
  Side side =
      locate(k, select(k, isKey, keySide.in(k), querySide.in(k)), block);
  Matrix pivots = stagePivots(k, side);
  Value state = emitState(k, side, step);
  Value sums =
      k.shared.allocate({Facts::kWarps, facts.pivots()}, k.getF32Type());
  Value totals = k.shared.allocate({facts.pivots()}, k.getF32Type());
  k.barrier();

  SweepPass pass{k, facts, side, pivots, state, sums, totals};
  Value first = k.both(isKey, k.equal(step, 0));
  Value again = k.ifElse(
      first, k.getI1Type(), [&] { return Values{k.flag(true)}; },
      [&] {
        Value reference = side.mass ? pass.largestMass()
                                    : k.negf(k.log2(k.toFloat(side.length)));
        return Values{pass.emitSums(reference)};
      })[0];
  k.ifThen(again, [&] { pass.emitLogSums(first); });
  k.barrier();
  Value partials = k.use(buffers.partials);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    // The terms have y_j in them, which the next potential has not.
    Value y = k.load(state, k.thread());
    Value sum = k.subf(k.load(totals, k.thread()), y);
    k.store(k.select(k.isLive(y), sum, k.noMass()), partials,
            {k.rem(step, 2), side.problem, side.chunk, k.thread()});
  });
  k.launch(b, arith::AddIOp::create(b, queryBlocks, keyBlocks));
}
