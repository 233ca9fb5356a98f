//===- LotAttentionToGPU.cpp - lot.attention on buffers to kernels --------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"

#include "lot/Conversion/Passes.h"
#include "lot/Target/GPUTarget.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::lot {
#define GEN_PASS_DEF_CONVERTLOTATTENTIONTOGPU
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct ConvertLotAttentionToGPU
    : public lot::impl::ConvertLotAttentionToGPUBase<ConvertLotAttentionToGPU> {
  using ConvertLotAttentionToGPUBase::ConvertLotAttentionToGPUBase;

  void runOnOperation() override;

private:
  template <typename OpTy>
  LogicalResult convert(OpTy op, SymbolTable &symbols);
  gpu::GPUModuleOp makeModule(Location loc, SymbolTable &symbols);
};
} // namespace

/// Named limits of the kernels.
template <typename OpTy>
static LogicalResult checkLimits(OpTy op) {
  if (!op.hasPureBufferSemantics())
    return op.emitOpError("cannot be converted on tensors: bufferize first "
                          "(pipeline lot-to-nvgpu)");
  Type io = getElementTypeOrSelf(op.getQuery().getType());
  if (io.isF64())
    return op.emitOpError("expected query of f16, bf16 or f32 on a GPU, got ")
           << io;
  auto limit = [&](int64_t size, int64_t most, StringRef what) {
    if (size <= most)
      return success();
    return LogicalResult(op.emitOpError("expected ")
                         << what << " of at most " << most << " on a GPU, got "
                         << size);
  };
  if (failed(limit(op.getHeadDim(), kMaxGPUHeadDim, "a head dimension")) ||
      failed(limit(op.getValueDim(), kMaxGPUHeadDim, "a value dimension")))
    return failure();
  return limit(op.getNumPivots(), kMaxGPUPivots, "a number of pivots");
}

gpu::GPUModuleOp ConvertLotAttentionToGPU::makeModule(Location loc,
                                                      SymbolTable &symbols) {
  OpBuilder builder(&getContext());
  auto target =
      NVVM::NVVMTargetAttr::get(&getContext(), static_cast<int>(optLevel),
                                "nvptx64-nvidia-cuda", chip, features);
  auto module = gpu::GPUModuleOp::create(builder, loc, "lot_attention",
                                         builder.getArrayAttr({target}));
  symbols.insert(module, getOperation().getBody()->begin());
  return module;
}

template <typename OpTy>
LogicalResult ConvertLotAttentionToGPU::convert(OpTy op, SymbolTable &symbols) {
  if (failed(checkLimits(op)))
    return failure();
  OpBuilder builder(op);
  ImplicitLocOpBuilder b(op.getLoc(), builder);
  gpu::GPUModuleOp module = makeModule(op.getLoc(), symbols);
  GPUTarget target(chip);
  if constexpr (std::is_same_v<OpTy, AttentionOp>)
    AttentionKernels(op, b, module, target).emitForward(op.getInit());
  else
    GradientKernels(op, b, module, target).emit();
  op.erase();
  return success();
}

void ConvertLotAttentionToGPU::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (isa<AttentionOp, AttentionVjpOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    LogicalResult converted =
        TypeSwitch<Operation *, LogicalResult>(op)
            .Case<AttentionOp, AttentionVjpOp>(
                [&](auto op) { return convert(op, symbols); });
    if (failed(converted))
      return signalPassFailure();
  }
  if (!ops.empty())
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    UnitAttr::get(&getContext()));
}
