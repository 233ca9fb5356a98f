//===- Tile.cpp - Tiles of operands whose dims have letters ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tile.h"

#include "IndexedBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

using namespace mlir;
using namespace mlir::lot;

static OpFoldResult sizeOf(OpBuilder &b, Location loc, Value value,
                           int64_t index) {
  if (isa<RankedTensorType>(value.getType()))
    return tensor::getMixedSize(b, loc, value, index);
  return memref::getMixedSize(b, loc, value, index);
}

/// Whether [offset, offset + size) is all of dim `index` of `value`.
static bool isWholeRange(OpFoldResult offset, OpFoldResult size, Value value,
                         int64_t index) {
  if (!isConstantIntValue(offset, 0))
    return false;
  int64_t length = cast<ShapedType>(value.getType()).getDimSize(index);
  if (std::optional<int64_t> constant = getConstantIntValue(size);
      constant && !ShapedType::isDynamic(length))
    return *constant == length;
  using Bounds = ValueBoundsConstraintSet;
  FailureOr<bool> equal =
      Bounds::areEqual(Bounds::Variable(size), Bounds::Variable(value, index));
  return succeeded(equal) && *equal;
}

void Tile::set(StringRef dims, ArrayRef<OpFoldResult> offsets,
               ArrayRef<OpFoldResult> sizes) {
  for (auto [dim, offset, size] : llvm::zip_equal(dims, offsets, sizes))
    set(dim, offset, size);
}

void Tile::position(Value value, StringRef dims,
                    SmallVectorImpl<OpFoldResult> &offsets,
                    SmallVectorImpl<OpFoldResult> &sizes) const {
  for (auto [index, dim] : llvm::enumerate(dims)) {
    auto range = ranges.find(dim);
    if (range == ranges.end()) {
      offsets.push_back(b.getIndexAttr(0));
      sizes.push_back(sizeOf(b, loc, value, index));
    } else {
      offsets.push_back(range->second.first);
      sizes.push_back(range->second.second);
    }
  }
}

Value Tile::slice(Value value, StringRef dims) {
  // What no loop cuts is used as it is.
  if (!value || llvm::all_of(llvm::enumerate(dims), [&](auto dim) {
        return isWhole(dim.value(), value, dim.index());
      }))
    return value;
  SmallVector<OpFoldResult> offsets, sizes;
  position(value, dims, offsets, sizes);
  SmallVector<OpFoldResult> strides(dims.size(), b.getIndexAttr(1));
  Operation *slice;
  if (isa<RankedTensorType>(value.getType()))
    slice =
        tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes, strides);
  else
    slice = memref::SubViewOp::create(b, loc, value, offsets, sizes, strides);
  slices.push_back(slice);
  return slice->getResult(0);
}

bool Tile::isWhole(char dim, Value value, int64_t index) const {
  auto range = ranges.find(dim);
  return range == ranges.end() ||
         isWholeRange(range->second.first, range->second.second, value, index);
}

TilingResult Tile::cloneOn(DestinationStyleOpInterface op,
                           ValueRange operands) {
  SmallVector<Type> results;
  if (op.hasPureTensorSemantics())
    for (OpOperand &init : op.getDpsInitsMutable())
      results.push_back(operands[init.getOperandNumber()].getType());
  return finish(mlir::clone(b, op, results, operands));
}

TilingResult Tile::finish(Operation *tiled) const {
  return TilingResult{{tiled}, SmallVector<Value>(tiled->getResults()), slices};
}

SmallVector<Range> lot::domainOf(OpBuilder &b, Location loc, Value value,
                                 StringRef dims, StringRef domain) {
  SmallVector<Range> ranges;
  for (char dim : domain)
    ranges.push_back({b.getIndexAttr(0), sizeOf(b, loc, value, dims.find(dim)),
                      b.getIndexAttr(1)});
  return ranges;
}

LogicalResult lot::domainTileOfResult(
    OpBuilder &b, Value result, StringRef dims, ArrayRef<Range> whole,
    StringRef domain, ArrayRef<OpFoldResult> offsets,
    ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &tileOffsets,
    SmallVectorImpl<OpFoldResult> &tileSizes) {
  for (auto [index, dim] : llvm::enumerate(dims))
    if (!domain.contains(dim) &&
        !isWholeRange(offsets[index], sizes[index], result, index))
      return failure();
  for (auto [range, dim] : llvm::zip_equal(whole, domain)) {
    size_t index = dims.find(dim);
    tileOffsets.push_back(index == StringRef::npos ? range.offset
                                                   : offsets[index]);
    tileSizes.push_back(index == StringRef::npos ? range.size : sizes[index]);
  }
  return success();
}

FailureOr<Value> lot::uniformMassOfTile(Operation *op, OpBuilder &b,
                                        const Tile &tile, StringRef dims,
                                        Value value, int64_t index) {
  if (!isa<RankedTensorType>(value.getType())) {
    op->emitOpError("expected an explicit log mass to tile the tokens of "
                    "memrefs, got the uniform default");
    return failure();
  }
  IndexedBuilder t(op->getLoc(), b);
  t.bind('n', sizeOf(b, op->getLoc(), value, index));
  auto type = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  Value mass = t.uniformLogMass('n', type);
  SmallVector<OpFoldResult> sizes;
  for (char dim : dims)
    sizes.push_back(tile.size(dim));
  Value empty = tensor::EmptyOp::create(t, sizes, type);
  return linalg::FillOp::create(t, mass, empty).getResult(0);
}
