//===- GlueFormula.cpp - The glued coupling in linalg ---------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueFormula.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

LogicalResult GlueFormula::bind(Operation *op) {
  HeadsOf query{"query_plan", {{queryPlan, 1}, {out, 1}}};
  HeadsOf values{"value", {{value, 1}}};
  HeadsOf plan{"key_plan", {{keyPlan, 1}}};
  FailureOr<int64_t> headGroup = resolveHeadGroup(op, query, values);
  if (failed(headGroup))
    return failure();
  group = *headGroup;
  if (grouped()) {
    FailureOr<int64_t> planGroup = resolveHeadGroup(op, query, plan);
    if (failed(planGroup))
      return failure();
    keyHeads = query.staticSize() / group;
    queryHeads = "bhg";
    planHeads = *planGroup == 1 ? "bhg" : "bh";
  }
  t.bind(out, "bqie");
  queryPlan = splitHeads(queryPlan);
  keyPlan = splitPlanHeads(keyPlan);
  if (queryLogMass)
    queryLogMass = splitHeads(queryLogMass);
  if (glueLogRatio)
    glueLogRatio = splitPlanHeads(glueLogRatio);
  t.bind(queryPlan, queryHeads + "ij");
  t.bind(keyPlan, planHeads + "kj");
  t.bind(value, "bhke");
  return success();
}

Value GlueFormula::splitHeads(Value operand) {
  return grouped() ? t.split(operand, 1, keyHeads, group) : operand;
}

Value GlueFormula::scaleByRatio(Value x, const std::string &dims) {
  if (!glueLogRatio)
    return x;
  return t.map({{x, dims}, {glueLogRatio, planHeads + "j"}}, dims, state,
               [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 return arith::MulFOp::create(b, args[0],
                                              math::ExpOp::create(b, args[1]));
               });
}

Value GlueFormula::gather() {
  Value g = t.contract({keyPlan, planHeads + "kj"}, {value, "bhke"},
                       planHeads + "je", planHeads + "kje", state);
  return scaleByRatio(g, planHeads + "je");
}

Value GlueFormula::gatherOnes() {
  std::string dims = planHeads + "j";
  Value columns =
      t.sum({keyPlan, planHeads + "kj"}, dims, t.fill(0.0, dims, state));
  return scaleByRatio(columns, dims);
}

Value GlueFormula::apply(Value gathered) {
  return t.contract({queryPlan, queryHeads + "ij"},
                    {gathered, planHeads + "je"}, queryHeads + "ie",
                    queryHeads + "ije", state);
}

Value GlueFormula::applyOnes(Value ones) {
  return t.contract({queryPlan, queryHeads + "ij"}, {ones, planHeads + "j"},
                    queryHeads + "i", queryHeads + "ij", state);
}

void GlueFormula::addMass(SmallVectorImpl<Term> &terms, Value &uniform) {
  if (!usesMass())
    return;
  if (queryLogMass)
    terms.push_back({queryLogMass, queryHeads + "i"});
  else
    uniform = t.uniformLogMass('i', state);
}
