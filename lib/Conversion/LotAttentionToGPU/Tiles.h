//===- Tiles.h - Scores, token steps and plans of 16 tokens -----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile is 16 tokens x all pivots, in the registers of one warp, as the
// accumulators of mma.m16n8 hold it: lane l has, of every 8 pivots, the columns
// 2 (l % 4) and one more, in the rows l / 4 and l / 4 + 8. A tile is a list of
// f32 values, four for every 8 pivots: two columns of the first row, two of the
// second.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TILES_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TILES_H

#include "Sides.h"

namespace mlir::lot {

using Tile = Values;

/// Which row (0 or 1) value `i` of a tile is in, and its column besides the
/// lane's.
inline int64_t rowOf(int64_t i) { return (i % 4) / 2; }
inline int64_t columnOf(int64_t i) { return i / 4 * 8 + i % 2; }
/// The first column of a lane: 2 (lane % 4).
Value laneColumn(Kernel &k);

/// D += A B on tensor cores: m16n8k16 of f16 or bf16, operands as 32-bit words.
void emitMma(Kernel &k, Type io, ArrayRef<Value> a, ArrayRef<Value> b,
             MutableArrayRef<Value> accumulator);
/// Two f32 as a word of io values.
Value packWord(Kernel &k, Type io, Value low, Value high);

/// Rows of 16-bit or f32 values that every product takes as its right hand
/// side B^T: [columns of B][contracted], zero beyond what counts. In shared
/// memory, or part of an array in global memory.
struct Matrix {
  Value memref;
  Values leading;        ///< indices before the two
  Value shift = Value(); ///< added to rows; null: 0
  Value load(Kernel &k, Value row, Value column, int64_t count) const;
};

/// tokens . rows of `matrix` of a tile.
Tile emitDots(Kernel &k, const Facts &facts, const Rows &rows, Value tokens,
              ValueRange leading, const Matrix &matrix, RowFormat format);
/// scale tokens . pivots, and clipped: scores.
Tile emitRawScores(Kernel &k, const Facts &facts, const Side &side,
                   const Rows &rows, const Matrix &pivots);
Tile clipScores(Kernel &k, const Facts &facts, Tile tile);
Tile emitScores(Kernel &k, const Facts &facts, const Side &side,
                const Rows &rows, const Matrix &pivots);
/// Products times the scale.
Tile scaleDots(Kernel &k, const Facts &facts, Tile tile);

/// vector[leading, column] of each column of the lane, two for every 8 pivots.
Values loadColumns(Kernel &k, const Facts &facts, Value vector,
                   ValueRange leading = {});
/// sums of the columns + the tile's values in both rows; nothing if there are
/// no sums.
Values addToColumns(Kernel &k, const Tile &tile, ValueRange sums);
/// The same to `sums`, of the tile's values times the weight of their row.
void addToColumns(Kernel &k, const Tile &tile, const Value weights[2],
                  MutableArrayRef<Value> sums);
/// Adds the column sums of all warps up, in their order, and stores them to
/// target[leading, pivots].
void storeColumnSums(Kernel &k, const Facts &facts, Values sums, Value target,
                     ValueRange leading);
/// y - mass; -inf where y is.
Values subtractMass(Kernel &k, const Values &y, const Values &mass);
/// tile + vector of the columns.
Tile addColumns(Kernel &k, const Tile &tile, const Values &columns);

/// The log-sum-exp of both rows, -inf where there is no mass; `tile` becomes
/// 2^(tile - max), `sum` what they add up to.
struct TokenStep {
  Tile terms;
  Value max[2], sum[2], logSum[2];
};
TokenStep emitTokenStep(Kernel &k, const Tile &tile);

/// The plan of a tile, from columns of the last potential (key side: less mass)
/// and of the one that the last token step read, null without one:
/// R_ij = 2^(score_ij + last_j + (key side: mass_i) - logsumexp_j(score +
/// prev)).
Tile emitPlanEntries(Kernel &k, const Tile &scores, const Rows &rows,
                     const Values *prev, const Values &last, bool keySide,
                     std::optional<TokenStep> *step);

/// A copy of the first columns of `source` [rows][..] (after `leading`) in
/// shared memory, by all threads of the block, without the barrier.
void emitCopy(Kernel &k, const Facts &facts, Value source, ValueRange leading,
              Value shared, int64_t columns);
/// packed[set] in shared memory if it fits, else where it is. Needs a barrier
/// before use.
Matrix stageRows(Kernel &k, const Facts &facts, Value packed, Value set,
                 RowFormat format);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TILES_H
