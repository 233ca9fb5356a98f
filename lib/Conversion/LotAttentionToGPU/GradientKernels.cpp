//===- GradientKernels.cpp - One lot.attention_vjp as kernels -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

using namespace mlir;
using namespace mlir::lot;

GradientKernels::GradientKernels(AttentionVjpOp op, ImplicitLocOpBuilder &host,
                                 gpu::GPUModuleOp module,
                                 const GPUTarget &target)
    : AttentionKernels(op, host, module, target) {
  auto inits = llvm::to_vector(op.getInits());
  targets.query = inits[0];
  targets.key = inits[1];
  targets.value = inits[2];
  targets.pivots = inits[3];
  size_t next = 4;
  for (auto [target, operand] :
       {std::pair(&targets.queryMass, op.getQueryLogMass()),
        std::pair(&targets.keyMass, op.getKeyLogMass()),
        std::pair(&targets.pivotMass, op.getPivotLogMass()),
        std::pair(&targets.glueMass, op.getGlueLogMass())})
    if (operand && op.hasMassGradients())
      *target = inits[next++];
  cotangentOperand = op.getCotangent();
  facts.exactProducts = op.hasMassGradients();
  statesKnown = usesResiduals();
}

Value GradientKernels::makeShared(Value target, int64_t columns) {
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value shared = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                       keySide.tokenGroup, one);
  Value rows = arith::SelectOp::create(b, shared, keySide.length, zero);
  Value buffer = makeBuffer({ShapedType::kDynamic, ShapedType::kDynamic,
                             ShapedType::kDynamic, columns},
                            {batch, keySide.heads, rows}, facts.io);
  return arith::SelectOp::create(b, shared, makeView(b, buffer, 4, 0, 1),
                                 makeView(b, target, 4, 0, 1));
}

void GradientKernels::makeGradientBuffers() {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type f32 = b.getF32Type();
  Value problems = countProblems();
  longest = arith::MaxUIOp::create(b, querySide.length, keySide.length);
  gradients = makeFolded(keySide.problems, facts.valueColumns(),
                         /*rows=*/true, /*sums=*/true, facts.rowSum());
  tokenCotangents = makeBuffer({kDynamic, kDynamic}, {problems, longest}, f32);
  if (targets.queryMass || targets.keyMass)
    tokenMasses = makeBuffer({kDynamic, kDynamic}, {problems, longest}, f32);
  cotangents =
      makeBuffer({kDynamic, facts.states(), facts.pivots()}, problems, f32);
  Value chunks = arith::MaxUIOp::create(b, querySide.chunks, keySide.chunks);
  sums = makeBuffer({2, kDynamic, kDynamic, facts.pivots()}, {problems, chunks},
                    f32);
  planSums = makeBuffer({kDynamic, kDynamic, facts.pivots()},
                        {keySide.problems, chunks}, f32);
  if (isReversible)
    makeReverseBuffers(problems);
  keyGradient = makeShared(targets.key, facts.d);
  valueGradient = makeShared(targets.value, facts.dv);
}

//===----------------------------------------------------------------------===//
// Parts of kernels
//===----------------------------------------------------------------------===//

Value GradientKernels::emitCotangent(Kernel &k, const Side &side, Value step,
                                     Value slot) {
  Value vector = k.shared.allocate({facts.pivots()}, k.getF32Type());
  Value partials = k.use(sums), noted = k.use(cotangents);
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value j = k.thread();
    Value sum = k.sumInOrder(
        side.chunks,
        [&](Value chunk) {
          return k.load(partials, {slot, side.problem, chunk, j});
        },
        k.f32(0), /*atOnce=*/32);
    k.store(sum, vector, j);
    k.ifThen(k.equal(side.chunk, 0),
             [&] { k.store(sum, noted, {side.problem, step, j}); });
  });
  return vector;
}

void GradientKernels::storeRows(Kernel &k, const Side &side, Value tile,
                                const Value values[2], Value target) {
  Value writer = k.equal(k.rem(k.lane(), 4), 0);
  Value row = k.add(tile, k.div(k.lane(), 4));
  for (int64_t i = 0; i < 2; ++i) {
    Value index = k.add(row, 8 * i);
    k.ifThen(k.both(writer, k.less(index, side.end)),
             [&] { k.store(values[i], target, {side.problem, index}); });
  }
}

Tile GradientKernels::emitTokenWeights(Kernel &k, const TokenStep &step,
                                       const Rows &rows) {
  Value inverse[2];
  for (int64_t i = 0; i < 2; ++i) {
    Value live = k.both(rows.live[i], k.greater(step.sum[i], k.f32(0)));
    inverse[i] = k.select(live, k.reciprocal(step.sum[i]), k.f32(0));
  }
  Tile weights;
  for (auto [i, term] : llvm::enumerate(step.terms))
    weights.push_back(k.mulf(term, inverse[rowOf(i)]));
  return weights;
}

