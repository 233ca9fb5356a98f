//===- ReverseKernels.cpp - Half-steps backwards --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With u the cotangent of y_s and e of the tokens' potentials in the plan (in
// the last sweep only, where the plan has its token step),
//
//     x'_i = e_i - sum_j P_ij u_j       u of y_(s-1): -sum_i A_ij x'_i
//     dL_ij = E_ij - sum over s (P_ij u_j + A_ij x'_i)
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

using namespace mlir;
using namespace mlir::lot;

void GradientKernels::emitReverseSweeps() {
  int64_t launches = std::max(facts.querySweeps(), facts.keySweeps()) - 1;
  if (launches <= 0)
    return;
  Kernel k = makeKernel("reverse_sweep");
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  auto loop = scf::ForOp::create(b, index(0), index(launches), index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value hostLaunch = loop.getInductionVar();
  auto blocks = [&](const SideOperands &side, int64_t sweeps) -> Value {
    Value all = arith::MulIOp::create(b, side.problems, side.chunks);
    Value some = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, hostLaunch,
                                       index(std::max<int64_t>(sweeps - 1, 0)));
    return arith::SelectOp::create(b, some, all, index(0));
  };
  Value queryBlocks = blocks(querySide, facts.querySweeps());
  Value keyBlocks = blocks(keySide, facts.keySweeps());

  Value split = k.use(keyBlocks), launch = k.use(hostLaunch);
  Value isKey = k.less(k.block(), split);
  Value block = k.select(isKey, k.block(), k.sub(k.block(), split));
  Side side =
      locate(k, select(k, isKey, keySide.in(k), querySide.in(k)), block);
  emitReverseSweep(k, side, isKey, launch);
  k.launch(b, arith::AddIOp::create(b, queryBlocks, keyBlocks));
}

void GradientKernels::emitReverseSweep(Kernel &k, const Side &side, Value isKey,
                                       Value launch) {
  Value last =
      k.select(isKey, k.index(facts.keySweeps()), k.index(facts.querySweeps()));
  Value step = k.sub(last, launch);
  Value slot = k.rem(launch, 2);
  Matrix pivots = stagePivots(k, side);
  Value ybar = emitCotangent(k, side, step, slot);
  Value states = k.use(buffers.states);
  Value prev = stageVector(k, states, {side.problem, k.sub(step, k.index(1))});
  Value next = stageVector(k, states, {side.problem, step});
  Value mass = stageVector(k, k.use(buffers.pivotMass), side.pivotIndex);
  Value noted = k.use(tokenCotangents);
  // The plan's token potential is that of the last sweep, unless the half-steps
  // end with a token step.
  bool extraQuery = !endsWithTokens(false), extraKey = !endsWithTokens(true);
  Value extra = k.both(k.equal(launch, 0),
                       k.select(isKey, k.flag(extraKey), k.flag(extraQuery)));
  k.barrier();

  Values sums = forTiles(
      k, side, Values(facts.pivots() / 4, k.f32(0)),
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        Tile scores = emitScores(k, facts, side, rows, pivots);
        Values prevColumns = loadColumns(k, facts, prev);
        Value added[2];
        for (int64_t i = 0; i < 2; ++i)
          added[i] = k.ifElse(
              k.both(extra, rows.live[i]), k.getF32Type(),
              [&] {
                return Values{k.load(noted, {side.problem, rows.index[i]})};
              },
              [&] { return Values{k.f32(0)}; })[0];
        StepWeights weights = emitStepWeights(
            k, scores, rows, &prevColumns, loadColumns(k, facts, next),
            loadColumns(k, facts, mass), loadColumns(k, facts, ybar), added);
        Tile passed;
        for (auto [i, weight] : llvm::enumerate(weights.token))
          passed.push_back(k.mulf(weight, k.negf(weights.cotangent[rowOf(i)])));
        return addToColumns(k, passed, carried);
      });
  storeColumnSums(k, facts, sums, k.use(this->sums),
                  {k.sub(k.index(1), slot), side.problem, side.chunk});
}

