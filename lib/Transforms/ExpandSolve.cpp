//===- ExpandSolve.cpp - lot.pivot_solve to a loop of sweeps --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecomposeUtils.h"

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTEXPANDSOLVE
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct ExpandSolve : public lot::impl::LotExpandSolveBase<ExpandSolve> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(decomposeSelected(getOperation(), [](Operation *op) {
          return isa<PivotSolveOp>(op);
        })))
      signalPassFailure();
  }
};
} // namespace
