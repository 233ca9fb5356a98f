//===- WarpgroupMma.h - Products of four warps ------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma: both operands come from shared memory, by the tensor cores, and no
// warp waits, loads or keeps registers for them. Warp w of four has rows
// 16 w to 16 w + 15 of the result, as a tile of its own.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPGROUPMMA_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPGROUPMMA_H

#include "Tiles.h"

namespace mlir::lot {

/// Warps that multiply together, and their rows.
inline constexpr int64_t kGroupWarps = 4;
inline constexpr int64_t kGroupRows = kGroupWarps * Facts::kTile;

/// Rows of 16-bit values in shared memory, 32 or 64 columns, one after the
/// other, from a multiple of 1024 bytes on. The 16 bytes of a row are exchanged
/// as KernelBuilder::exchangeInRow says, which is how wgmma has them.
struct GroupOperand {
  Value address; ///< i32: of the first row
  int64_t columns;
  static constexpr int64_t kAlignment = 1024;
  static bool canHave(int64_t columns) {
    return columns == 32 || columns == 64;
  }
  /// What lies at the beginning of `rows`, in shared memory.
  static GroupOperand of(Kernel &k, Value rows, int64_t columns);
  /// From row `row` (an index, a multiple of 8) on.
  GroupOperand from(Kernel &k, Value row) const;
};

/// Makes what this thread has copied visible to wgmma, after a barrier.
void publishCopies(Kernel &k);

/// Products of kGroupRows rows with `rows` rows (a multiple of 8) of each of
/// `parts` matrices that lie one after the other, which are added up: a tile.
/// By all threads of the four warps, after a barrier of them.
Tile emitGroupDots(Kernel &k, Type io, const GroupOperand &tokens,
                   const GroupOperand &matrix, int64_t rows, int64_t parts);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_WARPGROUPMMA_H
