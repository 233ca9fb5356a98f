//===- PlanEntries.cpp - E = R o dR of a tile -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"
#include "PackedProducts.h"
#include "StreamProducts.h"

using namespace mlir;
using namespace mlir::lot;

GradientKernels::EntryInputs
GradientKernels::emitEntryInputs(Kernel &k, const Side &side, bool keySide,
                                 bool streamed, int64_t sumBytes,
                                 bool mayKeepSums) {
  EntryInputs inputs;
  inputs.pivots = streamed ? stageForStream(k, side) : stagePivots(k, side);
  const Folded &folded = keySide ? gradients : buffers.values;
  Value set = keySide ? side.problem : getKeyProblem(k, side);
  RowFormat format = facts.valueFormat();
  if (streamed) {
    StagedCopy staged = stageMatrix(k, facts, k.use(folded.rows), set, format);
    emitCopies(k, staged);
    inputs.values = {staged.shared, {}};
  } else {
    inputs.values = stageRows(k, facts, k.use(folded.rows), set, format);
  }
  inputs.tokens = k.use(keySide ? value : cotangent);
  inputs.leading = {side.batch, keySide ? side.tokenHead : side.head};
  if (streamed) {
    inputs.stream = std::make_shared<TokenStream>(k, facts, side);
    inputs.stream->setPivots(inputs.pivots);
    inputs.stream->addValues({side, inputs.tokens, inputs.leading, facts.dv},
                             format.depth());
    int64_t leastBytes = sumBytes;
    if (mayKeepSums) {
      int64_t bytes = StreamedSums::countBytes(facts);
      inputs.keepsSums = inputs.stream->useTwoSlots(bytes);
      if (inputs.keepsSums)
        leastBytes =
            std::max(leastBytes, inputs.stream->countRingBytes() + bytes);
    }
    inputs.stream->start(leastBytes);
    if (sumBytes / 4 / kWarp >= static_cast<int64_t>(StreamedSums::kMany))
      inputs.stream->computeAnew();
    inputs.ratios = k.shared.allocate({facts.pivots()}, k.getF32Type());
  }
  inputs.state = emitPlanState(k, side, keySide);
  if (facts.rowSum())
    inputs.extra = stageVector(k, k.use(folded.extra), set);
  k.barrier();
  if (streamed)
    inputs.near = storePlanRatios(k, facts, inputs.state.last,
                                  inputs.state.prev, inputs.ratios);
  return inputs;
}

/// dR_ij = (dO_i . G_j) factor_i, and with row sums (dO_i . O_i) / s_i less.
void GradientKernels::emitQueryEntries(Kernel &k, const Rows &rows,
                                       const EntryInputs &inputs,
                                       Entries &result) {
  const Tile &plan = result.plan;
  Value inverse[2], spent[2];
  for (int64_t i = 0; i < 2; ++i) {
    result.factor[i] = emitRowFactor(k, plan, rows, inputs.extra,
                                     k.f32(facts.outScale), i, &inverse[i]);
    spent[i] = k.f32(0);
  }
  // sum_j R_ij (dO_i . G_j) factor_i = dO_i . O_i.
  for (auto [i, entry] : llvm::enumerate(result.entries)) {
    entry = k.mulf(entry, result.factor[rowOf(i)]);
    spent[rowOf(i)] = k.fma(plan[i], entry, spent[rowOf(i)]);
  }
  for (int64_t i = 0; i < 2; ++i)
    spent[i] = k.sumLanes(spent[i], {1, 2});
  for (int64_t i = 0; i < 2; ++i)
    result.slope[i] = k.negf(k.mulf(spent[i], inverse[i]));
  if (facts.rowSum()) {
    Values extra = loadColumns(k, facts, inputs.extra);
    for (auto [i, entry] : llvm::enumerate(result.entries))
      entry = k.fma(result.slope[rowOf(i)], extra[i / 4 * 2 + i % 2], entry);
  }
  // The query's mass is a factor of O, or divides the floor that divides u.
  for (int64_t i = 0; i < 2; ++i)
    switch (facts.normalization) {
    case Normalization::query_mass:
      result.direct[i] = k.f32(0);
      break;
    case Normalization::none:
      result.direct[i] = spent[i];
      break;
    case Normalization::row_sum:
      result.direct[i] =
          k.select(k.greater(inverse[i], k.f32(0)), k.f32(0), spent[i]);
      break;
    }
}

/// dR_ij = V_i . dG_j, and the cotangent of the row sums' column.
void GradientKernels::emitKeyEntries(Kernel &k, const EntryInputs &inputs,
                                     Entries &result) {
  if (!inputs.extra)
    return;
  Values extra = loadColumns(k, facts, inputs.extra);
  for (auto [i, entry] : llvm::enumerate(result.entries))
    entry = k.addf(entry, extra[i / 4 * 2 + i % 2]);
}

