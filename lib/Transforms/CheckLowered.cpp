//===- CheckLowered.cpp - No lot op may be left ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTCHECKLOWERED
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct CheckLowered : public lot::impl::LotCheckLoweredBase<CheckLowered> {
  using Base::Base;

  void runOnOperation() override {
    WalkResult result = getOperation()->walk([&](Operation *op) {
      if (!isa_and_nonnull<LotDialect>(op->getDialect()))
        return WalkResult::advance();
      op->emitError() << "'" << op->getName() << "' is left after "
                      << pipeline.getValue()
                      << ", which has no lowering for it";
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
