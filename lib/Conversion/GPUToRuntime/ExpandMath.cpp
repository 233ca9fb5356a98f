//===- ExpandMath.cpp - Math functions of kernels to instructions ---------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTGPUEXPANDMATH
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

namespace {
/// One f32 function to an LLVM intrinsic, element by element.
template <typename Op>
struct ToIntrinsic : public OpRewritePattern<Op> {
  ToIntrinsic(MLIRContext *context, StringRef intrinsic)
      : OpRewritePattern<Op>(context), intrinsic(intrinsic) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    auto vector = dyn_cast<VectorType>(op.getType());
    if (!getElementTypeOrSelf(op.getType()).isF32() ||
        (vector && vector.isScalable()))
      return rewriter.notifyMatchFailure(op, "expected f32");
    Location loc = op.getLoc();
    auto call = [&](Value x) -> Value {
      return LLVM::CallIntrinsicOp::create(rewriter, loc, x.getType(),
                                           rewriter.getStringAttr(intrinsic), x)
          .getResult(0);
    };
    if (!vector) {
      rewriter.replaceOp(op, call(op.getOperand()));
      return success();
    }
    Value result =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(vector));
    SmallVector<int64_t> strides = computeStrides(vector.getShape());
    for (int64_t i = 0, e = vector.getNumElements(); i < e; ++i) {
      SmallVector<int64_t> position = delinearize(i, strides);
      Value x =
          vector::ExtractOp::create(rewriter, loc, op.getOperand(), position);
      result =
          vector::InsertOp::create(rewriter, loc, call(x), result, position);
    }
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  StringRef intrinsic;
};

struct ExpandMath : public lot::impl::LotGPUExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<ToIntrinsic<math::Exp2Op>>(context,
                                            "llvm.nvvm.ex2.approx.ftz.f32");
    patterns.add<ToIntrinsic<math::Log2Op>>(context,
                                            "llvm.nvvm.lg2.approx.ftz.f32");
    patterns.add<ToIntrinsic<math::SqrtOp>>(context, "llvm.nvvm.sqrt.rn.f");
    patterns.add<ToIntrinsic<math::RsqrtOp>>(context,
                                             "llvm.nvvm.rsqrt.approx.ftz.f");
    patterns.add<ToIntrinsic<math::AbsFOp>>(context, "llvm.fabs.f32");
    patterns.add<ToIntrinsic<math::FloorOp>>(context, "llvm.floor.f32");
    patterns.add<ToIntrinsic<math::CeilOp>>(context, "llvm.ceil.f32");
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
