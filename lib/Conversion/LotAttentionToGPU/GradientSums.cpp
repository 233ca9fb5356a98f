//===- GradientSums.cpp - Gradients of what heads and the batch share -----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each sum has a fixed order: of the batch, then heads, then chunks.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

using namespace mlir;
using namespace mlir::lot;

static bool hasBatch(Value memref, int64_t rank) {
  return cast<MemRefType>(memref.getType()).getRank() == rank;
}

void GradientKernels::emitPivotGradient() {
  Kernel k = makeKernel("pivot_gradient");
  bool batched = hasBatch(targets.pivots, 4);
  SideOperands keys = keySide.in(k), queries = querySide.in(k);
  Value hostTarget = makeView(b, targets.pivots, 4, 0, 2);
  Value target = k.use(hostTarget), parts = k.use(buffers.gathered);
  Value entries = k.use(batch);
  if (isReversible)
    for (auto [side, own] :
         {std::pair(&keys, &reverseKeys), std::pair(&queries, &reverseQueries)})
      side->chunks =
          k.select(k.use(isReversible), k.use(own->chunks), side->chunks);
  Value set = k.div(k.block(), facts.r), j = k.rem(k.block(), facts.r);
  Type element = getElementTypeOrSelf(targets.pivots.getType());
  // Of a batch entry come the chunks of the key problem, then those of its
  // query problems. Groups of threads, each with all columns, four a thread,
  // take them in turn, of all entries.
  int64_t vectors = llvm::PowerOf2Ceil(llvm::divideCeil(facts.d, 4));
  int64_t groups = Facts::kThreads / vectors;
  Value c = k.mul(k.rem(k.thread(), vectors), 4);
  Value column = k.min(c, k.index(facts.depth() - 4));
  Value group = k.div(k.thread(), vectors);
  Value head = k.rem(set, keys.heads);
  Value first = batched ? k.div(set, keys.heads) : k.index(0);
  Value count = batched ? k.index(1) : entries;
  Value terms = k.add(keys.chunks, k.mul(queries.pivotGroup, queries.chunks));
  Value queryChunks = k.max(queries.chunks, k.index(1));
  Value zero = k.zeros(VectorType::get({4}, k.getF32Type()));
  Value sum = k.forLoop(
      group, terms, k.index(groups), zero,
      [&](Value term, ValueRange carried) -> Values {
        Value isKey = k.less(term, keys.chunks);
        Value after = k.sub(term, keys.chunks);
        Value queryHead =
            k.add(k.mul(head, queries.pivotGroup), k.div(after, queryChunks));
        Value problem = k.select(isKey, head, k.add(queries.first, queryHead));
        Value stride = k.select(isKey, keys.heads, queries.heads);
        Value chunk = k.select(isKey, term, k.rem(after, queryChunks));
        return {k.sumInOrder(
            count,
            [&](Value i) {
              Value entry = k.mul(k.add(first, i), stride);
              return k.loadVector(parts,
                                  {k.add(problem, entry), chunk, j, column}, 4);
            },
            carried[0])};
      })[0];
  Value sums = k.shared.allocate({groups, 4 * vectors}, k.getF32Type());
  k.storeVector(sum, sums, {group, c});
  k.barrier();
  k.forLoop(k.thread(), k.index(facts.d), k.index(Facts::kThreads),
            [&](Value c) {
              Value all = k.load(sums, {k.index(0), c});
              for (int64_t g = 1; g < groups; ++g)
                all = k.addf(all, k.load(sums, {k.index(g), c}));
              all = k.mulf(all, k.f32(facts.naturalScale));
              Value at = batched ? first : k.index(0);
              k.store(k.convert(all, element), target, {at, head, j, c});
            });
  Value sets = keySide.pivotHeads;
  if (batched)
    sets = arith::MulIOp::create(b, sets, batch);
  k.launch(b, arith::MulIOp::create(
                  b, sets, arith::ConstantIndexOp::create(b, facts.r)));
}

void GradientKernels::emitPivotMassGradients() {
  for (Value operand : {targets.pivotMass, targets.glueMass})
    if (operand)
      emitPivotMassGradient(operand, operand == targets.glueMass);
}

