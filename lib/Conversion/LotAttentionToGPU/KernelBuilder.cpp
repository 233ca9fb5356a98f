//===- KernelBuilder.cpp - What all kernels are written with --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// Constants and arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}
Value KernelBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}
Value KernelBuilder::noMass() {
  return f32(-std::numeric_limits<double>::infinity());
}
Value KernelBuilder::flag(bool value) {
  return arith::ConstantOp::create(*this, getBoolAttr(value));
}

static std::optional<int64_t> constant(Value value) {
  return getConstantIntValue(value);
}

/// At least as much as an index or a word can be, as far as that is plain:
/// threads, and what is computed of them and constants.
static uint64_t getBound(Value value) {
  constexpr uint64_t kWords = std::numeric_limits<uint32_t>::max(),
                     kAll = std::numeric_limits<uint64_t>::max();
  uint64_t most = value.getType().isIndex() ? kAll : kWords;
  Operation *op = value.getDefiningOp();
  if (auto number = constant(value))
    return *number < 0 ? most : *number;
  if (!op)
    return most;
  if (isa<gpu::ThreadIdOp>(op))
    return 1023;
  if (isa<arith::IndexCastUIOp>(op))
    return std::min(most, getBound(op->getOperand(0)));
  if (isa<arith::SelectOp>(op))
    return std::max(getBound(op->getOperand(1)), getBound(op->getOperand(2)));
  if (!isa<arith::AndIOp, arith::RemUIOp, arith::DivUIOp, arith::AddIOp,
           arith::MulIOp, arith::MinUIOp>(op))
    return most;
  uint64_t a = getBound(op->getOperand(0)), b = getBound(op->getOperand(1));
  bool byConstant = constant(op->getOperand(1)).has_value();
  if (isa<arith::AndIOp, arith::MinUIOp>(op))
    return std::min(a, b);
  if (isa<arith::RemUIOp>(op))
    return byConstant && b ? std::min(a, b - 1) : a;
  if (isa<arith::DivUIOp>(op))
    return byConstant && b ? a / b : a;
  if (a > kWords || b > kWords)
    return most;
  return std::min(most, isa<arith::AddIOp>(op) ? a + b : a * b);
}

bool KernelBuilder::areNarrow(Value a, Value b) {
  constexpr uint64_t kWords = std::numeric_limits<uint32_t>::max();
  return a.getType().isIndex() && getBound(a) <= kWords &&
         getBound(b) <= kWords;
}
Value KernelBuilder::add(Value a, Value b) {
  if (constant(a) == 0)
    return b;
  if (constant(b) == 0)
    return a;
  return arith::AddIOp::create(*this, a, b);
}
Value KernelBuilder::add(Value a, int64_t b) {
  return b == 0 ? a : add(a, index(b));
}
Value KernelBuilder::sub(Value a, Value b) {
  return arith::SubIOp::create(*this, a, b);
}
Value KernelBuilder::mul(Value a, Value b) {
  return arith::MulIOp::create(*this, a, b);
}
Value KernelBuilder::mul(Value a, int64_t b) {
  return b == 1 ? a : mul(a, index(b));
}
Value KernelBuilder::div(Value a, Value b) {
  if (areNarrow(a, b))
    return divNarrow(a, b);
  return arith::DivUIOp::create(*this, a, b);
}
Value KernelBuilder::div(Value a, int64_t b) { return div(a, index(b)); }
Value KernelBuilder::rem(Value a, Value b) {
  if (areNarrow(a, b))
    return remNarrow(a, b);
  return arith::RemUIOp::create(*this, a, b);
}
Value KernelBuilder::rem(Value a, int64_t b) { return rem(a, index(b)); }

