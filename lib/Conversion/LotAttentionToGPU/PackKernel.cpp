//===- PackKernel.cpp - Pivots as products read them ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"

using namespace mlir;
using namespace mlir::lot;

/// Pivots of a block of `pack`.
static constexpr int64_t kRows = 8;

void AttentionKernels::emitPack() {
  Kernel k = makeKernel("pack", Facts::kWarps, Overlap::WithNext);
  auto index = [&](int64_t i) -> Value {
    return arith::ConstantIndexOp::create(b, i);
  };
  Value blocks =
      arith::MulIOp::create(b, pivotSets, index(facts.pivots() / kRows));
  if (!statesKnown) {
    emitPackPivots(k);
    return k.launch(b, blocks);
  }
  Value first = k.use(blocks), isPivots = k.less(k.block(), first);
  k.ifElse(
      isPivots, TypeRange(),
      [&] {
        emitPackPivots(k);
        return Values{};
      },
      [&] {
        emitPackValues(k, k.sub(k.block(), first));
        return Values{};
      });
  int64_t perProblem = llvm::divideCeil(
      facts.pivots() * facts.valueColumns() / 4, k.getThreads());
  Value more = arith::MulIOp::create(b, keySide.problems, index(perProblem));
  k.launch(b, arith::AddIOp::create(b, blocks, more));
}

/// G as dots and products read it. Lanes have pivots side by side.
void AttentionKernels::emitPackValues(Kernel &k, Value block) {
  int64_t pivots = facts.pivots(), vectors = pivots * facts.valueColumns() / 4;
  int64_t perProblem = llvm::divideCeil(vectors, k.getThreads());
  Value problem = k.div(block, perProblem);
  Value i = k.add(k.mul(k.rem(block, perProblem), k.getThreads()), k.thread());
  Value sums = k.use(buffers.values.sums), rows = k.use(buffers.values.rows);
  Value transposed = k.use(buffers.values.transposed);
  auto convert = [&](Value g, Value memref) {
    return k.convert(g, cast<MemRefType>(memref.getType()).getElementType());
  };
  k.ifThen(k.less(i, k.index(vectors)), [&] {
    Value j = k.rem(i, pivots), c = k.mul(k.div(i, pivots), 4);
    Value four = k.loadVector(sums, {problem, j, c}, 4);
    k.storeVector(convert(four, rows), rows, {problem, j, c});
    Value converted = convert(four, transposed);
    for (int64_t e = 0; e < 4; ++e)
      k.store(k.element(converted, e), transposed, {problem, k.add(c, e), j});
  });
}

void AttentionKernels::emitPackPivots(Kernel &k) {
  // A block for every eight pivots of a set.
  int64_t parts = facts.pivots() / kRows;
  Value set = k.div(k.block(), parts), part8 = k.rem(k.block(), parts);
  Value firstRow = k.mul(part8, kRows);
  Value heads = k.use(keySide.pivotHeads);
  Value at = k.div(set, heads), head = k.rem(set, heads);
  Value source = k.use(pivotOperand), packed = k.use(buffers.pivots);
  Value masses = k.use(pivotMassOperand), glue = k.use(glueMassOperand);
  Value r = k.index(facts.r), last = k.index(facts.r - 1);
  auto read = [&](Value mass, Value j) -> Value {
    Value value = k.f32(-std::log2(static_cast<double>(facts.r)));
    if (mass)
      value = k.mulf(k.load(mass, {at, head, k.min(j, last)}),
                     k.f32(llvm::numbers::log2e));
    return k.select(k.less(j, r), value, k.noMass());
  };
  Value pivotMass = k.use(buffers.pivotMass), ratios = k.use(buffers.glueRatio);
  k.ifThen(k.less(k.thread(), k.index(kRows)), [&] {
    Value j = k.add(firstRow, k.thread()), mass = read(masses, j);
    k.store(mass, pivotMass, {set, j});
    if (glue) {
      Value ratio = k.exp2(k.subf(mass, read(glue, j)));
      k.store(k.select(k.isLive(mass), ratio, k.f32(0)), ratios, {set, j});
    }
  });
  Value signals = k.use(buffers.signals);
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  k.forLoop(k.add(k.mul(k.block(), k.getThreads()), k.thread()),
            k.dim(signals, 0), k.mul(k.use(pivotSets), parts * k.getThreads()),
            [&](Value i) { k.store(zero, signals, i); });
  if (buffers.mail) {
    Value mail = k.use(buffers.mail);
    Value none = arith::ConstantOp::create(k, k.getI64IntegerAttr(0));
    k.forLoop(k.add(k.mul(k.block(), k.getThreads()), k.thread()),
              k.dim(mail, 0), k.mul(k.use(pivotSets), parts * k.getThreads()),
              [&](Value i) { k.store(none, mail, i); });
  }
  // Zeros beyond the columns and for absent pivots, whose data are not used.
  Type element = facts.rowType(k, facts.pivotFormat());
  int64_t stride = facts.pivotFormat().stride();
  k.forLoop(
      k.thread(), k.index(kRows * stride), k.index(k.getThreads()),
      [&](Value i) {
        Value j = k.add(firstRow, k.div(i, stride)), column = k.rem(i, stride);
        Value part = k.div(column, facts.depth());
        Value c = k.rem(column, facts.depth());
        Value inside = k.both(k.both(k.less(c, k.index(facts.d)),
                                     k.less(part, k.index(facts.pivotParts))),
                              k.isLive(read(masses, j)));
        c = k.min(c, k.index(facts.d - 1));
        Value left = k.convert(k.load(source, {at, head, k.min(j, last), c}),
                               k.getF32Type());
        left = k.select(inside, left, k.f32(0));
        Value chosen = k.convert(left, element);
        for (int64_t p = 1; p < facts.pivotParts; ++p) {
          Value taken = k.convert(left, element);
          left = k.subf(left, k.convert(taken, k.getF32Type()));
          chosen = k.select(k.equal(part, p), k.convert(left, element), chosen);
        }
        k.store(chosen, packed, {set, j, column});
      });
  if (buffers.pivotsT) {
    Value transposed = k.use(buffers.pivotsT);
    k.forLoop(
        k.thread(), k.index(facts.depth() * kRows), k.index(k.getThreads()),
        [&](Value i) {
          Value c = k.div(i, kRows);
          Value j = k.add(firstRow, k.rem(i, kRows));
          Value inside =
              k.both(k.less(c, k.index(facts.d)), k.isLive(read(masses, j)));
          Value z = k.load(source, {at, head, k.min(j, last),
                                    k.min(c, k.index(facts.d - 1))});
          z = k.select(inside, k.convert(z, k.getF32Type()), k.f32(0));
          k.store(k.convert(z, facts.productType(k)), transposed, {set, c, j});
        });
  }
}
