//===- PivotSolveVjpDecompose.cpp - lot.pivot_solve_vjp by sweeps ---------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SweepAdjoint.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
using Term = IndexedBuilder::Term;

/// Letters: s the P pivot steps, t the P + 1 potentials, u the token steps.
/// The cotangents of all potentials come first, backwards from step to step
/// through r-vectors; everything over tokens is then formed for all steps at
/// once.
struct SolveVjp {
  PivotSolveVjpOp op;
  IndexedBuilder &t;
  ScoreDims dims;
  FloatType type;
  int64_t steps, position;
  bool tokensFirst;

  SolveVjp(PivotSolveVjpOp op, IndexedBuilder &t)
      : op(op), t(t), dims(op.getScores()),
        type(cast<FloatType>(getElementTypeOrSelf(op.getScores().getType()))),
        steps(op.getNumPivotSteps()), position(dims.batch.size()),
        tokensFirst(op.getFirst() == Marginal::tokens) {}

  /// log_sum of pivot steps: log w - y; -inf for pivots without mass.
  Value logSum(Value potential, const std::string &pivot) {
    Value mass = op.getPivotLogMass();
    SmallVector<Term> terms{{potential, pivot}};
    Value uniform = mass ? Value() : t.uniformLogMass('j', type);
    if (mass)
      terms.push_back({mass, dims.pivot});
    return t.map(terms, pivot, type,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   return logRatio(b, mass ? args[1] : uniform, args[0]);
                 });
  }

  /// The cotangent of log_sum from that of y = log w - log_sum.
  Value negate(Value cotangent, const std::string &pivot) {
    return t.map({{cotangent, pivot}}, pivot, type,
                 [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   return arith::NegFOp::create(b, args[0]);
                 });
  }

  /// What `prev` and `last` give to the potentials of the pivot steps, 0 for
  /// those without mass: [.., P, r].
  Value seeds() {
    std::string all = dims.batch + "sj";
    Value cotangents = t.fill(0.0, all, type);
    Value last = op.getLastCotangent();
    if (!op.isPivotStepLast())
      last = t.map({{last, dims.pivot}, {op.getPrevCotangent(), dims.pivot}},
                   dims.pivot, type,
                   [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                     return arith::AddFOp::create(b, args[0], args[1]);
                   });
    cotangents =
        t.insertAt(last, cotangents, position, t.getIndexAttr(steps - 1));
    // Before the only pivot step there is the start, which is a constant.
    if (op.isPivotStepLast() && steps > 1)
      cotangents = t.insertAt(op.getPrevCotangent(), cotangents, position,
                              t.getIndexAttr(steps - 2));
    Value potentials = t.slice(op.getTrajectory(), position, 1, steps);
    return t.map({{potentials, all}, {cotangents, all}}, all, type,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   return whereLive(b, args[0], args[1],
                                    floatConstant(b, type, 0.0));
                 });
  }

  /// One sweep backwards: the cotangent of potential s - 1 in `start` plus what
  /// potential s, whose cotangent is known, gives to it.
  Value step(Value potential, Value prev, Value cotangent, Value start) {
    SmallVector<Value> inits{t.empty(dims.all, type), start};
    if (op.getTokenLogMass())
      inits.push_back(t.empty(dims.token, type));
    auto sweep = SweepVjpOp::create(
        t, ValueRange(inits).getTypes(), negate(cotangent, dims.pivot),
        op.getScores(), logSum(potential, dims.pivot), prev,
        op.getTokenLogMass(), inits);
    return sweep.getResult(1);
  }

  /// The cotangents of y_1, ..., y_P.
  Value backward() {
    Value cotangents = seeds();
    if (steps == 1)
      return cotangents;
    // Index k of `cotangents` is step k + 1, whose potential before is at k.
    Value zero = arith::ConstantIndexOp::create(t, 0);
    Value one = arith::ConstantIndexOp::create(t, 1);
    Value count = arith::ConstantIndexOp::create(t, steps - 1);
    auto loop = scf::ForOp::create(
        t, zero, count, one, cotangents,
        [&](OpBuilder &nested, Location loc, Value done, ValueRange carried) {
          OpBuilder::InsertionGuard guard(t);
          t.setInsertionPointToEnd(nested.getInsertionBlock());
          Value k = arith::SubIOp::create(t, count, done);
          Value before = arith::SubIOp::create(t, k, one);
          Value after = arith::AddIOp::create(t, k, one);
          Value trajectory = op.getTrajectory();
          Value next = step(t.extractAt(trajectory, position, after),
                            t.extractAt(trajectory, position, k),
                            t.extractAt(carried[0], position, k),
                            t.extractAt(carried[0], position, before));
          scf::YieldOp::create(t,
                               t.insertAt(next, carried[0], position, before));
        });
    return loop.getResult(0);
  }

  /// Gradients of scores, token mass and pivot mass.
  SmallVector<Value> run() {
    auto inits = op.getInits();
    SmallVector<Value> results;
    auto push = [&](Value value) {
      results.push_back(t.castTo(value, inits[results.size()].getType()));
    };
    if (steps == 0) {
      // One half-step of the tokens: the potentials are constants.
      push(t.fill(0.0, dims.all, type));
      if (op.getTokenLogMass())
        push(t.fill(0.0, dims.token, type));
      if (op.getPivotLogMass())
        push(t.fill(0.0, dims.pivot, type));
      return results;
    }
    t.bind('s', steps);
    Value cotangents = backward();

    // All sweeps at once. Only the first of a side that starts with pivots has
    // no token step before it.
    int64_t first = tokensFirst ? 0 : 1, tokenSteps = steps - first;
    t.bind('u', tokenSteps);
    SweepAdjoint sweeps(t, op.getScores(), op.getTokenLogMass(), "s");
    SweepAdjoint withToken(t, op.getScores(), op.getTokenLogMass(), "u");
    Value potentials = t.slice(op.getTrajectory(), position, 1, steps);
    Value minusLogSum = sweeps.negated(logSum(potentials, sweeps.pivot));
    Value c = negate(cotangents, sweeps.pivot);
    Value x, minusT, prevs, tokenCotangent;
    if (tokenSteps > 0) {
      prevs = t.slice(op.getTrajectory(), position, first, tokenSteps);
      std::tie(x, minusT) = withToken.tokenStep(prevs);
      tokenCotangent = withToken.tokenCotangent(
          x, t.slice(minusLogSum, position, first, tokenSteps),
          t.slice(c, position, first, tokenSteps));
    }
    if (!tokensFirst) {
      Value all = sweeps.start();
      x = tokenSteps > 0 ? t.insertFrom(x, all, position, 1) : all;
    }
    Value scores = sweeps.addV(x, minusLogSum, c, t.fill(0.0, dims.all, type));
    if (tokenSteps > 0)
      scores = withToken.subtractU(minusT, prevs, tokenCotangent, scores);
    push(scores);
    if (op.getTokenLogMass()) {
      Value mass = t.fill(0.0, dims.token, type);
      if (tokenSteps > 0)
        mass = t.sum({tokenCotangent, withToken.token}, dims.token, mass);
      push(mass);
    }
    if (op.getPivotLogMass())
      push(t.sum({cotangents, sweeps.pivot}, dims.pivot,
                 t.fill(0.0, dims.pivot, type)));
    return results;
  }
};
} // namespace

FailureOr<SmallVector<Value>>
PivotSolveVjpOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  SolveVjp vjp(*this, t);
  t.bind(getScores(), vjp.dims.all);
  t.bind(getLastCotangent(), vjp.dims.pivot);
  return vjp.run();
}
