//===- Checks.h - Runtime checks of dynamic shapes ---------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CHECKS_H
#define LOT_LIB_RUNTIME_CHECKS_H

#include "mlir/IR/BuiltinOps.h"

namespace mlir::lot::runtime {

/// Puts the checks of RuntimeVerifiableOpInterface before the ops.
void addRuntimeChecks(ModuleOp module);

/// Fails, with a diagnostic, on an assertion inside a parallel loop.
LogicalResult refuseParallelAssertions(ModuleOp module);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_CHECKS_H
