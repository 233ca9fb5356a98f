//===- ImportFrameworks.cpp - Other frameworks' calls to lot ops ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FrameworkCall.h"

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTIMPORTFRAMEWORKS
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct ImportFrameworks
    : public lot::impl::LotImportFrameworksBase<ImportFrameworks> {
  using Base::Base;

  void runOnOperation() override {
    using Import = LogicalResult (*)(Operation *);
    SmallVector<std::pair<Operation *, Import>> calls;
    getOperation()->walk([&](Operation *op) {
      if (isStableHLOCall(op))
        calls.emplace_back(op, importStableHLOCall);
      else if (isTorchCall(op))
        calls.emplace_back(op, importTorchCall);
      else if (shapeAssertions && isShapeAssertion(op))
        calls.emplace_back(op, importShapeAssertion);
    });
    // Every call that cannot be imported is reported, not only the first.
    bool failure = false;
    for (auto [op, import] : calls)
      failure |= failed(import(op));
    if (failure)
      signalPassFailure();
  }
};
} // namespace
