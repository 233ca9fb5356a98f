//===- PivotSolveVjpOp.cpp - lot.pivot_solve_vjp --------------------------===//
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
  Named prev, last, scores, trajectory, tokenMass, pivotMass;

  explicit Operands(PivotSolveVjpOp op)
      : prev{op.getPrevCotangent(), "the cotangent of prev"},
        last{op.getLastCotangent(), "the cotangent of last"},
        scores{op.getScores(), "scores"},
        trajectory{op.getTrajectory(), "trajectory"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"},
        pivotMass{op.getPivotLogMass(), "pivot_log_mass"} {}
};
} // namespace

SmallVector<Named> PivotSolveVjpOp::getDifferentiated() {
  Operands all(*this);
  return givenOperands({all.scores, all.tokenMass, all.pivotMass});
}

DimGroups PivotSolveVjpOp::getDimGroups() {
  Operands all(*this);
  DimGroups groups = getScoreDimGroups("C33", all.scores, {all.tokenMass},
                                       {all.pivotMass, all.prev, all.last});
  addTrajectoryDims(groups, "C36", all.scores, all.trajectory);
  addGradientDims(groups, getDifferentiated(), getInits());
  return groups;
}

/// C20, C30, C31, C33 to C36, C90 and C91 of docs/spec.md.
LogicalResult PivotSolveVjpOp::verify() {
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C30", "C31", "C33", "C34"}, all.scores,
                       {all.tokenMass, all.pivotMass, all.prev, all.last})) ||
      failed(
          verifyTrajectory(*this, "C31", "C36", all.scores, all.trajectory)) ||
      failed(verifyGradients(*this, getDifferentiated(), getInits())) ||
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

LOT_DESTINATION_STYLE_METHODS(PivotSolveVjpOp)
