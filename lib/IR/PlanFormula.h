//===- PlanFormula.h - Conditional plans in linalg -----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_PLANFORMULA_H
#define LOT_LIB_IR_PLANFORMULA_H

#include "Decompose.h"

#include "lot/IR/Lot.h"

namespace mlir::lot {

/// R_ij = exp(L_ij + token_i + pivot_j), for lot.plan and its vjp.
struct PlanFormula {
  IndexedBuilder &t;
  Value scores, prev, last, tokenMass, pivotMass;
  Marginal conditional;
  ScoreDims dims;
  FloatType type;

  template <typename OpTy>
  PlanFormula(OpTy op, IndexedBuilder &t)
      : t(t), scores(op.getScores()), prev(op.getPrev()), last(op.getLast()),
        tokenMass(op.getTokenLogMass()), pivotMass(op.getPivotLogMass()),
        conditional(op.getConditional()), dims(op.getScores()),
        type(cast<FloatType>(getElementTypeOrSelf(op.getScores().getType()))) {}

  /// What a row adds to the exponent, [batch..., i]: -t_i given the tokens'
  /// side of the condition, log a_i - t_i given the pivots', with t_i the row's
  /// log-sum-exp. Null if it is 0 for every token.
  Value tokenTerm();
  /// What a column adds: last_j, less log w_j if the plan is conditional on the
  /// pivots.
  Value pivotTerm();

  /// A generic over all entries; `body` gets R_ij and the elements of `others`.
  Value
  entries(ArrayRef<IndexedBuilder::Term> others, IndexedBuilder::Term into,
          function_ref<Value(ImplicitLocOpBuilder &, Value, ValueRange)> body);
};

} // namespace mlir::lot

#endif // LOT_LIB_IR_PLANFORMULA_H
