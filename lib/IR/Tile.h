//===- Tile.h - Tiles of operands whose dims have letters ----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every op names its tileable dims by letters (its domain) and each operand by
// a word of letters. A tile is an offset and a size for some of the letters; an
// operand's slice follows from its word. What is not in the domain, such as
// pivots, cannot be tiled.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_TILE_H
#define LOT_LIB_IR_TILE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/TilingInterface.h"

#include <map>

namespace mlir::lot {

class Tile {
public:
  Tile(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  /// `offsets` and `sizes` of the letters of `dims`, in their order.
  void set(StringRef dims, ArrayRef<OpFoldResult> offsets,
           ArrayRef<OpFoldResult> sizes);
  void set(char dim, OpFoldResult offset, OpFoldResult size) {
    ranges[dim] = {offset, size};
  }
  OpFoldResult offset(char dim) const { return ranges.at(dim).first; }
  OpFoldResult size(char dim) const { return ranges.at(dim).second; }

  /// The part of a tensor or memref that belongs to this tile; null stays null.
  Value slice(Value value, StringRef dims);
  /// Offsets and sizes of a result with these dims.
  void position(Value value, StringRef dims,
                SmallVectorImpl<OpFoldResult> &offsets,
                SmallVectorImpl<OpFoldResult> &sizes) const;
  /// Whether the letter keeps its whole length, dim `index` of `value`.
  bool isWhole(char dim, Value value, int64_t index) const;

  /// `op` on sliced operands: clones it and wraps it up for the caller.
  TilingResult cloneOn(DestinationStyleOpInterface op, ValueRange operands);
  TilingResult finish(Operation *tiled) const;

private:
  OpBuilder &b;
  Location loc;
  std::map<char, std::pair<OpFoldResult, OpFoldResult>> ranges;
  SmallVector<Operation *> slices;
};

/// The loops [0, size) over the letters of `domain`, which `value` has.
SmallVector<Range> domainOf(OpBuilder &b, Location loc, Value value,
                            StringRef dims, StringRef domain);

/// Turns the tile of a result with `dims` into one of the domain. Letters of
/// the domain that the result lacks are whole. Fails when the tile would cut a
/// dim that is not in the domain: no producer can be fused there.
LogicalResult domainTileOfResult(OpBuilder &b, Value result, StringRef dims,
                                 ArrayRef<Range> whole, StringRef domain,
                                 ArrayRef<OpFoldResult> offsets,
                                 ArrayRef<OpFoldResult> sizes,
                                 SmallVectorImpl<OpFoldResult> &tileOffsets,
                                 SmallVectorImpl<OpFoldResult> &tileSizes);

/// -log(length) for the tokens of a tile [.., i]: an absent log mass is uniform
/// over all tokens, not over those of the tile. `length` is dim `index` of
/// `value`; `dims` are the letters of the mass. Fails on buffers.
FailureOr<Value> uniformMassOfTile(Operation *op, OpBuilder &b,
                                   const Tile &tile, StringRef dims,
                                   Value value, int64_t index);

} // namespace mlir::lot

#endif // LOT_LIB_IR_TILE_H
