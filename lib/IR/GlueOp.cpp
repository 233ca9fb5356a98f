//===- GlueOp.cpp - lot.glue ----------------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueOperands.h"

using namespace mlir;
using namespace mlir::lot;

DimGroups GlueOp::getDimGroups() { return GlueOperands(*this).getDimGroups(); }

/// C20 and C60 to C67 of docs/spec.md.
LogicalResult GlueOp::verify() {
  if (failed(verifyGlue(*this)))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(GlueOp)
