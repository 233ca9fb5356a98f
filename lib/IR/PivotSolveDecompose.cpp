//===- PivotSolveDecompose.cpp - lot.pivot_solve as a loop of sweeps ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Emits the steps of one solve. Only pivot potentials pass from one to the
/// next: a token potential is recomputed inside the sweep that needs it.
struct Solve {
  PivotSolveOp op;
  ScoreDims dims;
  FloatType type;

  explicit Solve(PivotSolveOp op)
      : op(op), dims(op.getScores()),
        type(cast<FloatType>(getElementTypeOrSelf(op.getScores().getType()))) {}

  /// y^0: 0, or -inf for a pivot without mass.
  Value start(IndexedBuilder &t) {
    Value mass = op.getPivotLogMass();
    if (!mass)
      return t.fill(0.0, dims.pivot, type);
    return t.map({{mass, dims.pivot}}, dims.pivot, type,
                 [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   Value zero = floatConstant(b, args[0].getType(), 0.0);
                   return whereLive(b, args[0], zero, args[0]);
                 });
  }

  /// One sweep and the pivot step after it: y_j = log w_j - logsumexp_i(L_ij +
  /// x_i). Without `prev` every x_i is 0. The result is written into `into`.
  Value step(IndexedBuilder &t, Value prev, Value into) {
    Value max =
        t.fill(-std::numeric_limits<double>::infinity(), dims.pivot, type);
    Value sum = t.fill(0.0, dims.pivot, type);
    auto sweep = SweepOp::create(t, TypeRange{max.getType(), sum.getType()},
                                 op.getScores(), prev, op.getTokenLogMass(),
                                 ValueRange{max, sum}, Domain::log);
    Value mass = op.getPivotLogMass();
    SmallVector<IndexedBuilder::Term> terms{{sweep.getResult(0), dims.pivot},
                                            {sweep.getResult(1), dims.pivot}};
    if (mass)
      terms.push_back({mass, dims.pivot});
    double uniform = -std::log(static_cast<double>(t.staticSize('j')));
    return t.generic(terms, {into, dims.pivot}, dims.pivot,
                     [&](ImplicitLocOpBuilder &b, ValueRange args) {
                       Value w =
                           mass ? args[2] : floatConstant(b, type, uniform);
                       return logRatio(b, w, logSumExp(b, args[0], args[1]));
                     });
  }
  Value step(IndexedBuilder &t, Value prev) {
    return step(t, prev, t.empty(dims.pivot, type));
  }
};
} // namespace

/// The solve as a loop that keeps every potential.
static SmallVector<Value> solveWithTrajectory(PivotSolveOp op, Solve &solve,
                                              IndexedBuilder &t) {
  std::string steps = solve.dims.batch + "tj";
  Value trajectory = op.getInits()[2];
  t.bind(trajectory, steps);
  int64_t count = op.getNumPivotSteps();
  bool tokensFirst = op.getFirst() == Marginal::tokens;
  auto set = [&](Value into, Value potential, OpFoldResult at) {
    return t.insertAt(potential, into, solve.dims.batch.size(), at);
  };
  trajectory = set(trajectory, solve.start(t), t.getIndexAttr(0));
  int64_t done = 0;
  if (!tokensFirst) {
    // The first pivot step comes before any token step.
    trajectory = set(trajectory, solve.step(t, Value()), t.getIndexAttr(1));
    done = 1;
  }
  if (done < count) {
    Value from = arith::ConstantIndexOp::create(t, done);
    Value to = arith::ConstantIndexOp::create(t, count);
    Value one = arith::ConstantIndexOp::create(t, 1);
    auto loop = scf::ForOp::create(
        t, from, to, one, trajectory,
        [&](OpBuilder &nested, Location loc, Value step, ValueRange carried) {
          OpBuilder::InsertionGuard bodyGuard(t);
          t.setInsertionPointToEnd(nested.getInsertionBlock());
          Value prev = t.extractAt(carried[0], solve.dims.batch.size(), step);
          Value next = arith::AddIOp::create(t, step, one);
          scf::YieldOp::create(t, set(carried[0], solve.step(t, prev), next));
        });
    trajectory = loop.getResult(0);
  }
  int64_t prev = op.isPivotStepLast() ? std::max<int64_t>(count - 1, 0) : count;
  auto at = [&](int64_t index) {
    return t.extractAt(trajectory, solve.dims.batch.size(),
                       t.getIndexAttr(index));
  };
  return {t.castTo(at(prev), op.getResult(0).getType()),
          t.castTo(at(count), op.getResult(1).getType()),
          t.castTo(trajectory, op.getResult(2).getType())};
}

FailureOr<SmallVector<Value>> PivotSolveOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  Solve solve(*this);
  t.bind(getInits()[0], solve.dims.pivot);
  t.bind(getScores(), solve.dims.all);

  if (getInits().size() == 3)
    return solveWithTrajectory(*this, solve, t);

  bool tokensFirst = getFirst() == Marginal::tokens;
  int64_t pivotSteps = getNumPivotSteps();
  // With a pivot step last, the last token step read the potential before it.
  bool pivotStepLast = isPivotStepLast();

  Value last = solve.start(t), prev = last;
  int64_t done = 0;
  if (!tokensFirst) {
    // The first pivot step comes before any token step.
    last = solve.step(t, Value());
    done = 1;
  }
  int64_t looped = pivotSteps - done - (pivotStepLast ? 1 : 0);
  if (looped > 0) {
    Value zero = arith::ConstantIndexOp::create(t, 0);
    Value count = arith::ConstantIndexOp::create(t, looped);
    Value one = arith::ConstantIndexOp::create(t, 1);
    auto loop = scf::ForOp::create(
        t, zero, count, one, last,
        [&](OpBuilder &nested, Location loc, Value, ValueRange carried) {
          OpBuilder::InsertionGuard bodyGuard(t);
          t.setInsertionPointToEnd(nested.getInsertionBlock());
          // Written in place: the loop needs one buffer.
          scf::YieldOp::create(t, solve.step(t, carried[0], carried[0]));
        });
    last = loop.getResult(0);
  }
  if (pivotStepLast && done < pivotSteps) {
    prev = last;
    last = solve.step(t, prev);
  } else if (!pivotStepLast) {
    prev = last;
  }
  return SmallVector<Value>{t.castTo(prev, getResult(0).getType()),
                            t.castTo(last, getResult(1).getType())};
}