void GradientKernels::emitScoreGradient(bool keySide) {
  const SideOperands &host = keySide ? this->keySide : querySide;
  Kernel k = makeKernel(keySide ? "key_gradient" : "query_gradient");
  GatherShape shape(facts, facts.depth());
  Value columnBlock = k.rem(k.block(), k.index(shape.blocks));
  Value column = k.mul(columnBlock, shape.columns);
  Value isFirst = k.equal(columnBlock, 0);
  Side side = locate(k, host.in(k), k.div(k.block(), k.index(shape.blocks)));
  emitScoreGradient(k, side, keySide, shape, column, isFirst);
  Value blocks = arith::MulIOp::create(b, host.problems, host.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void GradientKernels::emitScoreGradient(Kernel &k, const Side &side,
                                        bool keySide, const GatherShape &shape,
                                        Value column, Value isFirst) {
  Value plans = makePlanStage(k, facts);
  GatherProduct gather(k, facts, shape, plans);
  EntryInputs inputs = emitEntryInputs(k, side, keySide);
  int64_t steps = getSteps(keySide);
  // Of y_1; the others have been noted.
  Value firstCotangent;
  if (steps > 0)
    firstCotangent = emitCotangent(
        k, side, k.index(1), k.index(std::max<int64_t>(steps - 1, 0) % 2));
  Value mass = stageVector(k, k.use(buffers.pivotMass), side.pivotIndex);
  ApplyProduct apply(k, facts, k.use(buffers.pivotsT), side.pivotIndex, facts.d,
                     plans);
  Value states = k.use(buffers.states), noted = k.use(cotangents);
  Value result = keySide ? k.use(keyGradient) : k.use(queryGradient);
  bool wantsMass = keySide ? static_cast<bool>(targets.keyMass)
                           : static_cast<bool>(targets.queryMass);
  Value masses = wantsMass ? k.use(tokenMasses) : Value();
  Values leading{side.batch, side.head};
  k.barrier();

  Values sums = forTiles(
      k, side, gather.getStart(),
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        Entries e = emitEntries(k, side, rows, inputs);
        Tile gradient = emitEnds(k, rows, e, keySide);
        bool spent = endsWithTokens(keySide);
        Value massGradient[2];
        for (int64_t i = 0; i < 2; ++i) {
          massGradient[i] = keySide ? k.f32(0) : e.direct[i];
          if (keySide && spent)
            massGradient[i] = e.sum[i];
        }
        auto subtract = [&](const StepWeights &weights, const Values &ybar) {
          for (auto [i, entry] : llvm::enumerate(gradient)) {
            entry =
                k.fma(k.negf(weights.pivot[i]), ybar[i / 4 * 2 + i % 2], entry);
            if (!weights.token.empty())
              entry = k.fma(k.negf(weights.token[i]),
                            weights.cotangent[rowOf(i)], entry);
          }
          if (weights.token.empty())
            return;
          for (int64_t i = 0; i < 2; ++i)
            massGradient[i] =
                k.addf(massGradient[i],
                       keySide ? weights.cotangent[i] : weights.own[i]);
        };
        Values massColumns = loadColumns(k, facts, mass);
        auto at = [&](Value vectors, Value step) {
          return loadColumns(k, facts, vectors, {side.problem, step});
        };
        // What the plan passes on to the tokens of the last sweep.
        auto extraAt = [&](Value isLast, Value extra[2]) {
          for (int64_t i = 0; i < 2; ++i)
            extra[i] = spent ? k.f32(0) : k.select(isLast, e.sum[i], k.f32(0));
        };
        if (steps > 1) {
          Values state(gradient);
          state.append({massGradient[0], massGradient[1]});
          state =
              k.forLoop(k.index(0), k.index(steps - 1), k.index(1), state,
                        [&](Value i, ValueRange inner) -> Values {
                          gradient = Tile(inner.drop_back(2));
                          massGradient[0] = inner[inner.size() - 2];
                          massGradient[1] = inner[inner.size() - 1];
                          Value step = k.sub(k.index(steps), i);
                          Values prev = at(states, k.sub(step, k.index(1)));
                          Values ybar = at(noted, step);
                          Value extra[2];
                          extraAt(k.equal(i, 0), extra);
                          subtract(emitStepWeights(k, e.scores, rows, &prev,
                                                   at(states, step),
                                                   massColumns, ybar, extra),
                                   ybar);
                          Values next(gradient);
                          next.append({massGradient[0], massGradient[1]});
                          return next;
                        });
          gradient = Tile(ArrayRef(state).drop_back(2));
          massGradient[0] = state[state.size() - 2];
          massGradient[1] = state[state.size() - 1];
        }
        if (steps > 0) {
          Values ybar = loadColumns(k, facts, firstCotangent);
          Values prev;
          if (!keySide)
            prev = at(states, k.index(0));
          Value extra[2];
          extraAt(k.flag(steps == 1), extra);
          subtract(emitStepWeights(k, e.scores, rows, keySide ? nullptr : &prev,
                                   at(states, k.index(1)), massColumns, ybar,
                                   extra),
                   ybar);
        }
        if (facts.clamp)
          for (auto [i, entry] : llvm::enumerate(gradient)) {
            Value raw = k.maxf(e.rawScores[i], k.negf(e.rawScores[i]));
            entry =
                k.select(k.greater(raw, k.f32(*facts.clamp)), k.f32(0), entry);
          }
        for (auto [i, entry] : llvm::enumerate(gradient))
          entry = k.select(rows.live[rowOf(i)], entry, k.f32(0));
        k.ifThen(isFirst, [&] {
          Value scale = k.f32(facts.naturalScale);
          Value factor[2] = {scale, scale};
          apply.emit(gradient, factor, side, tile, result, leading);
          if (!masses)
            return;
          for (int64_t i = 0; i < 2; ++i)
            massGradient[i] = k.select(rows.live[i], massGradient[i], k.f32(0));
          storeRows(k, side, tile, massGradient, masses);
        });
        return gather.accumulate(gather.prepare(gradient), side, tile,
                                 side.tokens, {side.batch, side.tokenHead},
                                 column, carried);
      },
      [&](Value tile) {
        k.ifThen(isFirst, [&] {
          apply.emitZeros(side, tile, result, leading);
          Value zeros[2] = {k.f32(0), k.f32(0)};
          if (masses)
            storeRows(k, side, tile, zeros, masses);
        });
      });
  gather.store(sums, k.use(buffers.gathered), {side.problem, side.chunk},
               column);
}
