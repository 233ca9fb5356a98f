//===- Workspace.h - The memory of the workers ------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H

#include "AttentionLike.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// The buffers over the tokens of one side. Masses are padded to whole tiles.
struct SideBuffers {
  Value factor; ///< [tiles, r, tile]; no tiles where it is recomputed
  Value log2Mass, mass;
  Value prev, sums, logPrev, logShift; ///< [sweeps + 2, r]: see SideTrace
};

/// The buffers that one worker uses for all its heads, one after the other: cut
/// from one block of bytes, which whoever starts the workers allocates. Those
/// after `partials` are there for gradients only.
struct Workspace {
  /// The forward uses one for both sides, reverse mode one for each: `query` is
  /// the same as `key` without gradients.
  SideBuffers key, query;
  Value gathered; ///< [r, columns in whole vectors, one more for row sums]
  Value pivots;   ///< [d, r in whole vectors]
  Value partials; ///< [chunks, what any pass leaves]

  Value adjoint;           ///< [tiles, r, tile]
  Value steps, pivotSteps; ///< [tiles, half-steps, tile], [half-steps, r]
  Value tokenSums;         ///< over tokens, padded to whole tiles
  Value tokenGradient;     ///< the same
  Value tops;              ///< the same
  Value gatheredAdjoint;   ///< as gathered: of one query head
  Value gatheredTotal;     ///< as gathered: of all query heads of a group
  Value columns;           ///< [value columns, r in whole vectors]
  Value pivotRows;         ///< [r, d in whole vectors]
  Value pivotGradient;     ///< the same
  // For row sums only:
  Value rows;          ///< [tokens, value columns and ones]
  Value floorGradient; ///< over tokens
  Value valueTotal;    ///< gatheredTotal without the column of ones
};

/// The tokens of the longer side.
Value emitLongest(ImplicitLocOpBuilder &b, Value query, Value key);

/// The bytes that one worker of `op` needs for `longest` tokens, a multiple of
/// 64. Meaningless unless `emitFits` holds.
Value emitWorkspaceBytes(ImplicitLocOpBuilder &b, const AttentionLike &op,
                         Value longest);

/// Whether the workspace of all workers is smaller than any address space; its
/// bytes then fit an index.
Value emitFits(ImplicitLocOpBuilder &b, const AttentionLike &op, Value longest,
               Value workers);

/// The buffers of the worker whose bytes start at `base` of `block`.
Workspace emitWorkspace(ImplicitLocOpBuilder &b, const AttentionLike &op,
                        Value longest, Value block, Value base);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_WORKSPACE_H
