//===- AttentionVjpOp.cpp - lot.attention_vjp -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionOperands.h"

using namespace mlir;
using namespace mlir::lot;

SmallVector<Named> AttentionVjpOp::getDifferentiated() {
  AttentionOperands all(*this);
  if (getInits().size() == 4)
    return {all.q, all.k, all.v, all.z};
  return givenOperands(
      {all.q, all.k, all.v, all.z, all.la, all.lb, all.lw, all.lg});
}

DimGroups AttentionVjpOp::getDimGroups() {
  DimGroups groups = AttentionOperands(*this).getDimGroups();
  addGradientDims(groups, getDifferentiated(), getInits());
  return groups;
}

/// C1 to C20, C22, C90 and C91 of docs/spec.md.
LogicalResult AttentionVjpOp::verify() {
  if (failed(verifyGradients(*this, getDifferentiated(), getInits())) ||
      failed(verifyAttention(*this)))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(AttentionVjpOp)
