//===- PlanVjpOp.cpp - lot.plan_vjp ---------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"
#include "PlanFormula.h"
#include "SweepAdjoint.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The operands by name; prev and the log masses may be null.
struct Operands {
  Named cotangent, scores, prev, last, tokenMass, pivotMass;

  explicit Operands(PlanVjpOp op)
      : cotangent{op.getCotangent(), "cotangent"},
        scores{op.getScores(), "scores"}, prev{op.getPrev(), "prev"},
        last{op.getLast(), "last"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"},
        pivotMass{op.getPivotLogMass(), "pivot_log_mass"} {}
};
} // namespace

SmallVector<Named> PlanVjpOp::getDifferentiated() {
  Operands all(*this);
  return givenOperands(
      {all.scores, all.prev, all.last, all.tokenMass, all.pivotMass});
}

DimGroups PlanVjpOp::getDimGroups() {
  Operands all(*this);
  DimGroups groups = getScoreDimGroups("C52", all.scores, {all.tokenMass},
                                       {all.prev, all.last, all.pivotMass});
  // The cotangent has the dims of the scores in their order.
  for (auto [dim, group] : llvm::enumerate(groups))
    group.add(all.cotangent, dim);
  addGradientDims(groups, getDifferentiated(), getInits());
  return groups;
}

/// C20, C50 to C53, C90 and C91 of docs/spec.md.
LogicalResult PlanVjpOp::verify() {
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C50", "C51", "C52", "C53"}, all.scores,
                       {all.prev, all.last, all.tokenMass, all.pivotMass})) ||
      failed(verifyElementType(*this, "C51", all.cotangent,
                               {all.scores.type().getElementType()})) ||
      failed(verifyRank(*this, "C52", all.cotangent, {all.scores.rank()})) ||
      failed(verifyGradients(*this, getDifferentiated(), getInits())) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(PlanVjpOp)

FailureOr<SmallVector<Value>> PlanVjpOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  PlanFormula plan(*this, t);
  const ScoreDims &dims = plan.dims;
  t.bind(getCotangent(), dims.all);
  t.bind(getScores(), dims.all);
  auto zeros = [&](const std::string &letters) {
    return t.fill(0.0, letters, plan.type);
  };

  // E = R o dR and its sums.
  Value e = plan.entries(
      {{getCotangent(), dims.all}}, {t.empty(dims.all, plan.type), dims.all},
      [](ImplicitLocOpBuilder &nested, Value entry, ValueRange args) {
        return weighted(nested, entry, args[0]);
      });
  Value rows = t.sum({e, dims.all}, dims.token, zeros(dims.token));
  Value columns = t.sum({e, dims.all}, dims.pivot, zeros(dims.pivot));

  auto inits = getInits();
  SmallVector<Value> results;
  auto push = [&](Value value) {
    results.push_back(t.castTo(value, inits[results.size()].getType()));
  };
  if (getPrev()) {
    // The row's log-sum-exp is what a token step computes.
    SweepAdjoint step(t, getScores(), getTokenLogMass());
    Value minusT = step.tokenStep(getPrev()).second;
    push(step.subtractU(minusT, getPrev(), rows, e));
    push(step.prevCotangent(minusT, getPrev(), rows, zeros(dims.pivot)));
  } else {
    push(e);
  }
  push(columns);
  bool givenPivots = getConditional() == Marginal::pivots;
  if (getTokenLogMass())
    push(givenPivots && getPrev() ? rows : zeros(dims.token));
  if (getPivotLogMass())
    push(givenPivots ? t.map({{columns, dims.pivot}}, dims.pivot, plan.type,
                             [](ImplicitLocOpBuilder &nested,
                                ValueRange args) -> Value {
                               return arith::NegFOp::create(nested, args[0]);
                             })
                     : zeros(dims.pivot));
  return results;
}
