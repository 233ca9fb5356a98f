//===- PackedTiles.cpp - Tiles of 16-bit pairs ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedTiles.h"

using namespace mlir;
using namespace mlir::lot;

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

Values lot::columnOperand(Kernel &k, ArrayRef<Value> columns) {
  Type f16 = k.getF16Type(), f32 = k.getF32Type();
  Value odd = k.equal(k.rem(k.div(k.lane(), 4), 2), 1);
  Values words;
  for (size_t i = 0; i < columns.size(); i += 2) {
    Value pair = k.pack({columns[i], columns[i + 1]});
    Value high = k.convert(pair, f16);
    Value low = k.convert(k.subf(pair, k.convert(high, f32)), f16);
    words.push_back(k.select(odd, k.words(low)[0], k.words(high)[0]));
  }
  return words;
}

std::array<Value, 2> lot::emitRowSums(Kernel &k, ArrayRef<Value> words,
                                      ArrayRef<Value> operand) {
  Values sums(4, k.f32(0));
  for (size_t i = 0; i < words.size() / 4; ++i)
    emitMma(k, k.getF16Type(), words.slice(4 * i, 4), operand.slice(2 * i, 2),
            sums);
  return {k.addf(sums[0], sums[1]), k.addf(sums[2], sums[3])};
}

ScatteredColumns lot::scatterColumns(Kernel &k, Values partials) {
  // Which of the lane's columns the remaining ones are.
  Value first = k.index(0);
  for (int64_t mask : {16, 8, 4}) {
    size_t half = partials.size() / 2;
    if (partials.size() % 2) {
      for (Value &value : partials)
        value = k.addf(value, k.exchange(value, mask));
      continue;
    }
    // Lanes with the bit keep the upper half and give the lower one away.
    Value upper = k.equal(k.rem(k.div(k.lane(), mask), 2), 1);
    Values kept;
    for (size_t i = 0; i < half; ++i) {
      Value own = k.select(upper, partials[half + i], partials[i]);
      Value given = k.select(upper, partials[i], partials[half + i]);
      kept.push_back(k.addf(own, k.exchange(given, mask)));
    }
    first = k.add(first, k.select(upper, k.index(half), k.index(0)));
    partials = kept;
  }
  ScatteredColumns result{partials, {}};
  for (size_t i = 0; i < partials.size(); ++i) {
    Value at = k.add(first, i);
    Value column = k.add(k.mul(k.div(at, 2), 8), k.rem(at, 2));
    result.columns.push_back(k.add(column, laneColumn(k)));
  }
  return result;
}
