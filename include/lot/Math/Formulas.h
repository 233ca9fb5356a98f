//===- Formulas.h - The optimal transport formulas -----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas of docs/semantics.md, written once over builder values. Operands
// are floats or vectors of floats, so bodies of linalg.generic and vector code
// share them. Potentials, log masses and log-sum-exps are -inf where there is
// no mass; every formula keeps that case exact (a select, never inf - inf), and
// what stands beside a -inf may be NaN without doing harm.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_MATH_FORMULAS_H
#define LOT_MATH_FORMULAS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Value.h"

namespace mlir::lot {

/// The constant `value` of a float type, or a vector of it.
Value floatConstant(ImplicitLocOpBuilder &b, Type type, double value);
/// -inf of a float type, or a vector of it: no mass.
Value noMass(ImplicitLocOpBuilder &b, Type type);

/// Whether `x` is -inf.
Value isAbsent(ImplicitLocOpBuilder &b, Value x);
/// `value` where `x` has mass, `otherwise` where x = -inf.
Value whereLive(ImplicitLocOpBuilder &b, Value x, Value value, Value otherwise);

/// score + potential; -inf where either is -inf, whatever the score is where
/// the potential is -inf.
Value logTerm(ImplicitLocOpBuilder &b, Value score, Value potential);
/// exp(term - max), where max is at least the term; 0 if both are -inf.
Value expTerm(ImplicitLocOpBuilder &b, Value term, Value max);
/// max + log(sum), the log-sum-exp that a (max, sum) pair stands for.
Value logSumExp(ImplicitLocOpBuilder &b, Value max, Value sum);
/// a - b; -inf where either is -inf. With a log mass and a log-sum-exp this is
/// a half-step: the potential that meets the mass, or no mass on an empty line.
Value logRatio(ImplicitLocOpBuilder &b, Value a, Value minus);

/// The plan's entry exp(score + token + pivot), 0 where either is -inf.
Value planEntry(ImplicitLocOpBuilder &b, Value score, Value token, Value pivot);

/// factor * mass / denominator, a term of a sweep in the scaling domain; 0 for
/// a token without mass or with an empty row.
Value scalingTerm(ImplicitLocOpBuilder &b, Value factor, Value mass,
                  Value denominator);

/// clip(scale * dot, -clamp, clamp) / epsilon; without a clamp the two factors
/// are folded into one.
Value scoreFromDot(ImplicitLocOpBuilder &b, Value dot, double scale,
                   double epsilon, std::optional<double> clamp);

/// The cotangent of `dot` from that of scoreFromDot: times scale / epsilon, and
/// 0 where |scale * dot| > clamp. `dot` may be null without a clamp.
Value dotCotangent(ImplicitLocOpBuilder &b, Value cotangent, Value dot,
                   double scale, double epsilon, std::optional<double> clamp);

/// weight * cotangent; 0 where the weight is 0, whatever the cotangent is.
Value weighted(ImplicitLocOpBuilder &b, Value weight, Value cotangent);

/// max(rowSum, floor), and 1 for a row without mass. `floor` may be null.
Value rowDivisor(ImplicitLocOpBuilder &b, Value rowSum, Value floor);
/// numerator / rowDivisor: a row without mass gives 0.
Value divideRow(ImplicitLocOpBuilder &b, Value numerator, Value rowSum,
                Value floor);
/// floor / exp(logMass), and 0 where there is no mass.
Value rowFloor(ImplicitLocOpBuilder &b, double floor, Value logMass);

/// Widens or narrows a float (or vector of floats) to the element type `to`.
Value convertFloat(ImplicitLocOpBuilder &b, Value value, Type to);

} // namespace mlir::lot

#endif // LOT_MATH_FORMULAS_H