Value KernelBuilder::min(Value a, Value b) {
  if (areNarrow(a, b))
    return minNarrow(a, b);
  return arith::MinUIOp::create(*this, a, b);
}
Value KernelBuilder::max(Value a, Value b) {
  return arith::MaxUIOp::create(*this, a, b);
}
Value KernelBuilder::less(Value a, Value b) {
  if (areNarrow(a, b))
    return lessNarrow(a, b);
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, a, b);
}
Value KernelBuilder::word(int64_t value) {
  return arith::ConstantOp::create(
      *this, getI32IntegerAttr(static_cast<int32_t>(value)));
}
Value KernelBuilder::toWord(Value index) {
  if (auto number = constant(index))
    return word(*number);
  if (auto wide = index.getDefiningOp<arith::IndexCastUIOp>())
    return wide.getIn();
  return arith::IndexCastOp::create(*this, getI32Type(), index);
}
Value KernelBuilder::widen(Value word) {
  return arith::IndexCastUIOp::create(*this, getIndexType(), word);
}
Value KernelBuilder::narrow(Value a) { return widen(toWord(a)); }
Value KernelBuilder::lessNarrow(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::ult, toWord(a),
                               toWord(b));
}
Value KernelBuilder::minNarrow(Value a, Value b) {
  return widen(arith::MinUIOp::create(*this, toWord(a), toWord(b)));
}
Value KernelBuilder::minSigned(Value a, Value b) {
  Value min = arith::MinSIOp::create(*this, toWord(a), toWord(b));
  return arith::IndexCastOp::create(*this, getIndexType(), min);
}
Value KernelBuilder::lessSigned(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, toWord(a),
                               toWord(b));
}
Value KernelBuilder::divNarrow(Value a, Value b) {
  return widen(arith::DivUIOp::create(*this, toWord(a), toWord(b)));
}
Value KernelBuilder::remNarrow(Value a, Value b) {
  return widen(arith::RemUIOp::create(*this, toWord(a), toWord(b)));
}
Value KernelBuilder::equal(Value a, int64_t b) {
  if (areNarrow(a, index(b)))
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, toWord(a),
                                 word(b));
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, index(b));
}

Value KernelBuilder::addf(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}
Value KernelBuilder::subf(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}
Value KernelBuilder::mulf(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}
Value KernelBuilder::negf(Value a) { return arith::NegFOp::create(*this, a); }
Value KernelBuilder::maxf(Value a, Value b) {
  return arith::MaxNumFOp::create(*this, a, b);
}
Value KernelBuilder::minf(Value a, Value b) {
  return arith::MinNumFOp::create(*this, a, b);
}
Value KernelBuilder::fma(Value a, Value b, Value c) {
  return math::FmaOp::create(*this, a, b, c);
}

/// An f32 intrinsic of the NVPTX backend: upstream's math ops become calls of
/// libdevice.
static Value callIntrinsic(KernelBuilder &b, StringRef name, Value operand) {
  return LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(name),
                                       ValueRange{operand})
      .getResults();
}
Value KernelBuilder::exp2(Value a) {
  return callIntrinsic(*this, "llvm.nvvm.ex2.approx.ftz.f32", a);
}
Value KernelBuilder::log2(Value a) {
  return callIntrinsic(*this, "llvm.nvvm.lg2.approx.ftz.f", a);
}
Value KernelBuilder::reciprocal(Value a) {
  return callIntrinsic(*this, "llvm.nvvm.rcp.approx.ftz.f", a);
}
Value KernelBuilder::greater(Value a, Value b) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, a, b);
}
Value KernelBuilder::isLive(Value log2Mass) {
  return greater(log2Mass, noMass());
}
Value KernelBuilder::toFloat(Value index) {
  Value wide = arith::IndexCastOp::create(*this, getI64Type(), index);
  return arith::SIToFPOp::create(*this, getF32Type(), wide);
}

Value KernelBuilder::powerOfTwo(Value a) {
  Value bits = arith::BitcastOp::create(*this, getI32Type(), a);
  Value exponent =
      arith::ConstantOp::create(*this, getI32IntegerAttr(0x7f800000));
  bits = arith::AndIOp::create(*this, bits, exponent);
  return arith::BitcastOp::create(*this, getF32Type(), bits);
}

Value KernelBuilder::both(Value a, Value b) {
  return arith::AndIOp::create(*this, a, b);
}
Value KernelBuilder::either(Value a, Value b) {
  return arith::OrIOp::create(*this, a, b);
}
Value KernelBuilder::invert(Value a) {
  return arith::XOrIOp::create(*this, a, flag(true));
}
Value KernelBuilder::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

