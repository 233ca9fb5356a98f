//===- StagedScores.cpp - Scores of rows in shared memory -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StagedScores.h"

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// Four 8 x 8 matrices, a word of each in a lane; each lane names a row.
static Values loadMatrices(Kernel &k, Type io, Value memref,
                           ValueRange indices) {
  Value loaded =
      nvgpu::LdMatrixOp::create(k, VectorType::get({4, 2}, io), memref, indices,
                                /*transpose=*/false, /*numTiles=*/4);
  Values words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(k.words(k.element(loaded, i))[0]);
  return words;
}

/// Of 16 pivots from `j` on: 8 columns and the next 8, then the same of the
/// next 8 pivots.
static Values loadPivots(Kernel &k, const Facts &facts, const Matrix &pivots,
                         int64_t j, int64_t column) {
  Value lane = k.lane();
  Value pivot = k.add(k.mul(k.div(lane, 16), 8), k.rem(lane, 8));
  Value first = k.mul(k.rem(k.div(lane, 8), 2), 8);
  if (pivots.shift)
    pivot = k.add(pivot, pivots.shift);
  return loadMatrices(k, facts.io, pivots.memref,
                      {k.add(pivot, j), k.add(first, column)});
}

Values lot::loadPivotOperands(Kernel &k, const Facts &facts,
                              const Matrix &pivots, size_t most) {
  Values words;
  int64_t depth = facts.pivotFormat().depth();
  for (int64_t at = 0; at < depth; at += 16)
    for (int64_t part = 0; part < facts.pivotParts; ++part)
      for (int64_t j = 0; j < facts.pivots() && words.size() < most; j += 16)
        words.append(loadPivots(k, facts, pivots, j, at + part * depth));
  return words;
}

static SmallVector<Tile>
emitTileDots(Kernel &k, const Facts &facts, Value rows, ValueRange leading,
             ArrayRef<Value> firsts, const Matrix &matrix, RowFormat format,
             SmallVector<Tile> dots, const Values *operands) {
  Value lane = k.lane();
  // Of tokens rows 0-7 and 8-15, then the same of the next 8 columns.
  Value tokenRow = k.rem(lane, 16), tokenColumn = k.mul(k.div(lane, 16), 8);
  int64_t depth = format.depth();
  ArrayRef<Value> kept;
  if (operands)
    kept = *operands;
  for (int64_t at = 0; at < depth; at += 16) {
    SmallVector<Values> a;
    for (Value first : firsts) {
      Values indices(leading);
      indices.append({k.add(first, tokenRow), k.add(tokenColumn, at)});
      a.push_back(loadMatrices(k, facts.io, rows, indices));
    }
    for (int64_t part = 0; part < format.parts; ++part)
      for (int64_t j = 0; j < facts.pivots(); j += 16) {
        Values b;
        if (!kept.empty()) {
          b = Values(kept.take_front(4));
          kept = kept.drop_front(4);
        } else {
          b = loadPivots(k, facts, matrix, j, at + part * depth);
        }
        for (int64_t half = 0; half < 2; ++half)
          for (auto [tile, words] : llvm::zip_equal(dots, a))
            emitMma(k, facts.io, words, ArrayRef(b).slice(2 * half, 2),
                    MutableArrayRef<Value>(tile).slice(j / 2 + 4 * half, 4));
      }
  }
  return dots;
}

Tile lot::emitStagedDots(Kernel &k, const Facts &facts, Value rows,
                         ValueRange leading, Value first, const Matrix &matrix,
                         RowFormat format, Tile dots, const Values *operands) {
  return emitTileDots(k, facts, rows, leading, first, matrix, format,
                      SmallVector<Tile>(1, dots), operands)
      .front();
}

SmallVector<Tile> lot::emitStagedScores(Kernel &k, const Facts &facts,
                                        Value tokens, ValueRange leading,
                                        ArrayRef<Value> firsts,
                                        const Matrix &pivots,
                                        const Values &columns,
                                        const Values *operands) {
  bool raw = facts.rawScores(), some = !columns.empty();
  Tile start;
  for (int64_t i = 0; i < facts.pivots() / 2; ++i)
    start.push_back(raw && some ? columns[i / 4 * 2 + i % 2] : k.f32(0));
  SmallVector<Tile> tiles = emitTileDots(
      k, facts, tokens, leading, firsts, pivots, facts.pivotFormat(),
      SmallVector<Tile>(firsts.size(), start), operands);
  if (!raw)
    for (Tile &tile : tiles) {
      tile = clipScores(k, facts, scaleDots(k, facts, tile));
      if (some)
        tile = addColumns(k, tile, columns);
    }
  return tiles;
}

Tile lot::emitStagedScores(Kernel &k, const Facts &facts, Value tokens,
                           ValueRange leading, Value first,
                           const Matrix &pivots, const Values &columns,
                           const Values *operands) {
  return emitStagedScores(k, facts, tokens, leading, ArrayRef<Value>(first),
                          pivots, columns, operands)
      .front();
}
