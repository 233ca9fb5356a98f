//===- Emitter.cpp - The builder of the head emitters ---------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::lot;

Emitter::Emitter(Location loc, OpBuilder &b, CPUScheduleAttr schedule,
                 FloatType stateType)
    : ImplicitLocOpBuilder(loc, b), schedule(schedule), stateType(stateType),
      vecType(VectorType::get({schedule.getLanes()}, stateType)) {}

Value Emitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}
Value Emitter::scalar(double value) {
  return arith::ConstantOp::create(*this, getFloatAttr(stateType, value));
}
Value Emitter::splat(double value) {
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(vecType, getFloatAttr(stateType, value)));
}

Value Emitter::addIndex(Value a, int64_t b) {
  return b == 0 ? a : addIndex(a, index(b));
}
Value Emitter::addIndex(Value a, Value b) {
  return arith::AddIOp::create(*this, a, b);
}
Value Emitter::mulIndex(Value a, int64_t b) {
  return arith::MulIOp::create(*this, a, index(b));
}
Value Emitter::minIndex(Value a, Value b) {
  return arith::MinSIOp::create(*this, a, b);
}

Value Emitter::load(Value memref, ValueRange indices) {
  return memref::LoadOp::create(*this, memref, indices);
}
void Emitter::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(*this, value, memref, indices);
}
Value Emitter::loadVector(Value memref, ValueRange indices) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(*this, VectorType::get({lanes()}, element),
                                memref, indices);
}
void Emitter::storeVector(Value value, Value memref, ValueRange indices) {
  vector::StoreOp::create(*this, value, memref, indices);
}
Value Emitter::loadSplat(Value memref, ValueRange indices) {
  return broadcast(load(memref, indices));
}
Value Emitter::scratch(ArrayRef<int64_t> shape, Type element) {
  auto type = MemRefType::get(shape, element ? element : stateType);
  return memref::AllocaOp::create(*this, type, getI64IntegerAttr(64));
}
void Emitter::fill(Value memref, double value) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  forEach(rows, [&](Value i) {
    forEach(index(0), index(columns), lanes(),
            [&](Value c) { storeVector(splat(value), memref, {i, c}); });
  });
}

Value Emitter::broadcast(Value value) {
  return vector::BroadcastOp::create(*this, vecType, value);
}
Value Emitter::fma(Value a, Value b, Value c) {
  return vector::FMAOp::create(*this, a, b, c);
}
Value Emitter::add(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}
Value Emitter::sub(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}
Value Emitter::mul(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}
Value Emitter::div(Value a, Value b) {
  return arith::DivFOp::create(*this, a, b);
}
// One machine instruction each: NaN scores are outside the contract, so the
// flags promise their absence.
Value Emitter::max(Value a, Value b) {
  return arith::MaxNumFOp::create(
      *this, a, b, arith::FastMathFlags::nnan | arith::FastMathFlags::nsz);
}
Value Emitter::min(Value a, Value b) {
  return arith::MinNumFOp::create(
      *this, a, b, arith::FastMathFlags::nnan | arith::FastMathFlags::nsz);
}
Value Emitter::exp2(Value a) { return math::Exp2Op::create(*this, a); }
Value Emitter::log2(Value a) { return math::Log2Op::create(*this, a); }
Value Emitter::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}
Value Emitter::divisor(Value sum) {
  return max(sum, splat(stateType.isF64() ? 1e-290 : 1e-30));
}
Value Emitter::greater(Value a, Value b) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, a, b);
}
Value Emitter::reduceAdd(Value vector) {
  return vector::ReductionOp::create(*this, vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}
Value Emitter::reduceMax(Value vector) {
  return vector::ReductionOp::create(
      *this, vector::CombiningKind::MAXNUMF, vector,
      arith::FastMathFlags::reassoc | arith::FastMathFlags::nnan);
}
Value Emitter::convert(Value value, Type elementType) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == elementType)
    return value;
  Type to = elementType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = vector.clone(elementType);
  if (from.getIntOrFloatBitWidth() < elementType.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(*this, to, value);
  return arith::TruncFOp::create(*this, to, value);
}

ValueRange Emitter::forLoop(Value lo, Value hi, int64_t step, ValueRange init,
                            LoopBody body) {
  auto loop = scf::ForOp::create(*this, lo, hi, index(step), init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  // Without loop-carried values the loop comes with its terminator.
  if (!init.empty())
    scf::YieldOp::create(*this, results);
  return loop.getResults();
}
void Emitter::forEach(Value lo, Value hi, int64_t step,
                      function_ref<void(Value iv)> body) {
  forLoop(lo, hi, step, {}, [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>();
  });
}
void Emitter::forEach(int64_t hi, function_ref<void(Value iv)> body) {
  forEach(index(0), index(hi), 1, body);
}
ValueRange Emitter::ifElse(Value condition, TypeRange types, BranchBody yes,
                           BranchBody no) {
  auto choice =
      scf::IfOp::create(*this, types, condition, /*addThenBlock=*/true,
                        /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(*this, yes());
  setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(*this, no());
  return choice.getResults();
}
void Emitter::forBlocks(int64_t size, int64_t block,
                        function_ref<void(Value start, int64_t count)> body) {
  int64_t whole = size / block * block;
  if (whole == block)
    body(index(0), block);
  else if (whole > 0)
    forEach(index(0), index(whole), block,
            [&](Value start) { body(start, block); });
  if (whole < size)
    body(index(whole), size - whole);
}
