//===- Products.h - The plans' products with rows of values -----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PRODUCTS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PRODUCTS_H

#include "PackedProducts.h"

namespace mlir::lot {

/// Where products in f32 have a tile of each warp, [16 warps][plan columns + 4]
/// in shared memory, so many pivots at a time; null where products take tiles
/// from registers.
Value makePlanStage(Kernel &k, const Facts &facts);
inline constexpr int64_t kPlanColumns = 128;
/// Pivots [first, first + kPlanColumns) of this warp's tile into such memory,
/// as rows from `base` on.
void stageTile(Kernel &k, const Tile &all, int64_t firstPivot, Value shared,
               Value base);

/// How the columns of a gather are split over blocks: a warp's accumulators,
/// pivots x columns, have to fit in its registers.
struct GatherShape {
  GatherShape(const Facts &facts, int64_t allColumns);
  int64_t all;
  int64_t columns; ///< of a block, a multiple of 8
  int64_t blocks;

private:
  int64_t countBytes(const Facts &facts) const;
};

/// plan^T x rows over the tiles of a block: [pivots x columns].
class GatherProduct {
public:
  /// Allocates shared memory. A barrier has to follow.
  GatherProduct(Kernel &k, const Facts &facts, const GatherShape &shape,
                Value plans, int64_t tiles = 1);

  const Values &getStart() const { return start; }
  /// Whether rows can be copied while the block does other things.
  bool canPrefetch() const;
  /// Starts the copy of the rows of tile `i` of `tiles`; `accumulate` of all of
  /// them comes after `waitForRows`.
  void prefetchRows(int64_t i, const Side &side, Value tile, Value source,
                    ValueRange leading);
  void waitForRows();

  /// A plan as `accumulate` takes it; takes half the registers on tensor cores.
  /// There, it is the sum of so many parts of io values.
  Values prepare(const Tile &plan, int64_t parts = 1);
  /// Adds plan^T rows of one tile: columns [column, ...) of `source`, which are
  /// 0 where a token is not in the tile or the plan's row is 0.
  Values accumulate(const Values &prepared, const Side &side, Value tile,
                    Value source, ValueRange leading, Value column,
                    ValueRange sums, int64_t i = 0);
  /// Adds the warps up, in order, and stores the block's sums.
  void store(ArrayRef<Value> sums, Value target, ValueRange leading,
             Value column);

private:
  void stageRows(const Side &side, Value tile, Value source, ValueRange leading,
                 Value column, Value base);

  Kernel &k;
  const Facts &facts;
  GatherShape shape;
  Values start;
  int64_t tiles;
  bool prefetched = false;
  Value rows;   ///< shared [tiles * warps * 16][columns + 8]: the tiles' rows
  Value plans;  ///< f32 plans: see makePlanStage; null: registers
  Value totals; ///< shared [pivots][columns]
};

/// plan x G: [16 tokens x value columns], written as rows of the result.
class ApplyProduct {
public:
  /// values[set] is G^T, [columns rounded up to 32][pivots].
  ApplyProduct(Kernel &k, const Facts &facts, Value values, Value set,
               int64_t columns, Value plans);

  /// `staged` is G^T in shared memory, column c in row locateColumn(c); for
  /// emitAll.
  ApplyProduct(Kernel &k, const Facts &facts, Matrix staged, int64_t columns)
      : k(k), facts(facts), values(staged), columns(columns) {}

  /// Columns of an operand (loadOperands) side by side: rows that ldmatrix
  /// reads together are in different banks.
  static Value locateColumn(Kernel &k, Value column);

  void emit(const Tile &plan, const Value factor[2], const Side &side,
            Value tile, Value result, ValueRange leading);
  /// The same of a plan as words of io values, on tensor cores, to `result`,
  /// the lane's rows from the first one of the tile on, without branches.
  void emitRows(ArrayRef<Value> words, const std::array<Value, 2> &factors,
                const LaneRows &result);
  /// On tensor cores, all tiles of a warp, from words of f16: those of tile
  /// `i`, where hasTile(i), are multiplied by factor(i) and stored to rows 16 i
  /// on of `result`. G^T is of f16, too.
  void emitAll(int64_t tiles, function_ref<ArrayRef<Value>(int64_t i)> words,
               function_ref<std::array<Value, 2>(int64_t i)> factor,
               function_ref<Value(int64_t i)> hasTile, const LaneRows &result);
  void emitZeros(const Side &side, Value tile, Value result,
                 ValueRange leading);

private:
  /// emit of a plan as words of io values, on tensor cores.
  void emitWords(ArrayRef<Value> words, const Value factor[2], const Side &side,
                 Value tile, Value result, ValueRange leading);
  void storeTile(ArrayRef<Value> sums, const Value factor[2], const Side &side,
                 Value tile, Value result, ValueRange leading, Value block);
  void forColumns(function_ref<void(Value column)> body);
  Values loadOperands(Value block, int64_t c);
  void storeRow(ArrayRef<Value> elements, Value inside, Value result,
                ValueRange at, Value column);

  Kernel &k;
  const Facts &facts;
  Matrix values;
  int64_t columns;
  Value plans; ///< as in GatherProduct
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PRODUCTS_H
