//===- ResidentReverse.cpp - Reverse mode of both sides in one launch -----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cluster of blocks owns one side of one head and keeps its plan in registers
// (ReversePlan.h): one exponential an entry, and tokens and values are read
// twice. With R the plan of ReversePlan and B = outScale G (query side, which
// meets dO) or (r / n) dG (key side, which meets V):
//
//     dG = R^T dO or dV = R B, and sum_j R_ij dR_ij = (R B)_i . dO_i or V_i
//     the half-steps backwards
//     dL = R o ([dO or V, X] [B, -Y]^T), dQ or dK = dL Z, parts of dZ = dL^T Q
//
// sum_i R_ij dR_ij, what half-steps start with, is G_j . dG_j.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"
#include "PackedProducts.h"
#include "ReversePlan.h"

using namespace mlir;
using namespace mlir::lot;

bool GradientKernels::canReverseInRegisters() const {
  constexpr int64_t kMostColumns = 128;
  auto rowsFit = [](int64_t columns) {
    return columns % 8 == 0 && columns <= kMostColumns;
  };
  // Without log masses all are uniform: both plans are multiples of one.
  bool uniform = !operands.queryMass && !operands.keyMass &&
                 !operands.pivotMass && !operands.glueMass;
  return uniform && facts.clusters && facts.tensorProducts() && !facts.clamp &&
         facts.normalization == Normalization::query_mass &&
         facts.pivots() <= kWarp && rowsFit(facts.d) && rowsFit(facts.dv) &&
         facts.halfSteps >= 2 && facts.scoreScale > 0 && facts.outScale > 0;
}

void GradientKernels::makeReverseSides() {
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  isReversible = arith::ConstantOp::create(b, b.getBoolAttr(true));
  auto both = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    isReversible = arith::AndIOp::create(
        b, isReversible, arith::CmpIOp::create(b, predicate, x, y));
  };
  auto least = [&](const SideOperands &side) {
    Value blocks = arith::CeilDivUIOp::create(
        b, side.length, index(ReversePlan::countTokens(facts)));
    both(arith::CmpIPredicate::ule, blocks, index(kMaxCluster));
    both(arith::CmpIPredicate::ugt, blocks, index(0));
    return blocks;
  };
  // One launch has clusters of one size.
  Value all = arith::MaxUIOp::create(b, least(querySide), least(keySide));
  all = arith::MaxUIOp::create(b, all, index(1));
  needMail(all);
  auto split = [&](SideOperands side) {
    // Even shares, in whole tiles of all warps; some blocks may have none.
    Value share = arith::CeilDivUIOp::create(b, side.length, all);
    Value tiles = arith::CeilDivUIOp::create(b, share, index(128));
    side.chunkTokens = arith::MulIOp::create(b, tiles, index(128));
    side.chunks = all;
    return side;
  };
  reverseKeys = split(keySide);
  reverseQueries = split(querySide);
}

void GradientKernels::makeReverseBuffers(Value problems) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Value zero = arith::ConstantIndexOp::create(b, 0);
  // Nothing where the streaming kernels run.
  auto ifUsed = [&](Value size) -> Value {
    return arith::SelectOp::create(b, isReversible, size, zero);
  };
  Value chunks =
      arith::MaxUIOp::create(b, reverseQueries.chunks, reverseKeys.chunks);
  gradientParts = makeBuffer(
      {kDynamic, kDynamic, facts.pivots(), facts.valueColumns()},
      {ifUsed(querySide.problems), reverseQueries.chunks}, b.getF32Type());
  suspects = makeBuffer({kDynamic, kDynamic}, {ifUsed(problems), chunks},
                        b.getI32Type());
}

void GradientKernels::emitGradientFold(
    Kernel &k, const Side &side,
    function_ref<Value(Value pivot, Value column, Value four, Value dot)> body,
    function_ref<void(Value pivot, Value dot)> after) {
  Value group = k.use(querySide.pivotGroup);
  // The parts of a key problem follow each other.
  Value parts = memref::CollapseShapeOp::create(
      k, k.use(gradientParts),
      ArrayRef<ReassociationIndices>{{0, 1}, {2}, {3}});
  Value first = k.mul(k.mul(side.problem, group), side.chunks);
  Value zero = k.zeros(VectorType::get({4}, k.getF32Type()));
  // Eight threads side by side have a pivot.
  k.forLoop(k.thread(), k.index(facts.pivots() * 8), k.index(k.getThreads()),
            [&](Value i) {
              Value pivot = k.div(i, 8), own = k.mul(k.rem(i, 8), 4);
              Value dot = k.forLoop(
                  k.index(0), k.index(facts.valueColumns()), k.index(32),
                  k.f32(0), [&](Value from, ValueRange carried) -> Values {
                    Value column = k.add(own, from);
                    Value sum = k.sumInOrder(
                        k.mul(group, side.chunks),
                        [&](Value at) {
                          return k.loadVector(
                              parts, {k.add(first, at), pivot, column}, 4);
                        },
                        zero);
                    return {body(pivot, column, k.convert(sum, facts.io),
                                 carried[0])};
                  })[0];
              after(pivot, dot);
            });
}

