//===- PackedTiles.cpp - Tiles of 16-bit pairs ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedTiles.h"

#include "InlinePTX.h"

using namespace mlir;
using namespace mlir::lot;

/// Lanes that differ in these bits have other rows.
static constexpr int64_t kRowMasks[] = {16, 8, 4};
/// Two ones of f16.
static constexpr int32_t kOnes = 0x3c003c00;

Values lot::packTile(Kernel &k, Type type, const Tile &tile) {
  Values words;
  for (size_t i = 0; i < tile.size(); i += 2)
    words.push_back(packWord(k, type, tile[i], tile[i + 1]));
  return words;
}

Tile lot::unpackTile(Kernel &k, Type type, ArrayRef<Value> words) {
  Tile tile;
  for (Value word : words) {
    Value pair = k.convert(k.fromWord(word, type), k.getF32Type());
    tile.append({k.element(pair, 0), k.element(pair, 1)});
  }
  return tile;
}

Values lot::transposeTile(Kernel &k, ArrayRef<Value> words) {
  // Pivots 0-7 and 8-15 of the first 8 tokens, then of the others.
  Values transposed;
  for (size_t i = 0; i < words.size(); i += 4)
    for (size_t at : {0, 2, 1, 3})
      transposed.push_back(emitTranspose(k, words[i + at]));
  return transposed;
}

SmallVector<Values> lot::splitTile(Kernel &k, Type type, Tile tile,
                                   int64_t parts) {
  SmallVector<Values> result;
  for (int64_t p = 0; p < parts; ++p) {
    result.push_back(packTile(k, type, tile));
    if (p + 1 == parts)
      break;
    for (auto [value, taken] :
         llvm::zip_equal(tile, unpackTile(k, type, result.back())))
      value = k.subf(value, taken);
  }
  return result;
}

std::array<Value, 2> lot::emitRowSums(Kernel &k, ArrayRef<Value> words,
                                      ArrayRef<Value> operand) {
  Values sums(4, k.f32(0));
  for (size_t i = 0; i < words.size() / 4; ++i)
    emitMma(k, k.getF16Type(), words.slice(4 * i, 4), operand.slice(2 * i, 2),
            sums);
  return {k.addf(sums[0], sums[1]), k.addf(sums[2], sums[3])};
}

std::array<Value, 2> lot::emitRowTotals(Kernel &k, ArrayRef<Value> words) {
  Value ones = k.word(kOnes);
  Values sums(4, k.f32(0));
  for (size_t i = 0; i < words.size(); i += 4)
    emitMma(k, k.getF16Type(), words.slice(i, 4), {ones, ones}, sums);
  return {sums[0], sums[2]};
}

/// Whether the lane is one of those with bit `mask`.
static Value hasBit(Kernel &k, int64_t mask) {
  return k.equal(k.rem(k.div(k.lane(), mask), 2), 1);
}

Values lot::scatterColumns(Kernel &k, Values partials) {
  for (int64_t mask : kRowMasks) {
    size_t half = partials.size() / 2;
    if (partials.size() % 2) {
      for (Value &value : partials)
        value = k.addf(value, k.exchange(value, mask));
      continue;
    }
    // Lanes with the bit keep the upper half and give the lower one away.
    Value upper = hasBit(k, mask);
    Values kept;
    for (size_t i = 0; i < half; ++i) {
      Value own = k.select(upper, partials[half + i], partials[i]);
      Value given = k.select(upper, partials[i], partials[half + i]);
      kept.push_back(k.addf(own, k.exchange(given, mask)));
    }
    partials = kept;
  }
  return partials;
}

int64_t lot::countScattered(int64_t columns) {
  int64_t count = columns / 4;
  for (size_t i = 0; i < std::size(kRowMasks) && count % 2 == 0; ++i)
    count /= 2;
  return count;
}

Values lot::locateScattered(Kernel &k, int64_t columns) {
  // Which of the lane's columns the remaining ones are, as above.
  Value first = k.index(0);
  int64_t count = columns / 4;
  for (int64_t mask : kRowMasks) {
    if (count % 2)
      continue;
    count /= 2;
    first = k.add(first, k.mul(k.rem(k.div(k.lane(), mask), 2), count));
  }
  Values result;
  for (int64_t i = 0; i < count; ++i) {
    Value at = k.add(first, i);
    Value column = k.add(k.mul(k.div(at, 2), 8), k.rem(at, 2));
    result.push_back(k.add(column, laneColumn(k)));
  }
  return result;
}

bool lot::canScatterPairs(int64_t columns) {
  return columns == 16 || columns == 32 || columns == 64;
}

Values lot::scatterPairs(Kernel &k, ArrayRef<Value> pairs) {
  // Transposed, pairs of 8 rows of lanes are operand B of eight columns, for
  // one half of mma's depth; row m of A has ones where lanes of row m are to
  // have their sums, after scatterColumns.
  int64_t count = pairs.size(), lanesOfOne = 8 / count;
  Value zero = k.word(0);
  Value ones = k.word(kOnes);
  Value row = k.div(k.lane(), 4);
  auto onesOf = [&](int64_t q) {
    return k.select(k.equal(k.div(row, lanesOfOne), q), ones, zero);
  };
  Values sums(4, k.f32(0));
  for (int64_t q = 0; q < count; q += 2) {
    Values b;
    for (Value pair : pairs.slice(q, 2))
      b.push_back(emitTranspose(k, k.words(pair)[0]));
    emitMma(k, k.getF16Type(), {onesOf(q), zero, onesOf(q + 1), zero}, b, sums);
  }
  if (lanesOfOne == 1)
    return {sums[0], sums[1]};
  return {k.select(hasBit(k, 2 * lanesOfOne), sums[1], sums[0])};
}
