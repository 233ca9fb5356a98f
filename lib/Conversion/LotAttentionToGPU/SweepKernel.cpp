//===- SweepKernel.cpp - One half-step pair over all tokens ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block takes a chunk of tokens of one side of one head. For each token it
// does the token step, x_i = mass_i - logsumexp_j(score_ij + y_j), and adds up
// what the pivot step after it needs, logsumexp_i(score_ij + x_i) + y_j. The
// last block of a head folds those sums in the order of the chunks, so that
// results depend neither on the order of blocks nor on what else is in the
// batch.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "SweepPass.h"
#include "TokenStream.h"

using namespace mlir;
using namespace mlir::lot;

Value AttentionKernels::emitState(Kernel &k, const Side &side, Value step) {
  if (statesKnown)
    return stageVector(k, k.use(buffers.states), {side.problem, step});
  Value state = k.shared.allocate({facts.pivots()}, k.getF32Type());
  Value states = k.use(buffers.states), pivotMass = k.use(buffers.pivotMass);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value j = k.thread(), begins = k.equal(step, 0);
    Value y = k.ifElse(
        begins, k.getF32Type(),
        [&]() -> Values {
          Value mass = k.load(pivotMass, {side.pivotIndex, j});
          return {k.select(k.isLive(mass), k.f32(0), k.noMass())};
        },
        [&] { return Values{k.load(states, {side.problem, step, j})}; })[0];
    k.store(y, state, j);
    k.ifThen(k.both(begins, k.equal(side.chunk, 0)),
             [&] { k.store(y, states, {side.problem, step, j}); });
  });
  return state;
}

/// The pivot step after a sweep, y_j = mass_j - logsumexp_i(score_ij + x_i),
/// from the parts of all blocks of a problem, by the last of them.
void AttentionKernels::emitPivotStep(Kernel &k, const Sweep &sweep) {
  const Side &side = sweep.side;
  Value partials = k.use(buffers.partials), states = k.use(buffers.states);
  Value pivotMass = k.use(buffers.pivotMass);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value j = k.thread();
    Value mass = k.load(pivotMass, {side.pivotIndex, j});
    Values pair = foldLogSums(k, side.chunks, [&](Value chunk) {
      return k.load(partials, {side.problem, chunk, j});
    });
    Value logSum = k.addf(pair[0], k.log2(pair[1]));
    Value live = k.both(k.isLive(logSum), k.isLive(mass));
    k.store(k.select(live, k.subf(mass, logSum), k.noMass()), states,
            {side.problem, k.add(sweep.step, 1), j});
  });
}

Value AttentionKernels::loadState(Kernel &k, const Side &side, int64_t step) {
  return stageVector(k, k.use(buffers.states), {side.problem, k.index(step)});
}

/// The largest score of 16 tokens all over the chunk: what the terms of a first
/// sweep are relative to.
static Value emitStartReference(Kernel &k, const Facts &facts, const Side &side,
                                const Matrix &pivots, Value state) {
  Rows rows;
  Value length = k.sub(side.end, side.begin);
  for (int64_t i = 0; i < 2; ++i) {
    Value at = k.mul(k.add(k.div(k.lane(), 4), 8 * i), length);
    std::tie(rows.index[i], rows.live[i]) =
        locateToken(k, side, side.begin, k.div(at, Facts::kTile));
    rows.mass[i] = k.f32(0);
  }
  rows.masked = side.mass;
  Tile scores = addColumns(k, emitScores(k, facts, side, rows, pivots),
                           loadColumns(k, facts, state));
  Value max = k.noMass();
  for (auto [at, score] : llvm::enumerate(scores))
    max = k.maxf(max, k.select(rows.live[rowOf(at)], score, k.noMass()));
  max = k.maxLanes(max, {1, 2, 4, 8, 16});
  return k.select(k.isLive(max), max, k.f32(0));
}

/// The sums over streamed tiles: one exponential an entry, 2^(score + y) as it
/// is, which has to be in the range of f32.
static SweepPass::QuickSums addStreamed(Kernel &k, const Facts &facts,
                                        TokenStream &stream, Value state,
                                        Value first, Value startReference,
                                        Value massReference) {
  Values columns = loadColumns(k, facts, state);
  for (Value &y : columns)
    y = k.subf(y, startReference);
  Values start(columns.size(), k.f32(0));
  start.push_back(k.flag(false));
  Values sums = stream.forTiles(
      start, [&](const TokenStream::StreamedTile &tile, ValueRange carried) {
        const Rows &rows = tile.rows;
        Tile entries = stream.emitPowers(tile, columns);
        Value weight[2], lost = carried.back();
        for (int64_t row = 0; row < 2; ++row) {
          Value sum = emitRowSum(k, entries, row);
          Value inverse = k.reciprocal(sum);
          if (rows.masked)
            inverse =
                k.mulf(inverse, k.exp2(k.subf(rows.mass[row], massReference)));
          inverse = k.select(first, k.f32(1), inverse);
          weight[row] = k.select(rows.live[row], inverse, k.f32(0));
          lost = k.either(
              lost, k.both(rows.live[row], k.invert(isKeptRowSum(k, sum))));
        }
        Values next(carried.drop_back());
        addToColumns(k, entries, weight, next);
        next.push_back(lost);
        return next;
      });
  Value lost = k.both(sums.pop_back_val(), k.invert(first));
  // A row of at least 2^-60 has lost terms below 2^-66 of it, fewer than 2^24
  // rows less than 2^-42; where rows have no sums, terms below 2^-126.
  Value least = k.select(first, k.f32(0x1p-80), k.f32(0x1p-30));
  return {sums, k.select(first, startReference, massReference), least, lost};
}

