//===- HeadWorker.cpp - What the workers of both ops share ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadWorker.h"
#include "lot/Conversion/HeadConventions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

void AttentionLike::mapOperands(ValueRange args) {
  auto map = [&](Value &v) {
    for (auto [from, to] : llvm::zip_equal(op->getOperands(), args))
      if (from == v) {
        v = to;
        return;
      }
  };
  for (Value *v : {&query, &key, &value, &pivots, &queryMass, &keyMass,
                   &pivotMass, &glueMass, &cotangent})
    if (*v)
      map(*v);
  // The inits are the last operands; a value may be one of several.
  llvm::copy(args.take_back(inits.size()), inits.begin());
}

SmallVector<Type> HeadWorker::getArgumentTypes(const AttentionLike &op,
                                               bool parallel,
                                               TypeRange others) {
  Builder b(op.op->getContext());
  SmallVector<Type> types(4, b.getIndexType());
  types.push_back(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
  if (parallel)
    types.push_back(b.getIndexType());
  llvm::append_range(types, op.op->getOperandTypes());
  llvm::append_range(types, others);
  return types;
}

HeadWorker::HeadWorker(const AttentionLike &original,
                       ImplicitLocOpBuilder &builder, ValueRange args,
                       bool parallel)
    : op(original), b(builder, op.state, op.r), first(args[0]), end(args[1]),
      step(args[2]), base(args[3]), block(args[4]) {
  args = args.drop_front(5);
  if (parallel) {
    threads = args.front();
    args = args.drop_front();
  }
  unsigned operands = op.op->getNumOperands();
  op.mapOperands(args.take_front(operands));
  llvm::append_range(others, args.drop_front(operands));
}

//===----------------------------------------------------------------------===//
// Shapes and strides
//===----------------------------------------------------------------------===//

Value HeadWorker::dim(Value memref, int64_t i) {
  return memref::DimOp::create(b, memref, i);
}

/// The trailing dims of `memref` at `leading`, by a rank-reducing subview.
Value HeadWorker::slice(Value memref, ValueRange leading) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1)), sizes;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (i < static_cast<int64_t>(leading.size())) {
      offsets[i] = leading[i];
      sizes.push_back(b.getIndexAttr(1));
      continue;
    }
    shape.push_back(type.getDimSize(i));
    if (type.isDynamicDim(i))
      sizes.push_back(dim(memref, i));
    else
      sizes.push_back(b.getIndexAttr(type.getDimSize(i)));
  }
  auto reduced = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides));
  return memref::SubViewOp::create(b, reduced, memref, offsets, sizes, strides);
}

/// x / y for counts; y = 0 only where there is nothing to do.
Value HeadWorker::divide(Value x, Value y) {
  return arith::DivUIOp::create(b, x, arith::MaxUIOp::create(b, y, b.index(1)));
}

