//===- SweepPartialReduction.cpp - lot.sweep split over tokens ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"
#include "SweepTiling.h"
#include "Tile.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

// Parts of the tokens are swept independently and their (max, sum) pairs are
// merged: [p, batch..., r] of part p.

FailureOr<SmallVector<Value>> SweepOp::generateInitialTensorForPartialReduction(
    OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes,
    const SetVector<unsigned> &reductionDims) {
  if (failed(expectTensors(*this)))
    return failure();
  ScoreDims dims(getScores());
  IndexedBuilder t(loc, b);
  t.bind(getInits()[0], dims.pivot);
  t.bind('p', sizes[dims.batch.size()]);
  Type type = getElementTypeOrSelf(getScores().getType());
  SmallVector<Value> initial;
  if (getDomain() == Domain::log)
    initial.push_back(t.fill(-std::numeric_limits<double>::infinity(),
                             "p" + dims.pivot, type));
  initial.push_back(t.fill(0.0, "p" + dims.pivot, type));
  return initial;
}

LogicalResult SweepOp::getPartialResultTilePosition(
    OpBuilder &b, unsigned resultNumber, ReductionTilingStrategy strategy,
    ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes,
    const SetVector<unsigned> &reductionDims,
    ArrayRef<OpFoldResult> splitReductionIvs,
    SmallVector<OpFoldResult> &resultOffsets,
    SmallVector<OpFoldResult> &resultSizes) {
  if (splitReductionIvs.size() != 1)
    return failure();
  ScoreDims dims(getScores());
  Tile tile(b, getLoc());
  tile.set(dims.token, offsets, sizes);
  // Not from the inits: while it is tiled, the op has those of all parts.
  tile.set('j', b.getIndexAttr(0),
           tensor::getMixedSize(b, getLoc(), getScores(), dims.all.size() - 1));
  resultOffsets = {splitReductionIvs[0]};
  resultSizes = {b.getIndexAttr(1)};
  tile.position(getInits()[resultNumber], dims.pivot, resultOffsets,
                resultSizes);
  return success();
}

FailureOr<TilingResult> SweepOp::tileToPartialReduction(
    OpBuilder &b, Location loc, ReductionTilingStrategy strategy,
    ValueRange init, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, const SetVector<unsigned> &reductionDims,
    ArrayRef<OpFoldResult> splitReductionIvs) {
  if (strategy != ReductionTilingStrategy::PartialReductionOuterParallel) {
    // One accumulator for each token of a tile is no sweep; a plain loop over
    // the tokens carries the (max, sum) pairs as they are.
    emitOpError("expected tokens to be split into parallel parts or tiled by a "
                "plain loop, got a partial reduction inside a loop");
    return failure();
  }
  ScoreDims dims(getScores());
  // This part's slot, as the init of an ordinary tile.
  SmallVector<Value> inits;
  for (auto [number, partial] : llvm::enumerate(init)) {
    SmallVector<OpFoldResult> slotOffsets, slotSizes;
    if (failed(getPartialResultTilePosition(b, number, strategy, offsets, sizes,
                                            reductionDims, splitReductionIvs,
                                            slotOffsets, slotSizes)))
      return failure();
    SmallVector<OpFoldResult> strides(slotSizes.size(), b.getIndexAttr(1));
    auto full = cast<RankedTensorType>(tensor::ExtractSliceOp::inferResultType(
        cast<RankedTensorType>(partial.getType()), slotSizes));
    auto slot = RankedTensorType::get(full.getShape().drop_front(),
                                      full.getElementType());
    inits.push_back(tensor::ExtractSliceOp::create(
        b, loc, slot, partial, slotOffsets, slotSizes, strides));
  }
  Tile tile(b, loc);
  tile.set(dims.token, offsets, sizes);
  return tileSweep(*this, b, tile, inits);
}

FailureOr<MergeResult>
SweepOp::mergeReductions(OpBuilder &b, Location loc, ValueRange partialReduce,
                         const SetVector<unsigned> &reductionDims) {
  ScoreDims dims(getScores());
  IndexedBuilder t(loc, b);
  t.bind(getInits()[0], dims.pivot);
  Type type = getElementTypeOrSelf(getScores().getType());
  std::string parts = "p" + dims.pivot;
  auto add = [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
    return arith::AddFOp::create(nested, args.back(), args.front());
  };
  auto merged = [](ArrayRef<Value> values) {
    MergeResult result;
    for (Value value : values) {
      result.mergeOps.push_back(value.getDefiningOp());
      result.replacements.push_back(value);
    }
    return result;
  };
  if (getDomain() == Domain::scaling)
    return merged({t.generic({{partialReduce[0], parts}},
                             {getInits()[0], dims.pivot}, parts, add)});

  // max = max(start, max_p max_p)
  Value max =
      t.generic({{partialReduce[0], parts}}, {getInits()[0], dims.pivot}, parts,
                [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                  return arith::MaximumFOp::create(nested, args[0], args[1]);
                });
  // sum = start sum exp(start max - max) + sum_p sum_p exp(max_p - max)
  auto rescaled = [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
    return arith::MulFOp::create(nested, args[0],
                                 expTerm(nested, args[1], args[2]));
  };
  Value start = t.map({{getInits()[1], dims.pivot},
                       {getInits()[0], dims.pivot},
                       {max, dims.pivot}},
                      dims.pivot, type, rescaled);
  Value sum = t.generic(
      {{partialReduce[1], parts}, {partialReduce[0], parts}, {max, dims.pivot}},
      {start, dims.pivot}, parts,
      [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
        return arith::AddFOp::create(nested, args.back(),
                                     rescaled(nested, args));
      });
  return merged({max, sum});
}
