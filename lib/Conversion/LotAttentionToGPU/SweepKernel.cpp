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
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "SweepPass.h"

using namespace mlir;
using namespace mlir::lot;

Value AttentionKernels::emitState(Kernel &k, const Side &side, Value step) {
  if (side.statesNoted || statesKnown)
    return stageVector(k, k.use(buffers.states), {side.problem, step});
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
          Values pair = foldLogSums(k, side.chunks, [&](Value chunk) {
            return k.load(partials, {parity, side.problem, chunk, j});
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
  Value first = k.both(isKey, k.equal(step, 0));
  Value sum = pass.emitLogSum(first, pass.emitReference());
  Value partials = k.use(buffers.partials);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    k.store(sum, partials,
            {k.rem(step, 2), side.problem, side.chunk, k.thread()});
  });
  k.launch(b, arith::AddIOp::create(b, queryBlocks, keyBlocks));
}
