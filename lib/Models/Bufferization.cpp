//===- Bufferization.cpp - From tensors to the buffers of the inits ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Models/Models.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::lot;

namespace {
template <typename OpTy>
struct BufferizableModel
    : public DstBufferizableOpInterfaceExternalModel<BufferizableModel<OpTy>,
                                                     OpTy> {
  /// An init that is only a destination needs no copy of what it holds.
  bool bufferizesToMemoryRead(Operation *op, OpOperand &opOperand,
                              const AnalysisState &state) const {
    return readsOperand(opOperand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto dps = cast<DestinationStyleOpInterface>(op);
    if (dps.hasPureBufferSemantics())
      return success();

    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    SmallVector<Value> results(
        buffers.begin() + dps.getDpsInits().getBeginOperandIndex(),
        buffers.begin() + dps.getDpsInits().getBeginOperandIndex() +
            dps.getNumDpsInits());
    rewriter.setInsertionPoint(op);
    clone(rewriter, op, /*newResultTypes=*/TypeRange(), buffers);
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};
} // namespace

/// Attaches the model to each of the ops.
template <typename... OpTys>
static void attach(MLIRContext &context) {
  (OpTys::template attachInterface<BufferizableModel<OpTys>>(context), ...);
}

void lot::registerBufferizationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, LotDialect *dialect) {
    attach<AttentionOp, PivotSolveOp, SweepOp, PlanOp, GlueOp, AttentionVjpOp,
           PivotSolveVjpOp, SweepVjpOp, PlanVjpOp, GlueVjpOp>(*context);
  });
}
