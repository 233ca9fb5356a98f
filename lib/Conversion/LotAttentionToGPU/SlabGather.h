//===- SlabGather.h - Plans in registers times rows of values ---*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SLABGATHER_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SLABGATHER_H

#include "PackedTiles.h"
#include "WarpRing.h"

namespace mlir::lot {

/// plan^T x rows of a block whose warps have the plans of all their tiles in
/// registers: [pivots x columns], some columns (a slab) at a time, so that
/// their sums fit in registers, too. Each warp copies the rows of its tiles
/// into a ring of its own, several tiles ahead.
class SlabGather {
public:
  /// Of `columns` columns of rows of io values, a multiple of 8; sums are 0
  /// from there to a multiple of 32. In `memory`, a part for each warp.
  SlabGather(Kernel &k, const Facts &facts, int64_t columns,
             const SharedRegion &memory);

  /// Bytes of a warp that are enough.
  static constexpr int64_t kBytes = 12 * 1024;

  /// Starts the copies of the first tiles, and brings the rows of all `tiles`
  /// into the L2 cache; tile `i` of the warp begins at token tileStart(i), the
  /// next one follows.
  void prefetch(const WarpRing::Source &source,
                function_ref<Value(int64_t i)> tileStart, Value tiles);
  /// Writes the block's sums to target[leading, pivots, columns]. plan(i):
  /// words of io values of tile `i`, if it is there (hasTile, the same for all
  /// warps), still to be multiplied by factors of the pivots.
  void emit(const WarpRing::Source &source,
            function_ref<Value(int64_t i)> tileStart,
            function_ref<Value(int64_t i)> hasTile,
            function_ref<Values(int64_t i)> plan,
            function_ref<Value(Value pivot)> pivotFactor, Value target,
            ValueRange leading);

private:
  void copyTurn(const WarpRing::Source &source,
                const std::optional<WarpRing::Lane> &lane,
                function_ref<Value(int64_t i)> tileStart,
                function_ref<Value(int64_t i)> hasTile, int64_t turn);
  /// Tiles that are added together: they wait for their rows once.
  int64_t group() const {
    return ring.getSlots() < 8 ? std::min<int64_t>(ring.getSlots(), 2) : 4;
  }
  void addTiles(int64_t turn, ArrayRef<Values> operands,
                MutableArrayRef<Value> sums);
  /// Leaves the warp's sums of a slab for `fold`, as lanes have them.
  void keep(ArrayRef<Value> sums, int64_t place);
  /// Adds the warps up, in order: `count` slabs from `first` on, in places 0
  /// and 1.
  void fold(int64_t first, int64_t count,
            function_ref<Value(Value pivot)> pivotFactor, Value target,
            ValueRange leading);

  Kernel &k;
  const Facts &facts;
  int64_t allColumns, slabColumns, slabs;
  int64_t places; ///< slabs whose sums there is room for: the second one in the
                  ///< ring's memory, when that is free
  Value partials; ///< shared [warps][places]: sums of the warps
  WarpRing ring;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SLABGATHER_H
