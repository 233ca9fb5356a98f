//===- StreamProducts.cpp - Products with streamed rows -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamProducts.h"

#include "PackedTiles.h"

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

Values lot::addStreamedRows(Kernel &k, const Facts &facts,
                            ArrayRef<Values> words, Value rows, Value firstRow,
                            Value firstColumn, int64_t columns,
                            ValueRange sums) {
  Values next(sums);
  int64_t blocks = facts.pivots() / 16, tiles = columns / 8;
  SmallVector<Values> transposed;
  for (const Values &part : words)
    transposed.push_back(transposeTile(k, part));
  Value from = k.add(firstRow, k.rem(k.lane(), 16));
  for (int64_t c = 0; c < tiles; c += 2) {
    // Four 8 x 8 tiles: the first 8 tokens and the others, of 8 columns and of
    // the next 8.
    Value column = k.add(k.mul(k.div(k.lane(), 16), 8), 8 * c);
    Value loaded = nvgpu::LdMatrixOp::create(
        k, VectorType::get({4, 2}, facts.io), rows,
        ValueRange{k.warp(), from, k.add(column, firstColumn)},
        /*transpose=*/true, /*numTiles=*/4);
    for (int64_t e = 0; e < 2; ++e) {
      Values b{k.words(k.element(loaded, 2 * e))[0],
               k.words(k.element(loaded, 2 * e + 1))[0]};
      for (const Values &part : transposed)
        for (int64_t i = 0; i < blocks; ++i)
          emitMma(
              k, facts.io, ArrayRef(part).slice(4 * i, 4), b,
              MutableArrayRef<Value>(next).slice(4 * (i * tiles + c + e), 4));
    }
  }
  return next;
}

StreamedSums::StreamedSums(Kernel &k, const Facts &facts,
                           const SharedRegion &memory, int64_t offset,
                           int64_t columns)
    : k(k), facts(facts), columns(columns),
      kept(k, memory.view(offset, {facts.pivots() * kColumns}, 1,
                          k.getF32Type())) {}

size_t StreamedSums::countCarried() const {
  return facts.pivots() * (columns - kColumns) / kWarp;
}

void StreamedSums::clear() {
  kept.store(0, Values(facts.pivots() * kColumns / kWarp, k.f32(0)));
}

Values StreamedSums::load() {
  return kept.load(0, facts.pivots() * kColumns / kWarp);
}

Values StreamedSums::add(ArrayRef<Values> words, Value rows, Value firstRow,
                         Value firstColumn, ValueRange carried) {
  int64_t first = columns - kColumns;
  Values last = addStreamedRows(k, facts, words, rows, firstRow,
                                k.add(firstColumn, first), kColumns, load());
  kept.store(0, last);
  return addStreamedRows(k, facts, words, rows, firstRow, firstColumn, first,
                         carried);
}

Values StreamedSums::gather(ValueRange carried) {
  Values last = load(), all;
  // Of 16 pivots, four for every eight columns.
  size_t more = kColumns / 2, own = (columns - kColumns) / 2;
  for (int64_t block = 0; block < facts.pivots() / 16; ++block) {
    llvm::append_range(all, carried.slice(block * own, own));
    llvm::append_range(all, ArrayRef(last).slice(block * more, more));
  }
  return all;
}

void lot::storeStreamedRows(Kernel &k, const Facts &facts, ArrayRef<Value> sums,
                            const SharedRegion &memory,
                            function_ref<Value(Value pivot)> factor,
                            Value target, ValueRange leading, Value first,
                            int64_t columns) {
  Value parts =
      memory.view(0, {facts.pivots(), columns}, columns, k.getF32Type());
  Value pivot = k.div(k.lane(), 4), own = laneColumn(k);
  int64_t tiles = columns / 8;
  for (size_t i = 0; i < sums.size(); i += 2) {
    int64_t block = i / 4;
    k.storeVector(k.pack({sums[i], sums[i + 1]}), parts,
                  {k.warp(), k.add(pivot, block / tiles * 16 + i % 4 / 2 * 8),
                   k.add(own, block % tiles * 8)});
  }
  k.barrier();
  int64_t vectors = columns / 4;
  int64_t all = cast<MemRefType>(target.getType()).getShape().back();
  k.forLoop(k.thread(), k.index(facts.pivots() * vectors),
            k.index(k.getThreads()), [&](Value i) {
              Value j = k.div(i, vectors), c = k.mul(k.rem(i, vectors), 4);
              Value sum;
              for (int64_t warp = 0; warp < k.getWarps(); ++warp) {
                Value part = k.loadVector(parts, {k.index(warp), j, c}, 4);
                sum = sum ? k.addf(sum, part) : part;
              }
              if (factor)
                sum = k.mulf(sum, k.pack(Values(4, factor(j))));
              Value to = k.add(first, c);
              Values at(leading);
              at.append({j, to});
              k.ifThen(k.less(to, k.index(all)),
                       [&] { k.storeVector(sum, target, at); });
            });
}
