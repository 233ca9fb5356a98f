//===- WarpRing.cpp - Rows that a warp copies ahead of their use ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WarpRing.h"

#include "InlinePTX.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// Of an element.
static constexpr int64_t kBytes = 2;

WarpRing::WarpRing(Kernel &k, const SharedRegion &memory, Type element,
                   int64_t columns, int64_t stride, int64_t offset,
                   int64_t bytes, bool packed)
    : k(k), columns(columns), stride(stride),
      slots(bytes / (kBytes * stride * Facts::kTile)), packed(packed) {
  assert(slots > 0 && "no room for a tile");
  assert(!packed || columns == 16 || columns == 32 || columns == 64);
  rows = memory.view(offset, {slots * Facts::kTile, columns}, stride, element);
}

WarpRing::WarpRing(Kernel &k, const SharedRegion &memory, Type element,
                   int64_t columns, int64_t slots)
    : k(k), columns(columns), stride(columns), slots(slots),
      pitch(k.getWarps() * Facts::kTile), packed(true) {
  assert(memory.parts == 1 && "expected one part");
  Value flat = memory.view(0, {slots * pitch * columns}, 1, element);
  auto type = cast<MemRefType>(flat.getType());
  SmallVector<int64_t> sizes{k.getWarps(), slots * pitch, columns};
  SmallVector<int64_t> strides{Facts::kTile * columns, columns, 1};
  auto layout = StridedLayoutAttr::get(k.getContext(), 0, strides);
  rows = memref::ReinterpretCastOp::create(
      k, MemRefType::get(sizes, element, layout, type.getMemorySpace()), flat,
      /*offset=*/0, sizes, strides);
}

Value WarpRing::locateColumn(Value row, Value column) {
  if (!packed)
    return column;
  Value exchange = k.exchangeInRow(row, columns / 8);
  return arith::XOrIOp::create(k, column, k.mul(exchange, 8));
}

void WarpRing::endCopies() {
  Type type = nvgpu::DeviceAsyncTokenType::get(k.getContext());
  nvgpu::DeviceAsyncCreateGroupOp::create(k, type, ValueRange());
}

void WarpRing::copy(const Source *source, const std::optional<Lane> &lane,
                    Value tile, int64_t first, int64_t turn, Value condition) {
  auto copyAll = [&] {
    if (lane)
      copyRows(*source, *lane, tile, first, lane->to, firstRowOf(turn));
    else
      copyRows(*source, tile, first, getFirstRow(turn), /*zeros=*/false);
  };
  if (source && condition)
    k.ifThen(condition, copyAll);
  else if (source)
    copyAll();
  endCopies();
}

void WarpRing::copy(const Source &source, const std::optional<Lane> &lane,
                    Value tile, int64_t first, Value turn, Value condition) {
  k.ifThen(condition, [&] {
    Value row = getFirstRow(turn);
    if (lane)
      copyRows(source, *lane, tile, first, placeOf(*lane, row), 0);
    else
      copyRows(source, tile, first, row, /*zeros=*/false);
  });
  endCopies();
}

Value WarpRing::placeOf(const Lane &lane, Value row) {
  Value bytes = k.toWord(k.mul(row, stride * kBytes));
  return arith::AddIOp::create(k, lane.to, bytes);
}

Value WarpRing::getFirstRow(Value turn) {
  return k.mul(k.remNarrow(turn, k.index(slots)), pitch);
}

void WarpRing::copyTo(const Source *source, Value tile, int64_t first,
                      Value firstRow) {
  if (source)
    copyRows(*source, tile, first, firstRow, /*zeros=*/true);
  endCopies();
}

