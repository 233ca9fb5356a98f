//===- ReverseSide.h - The half-steps of one side, backwards ----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_REVERSESIDE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_REVERSESIDE_H

#include "Workspace.h"

namespace mlir::lot {

/// A solved side and what goes backwards through it.
struct ReverseSide {
  const SideTokens &side;
  const SolvedSide &plan;
  const SideTrace &trace;
  Marginal first;
  /// On entry the cotangents of the last pivot potential (sums of the
  /// adjoint); changed.
  Value pivotAdjoint;
  /// The gradient of the pivots' log mass is added here.
  Value pivotMassGradient;
};

/// Emits the half-steps of a side backwards: from the adjoint and its token
/// sums in `workspace` to the steps (safe sides) or the gradient of the scores
/// in its place (others), and the gradient of the tokens' log masses.
void emitReverseSide(PivotMath &b, const AttentionLike &op,
                     const Workspace &workspace, const PackedPivots &pivots,
                     ReverseSide reverse);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_REVERSESIDE_H
