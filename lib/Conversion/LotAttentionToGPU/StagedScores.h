//===- StagedScores.h - Scores of rows in shared memory ---------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STAGEDSCORES_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STAGEDSCORES_H

#include "Tiles.h"

namespace mlir::lot {

/// Elements from a row of 16-bit values to the next, so that eight rows that
/// ldmatrix reads together are in different banks.
inline int64_t getStagedStride(int64_t columns) {
  return llvm::alignTo(columns, 32) + 8;
}

/// columns + tokens . pivots of a tile whose rows begin at row `first` of
/// `tokens` [leading, rows, depth] in shared memory, zeros where a token does
/// not count. These are scores, or, where Facts::rawScores, what has to be
/// multiplied by the scale. `pivots`: what stageMatrix (PackedProducts.h) left.
/// Without `columns`, nothing is added. `operands`: the first of these pivots
/// in registers (loadPivotOperands); the others, all if null, are loaded.
Tile emitStagedScores(Kernel &k, const Facts &facts, Value tokens,
                      ValueRange leading, Value first, const Matrix &pivots,
                      const Values &columns, const Values *operands = nullptr);

/// The same of several tiles at once, which begin at rows `firsts`: their
/// chains of instructions do not wait for each other, and pivots are loaded
/// once.
SmallVector<Tile> emitStagedScores(Kernel &k, const Facts &facts, Value tokens,
                                   ValueRange leading, ArrayRef<Value> firsts,
                                   const Matrix &pivots, const Values &columns,
                                   const Values *operands = nullptr);

/// start + rows . rows of `matrix` as stageMatrix left it, without a scale.
Tile emitStagedDots(Kernel &k, const Facts &facts, Value rows,
                    ValueRange leading, Value first, const Matrix &matrix,
                    RowFormat format, Tile start,
                    const Values *operands = nullptr);

/// What emitStagedScores loads of the pivots, for a loop around it.
Values loadPivotOperands(Kernel &k, const Facts &facts, const Matrix &pivots,
                         size_t most);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_STAGEDSCORES_H
