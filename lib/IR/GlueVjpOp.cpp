//===- GlueVjpOp.cpp - lot.glue_vjp ---------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueOperands.h"

using namespace mlir;
using namespace mlir::lot;

SmallVector<Named> GlueVjpOp::getDifferentiated() {
  GlueOperands all(*this);
  return givenOperands({all.r1, all.r2, all.v, all.mass, all.ratio});
}

DimGroups GlueVjpOp::getDimGroups() {
  DimGroups groups = GlueOperands(*this).getDimGroups();
  addGradientDims(groups, getDifferentiated(), getInits());
  return groups;
}

/// C20, C60 to C67, C90 and C91 of docs/spec.md.
LogicalResult GlueVjpOp::verify() {
  if (failed(verifyGradients(*this, getDifferentiated(), getInits())) ||
      failed(verifyGlue(*this)))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(GlueVjpOp)