void WarpRing::copyRows(const Source &source, Value tile, int64_t first,
                        Value firstRow, bool zeros) {
  const Side &side = source.side;
  Type type = nvgpu::DeviceAsyncTokenType::get(k.getContext());
  int64_t vectors = columns / 8;
  for (int64_t at = 0; at < vectors * Facts::kTile; at += kWarp) {
    Value index = k.add(k.lane(), at);
    Value row = k.div(index, vectors);
    Value to = k.mul(k.rem(index, vectors), 8), from = k.add(to, first);
    if (source.first)
      from = k.add(from, source.first);
    Value position = k.add(tile, row), inside;
    if (side.mass)
      inside = locateToken(k, side, tile, row).second;
    else if (zeros)
      inside = k.lessNarrow(position, side.end);
    position = k.minNarrow(position, k.sub(side.length, k.index(1)));
    if (source.first || first + columns > source.columns) {
      Value some = k.less(from, k.index(source.columns));
      inside = inside ? k.both(inside, some) : some;
    }
    // No elements are read where none count: zeros.
    Value count = inside ? k.select(inside, k.index(8), k.index(0)) : Value();
    // One address for all copies of a lane, and the rows' stride.
    Value view = k.viewRows(source.tokens, source.leading, from);
    nvgpu::DeviceAsyncCopyOp::create(
        k, type, rows,
        ValueRange{k.warp(), k.add(firstRow, row), locateColumn(row, to)}, view,
        ValueRange{position, k.index(0)}, k.getIndexAttr(8), count,
        k.getUnitAttr());
  }
}

Value WarpRing::flatten(Value tokens, Value offset) const {
  // Nobody asks for its size.
  OpFoldResult size = k.index(std::numeric_limits<int64_t>::max()),
               one = k.getIndexAttr(1);
  auto layout =
      StridedLayoutAttr::get(k.getContext(), ShapedType::kDynamic, {1});
  auto type = MemRefType::get({ShapedType::kDynamic},
                              getElementTypeOrSelf(tokens.getType()), layout);
  return memref::ReinterpretCastOp::create(k, type, tokens,
                                           OpFoldResult(offset), size, one);
}

std::optional<WarpRing::Lane> WarpRing::startLane(const Source &source) {
  int64_t vectors = columns / 8;
  if (source.side.mass || kWarp % vectors)
    return std::nullopt;
  auto parts = memref::ExtractStridedMetadataOp::create(k, source.tokens);
  Value column = k.mul(k.rem(k.lane(), vectors), 8);
  Value offset = k.add(parts.getOffset(), column);
  if (source.first)
    offset = k.add(offset, source.first);
  for (auto [at, stride] : llvm::zip(source.leading, parts.getStrides()))
    offset = k.add(offset, k.mul(at, stride));
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(k, source.tokens);
  Value rowStride = parts.getStrides()[source.leading.size()];
  auto place = memref::ExtractStridedMetadataOp::create(k, rows);
  Value row = k.div(k.lane(), vectors);
  Value to =
      k.add(k.mul(k.warp(), place.getStrides()[0]), locateColumn(row, column));
  to = k.add(to, k.mul(row, stride));
  to = k.mul(k.add(to, place.getOffset()), kBytes);
  to = k.add(memref::ExtractAlignedPointerAsIndexOp::create(k, rows), to);
  // Computed once: 64 bits take several instructions an operation.
  auto keep = [&](Value index) { return emitOpaque(k, k.toWord(index)); };
  return Lane{emitOpaque(k, k.add(base, k.mul(offset, kBytes))),
              keep(k.mul(rowStride, kBytes)),
              keep(k.sub(source.side.length, k.index(1))), keep(to)};
}

