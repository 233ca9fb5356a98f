//===- Passes.h - Passes of the lot project --------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TRANSFORMS_PASSES_H
#define LOT_TRANSFORMS_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::lot {
#define GEN_PASS_DECL
#include "lot/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "lot/Transforms/Passes.h.inc"
} // namespace mlir::lot

#endif // LOT_TRANSFORMS_PASSES_H
