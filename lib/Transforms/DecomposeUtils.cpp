//===- DecomposeUtils.cpp - Rewriting ops by their decomposition ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecomposeUtils.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::lot;

LogicalResult lot::decomposeSelected(Operation *root,
                                     function_ref<bool(Operation *)> selected) {
  IRRewriter rewriter(root->getContext());
  while (true) {
    SmallVector<Operation *> worklist;
    root->walk([&](Operation *op) {
      if (isa<linalg::AggregatedOpInterface>(op) && selected(op))
        worklist.push_back(op);
    });
    if (worklist.empty())
      return success();
    for (Operation *op : worklist) {
      rewriter.setInsertionPoint(op);
      FailureOr<SmallVector<Value>> values =
          cast<linalg::AggregatedOpInterface>(op).decomposeOperation(rewriter);
      if (failed(values))
        return failure();
      rewriter.replaceOp(op, *values);
    }
  }
}
