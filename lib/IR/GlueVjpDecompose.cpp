//===- GlueVjpDecompose.cpp - lot.glue_vjp in linalg ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueFormula.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
using Term = IndexedBuilder::Term;

/// With u = R1 G and D = R1 c, c = G of ones, O_i = s u_i / max(D_i, f / a_i)
/// (row_sum), s a_i u_i (none) or s u_i.
struct GlueVjp {
  GlueVjpOp op;
  GlueFormula &f;
  IndexedBuilder &t;
  FloatType state;
  std::string token, out, pivot, gathered;
  // Cotangents of u, D and of the log mass; the last two may be null.
  Value u, rowSum, mass;

  GlueVjp(GlueVjpOp op, GlueFormula &f)
      : op(op), f(f), t(f.t), state(f.state), token(f.queryHeads + "i"),
        out(f.queryHeads + "ie"), pivot(f.planHeads + "j"),
        gathered(f.planHeads + "je") {}

  Value scaled(ImplicitLocOpBuilder &b, Value x) {
    x = convertFloat(b, x, state);
    if (f.outScale == 1.0)
      return x;
    return arith::MulFOp::create(b, x, floatConstant(b, state, f.outScale));
  }

  /// max(D_i, f / a_i), and 1 for a row without mass.
  Value divisors(Value sums) {
    SmallVector<Term> terms{{sums, token}};
    Value uniform;
    f.addMass(terms, uniform);
    return t.map(
        terms, token, state, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value logMass = uniform ? uniform : args[terms.size() - 1];
          Value floor =
              f.rowFloor > 0 ? rowFloor(b, f.rowFloor, logMass) : Value();
          return rowDivisor(b, args[0], floor);
        });
  }

  /// sum_e a_ie b_ie.
  Value dotRows(Value a, Value b) {
    return t.contract({a, out}, {b, out}, token, out, state);
  }

  /// The cotangent of u; rows of absent queries are not read.
  void rows(Value product, Value divisor) {
    Value cotangent = f.splitHeads(op.getCotangent());
    SmallVector<Term> terms{{cotangent, out}};
    if (divisor)
      terms.push_back({divisor, token});
    bool none = f.normalization == Normalization::none;
    Value uniform;
    if (f.queryLogMass)
      terms.push_back({f.queryLogMass, token});
    else if (none)
      uniform = t.uniformLogMass('i', state);
    u = t.map(terms, out, state, [&](ImplicitLocOpBuilder &b, ValueRange args) {
      Value x = scaled(b, args[0]);
      if (divisor)
        x = arith::DivFOp::create(b, x, args[1]);
      Value logMass = uniform ? uniform : args[terms.size() - 1];
      if (none)
        x = arith::MulFOp::create(b, x, math::ExpOp::create(b, logMass));
      if (f.queryLogMass)
        x = whereLive(b, logMass, x, floatConstant(b, state, 0.0));
      return x;
    });
    if (none && f.queryLogMass)
      mass = dotRows(u, product); // a is a factor of O
  }

  /// The cotangent of the row sums D, and of the floor's masses.
  void rowSums(Value product, Value sums, Value divisor) {
    Value dots = dotRows(u, product);
    SmallVector<Term> terms{{dots, token}, {sums, token}, {divisor, token}};
    // The divisor's cotangent goes to D where D is the divisor (also where both
    // are equal), else to the floor.
    auto part = [&](bool ofSum) {
      return t.map(terms, token, state,
                   [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                     Value zero = floatConstant(b, state, 0.0);
                     Value isSum = arith::CmpFOp::create(
                         b, arith::CmpFPredicate::OGE, args[1], args[2]);
                     // d log divisor = -sum_e u_e u'_e
                     Value change = arith::NegFOp::create(b, args[0]);
                     if (ofSum)
                       return arith::SelectOp::create(
                           b, isSum, arith::DivFOp::create(b, change, args[2]),
                           zero);
                     return arith::SelectOp::create(b, isSum, zero, args[0]);
                   });
    };
    rowSum = part(/*ofSum=*/true);
    if (f.queryLogMass && f.rowFloor > 0)
      mass = part(/*ofSum=*/false);
  }

  SmallVector<Value> run() {
    Value g = f.gather(), product = f.apply(g);
    Value ones, sums, divisor;
    if (f.sumsRows()) {
      ones = f.gatherOnes();
      sums = f.applyOnes(ones);
      divisor = divisors(sums);
    }
    rows(product, divisor);
    if (f.sumsRows())
      rowSums(product, sums, divisor);

    // dR1 = u' G^T + D' c^T
    std::string r1 = f.queryHeads + "ij", r2 = f.planHeads + "kj";
    Value dr1;
    if (rowSum)
      dr1 = t.contract({rowSum, token}, {ones, pivot}, r1, r1, state);
    dr1 = t.contract({u, out}, {g, gathered}, r1, f.queryHeads + "ije", state,
                     dr1);
    // dG = R1^T u', dc = R1^T D'
    Value dg = t.contract({f.queryPlan, r1}, {u, out}, gathered,
                          f.queryHeads + "ije", state);
    Value dc;
    if (rowSum)
      dc = t.contract({f.queryPlan, r1}, {rowSum, token}, pivot, r1, state);
    // What reaches R2^T V and R2^T 1.
    Value dProduct = f.scaleByRatio(dg, gathered);
    Value dOnes = dc ? f.scaleByRatio(dc, pivot) : Value();
    Value start;
    if (dOnes)
      start = t.map({{dOnes, pivot}}, r2, state,
                    [](ImplicitLocOpBuilder &, ValueRange args) -> Value {
                      return args[0];
                    });
    Value dr2 = t.contract({f.value, "bhke"}, {dProduct, gathered}, r2,
                           f.planHeads + "kje", state, start);
    Value dv = t.contract({f.keyPlan, r2}, {dProduct, gathered}, "bhke",
                          f.planHeads + "kje", state);

    auto inits = op.getInits();
    SmallVector<Value> results;
    auto push = [&](Value value, bool joinHeads) {
      if (joinHeads)
        value = t.join(value, 1);
      results.push_back(t.castTo(value, inits[results.size()].getType()));
    };
    push(dr1, f.grouped());
    push(dr2, f.keyPlanGrouped());
    Type io = getElementTypeOrSelf(inits[2].getType());
    if (io != state)
      dv = t.map({{dv, "bhke"}}, "bhke", io,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   return convertFloat(b, args[0], io);
                 });
    push(dv, false);
    if (f.queryLogMass)
      push(mass ? mass : t.fill(0.0, token, state), f.grouped());
    if (f.glueLogRatio) {
      Value ratio = Value();
      if (dc)
        ratio = t.map({{dc, pivot}, {ones, pivot}}, pivot, state,
                      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                        return arith::MulFOp::create(b, args[0], args[1]);
                      });
      ratio = t.contract({dg, gathered}, {g, gathered}, pivot, gathered, state,
                         ratio);
      push(ratio, f.keyPlanGrouped());
    }
    return results;
  }
};
} // namespace

FailureOr<SmallVector<Value>> GlueVjpOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  GlueFormula formula(*this, getCotangent(), t);
  if (failed(formula.bind(*this)))
    return failure();
  return GlueVjp(*this, formula).run();
}
