//===- AdjointKernels.cpp - Reverse mode of the glued plans ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With E = R o dR of a plan, a pass over the tokens leaves
//
//     e_i = sum_j E_ij              for the tokens
//     sum_i E_ij (- e_i A_ij)       for the pivots, in the partials
//
// The second term is there where the last token step read the last potential.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

using namespace mlir;
using namespace mlir::lot;

GradientKernels::EntryInputs
GradientKernels::emitEntryInputs(Kernel &k, const Side &side, bool keySide) {
  EntryInputs inputs;
  inputs.pivots = stagePivots(k, side);
  inputs.state = emitPlanState(k, side, keySide);
  const Folded &folded = keySide ? gradients : buffers.values;
  Value set = keySide ? side.problem : getKeyProblem(k, side);
  inputs.values =
      stageRows(k, facts, k.use(folded.rows), set, facts.valueFormat());
  if (facts.rowSum())
    inputs.extra = stageVector(k, k.use(folded.extra), set);
  inputs.tokens = k.use(keySide ? value : cotangent);
  inputs.leading = {side.batch, keySide ? side.tokenHead : side.head};
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

GradientKernels::Entries
GradientKernels::emitEntries(Kernel &k, const Side &side, const Rows &rows,
                             const EntryInputs &inputs) {
  Entries result;
  result.rawScores = emitRawScores(k, facts, side, rows, inputs.pivots);
  result.scores = clipScores(k, facts, result.rawScores);
  result.plan = emitPlan(k, result.scores, rows, inputs.state, &result.step);
  result.entries = emitDots(k, facts, rows, inputs.tokens, inputs.leading,
                            inputs.values, facts.valueFormat());
  if (inputs.state.keySide)
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

void GradientKernels::emitQueryAdjoint() {
  Kernel k = makeKernel("query_adjoint");
  GatherShape shape(facts, facts.valueColumns());
  Value column = k.mul(k.rem(k.block(), k.index(shape.blocks)), shape.columns);
  Side side =
      locate(k, querySide.in(k), k.div(k.block(), k.index(shape.blocks)));
  emitQueryAdjoint(k, side, shape, column, buffers.gathered);
  Value blocks = arith::MulIOp::create(b, querySide.problems, querySide.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void GradientKernels::emitQueryAdjoint(Kernel &k, const Side &side,
                                       const GatherShape &shape, Value column,
                                       Value parts) {
  GatherProduct product(k, facts, shape, makePlanStage(k, facts));
  EntryInputs inputs = emitEntryInputs(k, side, /*keySide=*/false);
  Value noted = k.use(tokenCotangents);
  k.barrier();

  size_t entries = product.getStart().size(), count = facts.pivots() / 4;
  Values init = product.getStart();
  init.append(facts.rowSum() ? 2 * count : count, k.f32(0));
  Values all = forTiles(
      k, side, init,
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        Entries e = emitEntries(k, side, rows, inputs);
        storeRows(k, side, tile, e.sum, noted);
        // (R1 factor)^T dO.
        Tile scaled, slopes;
        for (auto [i, entry] : llvm::enumerate(e.plan)) {
          scaled.push_back(k.mulf(entry, e.factor[rowOf(i)]));
          slopes.push_back(k.mulf(entry, e.slope[rowOf(i)]));
        }
        Values next = product.accumulate(product.prepare(scaled), side, tile,
                                         inputs.tokens, inputs.leading, column,
                                         carried.take_front(entries));
        ValueRange columns = carried.drop_front(entries);
        next.append(addToColumns(k, emitEnds(k, rows, e, /*keySide=*/false),
                                 columns.take_front(count)));
        next.append(addToColumns(k, slopes, columns.drop_front(count)));
        return next;
      });
  // In the order of key problems: the query heads of one follow each other.
  Value problem = k.sub(side.problem, side.first);
  ArrayRef<Value> results(all);
  product.store(results.take_front(entries), k.use(parts),
                {problem, side.chunk}, column);
  results = results.drop_front(entries);
  storeColumnSums(k, facts, Values(results.take_front(count)), k.use(sums),
                  {k.index(0), side.problem, side.chunk});
  if (facts.rowSum())
    storeColumnSums(k, facts, Values(results.drop_front(count)),
                    k.use(buffers.gatheredSums), {problem, side.chunk});
}

void GradientKernels::emitKeyAdjoint() {
  Kernel k = makeKernel("key_adjoint");
  emitKeyAdjoint(k, locate(k, keySide.in(k), k.block()));
  k.launch(b, arith::MulIOp::create(b, keySide.problems, keySide.chunks));
}

void GradientKernels::emitKeyAdjoint(Kernel &k, const Side &side) {
  Value plans = makePlanStage(k, facts);
  EntryInputs inputs = emitEntryInputs(k, side, /*keySide=*/true);
  ApplyProduct product(k, facts, k.use(gradients.transposed), side.problem,
                       facts.dv, plans);
  Value result = k.use(valueGradient), noted = k.use(tokenCotangents);
  k.barrier();

  int64_t count = facts.pivots() / 4;
  Values leading{side.batch, side.head};
  Values all = forTiles(
      k, side, Values(2 * count, k.f32(0)),
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        Entries e = emitEntries(k, side, rows, inputs);
        storeRows(k, side, tile, e.sum, noted);
        Value factor[2] = {k.f32(1), k.f32(1)};
        product.emit(e.plan, factor, side, tile, result, leading);
        Values next = addToColumns(k, e.entries, carried.take_front(count));
        next.append(addToColumns(k, emitEnds(k, rows, e, /*keySide=*/true),
                                 carried.drop_front(count)));
        return next;
      },
      [&](Value tile) { product.emitZeros(side, tile, result, leading); });
  ArrayRef<Value> results(all);
  storeColumnSums(k, facts, Values(results.take_front(count)), k.use(planSums),
                  {side.problem, side.chunk});
  storeColumnSums(k, facts, Values(results.drop_front(count)), k.use(sums),
                  {k.index(0), side.problem, side.chunk});
}
