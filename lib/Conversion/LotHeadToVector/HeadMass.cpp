//===- HeadMass.cpp - lot.head_mass to vectors ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace mlir::lot;

void lot::emitHeadMass(Emitter &e, HeadMassOp op, ValueRange args) {
  Value logMass = op.getLogMass() ? args.front() : Value();
  ValueRange rest = args.drop_front(logMass ? 1 : 0);
  Value length = rest[0], log2Mass = rest[1], mass = rest[2];
  double ninf = -std::numeric_limits<double>::infinity();
  Value padded = memref::DimOp::create(e, log2Mass, 0);
  Value start = e.index(0);

  if (!logMass) {
    // Uniform: 1 / length, whatever the position.
    Value count = arith::UIToFPOp::create(
        e, e.scalarType(),
        arith::IndexCastOp::create(e, e.getI64Type(), length));
    Value log2Uniform = e.sub(e.scalar(0.0), e.log2(count));
    Value uniform = e.div(e.scalar(1.0), count);
    e.forEach(start, length, 1, [&](Value i) {
      e.store(log2Uniform, log2Mass, {i});
      e.store(uniform, mass, {i});
    });
  } else {
    e.forEach(start, length, 1, [&](Value i) {
      e.store(e.mul(e.load(logMass, {i}), e.scalar(1.0 / llvm::numbers::ln2)),
              log2Mass, {i});
    });
  }
  e.forEach(length, padded, 1, [&](Value i) {
    e.store(e.scalar(ninf), log2Mass, {i});
    e.store(e.scalar(0.0), mass, {i});
  });
  if (!logMass)
    return;
  e.forEach(start, padded, e.lanes(), [&](Value i) {
    Value x = e.loadVector(log2Mass, {i});
    Value live = e.greater(x, e.splat(ninf));
    e.storeVector(e.select(live, e.exp2(x), e.splat(0.0)), mass, {i});
  });
}
