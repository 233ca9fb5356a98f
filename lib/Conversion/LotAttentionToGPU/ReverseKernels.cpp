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
#include "TokenStream.h"

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
  emitScoreGradient(k, side, keySide, shape, column, isFirst, /*quick=*/true);
  Value blocks = arith::MulIOp::create(b, host.problems, host.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

namespace {
/// Weights of all steps as multiples of the plan R, without exponentials of
/// their own. With a = 2^(y_(s-1) - last) and p = 2^(y_s - mass - last) of the
/// pivots,
///
///     A_ij = R_ij a_j / t_i    P_ij = R_ij p_j mass_i / t_i    t = sum_j R a
///
/// Where the potentials are far apart, or a t_i is out of a range in which
/// nothing counts as missing, tiles take their steps with weights as they were.
struct StepFactors {
  Value tokens;  ///< shared [steps][pivots]: a
  Value pivots;  ///< shared [steps][pivots]: p times the cotangent of y_s
  Value near;    ///< i1: they can be used
  int64_t first; ///< the step of the first row
};
} // namespace

/// Of the steps from `first` on, up to `steps`; null where there is no room.
static std::optional<StepFactors>
makeStepFactors(Kernel &k, const Facts &facts, int64_t first, int64_t steps) {
  constexpr int64_t kMostBytes = 16 * 1024;
  int64_t rows = steps - first + 1, bytes = 8 * rows * facts.pivots();
  if (rows <= 0 || bytes > kMostBytes || !k.shared.hasRoom(bytes))
    return std::nullopt;
  Value tokens = k.shared.allocate({rows, facts.pivots()}, k.getF32Type());
  Value pivots = k.shared.allocate({rows, facts.pivots()}, k.getF32Type());
  return StepFactors{tokens, pivots, Value(), first};
}

/// `potential` and `cotangent` of a step and a pivot, `last` and `mass` of a
/// pivot. All threads are here.
static void
fillStepFactors(Kernel &k, StepFactors &factors, Value last, Value mass,
                function_ref<Value(Value step, Value j)> potential,
                function_ref<Value(Value step, Value j)> cotangent) {
  constexpr double kMostExponent = 30;
  auto type = cast<MemRefType>(factors.tokens.getType());
  int64_t pivots = type.getDimSize(1);
  Value near = k.forLoop(
      k.thread(), k.index(type.getNumElements()), k.index(k.getThreads()),
      k.flag(true), [&](Value i, ValueRange carried) -> Values {
        Value row = k.div(i, pivots), j = k.rem(i, pivots);
        Value step = k.add(row, factors.first);
        Value to = k.load(last, j);
        Value before = potential(k.sub(step, k.index(1)), j);
        Value after = potential(step, j);
        Value present =
            k.either(k.isLive(to), k.either(k.isLive(before), k.isLive(after)));
        Value exponents[2] = {
            k.subf(before, to),
            k.subf(k.subf(after, k.load(mass, j)), to),
        };
        Value good = k.flag(true), powers[2];
        for (int64_t e = 0; e < 2; ++e) {
          Value inside = k.both(k.greater(k.f32(kMostExponent), exponents[e]),
                                k.greater(exponents[e], k.f32(-kMostExponent)));
          good = k.both(good, inside);
          powers[e] = k.select(present, k.exp2(exponents[e]), k.f32(0));
        }
        k.store(powers[0], factors.tokens, {row, j});
        Value u = k.select(present, cotangent(step, j), k.f32(0));
        k.store(k.mulf(powers[1], u), factors.pivots, {row, j});
        return {k.both(carried[0], k.either(k.invert(present), good))};
      })[0];
  factors.near = k.invert(k.barrierAny(k.invert(near)));
}

void GradientKernels::emitScoreGradient(Kernel &k, const Side &side,
                                        bool keySide, const GatherShape &shape,
                                        Value column, Value isFirst,
                                        bool quick) {
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
  // Without the first step of the key side, before which tokens have no
  // potential.
  std::optional<StepFactors> factors =
      quick ? makeStepFactors(k, facts, keySide ? 2 : 1, steps) : std::nullopt;
  k.barrier();
  if (factors)
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

  // dL of a tile, and the gradients of the log masses.
  auto emitTile = [&](const Rows &rows, const StepFactors *factors,
                      Value &lost) -> Values {
    Entries e = emitEntries(k, side, rows, inputs);
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
    Values massColumns = loadColumns(k, facts, mass);
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
                               at(states, k.index(1)), massColumns, ybar,
                               extra),
               ybar);
    };
    // Steps from the last one on, `count` of them.
    auto forSteps = [&](int64_t count, function_ref<void(Value i)> body) {
      if (count <= 0)
        return;
      Values state(gradient);
      state.append({massGradient[0], massGradient[1], lost});
      auto take = [&](ValueRange values) {
        gradient = Tile(values.drop_back(3));
        values = values.take_back(3);
        massGradient[0] = values[0];
        massGradient[1] = values[1];
        lost = values[2];
      };
      take(k.forLoop(k.index(0), k.index(count), k.index(1), state,
                     [&](Value i, ValueRange inner) -> Values {
                       take(inner);
                       body(i);
                       Values next(gradient);
                       next.append({massGradient[0], massGradient[1], lost});
                       return next;
                     }));
    };
    if (factors) {
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
          lost = k.either(lost,
                          k.both(rows.live[r], k.invert(isKeptRowSum(k, sum))));
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
        Value step = k.sub(k.index(steps), i);
        Values prev = at(states, k.sub(step, k.index(1)));
        Values ybar = at(noted, step);
        Value extra[2];
        extraAt(k.equal(i, 0), extra);
        subtract(emitStepWeights(k, e.scores, rows, &prev, at(states, step),
                                 massColumns, ybar, extra),
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

  Values sums = forTiles(
      k, side, gather.getStart(),
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        SmallVector<Type> types(facts.pivots() / 2 + 2, k.getF32Type());
        Value lost = k.flag(true);
        Values all;
        if (factors) {
          types.push_back(k.getI1Type());
          all = k.ifElse(
              factors->near, types,
              [&] {
                Value some = k.flag(false);
                Values result = emitTile(rows, &*factors, some);
                result.push_back(some);
                return result;
              },
              [&] {
                Values none(types.size() - 1, k.f32(0));
                none.push_back(k.flag(true));
                return none;
              });
          lost = k.anyLane(all.pop_back_val());
          types.pop_back();
          all = k.ifElse(
              lost, types, [&] { return emitTile(rows, nullptr, lost); },
              [&] { return all; });
        } else {
          all = emitTile(rows, nullptr, lost);
        }
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
