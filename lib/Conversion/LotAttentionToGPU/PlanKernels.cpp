//===- PlanKernels.cpp - The plans applied to values ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// gather: G = R2 V, each block a chunk of keys and a block of value columns.
// fold:   the sum over chunks, as G^T for the next product.
// apply:  O = R1 G, each block a chunk of queries.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "Products.h"

using namespace mlir;
using namespace mlir::lot;

AttentionKernels::PlanState
AttentionKernels::emitPlanState(Kernel &k, const Side &side, bool keySide) {
  int64_t sweeps = keySide ? facts.keySweeps() : facts.querySweeps();
  int64_t prevStep = keySide ? facts.keyPrev() : facts.queryPrev();
  PlanState state{emitState(k, side, k.index(sweeps)), Value(), keySide};
  if (!keySide || facts.keyTokenStep())
    state.prev = prevStep == sweeps ? state.last : loadState(k, side, prevStep);
  if (!keySide)
    return state;
  state.last = emitLessMass(k, side, state.last);
  return state;
}

Value AttentionKernels::emitLessMass(Kernel &k, const Side &side, Value last) {
  Value result = k.shared.allocate({facts.pivots()}, k.getF32Type());
  Value pivotMass = k.use(buffers.pivotMass);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value j = k.thread();
    Value mass = k.load(pivotMass, {side.pivotIndex, j});
    Value y = k.load(last, j);
    k.store(k.select(k.isLive(mass), k.subf(y, mass), k.noMass()), result, j);
  });
  return result;
}

Tile AttentionKernels::emitPlan(Kernel &k, const Tile &scores, const Rows &rows,
                                const PlanState &state,
                                std::optional<TokenStep> *step) {
  Values prev;
  if (state.prev)
    prev = loadColumns(k, facts, state.prev);
  return emitPlanEntries(k, scores, rows, state.prev ? &prev : nullptr,
                         loadColumns(k, facts, state.last), state.keySide,
                         step);
}

Value AttentionKernels::getKeyProblem(Kernel &k, const Side &side) {
  return k.add(k.mul(side.batch, side.pivotHeads),
               k.div(side.head, side.pivotGroup));
}

