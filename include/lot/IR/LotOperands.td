//===- LotOperands.td - Operands that an op and its vjp share -*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTOPERANDS
#define LOT_IR_LOTOPERANDS

include "lot/IR/LotAttrs.td"

//===----------------------------------------------------------------------===//
// lot.attention
//===----------------------------------------------------------------------===//

defvar Lot_AttentionInputs = (ins
    Lot_Shaped:$query, Lot_Shaped:$key, Lot_Shaped:$value, Lot_Shaped:$pivots,
    Optional<Lot_Shaped>:$query_log_mass, Optional<Lot_Shaped>:$key_log_mass,
    Optional<Lot_Shaped>:$pivot_log_mass, Optional<Lot_Shaped>:$glue_log_mass);

defvar Lot_AttentionAttributes = (ins
    OptionalAttr<F64Attr>:$scale,
    DefaultValuedAttr<F64Attr, "1.0">:$epsilon,
    DefaultValuedAttr<I64Attr, "5">:$half_steps,
    DefaultValuedAttr<Lot_NormalizationAttr, "::mlir::lot::Normalization::query_mass">:$normalization,
    DefaultValuedAttr<F64Attr, "0.0">:$row_floor,
    OptionalAttr<F64Attr>:$score_clamp,
    DefaultValuedAttr<F64Attr, "1.0">:$out_scale,
    OptionalAttr<AnyAttr>:$schedule);

defvar Lot_AttentionAccessors = [{
    /// f64 for f64 operands, f32 otherwise.
    ::mlir::FloatType getStateType();
    int64_t getHeadDim();  ///< d
    int64_t getValueDim(); ///< dv
    int64_t getNumPivots(); ///< r
    /// The scale in force: the attribute or d^-1/2.
    double getScaleOrDefault();
    ::mlir::ShapedType getShapedType(::mlir::Value v) {
      return ::llvm::cast<::mlir::ShapedType>(v.getType());
    }
}];

//===----------------------------------------------------------------------===//
// lot.glue
//===----------------------------------------------------------------------===//

defvar Lot_GlueInputs = (ins
    Lot_Shaped:$query_plan, Lot_Shaped:$key_plan, Lot_Shaped:$value,
    Optional<Lot_Shaped>:$query_log_mass, Optional<Lot_Shaped>:$glue_log_ratio);

defvar Lot_GlueAttributes = (ins
    DefaultValuedAttr<Lot_NormalizationAttr, "::mlir::lot::Normalization::query_mass">:$normalization,
    DefaultValuedAttr<F64Attr, "0.0">:$row_floor,
    DefaultValuedAttr<F64Attr, "1.0">:$out_scale);

//===----------------------------------------------------------------------===//
// lot.pivot_solve
//===----------------------------------------------------------------------===//

defvar Lot_SolveAccessors = [{
    /// P: how many of the half-steps are pivot steps.
    int64_t getNumPivotSteps() {
      int64_t steps = getHalfSteps();
      return getFirst() == Marginal::tokens ? steps / 2 : (steps + 1) / 2;
    }
    /// Whether the last half-step is a pivot step.
    bool isPivotStepLast() {
      return (getFirst() == Marginal::tokens) == (getHalfSteps() % 2 == 0);
    }
}];

//===----------------------------------------------------------------------===//
// What every op declares
//===----------------------------------------------------------------------===//

/// The equal dims, for the verifier, runtime checks and value bounds.
defvar Lot_DimGroupsDecl = [{
    /// The operand dims that must be equal.
    DimGroups getDimGroups();
}];
defvar Lot_OneInitDecl = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
}];
defvar Lot_InitsDecl = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
}];


/// Which operand each init of a vjp holds the gradient of.
defvar Lot_GradientsDecl = [{
    /// The operands that have a gradient, in the order of the inits.
    ::llvm::SmallVector<Named> getDifferentiated();
}];

#endif // LOT_IR_LOTOPERANDS
