//===- Workspace.h - The memory of the workers ------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H

#include "lot/IR/Lot.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// The buffers that one worker uses for all its heads, one after the other: cut
/// from one block of bytes, which whoever starts the workers allocates.
struct Workspace {
  Value factor; ///< [tiles, r, tile]: of the key side, then of each query side;
                ///< no tiles where it is recomputed
  Value log2Mass; ///< padded to whole tiles
  Value mass;     ///< padded to whole tiles
  Value gathered; ///< [r, columns in whole vectors, one more for row sums]
  Value pivots;   ///< [d, r in whole vectors]
  Value partials; ///< [chunks, what any pass leaves]
};

/// The tokens of the longer side.
Value emitLongest(ImplicitLocOpBuilder &b, Value query, Value key);

/// The bytes that one worker of `op` needs for `longest` tokens, a multiple of
/// 64. Meaningless unless `emitFits` holds.
Value emitWorkspaceBytes(ImplicitLocOpBuilder &b, AttentionOp op,
                         Value longest);

/// Whether the workspace of all workers is smaller than any address space; its
/// bytes then fit an index.
Value emitFits(ImplicitLocOpBuilder &b, AttentionOp op, Value longest,
               Value workers);

/// The buffers of the worker whose bytes start at `base` of `block`.
Workspace emitWorkspace(ImplicitLocOpBuilder &b, AttentionOp op, Value longest,
                        Value block, Value base);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H
