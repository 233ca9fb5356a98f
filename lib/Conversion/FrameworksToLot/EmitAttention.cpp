//===- EmitAttention.cpp - lot.attention for a framework's call -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// A size of an operand.
struct Size {
  Value operand;
  int64_t dim;
};
} // namespace

/// A destination of that type; its dynamic sizes are those of the operands,
/// whatever is known of these.
static Value createInit(OpBuilder &b, Location loc, RankedTensorType type,
                        ArrayRef<Size> sizes) {
  SmallVector<Value> dynamic;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (type.isDynamicDim(dim))
      dynamic.push_back(
          b.createOrFold<tensor::DimOp>(loc, size.operand, size.dim));
  return tensor::EmptyOp::create(b, loc, type, dynamic);
}

static AttentionOp emitForward(OpBuilder &b, FrameworkCall &call) {
  auto &[q, k, v, z, la, lb, lw, lg] = call.operands;
  Location loc = call.op->getLoc();
  Value init = createInit(b, loc, call.results.front(),
                          {{q, 0}, {q, 1}, {q, 2}, {v, 3}});
  return AttentionOp::create(b, loc, TypeRange(init), q, k, v, z, la, lb, lw,
                             lg, init, call.scale, call.epsilon, call.halfSteps,
                             call.normalization, call.rowFloor, call.scoreClamp,
                             call.outScale, /*schedule=*/nullptr);
}

static AttentionVjpOp emitBackward(OpBuilder &b, FrameworkCall &call) {
  auto &[q, k, v, z, la, lb, lw, lg] = call.operands;
  Location loc = call.op->getLoc();
  SmallVector<Value> inits;
  auto result = call.results.begin();
  for (Value operand : call.operands) {
    if (!operand)
      continue;
    auto type = cast<RankedTensorType>(operand.getType());
    if (RankedTensorType asked = *result++)
      type = asked;
    SmallVector<Size> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes.push_back({operand, dim});
    inits.push_back(createInit(b, loc, type, sizes));
  }
  return AttentionVjpOp::create(
      b, loc, ValueRange(inits).getTypes(), call.cotangent, q, k, v, z, la, lb,
      lw, lg, /*residuals=*/Value(), inits, call.scale, call.epsilon,
      call.halfSteps, call.normalization, call.rowFloor, call.scoreClamp,
      call.outScale,
      /*schedule=*/nullptr);
}

FailureOr<SmallVector<Value>> lot::emitAttention(OpBuilder &b,
                                                 FrameworkCall &call) {
  if (failed(call.checkOperands()))
    return failure();
  // The ranks of the results: what makes an init possible at all.
  SmallVector<Value> like;
  if (call.cotangent) {
    for (Value operand : call.operands)
      if (operand)
        like.push_back(operand);
  } else {
    like.push_back(call.operands.front());
  }
  for (auto [i, result, operand] : llvm::enumerate(call.results, like)) {
    int64_t rank = cast<RankedTensorType>(operand.getType()).getRank();
    if (result && result.getRank() != rank)
      return emitImportError(call.op) << "result " << i << ": expected rank "
                                      << rank << ", got " << result;
  }
  Operation *op;
  if (call.cotangent)
    op = emitBackward(b, call);
  else
    op = emitForward(b, call);
  if (failed(verify(op))) {
    op->erase();
    return failure();
  }
  SmallVector<Value> values;
  for (auto [asked, value] : llvm::zip_equal(call.results, op->getResults()))
    if (asked)
      values.push_back(value);
  return values;
}
