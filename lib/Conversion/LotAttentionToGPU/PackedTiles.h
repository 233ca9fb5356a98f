//===- PackedTiles.h - Tiles of 16-bit pairs --------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile (Tiles.h) in half its registers: words of two columns of one row, two
// words for every 8 pivots, one of each row. The words of 16 pivots are an
// operand A of mma.m16n8k16 as they are.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDTILES_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDTILES_H

#include "Tiles.h"

namespace mlir::lot {

/// A tile as words of `type` (f16 or bf16), and back.
Values packTile(Kernel &k, Type type, const Tile &tile);
Tile unpackTile(Kernel &k, Type type, ArrayRef<Value> words);
/// Words of a tile as operands A of its transpose, 16 pivots each.
Values transposeTile(Kernel &k, ArrayRef<Value> words);
/// Words of so many tiles that add up to `tile`.
SmallVector<Values> splitTile(Kernel &k, Type type, Tile tile, int64_t parts);

/// sum_j E_ij v_j of both rows, in all lanes that share them; `operand`: v as
/// ClusterSums::spreadOperand has it.
std::array<Value, 2> emitRowSums(Kernel &k, ArrayRef<Value> words,
                                 ArrayRef<Value> operand);

/// sum_j E_ij of both rows, in all lanes that share them.
std::array<Value, 2> emitRowTotals(Kernel &k, ArrayRef<Value> words);

/// What every lane has of columns (two of every 8 pivots) added up over the
/// rows of the warp, and left where it came up: a lane has a part of them.
Values scatterColumns(Kernel &k, Values partials);
/// How many and which columns a lane then has, of so many.
int64_t countScattered(int64_t columns);
Values locateScattered(Kernel &k, int64_t columns);
/// The same of pairs of f16, added up in f32 on tensor cores. Where one is not
/// finite, others may not be, either.
bool canScatterPairs(int64_t columns);
Values scatterPairs(Kernel &k, ArrayRef<Value> pairs);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDTILES_H
