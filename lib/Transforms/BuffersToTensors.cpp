//===- BuffersToTensors.cpp - Formulas for ops on buffers -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTBUFFERSTOTENSORS
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

static void rewriteOnTensors(DestinationStyleOpInterface op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<Value> operands;
  SmallVector<Type> results;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = cast<MemRefType>(operand.get().getType());
    auto tensor = RankedTensorType::get(type.getShape(), type.getElementType());
    if (op.isDpsInit(&operand) && !readsOperand(operand)) {
      // Only a destination: its values are not read.
      SmallVector<OpFoldResult> sizes =
          memref::getMixedSizes(b, loc, operand.get());
      operands.push_back(
          tensor::EmptyOp::create(b, loc, sizes, type.getElementType()));
      results.push_back(tensor);
      continue;
    }
    operands.push_back(bufferization::ToTensorOp::create(
        b, loc, tensor, operand.get(), /*restrict=*/true));
  }
  Operation *onTensors = clone(b, op, results, operands);
  for (auto [result, init] :
       llvm::zip_equal(onTensors->getResults(), op.getDpsInits()))
    bufferization::MaterializeInDestinationOp::create(
        b, loc, /*resultType=*/Type(), result, init, /*restrict=*/true,
        /*writable=*/true);
  op->erase();
}

namespace {
struct BuffersToTensors
    : public lot::impl::LotBuffersToTensorsBase<BuffersToTensors> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<AttentionVjpOp> ops;
    getOperation()->walk([&](AttentionVjpOp op) {
      if (op.hasPureBufferSemantics())
        ops.push_back(op);
    });
    for (AttentionVjpOp op : ops)
      rewriteOnTensors(op);
  }
};
} // namespace
