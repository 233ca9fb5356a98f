//===- HeadTile.cpp - Tiles of grouped heads ------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadTile.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::lot;

LogicalResult lot::setHeadTile(Operation *op, OpBuilder &b, Tile &tile,
                               char dim, const HeadsOf &query,
                               const HeadsOf &few) {
  auto [value, index] = query.dims[0];
  if (tile.isWhole('q', value, index))
    return success();
  FailureOr<int64_t> group = resolveHeadGroup(op, query, few);
  if (failed(group))
    return failure();
  if (*group == 1) {
    tile.set(dim, tile.offset('q'), tile.size('q'));
    return success();
  }
  if (!isConstantIntValue(tile.size('q'), 1))
    return op->emitOpError("expected a tile of one query head or of all where ")
           << *group << " query heads share one head of " << few.name;
  AffineExpr head = b.getAffineSymbolExpr(0).floorDiv(*group);
  OpFoldResult offset = affine::makeComposedFoldedAffineApply(
      b, op->getLoc(), head, {tile.offset('q')});
  tile.set(dim, offset, b.getIndexAttr(1));
  return success();
}

LogicalResult lot::expectStaticValueDim(Operation *op, const Tile &tile) {
  if (getConstantIntValue(tile.size('e')))
    return success();
  return op->emitOpError("expected tiles of the value dim dv of one static "
                         "size, got a dynamic one; choose a divisor of dv");
}
