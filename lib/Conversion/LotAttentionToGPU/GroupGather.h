//===- GroupGather.h - Plans of four warps times rows of values -*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GROUPGATHER_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GROUPGATHER_H

#include "WarpgroupMma.h"

namespace mlir::lot {

/// rows^T x plan over the tokens of a block of four warps, [columns x pivots],
/// by wgmma: all four add to the same sums, of which each has some, where each
/// would have all of its own.
class GroupGather {
public:
  /// Whether it can be, of so many columns of a block.
  static bool canGather(const Facts &facts, int64_t columns) {
    return facts.warpgroups && facts.tensorProducts() &&
           facts.valueParts() == 1 && columns == kGroupRows &&
           facts.valueColumns() % columns == 0 &&
           GroupOperand::canHave(facts.pivots());
  }
  GroupGather(Kernel &k, const Facts &facts);

  /// What sums begin with.
  Tile getStart();
  /// sums + rows^T x plan of the warps' tiles. By all threads, for which a
  /// barrier has to come before the next time.
  Tile add(const Tile &plan, const GroupOperand &rows, ValueRange sums);
  /// Stores the sums times the factors of their pivots to
  /// target[leading, pivots, columns from `column` on].
  void store(ArrayRef<Value> sums, function_ref<Value(Value pivot)> pivotFactor,
             Value target, ValueRange leading, Value column);

private:
  Kernel &k;
  const Facts &facts;
  Value plans; ///< shared [tokens][pivots], as GroupOperand has them
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_GROUPGATHER_H
