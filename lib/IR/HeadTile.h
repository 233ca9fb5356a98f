//===- HeadTile.h - Tiles of grouped heads -------------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_HEADTILE_H
#define LOT_LIB_IR_HEADTILE_H

#include "Decompose.h"
#include "Tile.h"

namespace mlir::lot {

/// Sets the tile of the heads `dim` of `few` that the query heads 'q' of the
/// tile use. Equal heads are tiled alike; with grouped heads a tile is all
/// heads or one (query head h uses head h / group). Other tiles fail with a
/// diagnostic.
LogicalResult setHeadTile(Operation *op, OpBuilder &b, Tile &tile, char dim,
                          const HeadsOf &query, const HeadsOf &few);

/// Fails with a diagnostic unless the tile's value dim 'e' is static.
LogicalResult expectStaticValueDim(Operation *op, const Tile &tile);

} // namespace mlir::lot

#endif // LOT_LIB_IR_HEADTILE_H
