//===- ScoreGradient.cpp - The gradients of queries and keys --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     dL_ij = E_ij - sum over s (P_ij u_j + A_ij x'_i)    (ReverseKernels.cpp)
//
// From there dQ or dK, and parts of dZ.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"
#include "PackedTiles.h"
#include "StepFactors.h"
#include "StreamProducts.h"

using namespace mlir;
using namespace mlir::lot;

void GradientKernels::emitScoreGradient(bool keySide) {
  const SideOperands &host = keySide ? this->keySide : querySide;
  bool streamed = facts.isPacked();
  Kernel k = makeKernel(keySide ? "key_gradient" : "query_gradient",
                        streamed ? kStreamSumWarps : Facts::kWarps);
  if (streamed)
    k.setBlocksPerMultiprocessor(2);
  GatherShape shape(facts, facts.depth());
  Value columnBlock = k.rem(k.block(), k.index(shape.blocks));
  Value column = k.mul(columnBlock, shape.columns);
  Value isFirst = k.equal(columnBlock, 0);
  Side side = locate(k, host.in(k), k.div(k.block(), k.index(shape.blocks)));
  emitScoreGradient(k, side, keySide, shape, column, isFirst, /*quick=*/true);
  Value blocks = arith::MulIOp::create(b, host.problems, host.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void GradientKernels::emitScoreGradient(Kernel &k, const Side &side,
                                        bool keySide, const GatherShape &shape,
                                        Value column, Value isFirst,
                                        bool quick) {
  Value plans = makePlanStage(k, facts);
  // Quick ways are for all tokens of a head; `again` is for what they lose.
  bool streamed = quick && facts.isPacked();
  std::optional<GatherProduct> gather;
  if (!streamed)
    gather.emplace(k, facts, shape, plans);
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
  // Without the first step of the key side, before which tokens have no
  // potential.
  std::optional<StepFactors> factors =
      quick ? makeStepFactors(k, facts, keySide ? 2 : 1, steps) : std::nullopt;
  size_t entries = facts.pivots() * shape.columns / kWarp;
  // Registers are short where others iterate over a tile meanwhile.
  bool mayKeepSums = streamed && entries >= StreamedSums::kMany;
  EntryInputs inputs =
      emitEntryInputs(k, side, keySide, streamed,
                      4 * facts.pivots() * shape.columns, mayKeepSums);
  bool keepsSums = inputs.keepsSums;
  std::optional<StreamedSums> kept;
  if (keepsSums) {
    const TokenStream &stream = *inputs.stream;
    kept.emplace(k, facts, stream.getMemory(), stream.countRingBytes(),
                 shape.columns);
  }
  Value near = inputs.near;
  if (factors) {
    fillStepFactors(
        k, *factors, inputs.state.last, mass,
        [&](Value step, Value j) {
          return k.load(states, {side.problem, step, j});
        },
        [&](Value step, Value j) {
          return k.ifElse(
              k.equal(step, 1), k.getF32Type(),
              [&] { return Values{k.load(firstCotangent, j)}; },
              [&] {
                return Values{k.load(noted, {side.problem, step, j})};
              })[0];
        });
    near = near ? k.both(near, factors->near) : factors->near;
  }

  // dL of a tile, and the gradients of the log masses.
  auto emitTile = [&](EntryTile &tile) -> Values {
    Entries e = emitEntries(k, side, tile, inputs);
    const Rows &rows = tile.rows;
    Tile gradient = emitEnds(k, rows, e, keySide);
    bool spent = endsWithTokens(keySide);
    Value massGradient[2];
    for (int64_t i = 0; i < 2; ++i) {
      massGradient[i] = keySide ? k.f32(0) : e.direct[i];
      if (keySide && spent)
        massGradient[i] = e.sum[i];
    }
    auto addMass = [&](const Value own[2], const Value cotangent[2]) {
      for (int64_t i = 0; i < 2; ++i)
        massGradient[i] =
            k.addf(massGradient[i], keySide ? cotangent[i] : own[i]);
    };
    auto subtract = [&](const StepWeights &weights, const Values &ybar) {
      for (auto [i, entry] : llvm::enumerate(gradient)) {
        entry = k.fma(k.negf(weights.pivot[i]), ybar[i / 4 * 2 + i % 2], entry);
        if (!weights.token.empty())
          entry = k.fma(k.negf(weights.token[i]), weights.cotangent[rowOf(i)],
                        entry);
      }
      if (!weights.token.empty())
        addMass(weights.own, weights.cotangent);
    };
    auto at = [&](Value vectors, Value step) {
      return loadColumns(k, facts, vectors, {side.problem, step});
    };
    // What the plan passes on to the tokens of the last sweep.
    auto extraAt = [&](Value isLast, Value extra[2]) {
      for (int64_t i = 0; i < 2; ++i)
        extra[i] = spent ? k.f32(0) : k.select(isLast, e.sum[i], k.f32(0));
    };
    auto subtractFirst = [&] {
      Values ybar = loadColumns(k, facts, firstCotangent);
      Values prev;
      if (!keySide)
        prev = at(states, k.index(0));
      Value extra[2];
      extraAt(k.flag(steps == 1), extra);
      subtract(emitStepWeights(k, e.scores, rows, keySide ? nullptr : &prev,
                               at(states, k.index(1)),
                               loadColumns(k, facts, mass), ybar, extra),
               ybar);
    };
    // Steps from the last one on, `count` of them.
    auto forSteps = [&](int64_t count, function_ref<void(Value i)> body) {
      if (count <= 0)
        return;
      Values state(gradient);
      auto append = [&](Values &values) {
        values.append({massGradient[0], massGradient[1]});
        if (tile.lost)
          values.push_back(tile.lost);
      };
      append(state);
      auto take = [&](ValueRange values) {
        if (tile.lost) {
          tile.lost = values.back();
          values = values.drop_back();
        }
        gradient = Tile(values.drop_back(2));
        massGradient[0] = values[values.size() - 2];
        massGradient[1] = values.back();
      };
      take(k.forLoop(k.index(0), k.index(count), k.index(1), state,
                     [&](Value i, ValueRange inner) -> Values {
                       take(inner);
                       body(i);
                       Values next(gradient);
                       append(next);
                       return next;
                     }));
    };
    if (factors && tile.lost) {
      // The scores are not needed afterwards.
      if (factors->first > 1)
        subtractFirst();
      forSteps(steps - factors->first + 1, [&](Value i) {
        Value row = k.sub(k.index(steps - factors->first), i);
        Values a = loadColumns(k, facts, factors->tokens, row);
        Values p = loadColumns(k, facts, factors->pivots, row);
        Value own[2], cotangent[2], inverse[2], weight[2];
        extraAt(k.equal(i, 0), cotangent);
        for (int64_t r = 0; r < 2; ++r) {
          Value sum = emitRowSum(k, e.plan, r, &a);
          Value bad = k.both(rows.live[r], k.invert(isKeptRowSum(k, sum)));
          tile.lost = k.either(tile.lost, bad);
          inverse[r] = k.select(rows.live[r], k.reciprocal(sum), k.f32(0));
          weight[r] = k.mulf(inverse[r], k.exp2(rows.mass[r]));
          own[r] = k.negf(k.mulf(weight[r], emitRowSum(k, e.plan, r, &p)));
          cotangent[r] = k.addf(cotangent[r], own[r]);
          inverse[r] = k.mulf(inverse[r], cotangent[r]);
        }
        for (auto [at, entry] : llvm::enumerate(gradient)) {
          int64_t column = at / 4 * 2 + at % 2, r = rowOf(at);
          Value both =
              k.fma(a[column], inverse[r], k.mulf(p[column], weight[r]));
          entry = k.fma(k.negf(e.plan[at]), both, entry);
        }
        addMass(own, cotangent);
      });
    } else {
      forSteps(steps - 1, [&](Value i) {
        // Columns are read again for each step, unless there is room for them.
        std::optional<KernelBuilder::FreshThread> inStep;
        if (keepsSums)
          inStep.emplace(k);
        Value step = k.sub(k.index(steps), i);
        Values prev = at(states, k.sub(step, k.index(1)));
        Values ybar = at(noted, step);
        Value extra[2];
        extraAt(k.equal(i, 0), extra);
        subtract(emitStepWeights(k, e.scores, rows, &prev, at(states, step),
                                 loadColumns(k, facts, mass), ybar, extra),
                 ybar);
      });
      if (steps > 0)
        subtractFirst();
    }
    if (facts.clamp)
      for (auto [i, entry] : llvm::enumerate(gradient)) {
        Value raw = k.maxf(e.rawScores[i], k.negf(e.rawScores[i]));
        entry = k.select(k.greater(raw, k.f32(*facts.clamp)), k.f32(0), entry);
      }
    for (auto [i, entry] : llvm::enumerate(gradient))
      entry = k.select(rows.live[rowOf(i)], entry, k.f32(0));
    Values all(gradient);
    all.append({massGradient[0], massGradient[1]});
    return all;
  };

  size_t carriedCount = kept ? kept->countCarried() : entries;
  Values sums = forEntries(
      k, side, inputs, Values(carriedCount, k.f32(0)), near,
      [&](EntryTile &entryTile, ValueRange carried) -> Values {
        Value tile = entryTile.begin;
        const Rows &rows = entryTile.rows;
        Values all = emitTile(entryTile);
        Value massGradient[2];
        massGradient[1] = all.pop_back_val();
        massGradient[0] = all.pop_back_val();
        Tile gradient = all;
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
        if (gather)
          return gather->accumulate(gather->prepare(gradient), side, tile,
                                    side.tokens, {side.batch, side.tokenHead},
                                    column, carried);
        Values words = packTile(k, facts.io, gradient);
        Value tokens = inputs.stream->getTokenRows();
        Value firstRow = entryTile.streamed->firstRow;
        if (kept)
          return kept->add(words, tokens, firstRow, column, carried);
        return addStreamedRows(k, facts, words, tokens, firstRow, column,
                               shape.columns, carried);
      },
      [&](Value tile) {
        k.ifThen(isFirst, [&] {
          apply.emitZeros(side, tile, result, leading);
          Value zeros[2] = {k.f32(0), k.f32(0)};
          if (masses)
            storeRows(k, side, tile, zeros, masses);
        });
      },
      [&] {
        if (kept)
          kept->clear();
      });
  Values at{side.problem, side.chunk};
  if (gather)
    return gather->store(sums, k.use(buffers.gathered), at, column);
  inputs.stream->finish();
  if (kept)
    sums = kept->gather(sums);
  storeStreamedRows(k, facts, sums, inputs.stream->getMemory(), nullptr,
                    k.use(buffers.gathered), at, column, shape.columns);
}
