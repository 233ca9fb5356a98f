//===- TileAccess.cpp - Loads and stores of a tile of tokens --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

/// Whether rows can be read as vectors.
static bool hasUnitInnerStride(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

/// Rows of one tile, in an operand's memory or in a copy of them.
static MemRefType getRowsType(Emitter &e, Type element, int64_t columns) {
  auto layout = StridedLayoutAttr::get(e.getContext(), ShapedType::kDynamic,
                                       {ShapedType::kDynamic, 1});
  return MemRefType::get({e.tile(), columns}, element, layout);
}

/// The rows [first, first + tile) of `memory` themselves.
static Value viewRows(Emitter &e, Value memory, TokenTile tile) {
  auto type = cast<MemRefType>(memory.getType());
  int64_t columns = type.getDimSize(1);
  SmallVector<OpFoldResult> offsets{tile.first, e.getIndexAttr(0)},
      sizes{e.getIndexAttr(e.tile()), e.getIndexAttr(columns)},
      strides{e.getIndexAttr(1), e.getIndexAttr(1)};
  Value view = memref::SubViewOp::create(e, memory, offsets, sizes, strides);
  return memref::CastOp::create(
      e, getRowsType(e, type.getElementType(), columns), view);
}

/// Whether all tokens of the tile are there.
static Value isWhole(Emitter &e, TokenTile tile) {
  return arith::CmpIOp::create(e, arith::CmpIPredicate::sle,
                               e.addIndex(tile.first, e.tile()), tile.length);
}

/// Memory row of lane `lane`: lanes past the end read the last token again.
static Value tokenRow(Emitter &e, TokenTile tile, Value lane) {
  Value last = e.addIndex(tile.length, -1);
  return e.minIndex(e.addIndex(tile.first, lane), last);
}

Value lot::isLive(Emitter &e, Value log2Mass) {
  double ninf = -std::numeric_limits<double>::infinity();
  bool vector = isa<VectorType>(log2Mass.getType());
  return e.greater(log2Mass, vector ? e.splat(ninf) : e.scalar(ninf));
}

/// Calls `body(column)` for vectors that cover [0, columns), the last one
/// overlapping; `scalarBody` for each column where a vector is too wide.
static void forColumns(Emitter &e, int64_t columns, bool vectors,
                       function_ref<void(Value)> body,
                       function_ref<void(Value)> scalarBody) {
  int64_t lanes = e.lanes();
  if (!vectors || columns < lanes) {
    e.forEach(columns, scalarBody);
    return;
  }
  e.forEach(e.index(0), e.index(columns / lanes * lanes), lanes, body);
  if (columns % lanes)
    body(e.index(columns - lanes));
}

/// scratch[token][c] = memory[first + token][c] in the state type; columns of
/// scratch that memory does not have are left alone.
static void copyRows(Emitter &e, Value memory, TokenTile tile, Value log2Mass,
                     Value scratch) {
  auto type = cast<MemRefType>(memory.getType());
  e.forEach(e.tile(), [&](Value i) {
    Value row = tokenRow(e, tile, i), live;
    if (log2Mass)
      live = isLive(e, e.load(log2Mass, {e.addIndex(tile.first, i)}));
    forColumns(
        e, type.getDimSize(1), hasUnitInnerStride(type),
        [&](Value c) {
          Value x = e.convert(e.loadVector(memory, {row, c}), e.scalarType());
          e.storeVector(live ? e.select(live, x, e.splat(0.0)) : x, scratch,
                        {i, c});
        },
        [&](Value c) {
          Value x = e.convert(e.load(memory, {row, c}), e.scalarType());
          e.store(live ? e.select(live, x, e.scalar(0.0)) : x, scratch, {i, c});
        });
  });
}

Value lot::readRows(Emitter &e, Value memory, TokenTile tile, Value scratch,
                    Value log2Mass) {
  auto type = cast<MemRefType>(memory.getType());
  int64_t columns = cast<MemRefType>(scratch.getType()).getDimSize(1);
  MemRefType rows = getRowsType(e, e.scalarType(), columns);
  auto copy = [&] {
    copyRows(e, memory, tile, log2Mass, scratch);
    return SmallVector<Value>{memref::CastOp::create(e, rows, scratch)};
  };
  if (log2Mass || !hasUnitInnerStride(type) ||
      type.getElementType() != e.scalarType() || type.getDimSize(1) != columns)
    return copy().front();
  return e.ifElse(
      isWhole(e, tile), rows,
      [&] { return SmallVector<Value>{viewRows(e, memory, tile)}; }, copy)[0];
}

OutputRows lot::openRows(Emitter &e, Value memory, TokenTile tile,
                         Value scratch) {
  auto type = cast<MemRefType>(memory.getType());
  auto scratchType = cast<MemRefType>(scratch.getType());
  MemRefType rowsType =
      getRowsType(e, scratchType.getElementType(), scratchType.getDimSize(1));
  auto copy = [&] {
    return SmallVector<Value>{memref::CastOp::create(e, rowsType, scratch)};
  };
  if (!hasUnitInnerStride(type) ||
      type.getDimSize(1) != scratchType.getDimSize(1))
    return {copy().front(), scratch, Value()};
  Value whole = isWhole(e, tile);
  Value rows = e.ifElse(
      whole, rowsType,
      [&] { return SmallVector<Value>{viewRows(e, memory, tile)}; }, copy)[0];
  return {rows, scratch, whole};
}

/// memory[first + token] = scratch[token] for the tokens that are there.
static void copyBack(Emitter &e, Value scratch, TokenTile tile, Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  Value left = arith::SubIOp::create(e, tile.length, tile.first);
  e.forEach(e.index(0), e.minIndex(e.index(e.tile()), left), 1, [&](Value i) {
    Value row = e.addIndex(tile.first, i);
    forColumns(
        e, type.getDimSize(1), hasUnitInnerStride(type),
        [&](Value c) {
          e.storeVector(e.loadVector(scratch, {i, c}), memory, {row, c});
        },
        [&](Value c) { e.store(e.load(scratch, {i, c}), memory, {row, c}); });
  });
}

void lot::closeRows(Emitter &e, const OutputRows &open, TokenTile tile,
                    Value memory) {
  if (!open.direct) {
    copyBack(e, open.scratch, tile, memory);
    return;
  }
  e.ifElse(
      open.direct, TypeRange(), [] { return SmallVector<Value>(); },
      [&] {
        copyBack(e, open.scratch, tile, memory);
        return SmallVector<Value>();
      });
}

void lot::prefetchRows(Emitter &e, Value memory, Value row, int64_t count) {
  auto type = cast<MemRefType>(memory.getType());
  if (!hasUnitInnerStride(type))
    return;
  constexpr int64_t kLineBits = 512;
  int64_t step = kLineBits / type.getElementTypeBitWidth();
  e.forEach(e.index(0), e.index(type.getDimSize(1)), step, [&](Value c) {
    for (int64_t i = 0; i < count; ++i)
      memref::PrefetchOp::create(e, memory, ValueRange{e.addIndex(row, i), c},
                                 /*isWrite=*/false, /*localityHint=*/3,
                                 /*isDataCache=*/true);
  });
}

void lot::prefetchNextTile(Emitter &e, Value memory, TokenTile tile, Value row,
                           int64_t count, int64_t products) {
  Value share =
      arith::DivUIOp::create(e, e.mulIndex(row, e.tile()), e.index(products));
  Value first = e.addIndex(e.addIndex(tile.first, e.tile()), share);
  prefetchRows(e, memory, first, llvm::divideCeil(count * e.tile(), products));
}
