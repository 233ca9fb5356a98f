//===- SweepTiling.h - One tile of a sweep -------------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_SWEEPTILING_H
#define LOT_LIB_IR_SWEEPTILING_H

#include "Tile.h"

#include "lot/IR/Lot.h"

namespace mlir::lot {

/// The sweep over one tile of the tokens that goes on from `inits`, which are
/// of the tile's size.
FailureOr<TilingResult> tileSweep(SweepOp op, OpBuilder &b, Tile &tile,
                                  ValueRange inits);

} // namespace mlir::lot

#endif // LOT_LIB_IR_SWEEPTILING_H
