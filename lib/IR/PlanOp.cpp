//===- PlanOp.cpp - lot.plan ----------------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The operands by name; prev and the log masses may be null.
struct Operands {
  Named scores, prev, last, tokenMass, pivotMass, init;

  explicit Operands(PlanOp op)
      : scores{op.getScores(), "scores"}, prev{op.getPrev(), "prev"},
        last{op.getLast(), "last"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"},
        pivotMass{op.getPivotLogMass(), "pivot_log_mass"},
        init{op.getInit(), "init"} {}
};
} // namespace

DimGroups PlanOp::getDimGroups() {
  Operands all(*this);
  DimGroups groups = getScoreDimGroups("C52", all.scores, {all.tokenMass},
                                       {all.prev, all.last, all.pivotMass});
  // The init has the dims of the scores in their order: those of the groups.
  for (auto [dim, group] : llvm::enumerate(groups))
    group.add(all.init, dim);
  return groups;
}

/// C20 and C50 to C53 of docs/spec.md.
LogicalResult PlanOp::verify() {
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C50", "C51", "C52", "C53"}, all.scores,
                       {all.prev, all.last, all.tokenMass, all.pivotMass})) ||
      failed(verifyOneElementType(*this, "C51", {all.scores, all.init},
                                  {all.scores.type().getElementType()})) ||
      failed(verifyRank(*this, "C52", all.init, {all.scores.rank()})) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(PlanOp)
