//===- AttentionOp.cpp - lot.attention ------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionOperands.h"

using namespace mlir;
using namespace mlir::lot;

DimGroups AttentionOp::getDimGroups() {
  return AttentionOperands(*this).getDimGroups();
}

/// C1 to C22 of docs/spec.md.
LogicalResult AttentionOp::verify() {
  if (getInits().empty() || getInits().size() > 2)
    return emitOpError("C21: expected an init, or two with residuals, got ")
           << getInits().size();
  if (failed(verifyAttention(*this)))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(AttentionOp)
