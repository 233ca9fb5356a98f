//===- Formulas.cpp - The optimal transport formulas ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

Value lot::floatConstant(ImplicitLocOpBuilder &b, Type type, double value) {
  auto element = cast<FloatType>(getElementTypeOrSelf(type));
  // FloatAttr rounds through the semantics of the type, so -inf stays -inf.
  TypedAttr attr = FloatAttr::get(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, cast<Attribute>(attr));
  return arith::ConstantOp::create(b, attr);
}

Value lot::noMass(ImplicitLocOpBuilder &b, Type type) {
  return floatConstant(b, type, -std::numeric_limits<double>::infinity());
}

Value lot::isAbsent(ImplicitLocOpBuilder &b, Value x) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x,
                               noMass(b, x.getType()));
}

Value lot::whereLive(ImplicitLocOpBuilder &b, Value x, Value value,
                     Value otherwise) {
  return arith::SelectOp::create(b, isAbsent(b, x), otherwise, value);
}

Value lot::logTerm(ImplicitLocOpBuilder &b, Value score, Value potential) {
  Value sum = arith::AddFOp::create(b, score, potential);
  return whereLive(b, potential, sum, potential);
}

Value lot::expTerm(ImplicitLocOpBuilder &b, Value term, Value max) {
  // An empty line has max = -inf: shift by 0 instead, so that exp(-inf) = 0.
  Value shift = whereLive(b, max, max, floatConstant(b, max.getType(), 0.0));
  return math::ExpOp::create(b, arith::SubFOp::create(b, term, shift));
}

Value lot::logSumExp(ImplicitLocOpBuilder &b, Value max, Value sum) {
  // Empty: -inf + log(0) = -inf.
  return arith::AddFOp::create(b, max, math::LogOp::create(b, sum));
}

Value lot::logRatio(ImplicitLocOpBuilder &b, Value a, Value minus) {
  Value none = noMass(b, a.getType());
  Value difference = arith::SubFOp::create(b, a, minus);
  return whereLive(b, a, whereLive(b, minus, difference, none), none);
}

Value lot::planEntry(ImplicitLocOpBuilder &b, Value score, Value token,
                     Value pivot) {
  // score + token first: the token term cancels a large common offset.
  Value exponent =
      arith::AddFOp::create(b, arith::AddFOp::create(b, score, token), pivot);
  Value entry = math::ExpOp::create(b, exponent);
  Value zero = floatConstant(b, entry.getType(), 0.0);
  return whereLive(b, token, whereLive(b, pivot, entry, zero), zero);
}

Value lot::scalingTerm(ImplicitLocOpBuilder &b, Value factor, Value mass,
                       Value denominator) {
  Value zero = floatConstant(b, mass.getType(), 0.0);
  Value term = arith::MulFOp::create(
      b, factor, arith::DivFOp::create(b, mass, denominator));
  auto isZero = [&](Value x) -> Value {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, zero);
  };
  Value empty = arith::OrIOp::create(b, isZero(mass), isZero(denominator));
  return arith::SelectOp::create(b, empty, zero, term);
}

Value lot::scoreFromDot(ImplicitLocOpBuilder &b, Value dot, double scale,
                        double epsilon, std::optional<double> clamp) {
  Type type = dot.getType();
  auto times = [&](Value x, double factor) -> Value {
    return arith::MulFOp::create(b, x, floatConstant(b, type, factor));
  };
  if (!clamp)
    return times(dot, scale / epsilon);
  Value clipped = arith::MinimumFOp::create(b, times(dot, scale),
                                            floatConstant(b, type, *clamp));
  clipped =
      arith::MaximumFOp::create(b, clipped, floatConstant(b, type, -*clamp));
  return times(clipped, 1.0 / epsilon);
}

Value lot::dotCotangent(ImplicitLocOpBuilder &b, Value cotangent, Value dot,
                        double scale, double epsilon,
                        std::optional<double> clamp) {
  Type type = cotangent.getType();
  Value gradient = arith::MulFOp::create(
      b, cotangent, floatConstant(b, type, scale / epsilon));
  if (!clamp)
    return gradient;
  Value scaled = arith::MulFOp::create(b, dot, floatConstant(b, type, scale));
  Value inside = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE,
                                       math::AbsFOp::create(b, scaled),
                                       floatConstant(b, type, *clamp));
  return arith::SelectOp::create(b, inside, gradient,
                                 floatConstant(b, type, 0.0));
}

Value lot::weighted(ImplicitLocOpBuilder &b, Value weight, Value cotangent) {
  Value zero = floatConstant(b, weight.getType(), 0.0);
  Value none =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, weight, zero);
  return arith::SelectOp::create(b, none, zero,
                                 arith::MulFOp::create(b, weight, cotangent));
}

Value lot::rowDivisor(ImplicitLocOpBuilder &b, Value rowSum, Value floor) {
  Type type = rowSum.getType();
  Value sum = floor ? arith::MaximumFOp::create(b, rowSum, floor) : rowSum;
  Value empty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum,
                                      floatConstant(b, type, 0.0));
  return arith::SelectOp::create(b, empty, floatConstant(b, type, 1.0), sum);
}

Value lot::divideRow(ImplicitLocOpBuilder &b, Value numerator, Value rowSum,
                     Value floor) {
  return arith::DivFOp::create(b, numerator, rowDivisor(b, rowSum, floor));
}

Value lot::rowFloor(ImplicitLocOpBuilder &b, double floor, Value logMass) {
  Type type = logMass.getType();
  Value inverse = math::ExpOp::create(b, arith::NegFOp::create(b, logMass));
  Value scaled =
      arith::MulFOp::create(b, floatConstant(b, type, floor), inverse);
  return whereLive(b, logMass, scaled, floatConstant(b, type, 0.0));
}

Value lot::convertFloat(ImplicitLocOpBuilder &b, Value value, Type to) {
  auto from = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  auto target = cast<FloatType>(to);
  if (from == target)
    return value;
  Type type = target;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(target);
  if (from.getWidth() < target.getWidth())
    return arith::ExtFOp::create(b, type, value);
  return arith::TruncFOp::create(b, type, value);
}
