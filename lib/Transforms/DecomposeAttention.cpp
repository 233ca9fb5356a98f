//===- DecomposeAttention.cpp - lot.attention to its formulas -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecomposeUtils.h"

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTDECOMPOSEATTENTION
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct DecomposeAttention
    : public lot::impl::LotDecomposeAttentionBase<DecomposeAttention> {
  using Base::Base;

  void runOnOperation() override {
    for (const std::string &name : ops)
      if (name != "attention" && name != "attention_vjp") {
        emitError(getOperation()->getLoc())
            << "lot-decompose-attention: expected ops among attention, "
               "attention_vjp, got "
            << name;
        return signalPassFailure();
      }
    if (failed(decomposeSelected(getOperation(), [&](Operation *op) {
          return isa<AttentionOp, AttentionVjpOp>(op) &&
                 (ops.empty() ||
                  llvm::is_contained(ops, op->getName().stripDialect()));
        })))
      signalPassFailure();
  }
};
} // namespace
