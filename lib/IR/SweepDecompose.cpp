//===- SweepDecompose.cpp - lot.sweep in linalg ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

/// Whether a running maximum is known to start at -inf.
static bool startsEmpty(Value max) {
  auto fill = max.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_NegInfFloat());
}

/// The token step: x_i = log a_i - logsumexp_j(L_ij + prev_j). Null if x is 0
/// for every token.
static Value tokenPotential(SweepOp op, IndexedBuilder &t,
                            const ScoreDims &dims) {
  Value scores = op.getScores(), mass = op.getTokenLogMass();
  auto type = cast<FloatType>(getElementTypeOrSelf(scores.getType()));
  if (!op.getPrev()) {
    if (!mass)
      return Value();
    return t.map({{mass, dims.token}}, dims.token, type,
                 [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                   Value zero = floatConstant(b, args[0].getType(), 0.0);
                   return whereLive(b, args[0], zero, args[0]);
                 });
  }
  auto [max, sum] = rowLogSumExp(t, dims, scores, op.getPrev());
  SmallVector<IndexedBuilder::Term> terms{{max, dims.token}, {sum, dims.token}};
  Value uniform = mass ? Value() : t.uniformLogMass('i', type);
  if (mass)
    terms.push_back({mass, dims.token});
  return t.map(terms, dims.token, type,
               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                 return logRatio(b, mass ? args[2] : uniform,
                                 logSumExp(b, args[0], args[1]));
               });
}

static SmallVector<Value> logSweep(SweepOp op, IndexedBuilder &t,
                                   const ScoreDims &dims) {
  Value scores = op.getScores();
  Value startMax = op.getInits()[0], startSum = op.getInits()[1];
  Type type = getElementTypeOrSelf(scores.getType());
  SmallVector<IndexedBuilder::Term> terms{{scores, dims.all}};
  Value x = tokenPotential(op, t, dims);
  if (x)
    terms.push_back({x, dims.token});
  auto term = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    return x ? logTerm(b, args[0], args[1]) : args[0];
  };

  // max_j = max_i (L_ij + x_i), and not below the start.
  auto maximum = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
    return arith::MaximumFOp::create(b, term(b, args), args.back());
  };
  Value max, sum = startSum;
  if (startsEmpty(startMax)) {
    max = t.generic(terms, {startMax, dims.pivot}, dims.all, maximum);
  } else {
    // Every start is read before it is overwritten, so a loop over tiles can
    // carry the pair in place.
    Value none =
        t.fill(-std::numeric_limits<double>::infinity(), dims.pivot, type);
    Value found = t.generic(terms, {none, dims.pivot}, dims.all, maximum);
    // start sum_j exp(start max_j - max_j)
    sum = t.generic(
        {{startMax, dims.pivot}, {found, dims.pivot}}, {startSum, dims.pivot},
        dims.pivot, [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value top = arith::MaximumFOp::create(b, args[0], args[1]);
          return arith::MulFOp::create(b, args[2], expTerm(b, args[0], top));
        });
    max = t.generic({{found, dims.pivot}}, {startMax, dims.pivot}, dims.pivot,
                    [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                      return arith::MaximumFOp::create(b, args[0], args[1]);
                    });
  }
  // sum_j += sum_i exp(L_ij + x_i - max_j)
  terms.push_back({max, dims.pivot});
  sum = t.generic(terms, {sum, dims.pivot}, dims.all,
                  [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                    Value e =
                        expTerm(b, term(b, args), args.drop_back().back());
                    return arith::AddFOp::create(b, args.back(), e);
                  });
  return {max, sum};
}

static SmallVector<Value> scalingSweep(SweepOp op, IndexedBuilder &t,
                                       const ScoreDims &dims) {
  Value factor = op.getScores(), mass = op.getTokenLogMass();
  auto type = cast<FloatType>(getElementTypeOrSelf(factor.getType()));
  // (D prev)_i
  Value rowSum = t.contract({factor, dims.all}, {op.getPrev(), dims.pivot},
                            dims.token, dims.all, type);
  SmallVector<IndexedBuilder::Term> terms{{factor, dims.all},
                                          {rowSum, dims.token}};
  Value uniform = mass ? Value() : t.uniformLogMass('i', type);
  if (mass)
    terms.push_back({mass, dims.token});
  // sum_j += sum_i D_ij a_i / (D prev)_i
  Value sum = t.generic(terms, {op.getInits()[0], dims.pivot}, dims.all,
                        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                          Value a =
                              math::ExpOp::create(b, mass ? args[2] : uniform);
                          Value term = scalingTerm(b, args[0], a, args[1]);
                          return arith::AddFOp::create(b, args.back(), term);
                        });
  return {sum};
}

FailureOr<SmallVector<Value>> SweepOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  ScoreDims dims(getScores());
  t.bind(getScores(), dims.all);
  t.bind(getInits()[0], dims.pivot);
  if (getDomain() == Domain::log)
    return logSweep(*this, t, dims);
  return scalingSweep(*this, t, dims);
}
