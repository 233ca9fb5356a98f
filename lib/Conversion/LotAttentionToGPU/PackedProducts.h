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

/// Rows in global memory as a lane copies and stores them: its own are 8 apart,
/// of which it has 8 columns. All numbers are ready in registers: where a lane
/// moves on by rows that are known, it takes one instruction.
struct LaneRows {
  Value pointer; ///< index: the address of the lane's first row
  Value stride;  ///< i32, not negative: elements from one row to the next
  Value left;    ///< i32: rows that are there, from the lane's first on
  /// The rows `rows` (i32, not negative) on, `columns` (index) to the right.
  LaneRows move(Kernel &k, Value rows, Value columns = Value()) const;
  /// `columns` (index) to the right.
  LaneRows right(Kernel &k, Value columns) const;
  /// The address of the row `row` on.
  Value at(Kernel &k, int64_t row) const;
  Value isThere(Kernel &k, int64_t row) const;
  /// Without rows where `condition` does not hold.
  LaneRows onlyIf(Kernel &k, Value condition) const;
};
LaneRows select(Kernel &k, Value condition, const LaneRows &yes,
                const LaneRows &no);
/// Rows `first` on of `memref`[leading, row, column] as lanes have those of a
/// tile. The warp's begin `own` (below 2^31) after.
LaneRows locateLaneRows(Kernel &k, Value memref, ValueRange leading,
                        Value first, Value own, Value left);
/// Whether a lane's columns of those from `column` on are below `columns`; null
/// if all lanes' are.
Value hasColumns(Kernel &k, Value column, int64_t columns);

/// Blocks of rows on their way from global memory, kStages of them in shared
/// memory. A block is 16 rows of 64 bytes, the 16 bytes of a lane in row l / 4
/// or 8 after; in each pair of rows they are exchanged so that ldmatrix finds
/// its rows in different banks.
class RowStream {
public:
  /// Blocks that can be on their way. Tiles of a warp are a multiple.
  static constexpr int64_t kStages = 4;
  explicit RowStream(Kernel &k);

  /// Computes where the lane's part of the slots is, to be kept from here on.
  void locate();
  /// Stages are counted from that of block `first` (i32, even; null: 0) on
  /// while it lives.
  class Turned {
  public:
    Turned(RowStream &stream, Value first);
    ~Turned() {
      stream.places = places;
      stream.across = nullptr;
    }
    Turned(const Turned &) = delete;

  private:
    RowStream &stream;
    std::array<Value, 2> places;
  };

  /// Starts the copy of rows `row` and 8 after; zeros where they are not there.
  void start(int64_t stage, const LaneRows &rows, int64_t row = 0);
  /// In place of a copy.
  void skip();
  /// Waits for all but the last `pending` of the copies.
  void wait(int64_t pending);
  RowBlock load(int64_t stage);
  /// Columns [16 half, 16 half + 16) as operand A, or transposed: as operands B
  /// of two products that contract over rows.
  Values loadOperand(int64_t stage, int64_t half, bool transposed = false);

private:
  /// A place in a stage, as an address and what is to be added to it.
  std::pair<Value, int64_t> locate(Value place, int64_t stage);
  Value pointer(Value place, int64_t stage, int64_t offset = 0);
  Kernel &k;
  Value slots; ///< shared [stages * warps * 16 rows][32]
  /// i32 addresses of the lane in stage 0: what it copies, and its row as
  /// ldmatrix reads it.
  std::array<Value, 2> places;
  Value across; ///< i32, Turned: from stages 0 and 1 to 2 and 3, in bytes
};

/// packed[set], [rows][8 * vectors], on its way to shared memory.
struct StagedCopy {
  Value source;
  Values leading; ///< indices of the matrix in it
  int64_t rows, vectors;
  Value shared;
  /// The source may have fewer rows and columns, and begin anywhere.
  bool byElement = false;
  /// i1: whether rows begin at multiples of 16 bytes all the same, or null.
  /// They are copied asynchronously then, which has to be waited for.
  Value aligned = Value();
  /// The columns of each of several matrices that lie one after the other, each
  /// as GroupOperand (WarpgroupMma.h) has it; 0: one as it is.
  int64_t groupColumns = 0;

  /// Where eight columns are in `shared`.
  Values locate(Kernel &k, Value row, Value column) const;
};
/// Rows of pivots as ldmatrix reads them.
StagedCopy stageMatrix(Kernel &k, const Facts &facts, Value packed,
                       ValueRange leading, RowFormat format);
/// The same, as GroupOperand has them.
StagedCopy stageForGroup(Kernel &k, const Facts &facts, Value packed,
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
void addBlockDots(Kernel &k, const Facts &facts, RowStream &stream,
                  int64_t stage, int64_t column, Value matrix, RowFormat format,
                  Tile &dots);
/// Adds the lane's columns of rows x products to `dots`, of both rows; the
/// products are the c-th of 4.
void addDots(Kernel &k, const RowBlock &block, int64_t c,
             ArrayRef<Value> products, Value dots[2]);

/// tile x 32 columns from `column` on of what stageColumns left: `body` gets
/// the c-th of 4 products, 2 columns of the lane's first row and of the second.
void emitBlockProduct(
    Kernel &k, const Facts &facts, ArrayRef<Value> words, Value staged,
    Value column, function_ref<void(int64_t c, ArrayRef<Value> products)> body);
/// Products times the rows' factors as words: 4 of each of the lane's rows.
struct BlockWords {
  Values words[2];
  void append(Kernel &k, Type type, ArrayRef<Value> products,
              const std::array<Value, 2> &factors);
};
/// Stores all four, to rows `row` and 8 after of `result`, where they are
/// there.
void storeBlock(Kernel &k, const BlockWords &block, const LaneRows &result,
                int64_t row);

/// sums + tile^T (transposeTile) x rows of the block in `stage`, [pivots x 32
/// columns]: 4 products of 8 columns for every 16 pivots.
void addTransposed(Kernel &k, ArrayRef<Value> transposed, RowStream &stream,
                   int64_t stage, Values &sums);
/// Adds such sums of all warps up, in their order, through `shared`
/// [warps][kBlockPivots][kBlockStride]; `body` gets 4 columns from `column` on
/// of a pivot, whose 8 parts are in lanes side by side.
inline constexpr int64_t kBlockPivots = 16, kBlockStride = 36;
void foldBlocks(Kernel &k, const Facts &facts, ArrayRef<Value> sums,
                Value shared,
                function_ref<void(Value pivot, Value column, Value four)> body);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDPRODUCTS_H
