//===- PivotMath.cpp - Scalar code over r-sized buffers -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolveSide.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

Value PivotMath::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}
Value PivotMath::scalar(double value) {
  return arith::ConstantOp::create(*this, getFloatAttr(type, value));
}
Value PivotMath::buffer() {
  // In the entry block: a stack slot made in the loop over heads would be a new
  // one for every head.
  OpBuilder::InsertionGuard guard(*this);
  Block *block = getInsertionBlock();
  auto function = dyn_cast<func::FuncOp>(block->getParentOp());
  if (!function)
    function = block->getParentOp()->getParentOfType<func::FuncOp>();
  setInsertionPointToStart(&function.getBody().front());
  return memref::AllocaOp::create(*this, MemRefType::get({pivots}, type),
                                  getI64IntegerAttr(64));
}
Value PivotMath::load(Value buffer, Value j) {
  return memref::LoadOp::create(*this, buffer, j);
}
void PivotMath::store(Value value, Value buffer, Value j) {
  memref::StoreOp::create(*this, value, buffer, j);
}
Value PivotMath::add(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}
Value PivotMath::sub(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}
Value PivotMath::mul(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}
Value PivotMath::div(Value a, Value b) {
  return arith::DivFOp::create(*this, a, b);
}
Value PivotMath::max(Value a, Value b) {
  return arith::MaxNumFOp::create(*this, a, b);
}
Value PivotMath::min(Value a, Value b) {
  return arith::MinNumFOp::create(*this, a, b);
}
Value PivotMath::exp2(Value a) { return math::Exp2Op::create(*this, a); }
Value PivotMath::log2(Value a) { return math::Log2Op::create(*this, a); }
Value PivotMath::greater(Value a, Value b) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, a, b);
}
Value PivotMath::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

void PivotMath::forPivots(function_ref<void(Value j)> body) {
  auto loop = scf::ForOp::create(*this, index(0), index(pivots), index(1));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}
Value PivotMath::foldPivots(Value init,
                            function_ref<Value(Value j, Value acc)> body) {
  auto loop = scf::ForOp::create(*this, index(0), index(pivots), index(1),
                                 ValueRange{init});
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Value next = body(loop.getInductionVar(), loop.getRegionIterArg(0));
  scf::YieldOp::create(*this, next);
  return loop.getResult(0);
}
void PivotMath::copy(Value from, Value to) {
  forPivots([&](Value j) { store(load(from, j), to, j); });
}

void PivotMath::loadRow(Value from, Value k, Value to) {
  forPivots([&](Value j) {
    store(memref::LoadOp::create(*this, from, ValueRange{k, j}), to, j);
  });
}

void PivotMath::storeRow(Value from, Value to, Value k) {
  forPivots([&](Value j) {
    memref::StoreOp::create(*this, load(from, j), to, ValueRange{k, j});
  });
}
