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

/// An operand under verification: its value and the name users know it by.
struct Named {
  Value value;
  StringRef name;

  ShapedType type() const { return cast<ShapedType>(value.getType()); }
  int64_t rank() const { return type().getRank(); }
  int64_t dim(int64_t i) const {
    return type().getDimSize(i < 0 ? rank() + i : i);
  }
};

/// Fails unless the operand's rank is one of `ranks`.
LogicalResult verifyRank(Operation *op, StringRef label, Named operand,
                         ArrayRef<int64_t> ranks);

/// Fails unless both dims are equal or one is dynamic. Negative dims count from
/// the end. `what` says what the dim is, e.g. "batch size".
LogicalResult verifySameDim(Operation *op, StringRef label, StringRef what,
                            Named a, int64_t dimA, Named b, int64_t dimB);

/// Fails unless the dim is static and at least 1.
LogicalResult verifyStaticDim(Operation *op, StringRef label, StringRef what,
                              Named operand, int64_t dim);

/// Fails unless the element type of the operand is one of `types`.
LogicalResult verifyElementType(Operation *op, StringRef label, Named operand,
                                ArrayRef<Type> types);

/// Fails unless operands are all tensors or all memrefs and results (one for
/// each init) have exactly the types of the inits.
LogicalResult verifyDestinationStyle(Operation *op, StringRef label);

/// Fails unless the element type is f16, bf16, f32 or f64.
LogicalResult verifyIoType(Operation *op, StringRef label, Named operand);

//===----------------------------------------------------------------------===//
// Interface methods with one body for all score-space ops.
//===----------------------------------------------------------------------===//

/// Result shapes are the shapes of the inits.
LogicalResult reifyInitShapes(DestinationStyleOpInterface op, OpBuilder &b,
                              ReifiedRankedShapedTypeDims &shapes);

/// Buffers among the inputs are read; inits are read and written.
void getDestinationStyleEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

/// Speculatable on tensors only.
Speculation::Speculatability
getDestinationStyleSpeculatability(DestinationStyleOpInterface op);

} // namespace mlir::lot

/// Defines the three methods above for `OP`.
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
  }

#endif // LOT_LIB_IR_OPUTILS_H
