//===- HostToLLVM.cpp - The host side of kernels to the LLVM dialect ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchCall.h"

#include "lot/Conversion/Passes.h"

#include "mlir/Analysis/DataLayoutAnalysis.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTGPUHOSTTOLLVM
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
/// A pattern that calls a function of the runtime.
template <typename Op>
struct RuntimeCall : public ConvertOpToLLVMPattern<Op> {
  RuntimeCall(const LLVMTypeConverter &converter, SymbolTable &symbols)
      // Before upstream's patterns for host memory.
      : ConvertOpToLLVMPattern<Op>(converter, /*benefit=*/2), symbols(symbols) {
  }

protected:
  LLVM::CallOp call(OpBuilder &builder, Location loc, StringRef name,
                    Type result, ValueRange operands) const {
    LLVM::LLVMFuncOp function = getRuntimeFunction(
        symbols, builder, name, result, llvm::to_vector(operands.getTypes()));
    return LLVM::CallOp::create(builder, loc, function, operands);
  }

private:
  SymbolTable &symbols;
};

struct AllocCall : public RuntimeCall<memref::AllocOp> {
  using RuntimeCall::RuntimeCall;

  LogicalResult
  matchAndRewrite(memref::AllocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MemRefType type = op.getType();
    if (!isConvertibleAndHasIdentityMaps(type))
      return rewriter.notifyMatchFailure(op, "expected an identity layout");
    SmallVector<Value, 4> sizes, strides;
    Value bytes;
    getMemRefDescriptorSizes(op.getLoc(), type, adaptor.getDynamicSizes(),
                             rewriter, sizes, strides, bytes);
    Value block =
        call(rewriter, op.getLoc(), "lotCudaAlloc", getPtrType(), bytes)
            .getResult();
    rewriter.replaceOp(op,
                       {createMemRefDescriptor(op.getLoc(), type, block, block,
                                               sizes, strides, rewriter)});
    return success();
  }
};

struct FreeCall : public RuntimeCall<memref::DeallocOp> {
  using RuntimeCall::RuntimeCall;

  LogicalResult
  matchAndRewrite(memref::DeallocOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MemRefDescriptor descriptor(adaptor.getMemref());
    call(rewriter, op.getLoc(), "lotCudaFree", getVoidType(),
         descriptor.allocatedPtr(rewriter, op.getLoc()));
    rewriter.eraseOp(op);
    return success();
  }
};

struct CopyCall : public RuntimeCall<memref::CopyOp> {
  using RuntimeCall::RuntimeCall;

  LogicalResult
  matchAndRewrite(memref::CopyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = cast<MemRefType>(op.getSource().getType());
    Location loc = op.getLoc();
    MemRefDescriptor source(adaptor.getSource()), target(adaptor.getTarget());
    Value count = LLVM::ConstantOp::create(rewriter, loc, getIndexType(),
                                           rewriter.getIndexAttr(1));
    for (int64_t i = 0; i < type.getRank(); ++i)
      count = LLVM::MulOp::create(rewriter, loc, count,
                                  source.size(rewriter, loc, i));
    Value bytes = LLVM::MulOp::create(
        rewriter, loc, count,
        getSizeInBytes(loc, type.getElementType(), rewriter));
    call(rewriter, loc, "lotCudaCopy", getVoidType(),
         {target.bufferPtr(rewriter, loc, *getTypeConverter(), type),
          source.bufferPtr(rewriter, loc, *getTypeConverter(), type), bytes});
    rewriter.eraseOp(op);
    return success();
  }
};

struct HostToLLVM : public lot::impl::LotGPUHostToLLVMBase<HostToLLVM> {
  void runOnOperation() override;
};
} // namespace

/// Whether the host can run `op` without looking at device memory.
static bool leavesDataAlone(Operation *op) {
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    return llvm::all_of(copy->getOperandTypes(), [](Type type) {
      auto memref = dyn_cast<MemRefType>(type);
      return memref && memref.getLayout().isIdentity();
    });
  return !isa<memref::LoadOp, memref::StoreOp, memref::AtomicRMWOp,
              memref::GenericAtomicRMWOp, memref::GetGlobalOp, memref::AllocaOp,
              memref::ReallocOp>(op);
}

void HostToLLVM::runOnOperation() {
  ModuleOp module = getOperation();
  MLIRContext *context = &getContext();
  WalkResult checked = module.walk([](Operation *op) {
    if (isa<gpu::GPUModuleOp>(op))
      return WalkResult::skip();
    if (leavesDataAlone(op))
      return WalkResult::advance();
    op->emitOpError("cannot run on the host: the memory is the GPU's; expected "
                    "it in a kernel");
    return WalkResult::interrupt();
  });
  if (checked.wasInterrupted())
    return signalPassFailure();

  const auto &layouts = getAnalysis<DataLayoutAnalysis>();
  LowerToLLVMOptions options(context, layouts.getAtOrAbove(module));
  LLVMTypeConverter converter(context, options, &layouts);
  SymbolTable symbols(module);
  RewritePatternSet patterns(context);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  cf::populateAssertToLLVMConversionPattern(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns);
  index::populateIndexToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  ImageTable images(symbols);
  populateLaunchCallPattern(converter, symbols, images, patterns);
  patterns.add<AllocCall, FreeCall, CopyCall>(converter, symbols);

  LLVMConversionTarget target(*context);
  target.markUnknownOpDynamicallyLegal([](Operation *) { return false; });
  target.addLegalOp<ModuleOp>();
  target.addLegalOp<gpu::BinaryOp>();
  // One that is left makes launches of its kernels fail, with a reason.
  target.addLegalOp<gpu::GPUModuleOp>();
  target.markOpRecursivelyLegal<gpu::GPUModuleOp>();
  if (failed(applyPartialConversion(module, target, std::move(patterns))))
    return signalPassFailure();
  images.emit(module.getLoc());
  for (auto binary : llvm::make_early_inc_range(module.getOps<gpu::BinaryOp>()))
    binary.erase();
  module->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
}