/// dG for the products, and G_j . dG_j to `spent`: of dG as the products have
/// it. dL is what is left of large terms, whose roundings have to be the same.
void GradientKernels::stageGradient(Kernel &k, const Side &side, Value rows,
                                    Value columns, Value spent) {
  k.waitForSignals(k.use(buffers.signals), side.problem,
                   k.mul(k.use(querySide.pivotGroup), side.chunks));
  Value g = k.use(buffers.values.sums);
  emitGradientFold(
      k, side,
      [&](Value pivot, Value column, Value four, Value dot) {
        Value old = k.loadVector(g, {side.problem, pivot, column}, 4);
        Value exact = k.convert(four, k.getF32Type());
        k.storeVector(four, rows, {pivot, column});
        for (int64_t e = 0; e < 4; ++e) {
          k.store(k.element(four, e), columns, {k.add(column, e), pivot});
          dot = k.fma(k.element(old, e), k.element(exact, e), dot);
        }
        return dot;
      },
      [&](Value pivot, Value dot) {
        dot = k.sumLanes(dot, {1, 2, 4});
        k.ifThen(k.equal(k.rem(k.thread(), 8), 0),
                 [&] { k.store(dot, spent, pivot); });
      });
  k.barrier();
}

void GradientKernels::emitResidentReverse() {
  Kernel k = makeKernel("reverse");
  k.setBlocksPerMultiprocessor(2);
  spreadTeams(k, reverseKeys.chunks);
  Value problems = countProblems();
  k.forProblems(k.use(problems), k.index(0), [&](Value at, Value turn) {
    return emitResidentReverse(k, at, turn);
  });
  launchReverse(k);
}

Value GradientKernels::emitResidentReverse(Kernel &k, Value at, Value turn) {
  Side side;
  Value isKey;
  std::tie(side, isKey) = locateReverse(k, at);
  SharedSide shared(k, side, isKey, reverseKeys.in(k), reverseQueries.in(k));
  KernelBuilder::FreshThread inKernel(k);
  RowStream stream(k);
  Value set = k.select(isKey, side.problem, getKeyProblem(k, side));
  StagedCopy pivots = stageMatrix(k, facts, k.use(buffers.pivots),
                                  side.pivotIndex, facts.pivotFormat());
  StagedCopy pivotsT = stageColumns(k, facts, k.use(buffers.pivotsT),
                                    side.pivotIndex, facts.depth());
  // G, in whose place the key side puts dG.
  StagedCopy values = stageMatrix(k, facts, k.use(buffers.values.rows), set,
                                  facts.valueFormat());
  StagedCopy valuesT = stageColumns(k, facts, k.use(buffers.values.transposed),
                                    set, facts.valueColumns());
  Value rowSums =
      k.shared.allocate({ReversePlan::countTokens(facts)}, k.getF32Type());
  Value spent = k.shared.allocate({facts.pivots()}, k.getF32Type());
  ReversePlan plan(k, facts, side, isKey, k.use(buffers.mail));
  startPlanTiles(k, side, plan, stream);
  emitCopies(k, {pivots, pivotsT, values, valuesT});
  Value steps =
      k.select(isKey, k.index(facts.keySweeps()), k.index(facts.querySweeps()));
  Value last = emitState(k, side, steps);
  k.clusterBarrier();
  plan.emitScales(k.use(buffers.states), last);
  Value columns = k.shared.allocate({facts.pivots()}, k.getF32Type());
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value y = k.load(last, k.thread());
    k.store(k.mulf(y, k.f32(1 / facts.scoreScale)), columns, k.thread());
  });
  k.barrier();
  // Every part reads anew where it is.
  side = shared.load(k);
  emitPlanTiles(k, side, isKey, plan, pivots.shared, columns, stream);
  k.barrier();
  // What the sides do not share.
  auto emitKeys = [&] {
    KernelBuilder::FreshThread inBranch(k);
    side = shared.load(k);
    stageGradient(k, side, values.shared, valuesT.shared, spent);
    side = shared.load(k);
    plan.countRows();
    emitValueGradient(k, side, plan, getReverseRows(k, side, isKey, plan),
                      valuesT.shared, rowSums, stream);
    k.barrier();
    return plan.getSums().loadLaneColumns(spent);
  };
  auto emitQueries = [&] {
    KernelBuilder::FreshThread inBranch(k);
    side = shared.load(k);
    plan.countRows();
    emitGradientParts(k, shared, plan, getReverseRows(k, side, isKey, plan),
                      valuesT.shared, rowSums, spent, stream);
    k.signal(k.use(buffers.signals), getKeyProblem(k, shared.load(k)));
    // Of this block; four lanes have all columns.
    Values parts = loadColumns(k, facts, spent);
    for (Value &part : parts)
      part = k.select(k.less(k.thread(), k.index(4)), part, k.f32(0));
    return plan.getSums().add(parts, Value(), turn);
  };
  Values start = plan.ifKey(emitKeys, emitQueries);
  side = shared.load(k);
  Value factor = getReverseFactor(k, side, isKey);
  Value next = k.add(turn, k.select(isKey, k.index(0), k.index(1)));
  plan.emitSteps(start, rowSums, next, k.reciprocal(factor));
  side = shared.load(k);
  emitScoreProducts(k, side, isKey, plan, values.shared, pivotsT.shared,
                    rowSums, stream);

  Value suspect = k.barrierAny(plan.getSuspect());
  Value flags = k.use(suspects);
  k.ifThen(k.equal(k.thread(), 0), [&] {
    Value word = arith::ExtUIOp::create(k, k.getI32Type(), suspect);
    k.store(word, flags, {side.problem, side.chunk});
  });
  return k.add(turn, plan.countTurns());
}

