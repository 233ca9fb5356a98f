//===- Checks.cpp - Runtime checks of dynamic shapes ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Upstream's generate-runtime-verification checks every op. Here a check must
// not end up in a hot loop (an element access), nor in a parallel region, which
// a failed check could not leave.
//
//===----------------------------------------------------------------------===//

#include "Checks.h"

#include "lot/IR/Lot.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/RuntimeVerifiableOpInterface.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

static bool isParallel(Operation *op) {
  return isa<scf::ForallOp, scf::ParallelOp, omp::ParallelOp>(op);
}

namespace {
/// The code that parallel loops run: their bodies and what they call.
class ParallelCode {
public:
  explicit ParallelCode(ModuleOp module) {
    SymbolTable symbols(module);
    SmallVector<Operation *> worklist;
    auto addCallees = [&](Operation *root) {
      root->walk([&](func::CallOp call) {
        Operation *callee = symbols.lookup(call.getCallee());
        if (callee && functions.insert(callee).second)
          worklist.push_back(callee);
      });
    };
    module.walk([&](Operation *op) {
      if (isParallel(op))
        addCallees(op);
    });
    while (!worklist.empty())
      addCallees(worklist.pop_back_val());
  }

  bool contains(Operation *op) const {
    for (; op; op = op->getParentOp())
      if (isParallel(op) || functions.contains(op))
        return true;
    return false;
  }

private:
  DenseSet<Operation *> functions;
};
} // namespace

/// Whole-tensor ops are worth a check anywhere, others only outside of loops.
static bool isWorthChecking(Operation *op) {
  if (isa_and_nonnull<LotDialect, linalg::LinalgDialect>(op->getDialect()))
    return true;
  return !op->getParentOfType<LoopLikeOpInterface>();
}

void runtime::addRuntimeChecks(ModuleOp module) {
  ParallelCode parallel(module);
  SmallVector<RuntimeVerifiableOpInterface> ops;
  module.walk([&](RuntimeVerifiableOpInterface op) {
    if (isWorthChecking(op) && !parallel.contains(op))
      ops.push_back(op);
  });
  OpBuilder builder(module.getContext());
  for (RuntimeVerifiableOpInterface op : ops) {
    builder.setInsertionPoint(op);
    op.generateRuntimeVerification(
        builder, op.getLoc(), [](Operation *op, StringRef message) {
          std::string text;
          llvm::raw_string_ostream os(text);
          if (auto location = op->getLoc()->findInstanceOf<FileLineColLoc>())
            os << location.getFilename().getValue() << ":" << location.getLine()
               << ": ";
          os << "'" << op->getName() << "' op " << message;
          return text;
        });
  }
}

LogicalResult runtime::refuseParallelAssertions(ModuleOp module) {
  ParallelCode parallel(module);
  WalkResult result = module.walk([&](cf::AssertOp op) {
    if (!parallel.contains(op))
      return WalkResult::advance();
    op.emitOpError("cannot be in a parallel loop: the runtime cannot leave the "
                   "loop when it fails; expected it before the loop");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}
