//===- ExpandCopies.cpp - Copies between strided buffers ------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTEXPANDCOPIES
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

namespace {
struct LotExpandCopies
    : public lot::impl::LotExpandCopiesBase<LotExpandCopies> {
  void runOnOperation() override {
    auto isPlain = [](Value buffer) {
      auto type = dyn_cast<MemRefType>(buffer.getType());
      return type && type.getLayout().isIdentity();
    };
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](memref::CopyOp copy) {
      // Those are calls of memcpy.
      if (isPlain(copy.getSource()) && isPlain(copy.getTarget()))
        return;
      if (!isa<MemRefType>(copy.getSource().getType()) ||
          !isa<MemRefType>(copy.getTarget().getType()))
        return;
      rewriter.setInsertionPoint(copy);
      rewriter.replaceOpWithNewOp<linalg::CopyOp>(copy, copy.getSource(),
                                                  copy.getTarget());
    });
  }
};
} // namespace
