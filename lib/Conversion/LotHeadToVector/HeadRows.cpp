//===- HeadRows.cpp - Row sums in reverse mode, and gradients of masses ---===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// lot.head_append_ones, lot.head_row_cotangent and lot.head_mass_gradient: one
// loop over the tokens each, a few operations an entry.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

void lot::emitHeadAppendOnes(Emitter &e, HeadAppendOnesOp op, ValueRange args) {
  Value value = args[0], rows = args[1];
  int64_t columns = cast<MemRefType>(value.getType()).getDimSize(1);
  Value length = memref::DimOp::create(e, value, 0);
  e.forEach(e.index(0), length, 1, [&](Value i) {
    e.forEach(columns, [&](Value c) {
      Value x = e.convert(e.load(value, {i, c}), e.scalarType());
      e.store(x, rows, {i, c});
    });
    e.store(e.scalar(1.0), rows, {i, e.index(columns)});
  });
}

void lot::emitHeadRowCotangent(Emitter &e, HeadRowCotangentOp op,
                               ValueRange args) {
  Value cotangent = args[0], log2Mass = args[1], mass = args[2], rows = args[3],
        floorGradient = args[4];
  int64_t columns = cast<MemRefType>(cotangent.getType()).getDimSize(1);
  Value zero = e.scalar(0.0), sumColumn = e.index(columns);
  Value outScale = e.scalar(op.getOutScale().convertToDouble());
  double rowFloor = op.getRowFloor().convertToDouble();
  Value length = memref::DimOp::create(e, cotangent, 0);
  e.forEach(e.index(0), length, 1, [&](Value i) {
    Value live = isLive(e, e.load(log2Mass, {i}));
    auto read = [&](Value c) {
      Value x = e.convert(e.load(cotangent, {i, c}), e.scalarType());
      return e.select(live, x, zero);
    };
    Value dot = e.forLoop(e.index(0), sumColumn, 1, zero,
                          [&](Value c, ValueRange acc) -> SmallVector<Value> {
                            Value u =
                                e.select(live, e.load(rows, {i, c}), zero);
                            return {e.add(acc[0], e.mul(read(c), u))};
                          })[0];
    Value sum = e.select(live, e.load(rows, {i, sumColumn}), zero);
    Value divisor = sum, floored;
    if (rowFloor > 0) {
      Value floor = e.div(e.scalar(rowFloor), e.load(mass, {i}));
      floor = e.select(live, floor, zero);
      floored = e.greater(floor, sum);
      divisor = e.max(sum, floor);
    }
    Value divides = e.greater(divisor, zero);
    Value inverse = e.select(divides, e.div(e.scalar(1.0), divisor), zero);
    e.forEach(columns,
              [&](Value c) { e.store(e.mul(read(c), inverse), rows, {i, c}); });
    Value through = e.mul(dot, inverse);
    Value sumCotangent = e.sub(zero, e.mul(through, inverse));
    Value more = zero;
    if (floored) {
      sumCotangent = e.select(floored, zero, sumCotangent);
      more = e.select(floored, e.mul(through, outScale), zero);
    }
    e.store(sumCotangent, rows, {i, sumColumn});
    e.store(more, floorGradient, {i});
  });
}

void lot::emitHeadMassGradient(Emitter &e, HeadMassGradientOp op,
                               ValueRange args) {
  Value out = args[3], zero = e.scalar(0.0);
  Value length = memref::DimOp::create(e, out, 0);
  e.forEach(e.index(0), length, 1, [&](Value i) {
    Value x = op.getNoTokenStep() ? zero : e.load(args[0], {i});
    if (op.getConditional())
      x = e.sub(x, e.load(args[1], {i}));
    if (op.getMore())
      x = e.add(x, e.load(args[4], {i}));
    Value live = isLive(e, e.load(args[2], {i}));
    e.store(e.select(live, x, zero), out, {i});
  });
}
