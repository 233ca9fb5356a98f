//===- DecomposeUtils.h - Rewriting ops by their decomposition -----*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_TRANSFORMS_DECOMPOSEUTILS_H
#define LOT_LIB_TRANSFORMS_DECOMPOSEUTILS_H

#include "mlir/IR/Operation.h"

namespace mlir::lot {

/// Replaces every op below `root` for which `selected` holds, and those that
/// appear in the process, by its decomposition. Fails at the first op that has
/// none, after it has said why.
LogicalResult decomposeSelected(Operation *root,
                                function_ref<bool(Operation *)> selected);

} // namespace mlir::lot

#endif // LOT_LIB_TRANSFORMS_DECOMPOSEUTILS_H
