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
  Named scores, tokenMass, pivotMass, prev, last, trajectory;

  explicit Operands(PivotSolveOp op)
      : scores{op.getScores(), "scores"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"},
        pivotMass{op.getPivotLogMass(), "pivot_log_mass"},
        prev{op.getInits()[0], "the init of prev"},
        last{op.getInits()[1], "the init of last"},
        trajectory{op.getInits().size() == 3 ? op.getInits()[2] : Value(),
                   "the init of trajectory"} {}
};
} // namespace

DimGroups PivotSolveOp::getDimGroups() {
  Operands all(*this);
  DimGroups groups = getScoreDimGroups("C33", all.scores, {all.tokenMass},
                                       {all.pivotMass, all.prev, all.last});
  addTrajectoryDims(groups, "C36", all.scores, all.trajectory);
  return groups;
}

/// C20 and C30 to C36 of docs/spec.md.
LogicalResult PivotSolveOp::verify() {
  if (getInits().size() != 2 && getInits().size() != 3)
    return emitOpError("C32: expected two inits (prev and last) or three (and "
                       "trajectory), got ")
           << getInits().size();
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C30", "C31", "C33", "C34"}, all.scores,
                       {all.tokenMass, all.pivotMass, all.prev, all.last})) ||
      failed(
          verifyTrajectory(*this, "C31", "C36", all.scores, all.trajectory)) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  // The attribute's own value: the accessor's is unsigned.
  if (int64_t steps = getHalfStepsAttr().getInt(); steps < 1)
    return emitOpError("C35: expected half_steps >= 1, got ") << steps;
  if (failed(verifyTrajectorySteps(*this, "C36", all.trajectory,
                                   getNumPivotSteps())))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(PivotSolveOp)
