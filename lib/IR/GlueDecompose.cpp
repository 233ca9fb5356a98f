//===- GlueDecompose.cpp - lot.glue in linalg -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Letters: b batch, h key heads, g query heads of one key head, i queries,
/// k keys, j pivots, e value dim. Without groups there is no g.
struct Glue {
  GlueOp op;
  IndexedBuilder &t;
  FloatType state;
  int64_t group;
  bool grouped, keyPlanGrouped;
  std::string queryHeads, planHeads;

  Glue(GlueOp op, IndexedBuilder &t, int64_t group, bool keyPlanGrouped)
      : op(op), t(t), state(cast<FloatType>(
                          getElementTypeOrSelf(op.getQueryPlan().getType()))),
        group(group), grouped(group != 1),
        keyPlanGrouped(grouped && keyPlanGrouped),
        queryHeads(grouped ? "bhg" : "bh"),
        planHeads(this->keyPlanGrouped ? "bhg" : "bh") {}

  /// Makes query heads (h, g) of one dim.
  Value splitHeads(Value value) {
    if (!grouped)
      return value;
    int64_t heads =
        HeadsOf{"query_plan", {{op.getQueryPlan(), 1}, {op.getInit(), 1}}}
            .staticSize();
    return t.split(value, 1, heads / group, group);
  }
  Value splitPlanHeads(Value value) {
    return keyPlanGrouped ? splitHeads(value) : value;
  }

  /// x_j exp(log ratio_j) for x = G or the sums of R2's columns.
  Value scaleByRatio(Value x, const std::string &dims) {
    if (!op.getGlueLogRatio())
      return x;
    return t.map(
        {{x, dims}, {splitPlanHeads(op.getGlueLogRatio()), planHeads + "j"}},
        dims, state, [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          return arith::MulFOp::create(b, args[0],
                                       math::ExpOp::create(b, args[1]));
        });
  }

  /// R1's rows sum over the coupling: sum_j R1_ij sum_k R2_kj.
  Value rowSums(Value queryPlan, Value keyPlan) {
    std::string sums = planHeads + "j";
    Value columns =
        t.generic({{keyPlan, planHeads + "kj"}},
                  {t.fill(0.0, sums, state), sums}, planHeads + "kj",
                  [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                    return arith::AddFOp::create(b, args[1], args[0]);
                  });
    columns = scaleByRatio(columns, sums);
    return t.contract({queryPlan, queryHeads + "ij"}, {columns, sums},
                      queryHeads + "i", queryHeads + "ij", state);
  }

  /// Normalization and out_scale of O's element, in the state type.
  Value finish(ImplicitLocOpBuilder &b, Value u, Value rowSum, Value logMass) {
    if (op.getNormalization() == Normalization::row_sum) {
      double floor = op.getRowFloor().convertToDouble();
      u = divideRow(b, u, rowSum,
                    floor > 0 ? rowFloor(b, floor, logMass) : Value());
    }
    if (op.getNormalization() == Normalization::none)
      u = arith::MulFOp::create(b, u, math::ExpOp::create(b, logMass));
    if (double scale = op.getOutScale().convertToDouble(); scale != 1.0)
      u = arith::MulFOp::create(b, u, floatConstant(b, u.getType(), scale));
    return u;
  }

  Value run() {
    Value queryPlan = splitHeads(op.getQueryPlan());
    Value keyPlan = splitPlanHeads(op.getKeyPlan());
    std::string out = queryHeads + "ie";
    t.bind(op.getInit(), "bqie");
    t.bind(queryPlan, queryHeads + "ij");
    t.bind(keyPlan, planHeads + "kj");
    t.bind(op.getValue(), "bhke");

    // G_je = sum_k R2_kj V_ke
    Value g = t.contract({keyPlan, planHeads + "kj"}, {op.getValue(), "bhke"},
                         planHeads + "je", planHeads + "kje", state);
    g = scaleByRatio(g, planHeads + "je");
    // U_ie = sum_j R1_ij G_je
    Value u = t.contract({queryPlan, queryHeads + "ij"}, {g, planHeads + "je"},
                         out, queryHeads + "ije", state);

    Normalization normalization = op.getNormalization();
    bool rowSum = normalization == Normalization::row_sum;
    bool needsMass = normalization == Normalization::none ||
                     (rowSum && op.getRowFloor().convertToDouble() > 0);
    SmallVector<IndexedBuilder::Term> terms{{u, out}};
    if (rowSum)
      terms.push_back({rowSums(queryPlan, keyPlan), queryHeads + "i"});
    Value mass = op.getQueryLogMass(), uniform;
    if (needsMass && mass)
      terms.push_back({splitHeads(mass), queryHeads + "i"});
    else if (needsMass)
      uniform = t.uniformLogMass('i', state);

    Type io = getElementTypeOrSelf(op.getInit().getType());
    Value o = u;
    if (rowSum || needsMass || io != state ||
        op.getOutScale().convertToDouble() != 1.0)
      o = t.map(terms, out, io, [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value logMass = needsMass && mass ? args[args.size() - 2] : uniform;
        return convertFloat(
            b, finish(b, args[0], rowSum ? args[1] : Value(), logMass), io);
      });
    if (grouped)
      o = t.join(o, 1);
    return t.castTo(o, op.getInit().getType());
  }
};
} // namespace

FailureOr<SmallVector<Value>> GlueOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  HeadsOf query{"query_plan", {{getQueryPlan(), 1}, {getInit(), 1}}};
  HeadsOf value{"value", {{getValue(), 1}}};
  HeadsOf keyPlan{"key_plan", {{getKeyPlan(), 1}}};
  FailureOr<int64_t> group = resolveHeadGroup(*this, query, value);
  if (failed(group))
    return failure();
  bool keyPlanGrouped = false;
  if (*group != 1) {
    FailureOr<int64_t> planGroup = resolveHeadGroup(*this, query, keyPlan);
    if (failed(planGroup))
      return failure();
    keyPlanGrouped = *planGroup == 1;
  }
  return SmallVector<Value>{Glue(*this, t, *group, keyPlanGrouped).run()};
}
