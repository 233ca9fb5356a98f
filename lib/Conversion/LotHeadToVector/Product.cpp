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
  e.forBlocks(p.vectors, schedule.getVectorBlock(),
              [&](Value vector0, int64_t vectors) {
                Value column0 = e.mulIndex(vector0, e.lanes());
                e.forBlocks(p.rows, schedule.getPivotBlock(),
                            [&](Value row0, int64_t rows) {
                              emitBlock(e, p, row0, rows, column0, vectors);
                            });
              });
}

void lot::emitScores(Emitter &e, Value packed, Value pivots, Value bias,
                     FloatAttr clamp, Value scores, ValueRange at) {
  auto type = cast<MemRefType>(pivots.getType());
  auto position = [&](Value row, Value column) {
    SmallVector<Value> indices(at);
    indices.append({row, column});
    return indices;
  };
  Product product{
      type.getDimSize(0),
      e.tile() / e.lanes(),
      type.getDimSize(1),
      [&](Value row, Value k) { return e.loadSplat(pivots, {row, k}); },
      [&](Value k, Value column) { return e.loadVector(packed, {k, column}); },
      [&](Value, Value) { return e.splat(0.0); },
      [&](Value acc, Value row, Value column) {
        if (clamp) {
          double c = clamp.getValueAsDouble();
          acc = e.min(e.max(acc, e.splat(-c)), e.splat(c));
        }
        acc = e.add(acc, e.loadSplat(bias, {row}));
        e.storeVector(acc, scores, position(row, column));
      }};
  emitProduct(e, product);
}
