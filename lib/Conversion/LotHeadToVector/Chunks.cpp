//===- Chunks.cpp - How a pass over tokens is cut -------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Chunks.h"
#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

Chunks lot::emitChunks(ImplicitLocOpBuilder &b, Value length, int64_t tile) {
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Chunks chunks;
  chunks.tiles = arith::CeilDivUIOp::create(b, length, index(tile));
  chunks.perChunk = arith::MaxUIOp::create(
      b, arith::CeilDivUIOp::create(b, chunks.tiles, index(kMaxChunks)),
      index(std::max<int64_t>(kChunkTokens / tile, 1)));
  chunks.count = arith::MaxUIOp::create(
      b, arith::CeilDivUIOp::create(b, chunks.tiles, chunks.perChunk),
      index(1));
  return chunks;
}

int64_t lot::getPartialsSize(int64_t r, int64_t columns, int64_t lanes) {
  return std::max(r * columns, (2 * r + 2) * lanes);
}

//===----------------------------------------------------------------------===//
// Parts of a pass
//===----------------------------------------------------------------------===//

Value PassPart::endTile(Emitter &e) const {
  return e.minIndex(arith::MulIOp::create(e, end, chunks.perChunk),
                    chunks.tiles);
}

ValueRange PassPart::forChunks(Emitter &e, ValueRange init,
                               ChunkBody body) const {
  return e.forLoop(first, end, 1, init, [&](Value chunk, ValueRange args) {
    Value start = arith::MulIOp::create(e, chunk, chunks.perChunk);
    Value stop = e.minIndex(e.addIndex(start, chunks.perChunk), chunks.tiles);
    return body(chunk, start, stop, args);
  });
}

void PassPart::forChunks(Emitter &e,
                         function_ref<void(Value, Value, Value)> body) const {
  forChunks(e, {}, [&](Value chunk, Value start, Value stop, ValueRange) {
    body(chunk, start, stop);
    return SmallVector<Value>();
  });
}

void PassPart::forTiles(Emitter &e, Value start, Value stop,
                        function_ref<void(Value, TokenTile)> body) const {
  e.forEach(start, stop, 1, [&](Value tile) {
    body(tile, {e.mulIndex(tile, e.tile()), length});
  });
}

void PassPart::forTiles(Emitter &e,
                        function_ref<void(Value, TokenTile)> body) const {
  Value start = arith::MulIOp::create(e, first, chunks.perChunk);
  forTiles(e, start, endTile(e), body);
}

//===----------------------------------------------------------------------===//
// Partial sums
//===----------------------------------------------------------------------===//

Value lot::getPartial(Emitter &e, Value partials, Value chunk, int64_t offset,
                      int64_t rows, int64_t columns) {
  SmallVector<OpFoldResult> offsets{chunk, e.getIndexAttr(offset)},
      sizes{e.getIndexAttr(1), e.getIndexAttr(rows * columns)},
      strides(2, e.getIndexAttr(1));
  auto type = cast<MemRefType>(partials.getType());
  auto flat = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      {rows * columns}, type, offsets, sizes, strides));
  Value row =
      memref::SubViewOp::create(e, flat, partials, offsets, sizes, strides);
  return memref::ExpandShapeOp::create(e, ArrayRef<int64_t>{rows, columns}, row,
                                       ArrayRef<ReassociationIndices>{{0, 1}});
}

void lot::foldPartials(Emitter &e, Value partials, Value count, int64_t rows,
                       int64_t columns, Value dst, bool onto) {
  if (!onto)
    e.fill(dst, 0.0);
  e.forEach(e.index(0), count, 1, [&](Value chunk) {
    Value from = getPartial(e, partials, chunk, 0, rows, columns);
    e.forEach(rows, [&](Value i) {
      e.forEach(e.index(0), e.index(columns), e.lanes(), [&](Value c) {
        Value sum =
            e.add(e.loadVector(dst, {i, c}), e.loadVector(from, {i, c}));
        e.storeVector(sum, dst, {i, c});
      });
    });
  });
}

void lot::foldSums(Emitter &e, Value partials, Value count, int64_t r,
                   Value sums) {
  Value zero = e.index(0);
  // The first row takes in the others, as vectors; lanes are added up last.
  Value total = getPartial(e, partials, zero, 0, r, e.lanes());
  e.forEach(e.index(1), count, 1, [&](Value chunk) {
    Value from = getPartial(e, partials, chunk, 0, r, e.lanes());
    e.forEach(r, [&](Value j) {
      Value sum =
          e.add(e.loadVector(total, {j, zero}), e.loadVector(from, {j, zero}));
      e.storeVector(sum, total, {j, zero});
    });
  });
  e.forEach(r, [&](Value j) {
    e.store(e.reduceAdd(e.loadVector(total, {j, zero})), sums, {j});
  });
}
