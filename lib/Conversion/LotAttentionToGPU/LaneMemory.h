//===- LaneMemory.h - Values of a lane without registers ---------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_LANEMEMORY_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_LANEMEMORY_H

#include "Kernel.h"

namespace mlir::lot {

/// Values of 32 bits of each lane in shared memory, where registers are short.
/// Nobody else reads them, so nothing waits. Four are moved at a time, side by
/// side over the lanes of a warp: all banks at once.
class LaneMemory {
public:
  /// `memory`: shared [warps][values * lanes].
  LaneMemory(Kernel &k, Value memory) : k(k), memory(memory) {}
  /// Of so many values, in memory of its own.
  LaneMemory(Kernel &k, int64_t warps, int64_t values, Type element)
      : LaneMemory(k, k.shared.allocate({warps, values * kWarp}, element)) {}

  /// From the value `first` on; both counts are multiples of 4.
  void store(int64_t first, ArrayRef<Value> values) {
    for (size_t i = 0; i < values.size(); i += 4)
      k.storeVector(k.pack(values.slice(i, 4)), memory, placeOf(first + i));
  }
  Values load(int64_t first, int64_t count) {
    Values values;
    for (int64_t i = 0; i < count; i += 4) {
      Value four = k.loadVector(memory, placeOf(first + i), 4);
      for (int64_t e = 0; e < 4; ++e)
        values.push_back(k.element(four, e));
    }
    return values;
  }

private:
  Values placeOf(int64_t first) {
    return {k.warp(), k.add(k.mul(k.lane(), 4), first * kWarp)};
  }

  Kernel &k;
  Value memory;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_LANEMEMORY_H
