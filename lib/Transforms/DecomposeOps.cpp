//===- DecomposeOps.cpp - The dialect to linalg ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecomposeUtils.h"

#include "lot/IR/Lot.h"
#include "lot/Transforms/Passes.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTDECOMPOSEOPS
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

/// The ops that have a decomposition.
static constexpr StringLiteral kDecomposable[] = {
    "attention",     "pivot_solve",     "sweep",     "plan",     "glue",
    "attention_vjp", "pivot_solve_vjp", "sweep_vjp", "plan_vjp", "glue_vjp"};

namespace {
struct DecomposeOps : public lot::impl::LotDecomposeOpsBase<DecomposeOps> {
  using Base::Base;

  void runOnOperation() override {
    for (const std::string &name : ops)
      if (!llvm::is_contained(kDecomposable, name)) {
        InFlightDiagnostic diag = emitError(getOperation()->getLoc())
                                  << "lot-decompose-ops: expected ops among ";
        llvm::interleaveComma(kDecomposable, diag);
        diag << ", got " << name;
        return signalPassFailure();
      }
    auto selected = [&](Operation *op) {
      return isa<LotDialect>(op->getDialect()) &&
             (ops.empty() ||
              llvm::is_contained(ops, op->getName().stripDialect()));
    };
    if (failed(decomposeSelected(getOperation(), selected)))
      signalPassFailure();
  }
};
} // namespace
