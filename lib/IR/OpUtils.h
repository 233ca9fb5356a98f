//===- OpUtils.h - What the ops of the dialect share ------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_OPUTILS_H
#define LOT_LIB_IR_OPUTILS_H

#include "lot/IR/Lot.h"

namespace mlir::lot {

//===----------------------------------------------------------------------===//
// Verification. Every message starts with the label of its constraint in
// docs/spec.md and names the operand, what was expected and what came.
//===----------------------------------------------------------------------===//

/// Fails unless the operand's rank is one of `ranks`.
LogicalResult verifyRank(Operation *op, StringRef label, Named operand,
                         ArrayRef<int64_t> ranks);

/// Fails unless the static sizes of every group are equal.
LogicalResult verifyDimGroups(Operation *op, const DimGroups &groups);

/// Fails unless the dim is static and at least 1.
LogicalResult verifyStaticDim(Operation *op, StringRef label, StringRef what,
                              Named operand, int64_t dim);

/// Fails unless the element type of the operand is one of `types`.
LogicalResult verifyElementType(Operation *op, StringRef label, Named operand,
                                ArrayRef<Type> types);

/// Fails unless all operands given (absent ones are skipped) have one and the
/// same of the `types`.
LogicalResult verifyOneElementType(Operation *op, StringRef label,
                                   ArrayRef<Named> operands,
                                   ArrayRef<Type> types);

/// Fails unless scores are [batch..., n, r] of rank 2 to 4 in f32 or f64 and r
/// is static, the masses and potentials among the other operands are one rank
/// lower and all have the element type of the scores. Labels: rank, types,
/// shapes, static r.
struct ScoreLabels {
  StringRef rank, types, shapes, pivots;
};
LogicalResult verifyScores(Operation *op, ScoreLabels labels, Named scores,
                           ArrayRef<Named> vectors);

/// The equal dims of scores [batch..., n, r], of `tokenVectors` [batch..., n]
/// and of `pivotVectors` [batch..., r].
DimGroups getScoreDimGroups(StringRef label, Named scores,
                            ArrayRef<Named> tokenVectors,
                            ArrayRef<Named> pivotVectors);

/// A trajectory [batch..., P + 1, r] of P pivot steps: rank and element type,
/// its equal dims beside those of `getScoreDimGroups`, and P + 1. A null
/// trajectory is fine.
LogicalResult verifyTrajectory(Operation *op, StringRef types, StringRef shape,
                               Named scores, Named trajectory);
void addTrajectoryDims(DimGroups &groups, StringRef label, Named scores,
                       Named trajectory);
LogicalResult verifyTrajectorySteps(Operation *op, StringRef label,
                                    Named trajectory, int64_t pivotSteps);

/// Fails unless operands are all tensors or all memrefs and results (one for
/// each init) have exactly the types of the inits.
LogicalResult verifyDestinationStyle(Operation *op, StringRef label);

/// The operands that are not null.
SmallVector<Named> givenOperands(ArrayRef<Named> operands);

/// C90 and C91 of docs/spec.md: there is one init for each differentiated
/// operand, of its rank and element type.
LogicalResult verifyGradients(Operation *op, ArrayRef<Named> differentiated,
                              ValueRange inits);

/// Every dim of a gradient's init is that dim of its operand.
void addGradientDims(DimGroups &groups, ArrayRef<Named> differentiated,
                     ValueRange inits);

/// Fails unless the element type is f16, bf16, f32 or f64.
LogicalResult verifyIoType(Operation *op, StringRef label, Named operand);

//===----------------------------------------------------------------------===//
// Interface methods with one body for all score-space ops.
//===----------------------------------------------------------------------===//

/// Result shapes are the shapes of the inits.
LogicalResult reifyInitShapes(DestinationStyleOpInterface op, OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes);

/// Buffers among the inputs are read, inits written (and read by sweep).
void getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

/// Speculatable on tensors only.
Speculation::Speculatability
getDestinationStyleSpeculatability(DestinationStyleOpInterface op);

/// Names the results by what they are, so that printed IR reads: %plan,
/// %gradients:4. Later results have the name of the first one.
void nameResults(Operation *op, OpAsmSetValueNameFn setNameFn);

} // namespace mlir::lot

/// Defines the four methods above for `OP`.
#define LOT_DESTINATION_STYLE_METHODS(OP)                                      \
  LogicalResult OP::reifyResultShapes(OpBuilder &b,                            \
                                      ReifiedRankedShapedTypeDims &shapes) {   \
    return reifyInitShapes(*this, b, shapes);                                  \
  }                                                                            \
  void OP::getEffects(                                                         \
      SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>      \
          &effects) {                                                          \
    getDestinationStyleEffects(*this, effects);                                \
  }                                                                            \
  Speculation::Speculatability OP::getSpeculatability() {                      \
    return getDestinationStyleSpeculatability(*this);                          \
  }                                                                            \
  void OP::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {                  \
    nameResults(*this, setNameFn);                                             \
  }

#endif // LOT_LIB_IR_OPUTILS_H
