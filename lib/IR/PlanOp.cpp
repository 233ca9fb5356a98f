//===- PlanOp.cpp - lot.plan ----------------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

LogicalResult PlanOp::verify() { return verifyDestinationStyle(*this, "C0"); }

LOT_DESTINATION_STYLE_METHODS(PlanOp)
