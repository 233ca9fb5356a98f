//===- SweepAdjoint.h - Reverse mode of sweeps in linalg -----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sweep reads a pivot potential y (prev) and gives log_sum:
//
//   x_i = log a_i - t_i,  t_i = logsumexp_j(L_ij + y_j)
//   log_sum_j = logsumexp_i(L_ij + x_i)
//
// Its adjoint, from the cotangent c of log_sum:
//
//   V_ij = exp(L_ij + x_i - log_sum_j) c_j      x'_i = sum_j V_ij
//   U_ij = exp(L_ij + y_j - t_i) x'_i           y'_j = -sum_i U_ij
//   L' = V - U
//
// Vectors may have a letter more than the scores, that of the sweeps: then all
// sweeps of a solve are done at once and L' is the sum over them.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_SWEEPADJOINT_H
#define LOT_LIB_IR_SWEEPADJOINT_H

#include "Decompose.h"

#include "mlir/IR/TypeUtilities.h"

namespace mlir::lot {

struct SweepAdjoint {
  IndexedBuilder &t;
  Value scores, tokenMass;
  ScoreDims dims;
  FloatType type;
  /// Dims of vectors over tokens and over pivots, with the letter of the sweeps
  /// if there is one.
  std::string token, pivot, loops;

  SweepAdjoint(IndexedBuilder &t, Value scores, Value tokenMass,
               StringRef sweeps = "")
      : t(t), scores(scores), tokenMass(tokenMass), dims(scores),
        type(cast<FloatType>(getElementTypeOrSelf(scores.getType()))),
        token(dims.batch + sweeps.str() + "i"),
        pivot(dims.batch + sweeps.str() + "j"), loops(token + "j") {}

  /// x and -t of a token step; both -inf for tokens without mass.
  std::pair<Value, Value> tokenStep(Value prev);
  /// x where no token step was taken: 0, or -inf without mass.
  Value start();
  /// -log_sum_j; -inf for pivots without mass.
  Value negated(Value logSum);

  /// x'_i = sum_j V_ij.
  Value tokenCotangent(Value x, Value minusLogSum, Value cotangent);
  /// start_j - sum_i U_ij.
  Value prevCotangent(Value minusT, Value prev, Value tokenCotangent,
                      Value start);
  /// into_ij + sum over the sweeps of V_ij, and of -U_ij.
  Value addV(Value x, Value minusLogSum, Value cotangent, Value into);
  Value subtractU(Value minusT, Value prev, Value tokenCotangent, Value into);

private:
  /// into + (or -) exp(L_ij + token + pivot) cotangent, summed over what `into`
  /// lacks.
  Value accumulate(Value tokenTerm, Value pivotTerm,
                   IndexedBuilder::Term cotangent, IndexedBuilder::Term into,
                   bool subtract);
};

} // namespace mlir::lot

#endif // LOT_LIB_IR_SWEEPADJOINT_H
