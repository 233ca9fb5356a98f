//===- PlanDecompose.cpp - lot.plan in linalg -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PlanFormula.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

Value PlanFormula::tokenTerm() {
  Value mass = tokenMass;
  if (!prev) {
    if (!mass)
      return Value();
    return t.map({{mass, dims.token}}, dims.token, type,
                 [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   Value zero = floatConstant(b, args[0].getType(), 0.0);
                   return whereLive(b, args[0], zero, args[0]);
                 });
  }
  auto [max, sum] = rowLogSumExp(t, dims, scores, prev);
  bool givenTokens = conditional == Marginal::tokens;
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

Value PlanFormula::pivotTerm() {
  if (conditional == Marginal::tokens)
    return last;
  Value mass = pivotMass;
  SmallVector<IndexedBuilder::Term> terms{{last, dims.pivot}};
  Value uniform = mass ? Value() : t.uniformLogMass('j', type);
  if (mass)
    terms.push_back({mass, dims.pivot});
  return t.map(terms, dims.pivot, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                 return logRatio(b, args[0], mass ? args[1] : uniform);
               });
}

Value PlanFormula::entries(
    ArrayRef<IndexedBuilder::Term> others, IndexedBuilder::Term into,
    function_ref<Value(ImplicitLocOpBuilder &, Value, ValueRange)> body) {
  Value token = tokenTerm(), pivot = pivotTerm();
  SmallVector<IndexedBuilder::Term> terms(others);
  terms.push_back({scores, dims.all});
  terms.push_back({pivot, dims.pivot});
  if (token)
    terms.push_back({token, dims.token});
  return t.generic(terms, into, dims.all,
                   [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                     ValueRange own = args.drop_front(others.size());
                     Value row = token ? own[2] : floatConstant(b, type, 0.0);
                     return body(b, planEntry(b, own[0], row, own[1]),
                                 args.take_front(others.size()));
                   });
}

FailureOr<SmallVector<Value>> PlanOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  PlanFormula plan(*this, t);
  t.bind(getInit(), plan.dims.all);
  t.bind(getScores(), plan.dims.all);
  // R_ij = exp(L_ij + token_i + pivot_j)
  return SmallVector<Value>{plan.entries(
      {}, {getInit(), plan.dims.all},
      [](ImplicitLocOpBuilder &, Value entry, ValueRange) { return entry; })};
}
