//===- ExpandSolve.cpp - lot.pivot_solve to a loop of sweeps --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecomposeUtils.h"

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

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
    // Loops that were there before are not ours to unroll.
    DenseSet<Operation *> others;
    getOperation()->walk([&](scf::ForOp loop) { others.insert(loop); });
    if (failed(decomposeSelected(getOperation(), [](Operation *op) {
          return isa<PivotSolveOp, PivotSolveVjpOp>(op);
        })))
      return signalPassFailure();
    if (!unroll)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (!others.contains(loop))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      if (failed(loopUnrollFull(loop))) {
        loop.emitError(
            "lot-expand-solve: the half-steps could not be unrolled");
        return signalPassFailure();
      }
  }
};
} // namespace