Value AttentionKernels::countBlocks(const SideOperands &side) {
  return arith::MulIOp::create(b, side.problems, side.chunks);
}

/// Key blocks come first: their side is needed first.
AttentionKernels::Sweep AttentionKernels::locateSweep(Kernel &k, Value step,
                                                      Value block,
                                                      Value keyBlocks) {
  Value isKey = k.less(block, keyBlocks);
  block = k.select(isKey, block, k.sub(block, keyBlocks));
  Side side =
      locate(k, select(k, isKey, keySide.in(k), querySide.in(k)), block);
  return {step, isKey, side};
}

AttentionKernels::Sweep AttentionKernels::locateSweep(Kernel &k) {
  Value keyBlocks = k.use(countBlocks(keySide));
  Value both = k.add(keyBlocks, k.use(countBlocks(querySide)));
  Value step = k.divNarrow(k.block(), both);
  return locateSweep(k, step, k.sub(k.block(), k.mul(step, both)), keyBlocks);
}

Value AttentionKernels::countSweepBlocks(int64_t keySweeps,
                                         int64_t querySweeps) {
  auto times = [&](const SideOperands &side, int64_t sweeps) -> Value {
    return arith::MulIOp::create(b, countBlocks(side),
                                 arith::ConstantIndexOp::create(b, sweeps));
  };
  return arith::AddIOp::create(b, times(keySide, keySweeps),
                               times(querySide, querySweeps));
}

void AttentionKernels::emitSweeps() {
  if (facts.isPacked() && TokenStream::canUseGroup(facts))
    return emitSweepsTogether();
  int64_t steps = std::max(facts.querySweeps(), facts.keySweeps());
  auto loop = scf::ForOp::create(b, arith::ConstantIndexOp::create(b, 0),
                                 arith::ConstantIndexOp::create(b, steps),
                                 arith::ConstantIndexOp::create(b, 1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value hostStep = loop.getInductionVar();
  // The query side has no sweep left where half_steps is odd.
  auto blocks = [&](const SideOperands &side, int64_t sweeps) -> Value {
    Value some =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, hostStep,
                              arith::ConstantIndexOp::create(b, sweeps));
    return arith::SelectOp::create(b, some, countBlocks(side),
                                   arith::ConstantIndexOp::create(b, 0));
  };
  Value queryBlocks = blocks(querySide, facts.querySweeps());
  Value keyBlocks = blocks(keySide, facts.keySweeps());

  bool streamed = facts.isPacked();
  Kernel k = makeKernel("sweep", streamed ? kStreamWarps : Facts::kWarps);
  Sweep sweep = locateSweep(k, k.use(hostStep), k.block(), k.use(keyBlocks));
  std::optional<TokenStream> stream;
  Matrix pivots = stagePivots(k, sweep.side, streamed, stream);
  emitPartialSums(k, sweep, pivots, stream ? &*stream : nullptr);
  Value last = k.isLastToSignal(k.use(buffers.signals), sweep.side.problem,
                                sweep.side.chunks);
  k.ifThen(last, [&] { emitPivotStep(k, sweep); });
  k.launch(b, arith::AddIOp::create(b, queryBlocks, keyBlocks));
}

void AttentionKernels::emitSweepsTogether() {
  Kernel k = makeKernel("sweep", kGroupWarps, Overlap::WithBothLater);
  k.setBlocksPerMultiprocessor(kGroupBlocks);
  Sweep sweep = locateSweep(k);
  TokenStream stream(k, facts, sweep.side);
  stream.useGroup(/*most=*/2);
  stream.start();
  stagePivots(k, sweep.side, stream);
  // Of each sweep before: its blocks, then the one that did the pivot step.
  Value signals = k.use(buffers.signals);
  k.waitForSignals(signals, sweep.side.problem,
                   k.mul(sweep.step, k.add(sweep.side.chunks, 1)));
  Matrix pivots{k.use(buffers.pivots), {sweep.side.pivotIndex}};
  emitPartialSums(k, sweep, pivots, &stream);
  Value last =
      k.isLastBeforeOwn(signals, sweep.side.problem, sweep.side.chunks);
  k.ifThen(last, [&] {
    emitPivotStep(k, sweep);
    k.signal(signals, sweep.side.problem);
  });
  k.launch(b, countSweepBlocks(facts.keySweeps(), facts.querySweeps()));
}

void AttentionKernels::emitPartialSums(Kernel &k, const Sweep &sweep,
                                       const Matrix &pivots,
                                       TokenStream *stream) {
  const Side &side = sweep.side;
  Value state = emitState(k, side, sweep.step);
  Value sums =
      k.shared.allocate({k.getWarps(), facts.pivots()}, k.getF32Type());
  k.barrier();

  SweepPass pass{k,
                 facts,
                 side,
                 state,
                 sums,
                 [&](const Values &init, SweepPass::TileBody body) {
                   return forTiles(
                       k, side, init,
                       [&](Value tile, const Rows &rows, ValueRange carried) {
                         return body(rows,
                                     emitScores(k, facts, side, rows, pivots),
                                     carried);
                       });
                 }};
  Value first = k.both(sweep.isKey, k.equal(sweep.step, 0));
  if (stream) {
    Value startReference = k.ifElse(
        first, k.getF32Type(),
        [&] {
          return Values{emitStartReference(k, facts, side, pivots, state)};
        },
        [&] { return Values{k.f32(0)}; })[0];
    stream->keepPivots();
    pass.addQuickly = [&, stream, startReference](Value first,
                                                  Value reference) {
      return addStreamed(k, facts, *stream, state, first, startReference,
                         reference);
    };
  }
  Value sum = pass.emitLogSum(first, pass.emitReference());
  Value partials = k.use(buffers.partials);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    k.store(sum, partials, {side.problem, side.chunk, k.thread()});
  });
}