/// Of pivots: what all their half-steps passed on, less what the plan of the
/// keys is divided by; and d log(w / w_glue), whose sums have the ratio in
/// them, of either mass.
void GradientKernels::emitPivotMassGradient(Value operand, bool isGlue) {
  Kernel k = makeKernel(isGlue ? "glue_mass" : "pivot_mass");
  bool batched = hasBatch(operand, 3);
  SideOperands keys = keySide.in(k), queries = querySide.in(k);
  Value target = k.use(makeView(b, operand, 3, 0, 0));
  Value noted = k.use(cotangents), planParts = k.use(planSums);
  Value ratio = k.use(buffers.glueRatio);
  Value g = k.use(buffers.values.sums), dg = k.use(gradients.sums);
  Value extra = k.use(buffers.values.extra), dExtra = k.use(gradients.extra);
  // A block has a set of masses, its groups of threads a pivot each; they take
  // the terms of a batch entry in turn, of all entries that share the set.
  int64_t width = llvm::PowerOf2Ceil(facts.r);
  int64_t groups = std::max<int64_t>(Facts::kThreads / width, 1);
  Value set = k.block(), head = k.rem(set, keys.heads);
  Value first = batched ? k.div(set, keys.heads) : k.index(0);
  Value count = batched ? k.index(1) : k.use(batch);
  Value group = k.div(k.thread(), width);
  Value j = k.min(k.rem(k.thread(), width), k.index(facts.r - 1));
  auto addTerms = [&](Value sum, Value terms,
                      function_ref<Value(Value term, Value entry)> load) {
    return k.forLoop(group, terms, k.index(groups), sum,
                     [&](Value term, ValueRange carried) -> Values {
                       return {k.sumInOrder(
                           count,
                           [&](Value i) { return load(term, k.add(first, i)); },
                           carried[0])};
                     })[0];
  };
  auto getKeyProblem = [&](Value entry) {
    return k.add(k.mul(entry, keys.heads), head);
  };
  // A side without tokens has noted nothing.
  auto countSteps = [&](const SideOperands &side, int64_t steps) {
    return k.select(k.equal(side.chunks, 0), k.index(0), k.index(steps));
  };
  Value sum = k.f32(0);
  if (!isGlue) {
    Value keySteps = countSteps(keys, facts.keySweeps());
    sum = addTerms(sum, keySteps, [&](Value step, Value entry) {
      return k.load(noted, {getKeyProblem(entry), k.add(step, 1), j});
    });
    sum = addTerms(sum, keys.chunks, [&](Value chunk, Value entry) {
      return k.negf(k.load(planParts, {getKeyProblem(entry), chunk, j}));
    });
    Value querySteps = countSteps(queries, facts.querySweeps());
    int64_t divisor = std::max<int64_t>(facts.querySweeps(), 1);
    sum = addTerms(
        sum, k.mul(queries.pivotGroup, querySteps),
        [&](Value term, Value entry) {
          Value own =
              k.add(k.mul(head, queries.pivotGroup), k.div(term, divisor));
          Value problem =
              k.add(queries.first, k.add(k.mul(entry, queries.heads), own));
          Value step = k.rem(term, divisor);
          return k.load(noted, {problem, k.add(step, 1), j});
        });
  }
  if (ratio) {
    auto divide = [&](Value value, Value entry) {
      Value index = k.mul(k.mul(entry, keys.pivotBatch), keys.pivotHeads);
      Value factor = k.load(ratio, {k.add(index, head), j});
      value = k.select(k.greater(factor, k.f32(0)),
                       k.mulf(value, k.reciprocal(factor)), k.f32(0));
      return isGlue ? k.negf(value) : value;
    };
    sum = addTerms(sum, k.index(facts.dv), [&](Value c, Value entry) {
      Value problem = getKeyProblem(entry);
      return divide(
          k.mulf(k.load(g, {problem, j, c}), k.load(dg, {problem, j, c})),
          entry);
    });
    if (extra)
      sum = addTerms(sum, k.index(1), [&](Value, Value entry) {
        Value problem = getKeyProblem(entry);
        return divide(
            k.mulf(k.load(extra, {problem, j}), k.load(dExtra, {problem, j})),
            entry);
      });
  }
  Value sums = k.shared.allocate({groups, width}, k.getF32Type());
  k.store(sum, sums, {group, k.rem(k.thread(), width)});
  k.barrier();
  k.ifThen(k.less(k.thread(), k.index(facts.r)), [&] {
    Value all = k.sumInOrder(k.index(groups), [&](Value i) {
      return k.load(sums, {i, k.thread()});
    });
    Value at = batched ? first : k.index(0);
    k.store(all, target, {at, head, k.thread()});
  });
  Value sets = keySide.pivotHeads;
  if (batched)
    sets = arith::MulIOp::create(b, sets, batch);
  k.launch(b, sets);
}