GradientKernels::StepWeights
GradientKernels::emitStepWeights(Kernel &k, const Tile &scores,
                                 const Rows &rows, const Values *prev,
                                 const Values &next, const Values &mass,
                                 const Values &ybar, const Value extra[2]) {
  StepWeights weights;
  Value x[2] = {k.f32(0), k.f32(0)};
  if (prev) {
    TokenStep step = emitTokenStep(k, addColumns(k, scores, *prev));
    weights.token = emitTokenWeights(k, step, rows);
    for (int64_t i = 0; i < 2; ++i)
      x[i] = k.select(k.isLive(step.logSum[i]),
                      k.subf(rows.mass[i], step.logSum[i]), k.noMass());
  }
  for (int64_t i = 0; i < 2; ++i) {
    x[i] = k.select(rows.live[i], x[i], k.noMass());
    weights.cotangent[i] = k.f32(0);
  }
  weights.pivot = addColumns(k, scores, subtractMass(k, next, mass));
  for (auto [i, entry] : llvm::enumerate(weights.pivot)) {
    entry = k.exp2(k.addf(entry, x[rowOf(i)]));
    Value &sum = weights.cotangent[rowOf(i)];
    sum = k.fma(entry, ybar[i / 4 * 2 + i % 2], sum);
  }
  for (int64_t i = 0; i < 2; ++i) {
    weights.own[i] = k.negf(k.sumLanes(weights.cotangent[i], {1, 2}));
    weights.cotangent[i] =
        extra ? k.addf(extra[i], weights.own[i]) : weights.own[i];
  }
  return weights;
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

void GradientKernels::emit() {
  checkInputs();
  int64_t width = facts.io.getIntOrFloatBitWidth() / 8;
  auto rowBytes = [&](int64_t columns) {
    return columns % 8 == 0 ? std::max<int64_t>(16, 4 * width) : width;
  };
  checkLayout(cotangentOperand, "cotangent",
              facts.dv % 8 == 0 ? 16 : (facts.dv % 4 ? width : 4 * width));
  checkLayout(targets.query, "the gradient of query", rowBytes(facts.d));
  checkLayout(targets.key, "the gradient of key", rowBytes(facts.d));
  checkLayout(targets.value, "the gradient of value", rowBytes(facts.dv));
  makeSides();
  if (canReverseInRegisters()) {
    makeReverseSides();
    Value passes = arith::MaxUIOp::create(b, querySide.chunks, keySide.chunks);
    Value clusters = reverseKeys.chunks;
    if (!statesKnown) {
      isReversible = arith::AndIOp::create(b, isReversible, isResident);
      passes = arith::MaxUIOp::create(b, passes, residentKeys.chunks);
      clusters = arith::MaxUIOp::create(b, clusters, residentKeys.chunks);
    }
    partChunks = arith::SelectOp::create(b, isReversible, clusters, passes);
  }
  makeBuffers(/*gradients=*/true);
  cotangent = makeView(b, cotangentOperand, 4, 0, 1);
  queryGradient = makeView(b, targets.query, 4, 0, 1);
  makeGradientBuffers();

  Value one = arith::ConstantIndexOp::create(b, 1);
  emitPack();
  auto foldValues = [&](StringRef name, Value chunks) {
    emitFold(name, buffers.values, buffers.gathered, buffers.gatheredSums, one,
             chunks);
  };
  auto stream = [&] {
    if (!statesKnown) {
      emitSweeps();
      emitGather();
      foldValues("fold", keySide.chunks);
    }
    emitQueryAdjoint();
    emitFold("fold_gradient", gradients, buffers.gathered, buffers.gatheredSums,
             querySide.pivotGroup, querySide.chunks);
    emitKeyAdjoint();
    emitReverseSweeps();
    emitScoreGradient(/*keySide=*/false);
    emitScoreGradient(/*keySide=*/true);
  };
  if (!isReversible) {
    stream();
  } else {
    auto choice = scf::IfOp::create(b, isReversible, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    if (!statesKnown) {
      noteStates = true;
      emitPackedResident(Value());
      foldValues("resident_fold", residentKeys.chunks);
    }
    emitResidentReverse();
    emitReverseAgain();
    b.setInsertionPointToStart(choice.elseBlock());
    stream();
  }
  emitPivotGradient();
  emitPivotMassGradients();
  if (targets.queryMass)
    emitTokenMassGradient(targets.queryMass, querySide, "query_mass");
  if (targets.keyMass)
    emitTokenMassGradient(targets.keyMass, keySide, "key_mass");
  emitHeadSum(keyGradient, targets.key, facts.d, "sum_keys");
  emitHeadSum(valueGradient, targets.value, facts.dv, "sum_values");
  freeBuffers();
}
