//===- GradientBuffers.cpp - Gradients that heads or batches share --------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A worker writes the gradients of one head. Where an operand is shared, by the
// batch or by heads, every head has a place of its own and the places are
// summed up afterwards, always in the same order: no atomics, the same bits for
// any number of threads.
//
//===----------------------------------------------------------------------===//

#include "HeadWorker.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

static Value dimOf(ImplicitLocOpBuilder &b, Value memref, int64_t i) {
  return memref::DimOp::create(b, memref, i);
}

/// The pivots' heads: dim 0 or 1.
static int64_t pivotHeadDim(const AttentionLike &op) {
  return cast<MemRefType>(op.pivots.getType()).getRank() - 3;
}

/// Whether each kv head is known to have one pivot head.
static bool ownKeyHeads(const AttentionLike &op) {
  int64_t keys = cast<MemRefType>(op.key.getType()).getDimSize(1);
  int64_t pivots =
      cast<MemRefType>(op.pivots.getType()).getDimSize(pivotHeadDim(op));
  return !ShapedType::isDynamic(keys) && keys == pivots;
}

GradientBuffers::GradientBuffers(const AttentionLike &op,
                                 ImplicitLocOpBuilder &b) {
  Value batch = dimOf(b, op.query, 0), queryHeads = dimOf(b, op.query, 1),
        heads = dimOf(b, op.pivots, pivotHeadDim(op));
  ArrayRef<Value> inits = op.inits;
  /// `rest`: the dims after those of batch and heads.
  auto add = [&](Value operand, Shared shared, Value heads, int64_t rest) {
    if (!operand)
      return;
    // A mass without a gradient gets places that nobody sums up.
    Value init = inits.empty() ? Value() : inits.front();
    if (init)
      inits = inits.drop_front();
    if (init && shared == Shared::no) {
      targets.push_back(init);
      return;
    }
    auto type = cast<MemRefType>(operand.getType());
    SmallVector<int64_t> shape(2, ShapedType::kDynamic);
    SmallVector<Value> sizes{batch, heads};
    for (int64_t i = type.getRank() - rest; i < type.getRank(); ++i) {
      shape.push_back(type.getDimSize(i));
      if (type.isDynamicDim(i))
        sizes.push_back(dimOf(b, operand, i));
    }
    Value places = memref::AllocOp::create(b, MemRefType::get(shape, op.state),
                                           sizes, b.getI64IntegerAttr(64));
    targets.push_back(places);
    sums.push_back({shared, places, init});
  };
  auto rank = [](Value v) {
    return v ? cast<MemRefType>(v.getType()).getRank() : 0;
  };
  auto byBatch = [&](Value v, int64_t full) {
    return rank(v) == full ? Shared::no : Shared::byBatch;
  };
  Shared group = ownKeyHeads(op) ? Shared::no : Shared::byGroup;
  add(op.query, Shared::no, queryHeads, 2);
  add(op.key, group, heads, 2);
  add(op.value, group, heads, 2);
  add(op.pivots, byBatch(op.pivots, 4), heads, 2);
  add(op.queryMass, rank(op.queryMass) == 3 ? Shared::no : Shared::byHeads,
      queryHeads, 1);
  add(op.keyMass, rank(op.keyMass) == 3 ? group : Shared::byHeads, heads, 1);
  add(op.pivotMass, byBatch(op.pivotMass, 3), heads, 1);
  add(op.glueMass, byBatch(op.glueMass, 3), heads, 1);
}

/// init[index] = the sum of the places of all that share it.
void GradientBuffers::emitSum(ImplicitLocOpBuilder &b, const Sum &sum) {
  auto type = cast<MemRefType>(sum.init.getType());
  auto state =
      cast<FloatType>(cast<MemRefType>(sum.places.getType()).getElementType());
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  OpBuilder::InsertionGuard guard(b);
  Value count = dimOf(b, sum.places, sum.shared == Shared::byBatch ? 0 : 1);
  if (sum.shared == Shared::byGroup) {
    Value heads = arith::MaxUIOp::create(b, dimOf(b, sum.init, 1), one);
    count = arith::DivUIOp::create(b, count, heads);
  }
  SmallVector<Value> index;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    auto loop = scf::ForOp::create(b, zero, dimOf(b, sum.init, i), one);
    b.setInsertionPointToStart(loop.getBody());
    index.push_back(loop.getInductionVar());
  }
  Value none = arith::ConstantOp::create(b, b.getFloatAttr(state, 0.0));
  auto loop = scf::ForOp::create(
      b, zero, count, one, none,
      [&](OpBuilder &nested, Location loc, Value i, ValueRange total) {
        SmallVector<Value> at(index);
        switch (sum.shared) {
        case Shared::byBatch: // init: [heads, rest...]
          at.insert(at.begin(), i);
          break;
        case Shared::byHeads: // init: [batch, tokens]
          at.insert(at.begin() + 1, i);
          break;
        default: { // init: [batch, kv heads, rest...]
          Value first = arith::MulIOp::create(nested, loc, at[1], count);
          at[1] = arith::AddIOp::create(nested, loc, first, i);
        }
        }
        Value x = memref::LoadOp::create(nested, loc, sum.places, at);
        Value next = arith::AddFOp::create(nested, loc, total[0], x);
        scf::YieldOp::create(nested, loc, next);
      });
  Value result = loop.getResult(0);
  if (type.getElementType() != state)
    result = arith::TruncFOp::create(b, type.getElementType(), result);
  memref::StoreOp::create(b, result, sum.init, index);
}

void GradientBuffers::emitSums(ImplicitLocOpBuilder &b) {
  for (const Sum &sum : sums) {
    if (sum.init)
      emitSum(b, sum);
    memref::DeallocOp::create(b, sum.places);
  }
}