void GradientKernels::emitTokenMassGradient(Value operand,
                                            const SideOperands &host,
                                            StringRef name) {
  Kernel k = makeKernel(name);
  bool perHead = hasBatch(operand, 3);
  Value one = arith::ConstantIndexOp::create(b, 1);
  // The heads of the operand, and the problems that share one of its rows.
  Value heads =
      perHead ? memref::DimOp::create(b, operand, 1).getResult() : one;
  Value shared = arith::DivUIOp::create(b, host.heads,
                                        arith::MaxUIOp::create(b, heads, one));
  Value threads = arith::ConstantIndexOp::create(b, Facts::kThreads);
  Value blocks = arith::CeilDivUIOp::create(b, host.length, threads);
  SideOperands side = host.in(k);
  Value target = k.use(makeView(b, operand, 3, 1, 0));
  Value source = k.use(tokenMasses), sharing = k.use(shared);
  Value perRow = k.use(blocks), outHeads = k.use(heads);
  Value row = k.div(k.block(), perRow);
  Value i = k.add(k.mul(k.rem(k.block(), perRow), Facts::kThreads), k.thread());
  Value entry = k.div(row, outHeads), head = k.rem(row, outHeads);
  k.ifThen(k.less(i, side.length), [&] {
    Value first = k.add(side.first,
                        k.add(k.mul(entry, side.heads), k.mul(head, sharing)));
    Value sum = k.forLoop(
        k.index(0), sharing, k.index(1), k.f32(0),
        [&](Value p, ValueRange carried) -> Values {
          return {k.addf(carried[0], k.load(source, {k.add(first, p), i}))};
        })[0];
    k.store(sum, target, {entry, head, i});
  });
  Value rows = arith::MulIOp::create(b, batch, heads);
  k.launch(b, arith::MulIOp::create(b, rows, blocks));
}

void GradientKernels::emitHeadSum(Value source, Value operand, int64_t columns,
                                  StringRef name) {
  Kernel k = makeKernel(name);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value heads = memref::DimOp::create(b, operand, 1);
  Value rows = arith::MulIOp::create(b, arith::MulIOp::create(b, batch, heads),
                                     keySide.length);
  Value several = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                        keySide.tokenGroup, one);
  // A block a row; none where heads do not share rows.
  Value blocks = arith::SelectOp::create(b, several, rows, zero);
  SideOperands side = keySide.in(k);
  Value from = k.use(source), target = k.use(makeView(b, operand, 4, 0, 1));
  Value outHeads = k.use(heads);
  Value i = k.rem(k.block(), side.length);
  Value line = k.div(k.block(), side.length);
  Value entry = k.div(line, outHeads), head = k.rem(line, outHeads);
  k.forLoop(
      k.thread(), k.index(columns), k.index(k.getThreads()), [&](Value c) {
        Value first = k.mul(head, side.tokenGroup);
        Value sum = k.forLoop(
            k.index(0), side.tokenGroup, k.index(1), k.f32(0),
            [&](Value p, ValueRange carried) -> Values {
              Value part = k.load(from, {entry, k.add(first, p), i, c});
              return {k.addf(carried[0], k.convert(part, k.getF32Type()))};
            })[0];
        k.store(k.convert(sum, facts.io), target, {entry, head, i, c});
      });
  k.launch(b, blocks);
}
