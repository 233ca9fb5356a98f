//===- PlanDecompose.cpp - lot.plan in linalg -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

/// What a row adds to the exponent, [batch..., i]: -t_i given the pivots' side
/// of the condition, log a_i - t_i given the tokens', with t_i the row's
/// log-sum-exp. Null if it is 0 for every token.
static Value tokenTerm(PlanOp op, IndexedBuilder &t, const ScoreDims &dims) {
  Value mass = op.getTokenLogMass();
  auto type = cast<FloatType>(getElementTypeOrSelf(op.getScores().getType()));
  if (!op.getPrev()) {
    if (!mass)
      return Value();
    return t.map({{mass, dims.token}}, dims.token, type,
                 [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   Value zero = floatConstant(b, args[0].getType(), 0.0);
                   return whereLive(b, args[0], zero, args[0]);
                 });
  }
  auto [max, sum] = rowLogSumExp(t, dims, op.getScores(), op.getPrev());
  bool givenTokens = op.getConditional() == Marginal::tokens;
  SmallVector<IndexedBuilder::Term> terms{{max, dims.token}, {sum, dims.token}};
  Value uniform = mass || givenTokens ? Value() : t.uniformLogMass('i', type);
  if (mass)
    terms.push_back({mass, dims.token});
  return t.map(terms, dims.token, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 Value lse = logSumExp(b, args[0], args[1]);
                 if (!givenTokens)
                   return logRatio(b, mass ? args[2] : uniform, lse);
                 Value term = logRatio(b, floatConstant(b, type, 0.0), lse);
                 return mass ? whereLive(b, args[2], term, args[2]) : term;
               });
}

/// What a column adds: last_j, less log w_j if the plan is conditional on the
/// pivots.
static Value pivotTerm(PlanOp op, IndexedBuilder &t, const ScoreDims &dims) {
  if (op.getConditional() == Marginal::tokens)
    return op.getLast();
  Value mass = op.getPivotLogMass();
  auto type = cast<FloatType>(getElementTypeOrSelf(op.getScores().getType()));
  SmallVector<IndexedBuilder::Term> terms{{op.getLast(), dims.pivot}};
  Value uniform = mass ? Value() : t.uniformLogMass('j', type);
  if (mass)
    terms.push_back({mass, dims.pivot});
  return t.map(terms, dims.pivot, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                 return logRatio(b, args[0], mass ? args[1] : uniform);
               });
}

FailureOr<SmallVector<Value>> PlanOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  ScoreDims dims(getScores());
  t.bind(getInit(), dims.all);
  t.bind(getScores(), dims.all);
  auto type = cast<FloatType>(getElementTypeOrSelf(getScores().getType()));
  Value token = tokenTerm(*this, t, dims), pivot = pivotTerm(*this, t, dims);
  SmallVector<IndexedBuilder::Term> terms{{getScores(), dims.all},
                                          {pivot, dims.pivot}};
  if (token)
    terms.push_back({token, dims.token});
  // R_ij = exp(L_ij + token_i + pivot_j)
  Value plan =
      t.generic(terms, {getInit(), dims.all}, dims.all,
                [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  Value row =
                      token ? args[2] : floatConstant(nested, type, 0.0);
                  return planEntry(nested, args[0], row, args[1]);
                });
  return SmallVector<Value>{plan};
}
