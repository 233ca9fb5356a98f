//===- ValueBounds.cpp - Dims that are equal, for analyses ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Models/Models.h"

#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
template <typename OpTy>
struct ValueBoundsModel
    : public ValueBoundsOpInterface::ExternalModel<ValueBoundsModel<OpTy>,
                                                   OpTy> {
  /// A dim of a result is that dim of its init, and every dim in the init's
  /// group has the same size.
  void populateBoundsForShapedValueDim(Operation *op, Value value, int64_t dim,
                                       ValueBoundsConstraintSet &cstr) const {
    auto dps = cast<DestinationStyleOpInterface>(op);
    Value init = dps.getTiedOpOperand(cast<OpResult>(value))->get();
    cstr.bound(value)[dim] == cstr.getExpr(init, dim);
    for (const DimGroup &group : cast<OpTy>(op).getDimGroups()) {
      auto isInitDim = [&](const OperandDim &member) {
        return member.operand.value == init && member.dim == dim;
      };
      if (llvm::none_of(group.dims, isInitDim))
        continue;
      for (const OperandDim &member : group.dims)
        cstr.bound(value)[dim] ==
            cstr.getExpr(member.operand.value, member.dim);
    }
  }
};
} // namespace

/// Attaches the model to each of the ops.
template <typename... OpTys>
static void attach(MLIRContext &context) {
  (OpTys::template attachInterface<ValueBoundsModel<OpTys>>(context), ...);
}

void lot::registerValueBoundsModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, LotDialect *dialect) {
    attach<AttentionOp, PivotSolveOp, SweepOp, PlanOp, GlueOp, AttentionVjpOp,
           PivotSolveVjpOp, SweepVjpOp, PlanVjpOp, GlueVjpOp>(*context);
  });
}
