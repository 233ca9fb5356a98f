//===- LotOps.td - Entry point of the Python bindings ---------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_PYTHON_LOTOPS
#define LOT_PYTHON_LOTOPS

include "lot/IR/LotOps.td"

#endif // LOT_PYTHON_LOTOPS
