//===- SweepAdjoint.cpp - Reverse mode of sweeps in linalg ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SweepAdjoint.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

using Term = IndexedBuilder::Term;

std::pair<Value, Value> SweepAdjoint::tokenStep(Value prev) {
  auto [max, sum] = rowLogSumExp(t, {scores, dims.all}, {prev, pivot}, token);
  SmallVector<Term> terms{{max, token}, {sum, token}};
  Value uniform = tokenMass ? Value() : t.uniformLogMass('i', type);
  if (tokenMass)
    terms.push_back({tokenMass, dims.token});
  Value x =
      t.map(terms, token, type, [&](ImplicitLocOpBuilder &b, ValueRange args) {
        return logRatio(b, tokenMass ? args[2] : uniform,
                        logSumExp(b, args[0], args[1]));
      });
  Value minusT =
      t.map(terms, token, type,
            [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
              Value term = logRatio(b, floatConstant(b, type, 0.0),
                                    logSumExp(b, args[0], args[1]));
              return tokenMass ? whereLive(b, args[2], term, args[2]) : term;
            });
  return {x, minusT};
}

Value SweepAdjoint::start() {
  if (!tokenMass)
    return t.fill(0.0, token, type);
  return t.map({{tokenMass, dims.token}}, token, type,
               [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 Value zero = floatConstant(b, args[0].getType(), 0.0);
                 return whereLive(b, args[0], zero, args[0]);
               });
}

Value SweepAdjoint::negated(Value logSum) {
  return t.map({{logSum, pivot}}, pivot, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 return logRatio(b, floatConstant(b, type, 0.0), args[0]);
               });
}

Value SweepAdjoint::accumulate(Value tokenTerm, Value pivotTerm, Term cotangent,
                               Term into, bool subtract) {
  return t.generic(
      {{scores, dims.all}, {tokenTerm, token}, {pivotTerm, pivot}, cotangent},
      into, loops, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        // exp of a sum that is at most 0: it cannot overflow.
        Value weight = planEntry(b, args[0], args[1], args[2]);
        Value term = weighted(b, weight, args[3]);
        if (subtract)
          return arith::SubFOp::create(b, args[4], term);
        return arith::AddFOp::create(b, args[4], term);
      });
}

Value SweepAdjoint::tokenCotangent(Value x, Value minusLogSum,
                                   Value cotangent) {
  return accumulate(x, minusLogSum, {cotangent, pivot},
                    {t.fill(0.0, token, type), token}, /*subtract=*/false);
}

Value SweepAdjoint::prevCotangent(Value minusT, Value prev,
                                  Value tokenCotangent, Value start) {
  return accumulate(minusT, prev, {tokenCotangent, token}, {start, pivot},
                    /*subtract=*/true);
}

Value SweepAdjoint::addV(Value x, Value minusLogSum, Value cotangent,
                         Value into) {
  return accumulate(x, minusLogSum, {cotangent, pivot}, {into, dims.all},
                    /*subtract=*/false);
}

Value SweepAdjoint::subtractU(Value minusT, Value prev, Value tokenCotangent,
                              Value into) {
  return accumulate(minusT, prev, {tokenCotangent, token}, {into, dims.all},
                    /*subtract=*/true);
}
