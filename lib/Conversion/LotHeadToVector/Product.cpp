//===- Product.cpp - Register-blocked products of the head emitters -------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

/// One register block: rows x vectors accumulators over the whole depth.
static void emitBlock(Emitter &e, const Product &p, Value row0, int64_t rows,
                      Value column0, int64_t vectors) {
  SmallVector<Value> rowIndex, columnIndex, acc;
  for (int64_t i = 0; i < rows; ++i)
    rowIndex.push_back(e.addIndex(row0, i));
  for (int64_t v = 0; v < vectors; ++v)
    columnIndex.push_back(e.addIndex(column0, v * e.lanes()));
  for (Value row : rowIndex)
    for (Value column : columnIndex)
      acc.push_back(p.init(row, column));
  ValueRange sums = e.forLoop(
      e.index(0), e.index(p.depth), 1, acc, [&](Value k, ValueRange args) {
        SmallVector<Value> b, next;
        for (Value column : columnIndex)
          b.push_back(p.b(k, column));
        for (int64_t i = 0; i < rows; ++i) {
          Value a = p.a(rowIndex[i], k);
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(e.fma(a, b[v], args[i * vectors + v]));
        }
        return next;
      });
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v < vectors; ++v)
      p.done(sums[i * vectors + v], rowIndex[i], columnIndex[v]);
}

void lot::emitProduct(Emitter &e, const Product &p) {
  CPUScheduleAttr schedule = e.getSchedule();
  int64_t block = schedule.getVectorBlock();
  int64_t whole = p.vectors / block * block, rest = p.vectors - whole;
  int64_t rowBlock = schedule.getRowBlock();
  if (whole > 0)
    e.forBlocks(p.rows, rowBlock, [&](Value row0, int64_t rows) {
      if (p.prefetch)
        p.prefetch(row0, rows);
      e.forBlocks(whole, block, [&](Value vector0, int64_t vectors) {
        emitBlock(e, p, row0, rows, e.mulIndex(vector0, e.lanes()), vectors);
      });
    });
  if (rest == 0)
    return;
  // Fewer vectors than a block: more rows keep as many sums in flight.
  e.forBlocks(p.rows, rowBlock * block / rest, [&](Value row0, int64_t rows) {
    if (p.prefetch && whole == 0)
      p.prefetch(row0, rows);
    emitBlock(e, p, row0, rows, e.index(whole * e.lanes()), rest);
  });
}