void AttentionKernels::emitGather() {
  if (facts.isPacked())
    return emitStreamGather();
  Kernel k = makeKernel("gather");
  GatherShape shape(facts, facts.valueColumns());
  Value columnBlocks = k.index(shape.blocks);
  Value column = k.mul(k.rem(k.block(), columnBlocks), shape.columns);
  Side side = locate(k, keySide.in(k), k.div(k.block(), columnBlocks));
  GatherProduct product(k, facts, shape, makePlanStage(k, facts));
  Matrix pivots = stagePivots(k, side);
  PlanState state = emitPlanState(k, side, /*keySide=*/true);
  Value values = k.use(value);
  k.barrier();

  size_t entries = product.getStart().size();
  Values init = product.getStart();
  if (facts.rowSum())
    init.append(facts.pivots() / 4, k.f32(0));
  Values sums = forTiles(
      k, side, init,
      [&](Value tile, const Rows &rows, ValueRange carried) -> Values {
        Tile scores = emitScores(k, facts, side, rows, pivots);
        Tile plan = emitPlan(k, scores, rows, state);
        Values next = product.accumulate(
            product.prepare(plan, facts.valueParts()), side, tile, values,
            {side.batch, side.tokenHead}, column, carried.take_front(entries));
        next.append(addToColumns(k, plan, carried.drop_front(entries)));
        return next;
      });
  // Key problems come first among the problems.
  product.store(ArrayRef(sums).take_front(entries), k.use(buffers.gathered),
                {side.problem, side.chunk}, column);
  if (facts.rowSum())
    storeColumnSums(k, facts, Values(ArrayRef(sums).drop_front(entries)),
                    k.use(buffers.gatheredSums), {side.problem, side.chunk});
  Value blocks = arith::MulIOp::create(b, keySide.problems, keySide.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void AttentionKernels::emitFold(StringRef name, const Folded &target,
                                Value parts, Value extraParts, Value group,
                                Value chunks) {
  Kernel k = makeKernel(name);
  SideOperands side = keySide.in(k);
  int64_t pivots = facts.pivots(), columns = target.columns;
  int64_t perProblem = llvm::divideCeil(pivots * columns, Facts::kThreads);
  Value problem = k.div(k.block(), perProblem);
  Value part = k.rem(k.block(), perProblem);
  Value pivotIndex =
      k.add(k.mul(k.mul(k.div(problem, side.heads), side.pivotBatch),
                  side.pivotHeads),
            k.rem(problem, side.heads));
  Value ratio = k.use(buffers.glueRatio);
  Value groupSize = k.use(group), chunkCount = k.use(chunks);
  auto sum = [&](Value source, ValueRange at) {
    Value first = k.mul(problem, groupSize);
    Value all = k.forLoop(k.index(0), groupSize, k.index(1), k.f32(0),
                          [&](Value member, ValueRange carried) -> Values {
                            return {k.sumInOrder(
                                chunkCount,
                                [&](Value chunk) {
                                  Values indices{k.add(first, member), chunk};
                                  llvm::append_range(indices, at);
                                  return k.load(source, indices);
                                },
                                carried[0])};
                          })[0];
    return ratio ? k.mulf(all, k.load(ratio, {pivotIndex, at[0]})) : all;
  };
  Value source = k.use(parts), sums = k.use(target.sums);
  Value transposed = k.use(target.transposed), rows = k.use(target.rows);
  auto store = [&](Value g, Value memref, ValueRange at) {
    Type type = cast<MemRefType>(memref.getType()).getElementType();
    k.store(k.convert(g, type), memref, at);
  };
  Value i = k.add(k.mul(part, k.getThreads()), k.thread());
  k.ifThen(k.less(i, k.index(pivots * columns)), [&] {
    Value j = k.div(i, columns), c = k.rem(i, columns);
    Value g = sum(source, {j, c});
    if (sums)
      store(g, sums, {problem, j, c});
    store(g, transposed, {problem, c, j});
    RowFormat format = facts.valueFormat();
    for (int64_t p = 0; rows && p < format.parts; ++p) {
      Value taken = k.convert(g, facts.rowType(k, format));
      store(taken, rows, {problem, j, k.add(c, p * format.depth())});
      g = k.subf(g, k.convert(taken, k.getF32Type()));
    }
  });
  if (target.extra) {
    Value extra = k.use(target.extra), from = k.use(extraParts);
    Value once = k.both(k.equal(part, 0), k.less(k.thread(), k.index(pivots)));
    k.ifThen(once, [&] {
      k.store(sum(from, k.thread()), extra, {problem, k.thread()});
    });
  }
  k.launch(
      b, arith::MulIOp::create(b, keySide.problems,
                               arith::ConstantIndexOp::create(b, perProblem)));
}

void AttentionKernels::emitApply(Value out) {
  if (facts.isPacked())
    return emitStreamApply(out);
  Kernel k = makeKernel("apply");
  Side side = locate(k, querySide.in(k), k.block());
  Value plans = makePlanStage(k, facts);
  Matrix pivots = stagePivots(k, side);
  PlanState state = emitPlanState(k, side, /*keySide=*/false);
  Value keyProblem = getKeyProblem(k, side);
  ApplyProduct product(k, facts, k.use(buffers.values.transposed), keyProblem,
                       facts.dv, plans);
  Value rowSums;
  if (facts.rowSum())
    rowSums = stageVector(k, k.use(buffers.values.extra), keyProblem);
  Value result = k.use(out);
  Value scale = k.f32(facts.outScale);
  k.barrier();

  Values leading{side.batch, side.head};
  forTiles(
      k, side, {},
      [&](Value tile, const Rows &rows, ValueRange) -> Values {
        Tile scores = emitScores(k, facts, side, rows, pivots);
        Tile plan = emitPlan(k, scores, rows, state);
        Value factor[2];
        for (int64_t i = 0; i < 2; ++i)
          factor[i] = emitRowFactor(k, plan, rows, rowSums, scale, i);
        product.emit(plan, factor, side, tile, result, leading);
        return {};
      },
      [&](Value tile) { product.emitZeros(side, tile, result, leading); });
  k.launch(b, arith::MulIOp::create(b, querySide.problems, querySide.chunks));
}

Value AttentionKernels::emitRowFactor(Kernel &k, const Tile &plan,
                                      const Rows &rows, Value rowSums,
                                      Value scale, int64_t row, Value *slope) {
  Value sum;
  if (facts.rowSum()) {
    Values columns = loadColumns(k, facts, rowSums);
    sum = k.f32(0);
    for (auto [i, entry] : llvm::enumerate(plan))
      if (rowOf(i) == row)
        sum = k.fma(entry, columns[i / 4 * 2 + i % 2], sum);
    sum = k.sumLanes(sum, {1, 2});
  }
  return emitRowFactor(k, sum, rows, scale, row, slope);
}

Value AttentionKernels::emitRowFactor(Kernel &k, Value sum, const Rows &rows,
                                      Value scale, int64_t row, Value *slope) {
  if (slope)
    *slope = k.f32(0);
  switch (facts.normalization) {
  case Normalization::query_mass:
    return scale;
  case Normalization::none:
    return k.mulf(scale, k.exp2(rows.mass[row]));
  case Normalization::row_sum:
    break;
  }
  Value divisor = sum;
  if (facts.rowFloor > 0) {
    // floor / a; a row without mass is 0 in any case.
    Value floor = k.mulf(k.f32(facts.rowFloor), k.exp2(k.negf(rows.mass[row])));
    divisor = k.maxf(sum, k.select(rows.live[row], floor, k.f32(0)));
  }
  Value some = k.greater(divisor, k.f32(0));
  Value inverse = k.select(some, k.reciprocal(divisor), k.f32(0));
  if (slope) // the sum divides, not the floor
    *slope = k.select(k.greater(divisor, sum), k.f32(0), inverse);
  return k.mulf(scale, inverse);
}