Values KernelBuilder::forLoop(Value lo, Value hi, Value step, ValueRange init,
                              LoopBody body) {
  auto loop = scf::ForOp::create(*this, lo, hi, step, init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (init.empty())
    return {};
  scf::YieldOp::create(*this, results);
  return Values(loop.getResults());
}
void KernelBuilder::forLoop(Value lo, Value hi, Value step,
                            function_ref<void(Value iv)> body) {
  forLoop(lo, hi, step, ValueRange{}, [&](Value iv, ValueRange) {
    body(iv);
    return Values{};
  });
}
Value KernelBuilder::sumInOrder(Value count, function_ref<Value(Value i)> part,
                                Value start, int64_t atOnce) {
  if (!start)
    start = f32(0);
  Value last = sub(count, index(1));
  return forLoop(index(0), count, index(atOnce), start,
                 [&](Value first, ValueRange carried) -> Values {
                   Values parts;
                   for (int64_t i = 0; i < atOnce; ++i)
                     parts.push_back(part(minNarrow(add(first, i), last)));
                   Value sum = carried[0];
                   for (auto [i, value] : llvm::enumerate(parts)) {
                     Value counts = lessNarrow(add(first, i), count);
                     sum = select(counts, addf(sum, value), sum);
                   }
                   return {sum};
                 })[0];
}

Values KernelBuilder::ifElse(Value condition, TypeRange types,
                             function_ref<Values()> yes,
                             function_ref<Values()> no) {
  auto choice = scf::IfOp::create(*this, types, condition,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(*this);
  auto fill = [&](Block *block, function_ref<Values()> branch) {
    setInsertionPointToStart(block);
    Values results = branch();
    scf::YieldOp::create(*this, results);
  };
  fill(choice.thenBlock(), yes);
  fill(choice.elseBlock(), no);
  return Values(choice.getResults());
}
void KernelBuilder::ifThen(Value condition, function_ref<void()> yes) {
  auto choice = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(choice.thenBlock());
  yes();
}

//===----------------------------------------------------------------------===//
// Memory and vectors
//===----------------------------------------------------------------------===//

Value KernelBuilder::load(Value memref, ValueRange indices) {
  return memref::LoadOp::create(*this, memref, indices);
}
void KernelBuilder::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(*this, value, memref, indices);
}
static llvm::MaybeAlign getAlignment(VectorType type) {
  return llvm::Align(type.getNumElements() * type.getElementTypeBitWidth() / 8);
}
Value KernelBuilder::loadVector(Value memref, ValueRange indices,
                                int64_t count) {
  auto type = VectorType::get(
      {count}, cast<MemRefType>(memref.getType()).getElementType());
  return vector::LoadOp::create(*this, type, memref, indices,
                                /*nontemporal=*/false, getAlignment(type));
}
void KernelBuilder::storeVector(Value vector, Value memref,
                                ValueRange indices) {
  vector::StoreOp::create(*this, vector, memref, indices,
                          /*nontemporal=*/false,
                          getAlignment(cast<VectorType>(vector.getType())));
}
Value KernelBuilder::dim(Value memref, int64_t i) {
  return memref::DimOp::create(*this, memref, i);
}
Value KernelBuilder::viewRows(Value memref, ValueRange leading, Value from) {
  auto type = cast<MemRefType>(memref.getType());
  auto parts = memref::ExtractStridedMetadataOp::create(*this, memref);
  Value offset = add(parts.getOffset(), from);
  for (auto [at, stride] : llvm::zip(leading, parts.getStrides()))
    offset = add(offset, mul(at, stride));
  size_t rows = leading.size();
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  auto layout = StridedLayoutAttr::get(getContext(), kDynamic, {kDynamic, 1});
  auto view = MemRefType::get({kDynamic, kDynamic}, type.getElementType(),
                              layout, type.getMemorySpace());
  return memref::ReinterpretCastOp::create(
      *this, view, parts.getBaseBuffer(), OpFoldResult(offset),
      ArrayRef<OpFoldResult>{parts.getSizes()[rows],
                             parts.getSizes()[rows + 1]},
      ArrayRef<OpFoldResult>{parts.getStrides()[rows], getIndexAttr(1)});
}
Value KernelBuilder::pack(ValueRange elements) {
  auto type = VectorType::get({static_cast<int64_t>(elements.size())},
                              elements.front().getType());
  return vector::FromElementsOp::create(*this, type, elements);
}
Value KernelBuilder::element(Value vector, int64_t i) {
  return vector::ExtractOp::create(*this, vector, i);
}
Value KernelBuilder::zeros(VectorType type) {
  return arith::ConstantOp::create(*this, type, getZeroAttr(type));
}
Value KernelBuilder::convert(Value value, Type element) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(element);
  if (from.getIntOrFloatBitWidth() == element.getIntOrFloatBitWidth())
    return convert(convert(value, getF32Type()), element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(*this, type, value);
  return arith::TruncFOp::create(*this, type, value);
}
Values KernelBuilder::words(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  int64_t count = type.getNumElements() * type.getElementTypeBitWidth() / 32;
  Value bits = vector::BitCastOp::create(
      *this, VectorType::get({count}, getI32Type()), vector);
  Values result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(element(bits, i));
  return result;
}
Value KernelBuilder::fromWord(Value word, Type element) {
  return LLVM::BitcastOp::create(*this, VectorType::get({2}, element), word);
}
Value KernelBuilder::pickHalves(Value a, Value b, Value high) {
  auto bits = [&](Value value) -> Value {
    return arith::BitcastOp::create(*this, getI32Type(), value);
  };
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(*this, getI32IntegerAttr(value));
  };
  Value bytes = select(high, constant(0x7632), constant(0x5410));
  return NVVM::PermuteOp::create(*this, getI32Type(), bits(a), bits(b), bytes,
                                 NVVM::PermuteMode::DEFAULT);
}
