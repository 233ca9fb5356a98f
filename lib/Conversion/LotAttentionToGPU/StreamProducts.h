//===- StreamProducts.h - Products with streamed rows -----------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STREAMPRODUCTS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STREAMPRODUCTS_H

#include "LaneMemory.h"
#include "Tiles.h"

namespace mlir::lot {

/// sums [pivots x columns] + tile^T x the tile's rows in a ring, columns
/// [firstColumn, firstColumn + columns). `words`: of tiles of io values that
/// add up to the tile (splitTile).
Values addStreamedRows(Kernel &k, const Facts &facts, ArrayRef<Values> words,
                       Value rows, Value firstRow, Value firstColumn,
                       int64_t columns, ValueRange sums);

/// Such sums of a warp, of which those of the last columns are in shared memory
/// where all would take half of a lane's registers and more.
class StreamedSums {
public:
  static constexpr size_t kMany = 128;
  /// Of 32 columns, behind `offset` bytes of each part of `memory`.
  StreamedSums(Kernel &k, const Facts &facts, const SharedRegion &memory,
               int64_t offset, int64_t columns);
  static int64_t countBytes(const Facts &facts) {
    return facts.pivots() * kColumns * 4;
  }
  /// Those in registers.
  size_t countCarried() const;
  /// Begins with zeros.
  void clear();
  /// The sums after a tile, as addStreamedRows.
  Values add(ArrayRef<Values> words, Value rows, Value firstRow,
             Value firstColumn, ValueRange carried);
  /// All sums, in their order.
  Values gather(ValueRange carried);

private:
  static constexpr int64_t kColumns = 32;
  Values load();

  Kernel &k;
  const Facts &facts;
  int64_t columns;
  LaneMemory kept; ///< of the last columns
};

/// Adds such sums of all warps up, in order, through their parts of `memory`,
/// and stores columns [first, first + columns), times a factor of the pivot if
/// there is one. Nothing else may be in the memory any more.
void storeStreamedRows(Kernel &k, const Facts &facts, ArrayRef<Value> sums,
                       const SharedRegion &memory,
                       function_ref<Value(Value pivot)> factor, Value target,
                       ValueRange leading, Value first, int64_t columns);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STREAMPRODUCTS_H
