//===- PackedSweep.cpp - A sweep as products with the factor --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedSolve.h"

using namespace mlir;
using namespace mlir::lot;

/// Each of the four lanes that share rows takes the sums of one tile.
PackedSolve::QuadSums PackedSolve::emitQuadSums(int64_t firstTile,
                                                const Values &operand) {
  Value quad = k.rem(k.lane(), 4);
  SmallVector<std::array<Value, 2>> rowSums;
  for (int64_t i = 0; i < 4; ++i)
    rowSums.push_back(emitRowSums(k, getTile(firstTile + i), operand));
  Value odd = k.equal(k.rem(quad, 2), 1), high = k.equal(k.div(quad, 2), 1);
  QuadSums result;
  result.tile = k.add(quad, firstTile);
  for (int64_t row = 0; row < 2; ++row) {
    Value sum = k.select(high, k.select(odd, rowSums[3][row], rowSums[2][row]),
                         k.select(odd, rowSums[1][row], rowSums[0][row]));
    Value live = isInside(result.tile, row);
    if (side.mass) {
      Value token =
          k.add(getTileStart(result.tile), k.add(k.div(k.lane(), 4), 8 * row));
      Value mass = getMass(k.min(token, k.sub(side.length, k.index(1))));
      live = k.both(live, k.isLive(mass));
      result.masses[row] = mass;
    }
    result.sums[row] = k.select(live, sum, k.negf(k.noMass()));
    result.live[row] = live;
  }
  return result;
}

void PackedSolve::addTiles(int64_t firstTile, const Values &operand,
                           Values &packed, Sums &sums, Value &smallest) {
  Type f16 = k.getF16Type();
  QuadSums rows = emitQuadSums(firstTile, operand);
  Value weight[2];
  for (int64_t row = 0; row < 2; ++row) {
    smallest = k.minf(smallest, rows.sums[row]);
    weight[row] = k.reciprocal(rows.sums[row]);
    if (Value mass = rows.masses[row])
      weight[row] = k.select(rows.live[row],
                             k.mulf(weight[row], getWeight(mass)), k.f32(0));
  }
  Value lanes = k.sub(k.lane(), k.rem(k.lane(), 4));
  Value pair = packWord(k, f16, weight[0], weight[1]);
  for (int64_t i = 0; i < 4; ++i) {
    ArrayRef<Value> words = getTile(firstTile + i);
    Value from = k.add(lanes, i);
    if (side.mass) {
      // Masses are of any size: f32.
      Value all[2] = {k.fromLane(weight[0], from), k.fromLane(weight[1], from)};
      addToColumns(k, unpackTile(k, f16, words), all, sums.columns);
      continue;
    }
    Value both = k.fromWord(k.fromLane(pair, from), f16);
    for (int64_t row = 0; row < 2; ++row) {
      Value one = k.element(both, row);
      Value splat = k.pack({one, one});
      for (size_t at = row; at < words.size(); at += 2)
        packed[at / 2] =
            k.fma(k.fromWord(words[at], f16), splat, packed[at / 2]);
    }
  }
}

PackedSolve::Sums PackedSolve::emitSweep() {
  KernelBuilder::FreshThread fresh(k);
  Values operand = cluster.spreadOperand(scaled);
  Sums sums{Values(facts.pivots() / 4, k.f32(0)), k.subf(reference, offset)};
  Values packed(facts.pivots() / 8,
                k.zeros(VectorType::get({2}, k.getF16Type())));
  Value infinite = k.negf(k.noMass()), smallest = infinite;
  for (int64_t i = 0; i < facts.residentTiles(); i += 4)
    addTiles(i, operand, packed, sums, smallest);
  // Not finite where a row has lost something.
  Value good = k.greater(smallest, k.f32(kLeastRowSum));
  if (!side.mass && canScatterPairs(facts.pivots())) {
    Value bad = k.convert(k.pack({infinite, k.f32(0)}), k.getF16Type());
    packed[0] = k.select(good, packed[0], bad);
    sums.columns = scatterPairs(k, packed);
    return sums;
  }
  if (!side.mass)
    for (auto [i, pair] : llvm::enumerate(packed)) {
      Value wide = k.convert(pair, k.getF32Type());
      sums.columns[2 * i] = k.element(wide, 0);
      sums.columns[2 * i + 1] = k.element(wide, 1);
    }
  sums.columns[0] = k.select(good, sums.columns[0], infinite);
  sums.columns = scatterColumns(k, sums.columns);
  return sums;
}