Value HeadWorker::tokenSlice(Value mass, Value batch, Value head) {
  if (!mass)
    return nullptr;
  bool perHead = cast<MemRefType>(mass.getType()).getRank() == 3;
  return perHead ? slice(mass, {batch, head}) : slice(mass, {batch});
}
Value HeadWorker::pivotSlice(Value mass, Value batch, Value head) {
  if (!mass)
    return nullptr;
  bool perBatch = cast<MemRefType>(mass.getType()).getRank() == 3;
  return perBatch ? slice(mass, {batch, head}) : slice(mass, {head});
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

void HeadWorker::makeWorkspace() {
  workspace =
      emitWorkspace(b, op, emitLongest(b, op.query, op.key), block, base);
  packed.scores = workspace.pivots;
  packed.log2Mass = b.buffer();
  packed.mass = b.buffer();
  packed.present = b.buffer();
  packed.bias = b.buffer();
  clearPadding();
}

/// Columns of the packed pivots that fill the last vector: nothing uses their
/// scores, but they are read. No head changes them.
void HeadWorker::clearPadding() {
  if (op.packedPivots() == op.r)
    return;
  OpBuilder::InsertionGuard guard(b);
  auto rows = scf::ForOp::create(b, b.index(0), b.index(op.d), b.index(1));
  b.setInsertionPointToStart(rows.getBody());
  auto padding = scf::ForOp::create(b, b.index(op.r),
                                    b.index(op.packedPivots()), b.index(1));
  b.setInsertionPointToStart(padding.getBody());
  memref::StoreOp::create(
      b, b.scalar(0.0), packed.scores,
      ValueRange{rows.getInductionVar(), padding.getInductionVar()});
}

/// pivots^T * scale / epsilon * log2(e); absent pivots are selected to 0.
void HeadWorker::packPivots(Value z, Value logMass) {
  double toBase2 = 1.0 / llvm::numbers::ln2;
  double factor = op.scale / op.epsilon * toBase2;
  Value zero = b.scalar(0.0), absent = b.scalar(kAbsent);
  b.forPivots([&](Value j) {
    Value present, lw = b.scalar(-std::log2(double(op.r)));
    if (logMass) {
      lw = b.load(logMass, j);
      present =
          b.greater(lw, b.scalar(-std::numeric_limits<double>::infinity()));
      lw = b.mul(lw, b.scalar(toBase2));
    }
    auto choose = [&](Value x, Value y) {
      return present ? b.select(present, x, y) : x;
    };
    b.store(choose(lw, absent), packed.log2Mass, j);
    b.store(choose(logMass ? b.exp2(lw) : b.scalar(1.0 / double(op.r)), zero),
            packed.mass, j);
    b.store(choose(b.scalar(1.0), zero), packed.present, j);
    b.store(choose(zero, absent), packed.bias, j);
    auto loop = scf::ForOp::create(b, b.index(0), b.index(op.d), b.index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    Value x = memref::LoadOp::create(b, z, ValueRange{j, k});
    if (x.getType() != b.getStateType())
      x = arith::ExtFOp::create(b, b.getStateType(), x);
    x = choose(b.mul(x, b.scalar(factor)), zero);
    memref::StoreOp::create(b, x, packed.scores, ValueRange{k, j});
  });
}

/// The glue's log mass in base 2, or null.
Value HeadWorker::packGlueMass(Value logMass) {
  if (!logMass)
    return nullptr;
  Value result = b.buffer();
  b.forPivots([&](Value j) {
    Value lg = b.mul(b.load(logMass, j), b.scalar(1.0 / llvm::numbers::ln2));
    Value absent = b.scalar(kAbsent);
    b.store(b.select(b.greater(lg, absent), lg, absent), result, j);
  });
  return result;
}

SideTokens HeadWorker::makeSide(Value tokens, Value logMass,
                                const SideBuffers &buffers) {
  HeadMassOp::create(b, logMass, dim(tokens, 0), buffers.log2Mass, buffers.mass,
                     op.schedule);
  return {tokens,         buffers.log2Mass,   buffers.mass,
          buffers.factor, workspace.partials, threads,
          bool(logMass),  bool(op.pivotMass)};
}

//===----------------------------------------------------------------------===//
// The loop over items
//===----------------------------------------------------------------------===//

void HeadWorker::forQueryHeads(const Item &item,
                               function_ref<void(Value head)> body) {
  auto members = scf::ForOp::create(b, b.index(0), item.group, b.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(members.getBody());
  body(arith::AddIOp::create(b, item.queryHead, members.getInductionVar()));
}

void HeadWorker::emit() {
  makeWorkspace();
  auto pivotType = cast<MemRefType>(op.pivots.getType());
  Value queryHeads = dim(op.query, 1), keyHeads = dim(op.key, 1),
        heads = dim(op.pivots, pivotType.getRank() - 3);
  Value group = divide(queryHeads, heads), share = divide(heads, keyHeads);

  // An item is one pivot head: its key side once, then its group of queries.
  auto loop = scf::ForOp::create(b, first, end, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value index = loop.getInductionVar();
  Value batch = divide(index, heads);
  Value head =
      arith::SubIOp::create(b, index, arith::MulIOp::create(b, batch, heads));
  Item item{index,
            batch,
            divide(head, share),
            head,
            arith::MulIOp::create(b, head, group),
            group};
  bool perBatch = pivotType.getRank() == 4;
  packPivots(perBatch ? slice(op.pivots, {batch, head})
                      : slice(op.pivots, {head}),
             pivotSlice(op.pivotMass, batch, head));
  emitItem(item);
}