/// The plan from one exponential an entry, R_ij = E_ij v_j u_i (StreamPlan).
static Tile emitQuickPlan(Kernel &k, const Facts &facts, TokenStream &stream,
                          const TokenStream::StreamedTile &tile,
                          const Tile &scores, Value prev, Value ratios,
                          bool keySide, std::optional<TokenStep> &step,
                          Value &lost) {
  step.emplace();
  step->terms = addColumns(k, scores, loadColumns(k, facts, prev));
  for (Value &term : step->terms)
    term = k.exp2(term);
  Value u[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value live = tile.rows.live[row];
    Value sum = emitRowSum(k, step->terms, row);
    lost = k.either(lost, k.both(live, k.invert(isKeptRowSum(k, sum))));
    u[row] = k.reciprocal(sum);
    if (keySide)
      u[row] = k.mulf(u[row], k.exp2(tile.rows.mass[row]));
    u[row] = k.select(live, u[row], k.f32(0));
    step->sum[row] = sum;
  }
  Values v = loadColumns(k, facts, ratios);
  Tile plan;
  for (auto [i, term] : llvm::enumerate(step->terms))
    plan.push_back(k.mulf(k.mulf(term, v[i / 4 * 2 + i % 2]), u[rowOf(i)]));
  return plan;
}

GradientKernels::Entries
GradientKernels::emitEntries(Kernel &k, const Side &side, EntryTile &tile,
                             const EntryInputs &inputs) {
  Entries result;
  const Rows &rows = tile.rows;
  bool keySide = inputs.state.keySide;
  result.rawScores = tile.streamed
                         ? inputs.stream->emitRawScores(*tile.streamed)
                         : emitRawScores(k, facts, side, rows, inputs.pivots);
  result.scores = clipScores(k, facts, result.rawScores);
  if (tile.streamed && tile.lost)
    result.plan = emitQuickPlan(k, facts, *inputs.stream, *tile.streamed,
                                result.scores, inputs.state.prev, inputs.ratios,
                                keySide, result.step, tile.lost);
  else
    result.plan = emitPlan(k, result.scores, rows, inputs.state, &result.step);
  result.entries =
      tile.streamed
          ? inputs.stream->emitValueDots(*tile.streamed, inputs.values)
          : emitDots(k, facts, rows, inputs.tokens, inputs.leading,
                     inputs.values, facts.valueFormat());
  if (keySide)
    emitKeyEntries(k, inputs, result);
  else
    emitQueryEntries(k, rows, inputs, result);
  for (int64_t i = 0; i < 2; ++i)
    result.sum[i] = k.f32(0);
  for (auto [i, entry] : llvm::enumerate(result.entries)) {
    entry = k.mulf(result.plan[i], entry);
    result.sum[rowOf(i)] = k.addf(result.sum[rowOf(i)], entry);
  }
  for (int64_t i = 0; i < 2; ++i)
    result.sum[i] = k.sumLanes(result.sum[i], {1, 2});
  return result;
}

Values GradientKernels::forEntries(
    Kernel &k, const Side &side, const EntryInputs &inputs, const Values &init,
    Value near, function_ref<Values(EntryTile &tile, ValueRange carried)> body,
    function_ref<void(Value tile)> absent, function_ref<void()> begin) {
  auto run = [&](const Values &start, bool quick) {
    if (begin)
      begin();
    auto emitTile = [&](Value begin, const Rows &rows,
                        const TokenStream::StreamedTile *streamed,
                        ValueRange carried) {
      EntryTile tile{begin, rows, streamed, Value()};
      if (quick) {
        tile.lost = carried.back();
        carried = carried.drop_back();
      }
      Values next = body(tile, carried);
      if (quick)
        next.push_back(tile.lost);
      return next;
    };
    if (inputs.stream)
      return inputs.stream->forTiles(
          start,
          [&](const TokenStream::StreamedTile &tile, ValueRange carried) {
            return emitTile(tile.begin, tile.rows, &tile, carried);
          },
          absent);
    return forTiles(
        k, side, start,
        [&](Value begin, const Rows &rows, ValueRange carried) {
          return emitTile(begin, rows, nullptr, carried);
        },
        absent);
  };
  if (!near)
    return run(init, /*quick=*/false);
  SmallVector<Type> types(ValueRange(init).getTypes());
  types.push_back(k.getI1Type());
  Values quick = k.ifElse(
      near, types,
      [&] {
        Values start = init;
        start.push_back(k.flag(false));
        Values results = run(start, /*quick=*/true);
        results.back() = k.barrierAny(results.back());
        return results;
      },
      [&] {
        Values none = init;
        none.push_back(k.flag(true));
        return none;
      });
  Value lost = quick.pop_back_val();
  types.pop_back();
  return k.ifElse(
      lost, types,
      [&] {
        if (inputs.stream)
          inputs.stream->restart();
        return run(init, /*quick=*/false);
      },
      [&] { return quick; });
}

Tile GradientKernels::emitEnds(Kernel &k, const Rows &rows,
                               const Entries &entries, bool keySide) {
  Tile ends = entries.entries;
  if (!entries.step || !endsWithTokens(keySide))
    return ends;
  Tile weights = emitTokenWeights(k, *entries.step, rows);
  for (auto [i, end] : llvm::enumerate(ends))
    end = k.fma(k.negf(entries.sum[rowOf(i)]), weights[i], end);
  return ends;
}