void WarpRing::copyRows(const Source &source, const Lane &lane, Value tile,
                        int64_t first, Value to, int64_t firstRow) {
  int64_t vectors = columns / 8, rowsAtOnce = kWarp / vectors;
  Value absent;
  if (source.first || first + columns > source.columns) {
    Value from = k.add(k.mul(k.rem(k.lane(), vectors), 8), first);
    if (source.first)
      from = k.add(from, source.first);
    // Zeros.
    absent = k.invert(k.less(from, k.index(source.columns)));
  }
  Value row = k.toWord(k.add(tile, k.div(k.lane(), vectors)));
  Value begin = k.add(lane.pointer, first * kBytes);
  for (int64_t at = 0; at < Facts::kTile; at += rowsAtOnce) {
    Value position = arith::AddIOp::create(k, row, k.word(at));
    position = arith::MinUIOp::create(k, position, lane.last);
    // A product of words, twice as wide.
    Value offset = k.mul(k.widen(position), k.widen(lane.stride));
    // Of eight rows of 128 bytes, at a multiple of that, the last four are as
    // the first four with the halves of rows exchanged.
    Value here = to;
    if (packed && rowsAtOnce == 4 && at % 8)
      here = arith::XOrIOp::create(k, to, k.word(64));
    emitAsyncCopy(k, here, (firstRow + at) * stride * kBytes,
                  k.add(begin, offset), absent);
  }
}

std::optional<WarpRing::Walk> WarpRing::startWalk(const Source &source,
                                                  Value tile) const {
  int64_t vectors = columns / 8;
  if (kWarp % vectors)
    return std::nullopt;
  auto parts = memref::ExtractStridedMetadataOp::create(k, source.tokens);
  Walk walk;
  walk.memory = flatten(source.tokens, k.index(0));
  walk.rowStride = parts.getStrides()[2];
  Value token = k.add(tile, k.div(k.lane(), vectors));
  Value column = k.mul(k.rem(k.lane(), vectors), 8);
  if (source.first)
    column = k.add(column, source.first);
  walk.first =
      k.add(k.add(parts.getOffset(), column), k.mul(token, walk.rowStride));
  for (int64_t i = 0; i < 2; ++i)
    walk.first =
        k.add(walk.first, k.mul(source.leading[i], parts.getStrides()[i]));
  return walk;
}

void WarpRing::copyFrom(const Source &source, const Walk &walk, Value place,
                        Value tile, Value firstRow, Value present) {
  Type type = nvgpu::DeviceAsyncTokenType::get(k.getContext());
  int64_t vectors = columns / 8, rowsAtOnce = kWarp / vectors;
  Value to = k.mul(k.rem(k.lane(), vectors), 8);
  Value row = k.div(k.lane(), vectors);
  Value own, has;
  if (present)
    own = arith::ShRUIOp::create(k, present, k.toWord(row));
  if (source.first || columns > source.columns) {
    Value from = source.first ? k.add(to, source.first) : to;
    has = k.less(from, k.index(source.columns));
  }
  for (int64_t at = 0; at < Facts::kTile; at += rowsAtOnce) {
    Value position = k.add(k.add(tile, row), at);
    Value inside;
    if (present)
      inside = arith::CmpIOp::create(
          k, arith::CmpIPredicate::ne,
          arith::AndIOp::create(k, own, k.word(1 << at)), k.word(0));
    else
      inside = k.lessNarrow(position, source.side.end);
    if (has)
      inside = k.both(inside, has);
    Value count = k.select(inside, k.index(8), k.index(0));
    Value column = locateColumn(k.add(row, at), to);
    nvgpu::DeviceAsyncCopyOp::create(
        k, type, rows,
        ValueRange{k.warp(), k.add(k.add(firstRow, row), at), column},
        walk.memory, k.add(place, k.mul(walk.rowStride, at)), k.getIndexAttr(8),
        count, k.getUnitAttr());
  }
  endCopies();
}

void WarpRing::copyFrom(const Source &source, const Lane &lane, Value tile,
                        Value firstRow, Value condition) {
  k.ifThen(condition, [&] {
    copyRows(source, lane, tile, 0, placeOf(lane, firstRow), 0);
  });
  endCopies();
}

void WarpRing::wait(int64_t ahead) {
  NVVM::CpAsyncWaitGroupOp::create(k, ahead);
  k.warpBarrier();
}