void GradientKernels::launchReverse(Kernel &k) {
  Value problems = countProblems();
  k.launchTeams(b, problems, reverseKeys.chunks);
}

/// Clusters of queries come first: those of keys wait for their dG.
std::pair<Side, Value> GradientKernels::locateReverse(Kernel &k, Value at) {
  SideOperands queries = reverseQueries.in(k), keys = reverseKeys.in(k);
  Value split = queries.problems;
  Value isQuery = k.less(at, split);
  Side side = locate(k, select(k, isQuery, queries, keys),
                     k.select(isQuery, at, k.sub(at, split)), k.teamRank());
  return {side, k.invert(isQuery)};
}

void GradientKernels::emitReverseAgain() {
  Kernel k = makeKernel("again");
  Side side;
  Value isKey;
  std::tie(side, isKey) = locateReverse(k, k.team());
  int64_t before = k.shared.getBytes();
  auto branch = [&](bool keySide) {
    return [&, keySide, side = side] {
      k.shared.rewind(before);
      KernelBuilder::FreshThread inBranch(k);
      emitReverseAgain(k, side, keySide);
      return Values{};
    };
  };
  k.ifElse(isKey, TypeRange(), branch(true), branch(false));
  launchReverse(k);
}

void GradientKernels::emitReverseAgain(Kernel &k, const Side &side,
                                       bool keySide) {
  Value flags = k.use(suspects), signals = k.use(buffers.signals);
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  // All blocks of a cluster see the same.
  auto isSuspect = [&](Value problem) -> Value {
    Value any = k.forLoop(k.index(0), side.chunks, k.index(1), zero,
                          [&](Value chunk, ValueRange carried) -> Values {
                            Value flag = k.load(flags, {problem, chunk});
                            return {arith::OrIOp::create(k, carried[0], flag)};
                          })[0];
    return arith::CmpIOp::create(k, arith::CmpIPredicate::ne, any, zero);
  };
  auto emitRest = [&] {
    // Sums of the other blocks are there after it.
    k.clusterBarrier();
    int64_t steps = std::max<int64_t>(getSteps(keySide) - 1, 0);
    k.forLoop(k.index(0), k.index(steps), k.index(1), [&](Value launch) {
      Matrix pivots = stagePivots(k, side);
      emitReverseSweep(k, {launch, k.flag(keySide), side}, pivots,
                       /*stream=*/nullptr);
      k.clusterBarrier();
    });
    GatherShape shape(facts, facts.depth());
    emitScoreGradient(k, side, keySide, shape, k.index(0), k.flag(true),
                      /*quick=*/false);
  };
  if (!keySide)
    return k.ifThen(isSuspect(side.problem), [&] {
      GatherShape shape(facts, facts.valueColumns());
      emitQueryAdjoint(k, side, shape, k.index(0), gradientParts,
                       /*streamed=*/false);
      k.signal(signals, getKeyProblem(k, side));
      emitRest();
    });
  // With other parts of dG, too, for which their blocks signal once more.
  Value group = k.use(querySide.pivotGroup);
  Value first = k.add(k.use(querySide.first), k.mul(side.problem, group));
  Value queries =
      k.forLoop(k.index(0), group, k.index(1), k.index(0),
                [&](Value i, ValueRange carried) -> Values {
                  return {k.add(carried[0], k.select(isSuspect(k.add(first, i)),
                                                     k.index(1), k.index(0)))};
                })[0];
  Value any = k.either(isSuspect(side.problem), k.invert(k.equal(queries, 0)));
  k.ifThen(any, [&] {
    k.waitForSignals(signals, side.problem,
                     k.mul(k.add(group, queries), side.chunks));
    Value rows = k.use(gradients.rows), columns = k.use(gradients.transposed);
    k.ifThen(k.equal(side.chunk, 0), [&] {
      emitGradientFold(
          k, side,
          [&](Value pivot, Value column, Value four, Value dot) {
            for (int64_t e = 0; e < 4; ++e) {
              Value c = k.add(column, e), value = k.element(four, e);
              k.store(value, rows, {side.problem, pivot, c});
              k.store(value, columns, {side.problem, c, pivot});
            }
            return dot;
          },
          [](Value, Value) {});
    });
    k.clusterBarrier();
    emitKeyAdjoint(k, side, /*streamed=*/false);
    emitRest();
  });
}
