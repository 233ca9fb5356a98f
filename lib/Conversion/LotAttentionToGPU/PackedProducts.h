//===- PackedProducts.h - Products of packed tiles --------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bf16 products of plans that are in registers, 32 columns at a time, so that
// accumulators and the plans of all tiles fit side by side. Column n of the
// i-th of 4 products is column 8 (n / 2) + 2 i + n % 2: a lane's results are 8
// columns side by side, which are the ones that it reads of a row.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDPRODUCTS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDPRODUCTS_H

#include "PackedTiles.h"

namespace mlir::lot {

/// 2^-exponent(value) of a positive value.
Value inverseScale(Kernel &k, Value value);
/// The largest magnitude of a warp's values, in all lanes.
Value largestOfWarp(Kernel &k, Value value);

/// Columns [column, column + 32) of the rows of a tile: 4 words of each of the
/// lane's two rows.
struct RowBlock {
  Values words[2];
};

/// Blocks of rows on their way from global memory, kStages of them in shared
/// memory. A block is 16 rows of 64 bytes, the 16 bytes of a lane in row l / 4
/// or 8 after; in each pair of rows they are exchanged so that ldmatrix finds
/// its rows in different banks.
class RowStream {
public:
  /// Blocks that can be on their way. Tiles of a warp are a multiple.
  static constexpr int64_t kStages = 4;
  explicit RowStream(Kernel &k);

  /// Starts the copy of columns [column, column + 32) of rows 0 and 8 of
  /// `source`, zeros where they or rows are not there.
  void start(Value stage, const std::array<Value, 2> &live, Value source,
             Value column);
  /// In place of a copy.
  void skip();
  /// Waits for all but the last `pending` of the copies.
  void wait(int64_t pending);
  RowBlock load(Value stage);
  /// Columns [16 half, 16 half + 16) as operand A, or transposed: as operands B
  /// of two products that contract over rows.
  Values loadOperand(Value stage, int64_t half, bool transposed = false);

private:
  Values slot(Value stage, int64_t row);
  Kernel &k;
  Value slots; ///< shared [stages * warps * 16 rows][32]
};

/// packed[set], [rows][8 * vectors], on its way to shared memory.
struct StagedCopy {
  Value source;
  Values leading; ///< indices of the matrix in it
  int64_t rows, vectors;
  Value shared;
  /// The source may have fewer rows and columns, and begin anywhere.
  bool byElement = false;
};
/// Rows of pivots as ldmatrix reads them.
StagedCopy stageMatrix(Kernel &k, const Facts &facts, Value packed,
                       ValueRange leading, RowFormat format);
/// [columns][pivots] for emitBlockProduct.
StagedCopy stageColumns(Kernel &k, const Facts &facts, Value packed, Value set,
                        int64_t columns);
/// The copies; `meanwhile` is emitted where they have been asked for. Need a
/// barrier before use.
void emitCopies(Kernel &k, ArrayRef<StagedCopy> copies,
                function_ref<void()> meanwhile = nullptr);

/// dots + block in `stage` x rows of what stageMatrix left; `column` is the
/// first that the block has.
void addBlockDots(Kernel &k, const Facts &facts, RowStream &stream, Value stage,
                  int64_t column, Value matrix, RowFormat format, Tile &dots);
/// Adds the lane's columns of rows x products to `dots`, of both rows; the
/// products are the c-th of 4.
void addDots(Kernel &k, const RowBlock &block, int64_t c,
             ArrayRef<Value> products, Value dots[2]);

/// tile x 32 columns from `column` on of what stageColumns left: `body` gets
/// the c-th of 4 products, 2 columns of the lane's first row and of the second.
void emitBlockProduct(
    Kernel &k, const Facts &facts, ArrayRef<Value> words, Value staged,
    Value column, function_ref<void(int64_t c, ArrayRef<Value> products)> body);
/// Products times `factor` as words of a row: 4 of each of the lane's rows.
struct BlockWords {
  Values words[2];
  void append(Kernel &k, Type type, ArrayRef<Value> products, Value factor);
};
/// Stores all four, to rows 0 and 8 of `result`.
void storeBlock(Kernel &k, const BlockWords &block,
                const std::array<Value, 2> &live, Value result, Value column);

/// The words of a packed tile for `addTransposed`: pivots are the rows.
Values transposeTile(Kernel &k, ArrayRef<Value> words);
/// sums + tile^T x rows of the block in `stage`, [pivots x 32 columns]: 4
/// products of 8 columns for every 16 pivots.
void addTransposed(Kernel &k, ArrayRef<Value> transposed, RowStream &stream,
                   Value stage, Values &sums);
/// Adds such sums of all warps up, in their order, through `shared`
/// [warps][pivots][kBlockStride]; `body` gets 4 columns from `column` on of a
/// pivot, whose 8 parts are in lanes side by side.
inline constexpr int64_t kBlockStride = 36;
void foldBlocks(Kernel &k, const Facts &facts, ArrayRef<Value> sums,
                Value shared,
                function_ref<void(Value pivot, Value column, Value four)> body);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDPRODUCTS_H
