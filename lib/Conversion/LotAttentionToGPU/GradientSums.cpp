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

/// The problems of one set of pivots or of their masses: a batch entry, or all
/// of them where the operand has no batch; `body` adds up what those of one
/// batch entry give: its key problem and `group` query problems from `query`
/// on.
static Value sumProblems(
    Kernel &k, const SideOperands &key, const SideOperands &query, Value set,
    bool batched, Value batch,
    function_ref<Value(Value sum, Value keyProblem, Value queryProblem)> body) {
  Value head = k.rem(set, key.heads);
  Value first = batched ? k.div(set, key.heads) : k.index(0);
  Value end = batched ? k.add(first, 1) : batch;
  return k.forLoop(first, end, k.index(1), k.f32(0),
                   [&](Value entry, ValueRange carried) -> Values {
                     Value keyProblem = k.add(k.mul(entry, key.heads), head);
                     Value queryProblem = k.add(
                         query.first, k.add(k.mul(entry, query.heads),
                                            k.mul(head, query.pivotGroup)));
                     return {body(carried[0], keyProblem, queryProblem)};
                   })[0];
}

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
  for (Value operand : {targets.pivotMass, targets.glueMass}) {
    if (!operand)
      continue;
    bool isGlue = operand == targets.glueMass;
    Kernel k = makeKernel(isGlue ? "glue_mass" : "pivot_mass");
    bool batched = hasBatch(operand, 3);
    SideOperands keys = keySide.in(k), queries = querySide.in(k);
    Value target = k.use(makeView(b, operand, 3, 0, 0));
    Value entries = k.use(batch), noted = k.use(cotangents);
    Value planParts = k.use(planSums), ratio = k.use(buffers.glueRatio);
    Value g = k.use(buffers.values.sums), dg = k.use(gradients.sums);
    Value extra = k.use(buffers.values.extra), dExtra = k.use(gradients.extra);
    Value set = k.block();
    Value steps[2] = {k.index(facts.querySweeps()), k.index(facts.keySweeps())};
    k.ifThen(k.less(k.thread(), k.index(facts.r)), [&] {
      Value j = k.thread();
      // A side without tokens has noted nothing.
      auto addSteps = [&](Value sum, Value problem, bool keySide) {
        Value chunks = keySide ? keys.chunks : queries.chunks;
        Value end = k.select(k.equal(chunks, 0), k.index(0), steps[keySide]);
        return k.forLoop(k.index(0), end, k.index(1), sum,
                         [&](Value step, ValueRange carried) -> Values {
                           Value u =
                               k.load(noted, {problem, k.add(step, 1), j});
                           return {k.addf(carried[0], u)};
                         })[0];
      };
      // d log(w / w_glue): both sums below have the ratio in them.
      auto glue = [&](Value keyProblem) {
        Value dot = k.forLoop(
            k.index(0), k.index(facts.dv), k.index(1), k.f32(0),
            [&](Value c, ValueRange carried) -> Values {
              return {k.fma(k.load(g, {keyProblem, j, c}),
                            k.load(dg, {keyProblem, j, c}), carried[0])};
            })[0];
        if (extra)
          dot = k.fma(k.load(extra, {keyProblem, j}),
                      k.load(dExtra, {keyProblem, j}), dot);
        Value index =
            k.add(k.mul(k.mul(k.div(keyProblem, keys.heads), keys.pivotBatch),
                        keys.pivotHeads),
                  k.rem(keyProblem, keys.heads));
        Value factor = k.load(ratio, {index, j});
        return k.select(k.greater(factor, k.f32(0)),
                        k.mulf(dot, k.reciprocal(factor)), k.f32(0));
      };
      Value sum = sumProblems(
          k, keys, queries, set, batched, entries,
          [&](Value sum, Value keyProblem, Value queryProblem) -> Value {
            if (isGlue)
              return k.subf(sum, glue(keyProblem));
            sum = addSteps(sum, keyProblem, /*keySide=*/true);
            sum = k.forLoop(
                k.index(0), keys.chunks, k.index(1), sum,
                [&](Value chunk, ValueRange carried) -> Values {
                  return {k.subf(carried[0],
                                 k.load(planParts, {keyProblem, chunk, j}))};
                })[0];
            if (ratio)
              sum = k.addf(sum, glue(keyProblem));
            return k.forLoop(k.index(0), queries.pivotGroup, k.index(1), sum,
                             [&](Value head, ValueRange carried) -> Values {
                               return {addSteps(carried[0],
                                                k.add(queryProblem, head),
                                                /*keySide=*/false)};
                             })[0];
          });
      Value at = batched ? k.div(set, keys.heads) : k.index(0);
      k.store(sum, target, {at, k.rem(set, keys.heads), j});
    });
    Value sets = keySide.pivotHeads;
    if (batched)
      sets = arith::MulIOp::create(b, sets, batch);
    k.launch(b, sets);
  }
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
