//===- PivotSolveOp.cpp - lot.pivot_solve ---------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The operands by name; log masses may be null.
struct Operands {
  Named scores, tokenMass, pivotMass, prev, last;

  explicit Operands(PivotSolveOp op)
      : scores{op.getScores(), "scores"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"},
        pivotMass{op.getPivotLogMass(), "pivot_log_mass"},
        prev{op.getInits()[0], "the init of prev"},
        last{op.getInits()[1], "the init of last"} {}
};
} // namespace

DimGroups PivotSolveOp::getDimGroups() {
  Operands all(*this);
  return getScoreDimGroups("C33", all.scores, {all.tokenMass},
                           {all.pivotMass, all.prev, all.last});
}

/// C20 and C30 to C35 of docs/spec.md.
LogicalResult PivotSolveOp::verify() {
  if (getInits().size() != 2)
    return emitOpError("C32: expected two inits (prev and last), got ")
           << getInits().size();
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C30", "C31", "C33", "C34"}, all.scores,
                       {all.tokenMass, all.pivotMass, all.prev, all.last})) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  // The attribute's own value: the accessor's is unsigned.
  if (int64_t steps = getHalfStepsAttr().getInt(); steps < 1)
    return emitOpError("C35: expected half_steps >= 1, got ") << steps;
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(PivotSolveOp)
