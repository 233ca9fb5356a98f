//===- IndexedBuilder.cpp - linalg on tensors with named dims -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexedBuilder.h"

#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;
using namespace mlir::lot;

std::string lot::batchLetters(int64_t count) {
  std::string letters;
  for (int64_t i = 0; i < count; ++i)
    letters.push_back(static_cast<char>('A' + i));
  return letters;
}

void IndexedBuilder::bind(Value value, StringRef dims) {
  auto type = cast<RankedTensorType>(value.getType());
  assert(type.getRank() == static_cast<int64_t>(dims.size()) &&
         "one letter for each dim");
  for (auto [i, dim] : llvm::enumerate(dims)) {
    auto known = sizes.find(dim);
    if (known == sizes.end())
      sizes[dim] = tensor::getMixedSize(*this, getLoc(), value, i);
    else if (!type.isDynamicDim(i) && !getConstantIntValue(known->second))
      known->second = getIndexAttr(type.getDimSize(i));
  }
}

void IndexedBuilder::bind(char dim, int64_t size) {
  sizes[dim] = getIndexAttr(size);
}

OpFoldResult IndexedBuilder::size(char dim) const { return sizes.at(dim); }

int64_t IndexedBuilder::staticSize(char dim) const {
  return getConstantIntValue(sizes.at(dim)).value_or(ShapedType::kDynamic);
}

RankedTensorType IndexedBuilder::typeOf(StringRef dims, Type element) const {
  SmallVector<int64_t> shape;
  for (char dim : dims)
    shape.push_back(staticSize(dim));
  return RankedTensorType::get(shape, element);
}

Value IndexedBuilder::empty(StringRef dims, Type element) {
  SmallVector<OpFoldResult> mixed;
  for (char dim : dims)
    mixed.push_back(size(dim));
  return tensor::EmptyOp::create(*this, mixed, element);
}

Value IndexedBuilder::fill(double value, StringRef dims, Type element) {
  Value constant = floatConstant(*this, element, value);
  Value destination = empty(dims, element);
  return linalg::FillOp::create(*this, constant, destination).getResult(0);
}

Value IndexedBuilder::generic(ArrayRef<Term> inputs, Term output,
                              StringRef loops, Body body) {
  auto mapOf = [&](StringRef dims) {
    SmallVector<AffineExpr> exprs;
    for (char dim : dims) {
      assert(loops.contains(dim) && "every letter needs a loop");
      exprs.push_back(getAffineDimExpr(loops.find(dim)));
    }
    return AffineMap::get(loops.size(), 0, exprs, getContext());
  };
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  for (const Term &input : inputs) {
    maps.push_back(mapOf(input.dims));
    operands.push_back(input.value);
  }
  maps.push_back(mapOf(output.dims));
  SmallVector<utils::IteratorType> iterators;
  for (char dim : loops)
    iterators.push_back(StringRef(output.dims).contains(dim)
                            ? utils::IteratorType::parallel
                            : utils::IteratorType::reduction);
  auto op = linalg::GenericOp::create(
      *this, output.value.getType(), operands, output.value, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, nested);
        linalg::YieldOp::create(inner, body(inner, args));
      });
  return op.getResult(0);
}

Value IndexedBuilder::map(ArrayRef<Term> inputs, StringRef dims, Type element,
                          Body body) {
  return generic(inputs, {empty(dims, element), dims.str()}, dims, body);
}

Value IndexedBuilder::contract(Term a, Term b, StringRef dims, StringRef loops,
                               Type element, Value start) {
  if (!start)
    start = fill(0.0, dims, element);
  return generic({a, b}, {start, dims.str()}, loops,
                 [&](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                   Value product = arith::MulFOp::create(
                       nested, convertFloat(nested, args[0], element),
                       convertFloat(nested, args[1], element));
                   return arith::AddFOp::create(nested, args[2], product);
                 });
}

Value IndexedBuilder::sum(Term a, StringRef dims, Value start) {
  return generic({a}, {start, dims.str()}, a.dims,
                 [](ImplicitLocOpBuilder &nested, ValueRange args) -> Value {
                   return arith::AddFOp::create(nested, args[1], args[0]);
                 });
}

/// [0], [1], ..., [position, position + 1], ..., [rank - 1]
static SmallVector<ReassociationIndices> pairAt(int64_t rank,
                                                int64_t position) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < rank; ++i)
    if (i == position + 1)
      groups.back().push_back(i);
    else
      groups.push_back({i});
  return groups;
}

Value IndexedBuilder::split(Value value, int64_t position, int64_t outer,
                            int64_t inner) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> joined(type.getShape());
  joined[position] = outer * inner;
  value = castTo(value, type.clone(joined));
  SmallVector<OpFoldResult> mixed =
      tensor::getMixedSizes(*this, getLoc(), value);
  mixed[position] = getIndexAttr(outer);
  mixed.insert(mixed.begin() + position + 1, getIndexAttr(inner));
  SmallVector<int64_t> shape = joined;
  shape[position] = outer;
  shape.insert(shape.begin() + position + 1, inner);
  return tensor::ExpandShapeOp::create(*this, type.clone(shape), value,
                                       pairAt(shape.size(), position), mixed);
}

Value IndexedBuilder::join(Value value, int64_t position) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  return tensor::CollapseShapeOp::create(*this, value, pairAt(rank, position));
}

IndexedBuilder::Slice IndexedBuilder::sliceOf(Value value, int64_t position,
                                              OpFoldResult first,
                                              int64_t count) {
  Slice slice;
  slice.sizes = tensor::getMixedSizes(*this, getLoc(), value);
  slice.offsets.assign(slice.sizes.size(), getIndexAttr(0));
  slice.strides.assign(slice.sizes.size(), getIndexAttr(1));
  slice.offsets[position] = first;
  slice.sizes[position] = getIndexAttr(count);
  return slice;
}

// Slices keep all their dims: with two of size 1, a slice that drops one does
// not say which, and folders of slices may take the other.

Value IndexedBuilder::extractAt(Value value, int64_t position,
                                OpFoldResult index) {
  Slice part = sliceOf(value, position, index, 1);
  Value slice = tensor::ExtractSliceOp::create(*this, value, part.offsets,
                                               part.sizes, part.strides);
  return join(slice, position);
}

Value IndexedBuilder::insertAt(Value value, Value into, int64_t position,
                               OpFoldResult index) {
  auto type = cast<RankedTensorType>(into.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + position);
  value = castTo(value, RankedTensorType::get(shape, type.getElementType()));
  Slice part = sliceOf(into, position, index, 1);
  shape.insert(shape.begin() + position, 1);
  Value slice = tensor::ExpandShapeOp::create(
      *this, RankedTensorType::get(shape, type.getElementType()), value,
      pairAt(type.getRank(), position), part.sizes);
  return tensor::InsertSliceOp::create(*this, slice, into, part.offsets,
                                       part.sizes, part.strides);
}

Value IndexedBuilder::slice(Value value, int64_t position, int64_t first,
                            int64_t count) {
  Slice part = sliceOf(value, position, getIndexAttr(first), count);
  return tensor::ExtractSliceOp::create(*this, value, part.offsets, part.sizes,
                                        part.strides);
}

Value IndexedBuilder::insertFrom(Value part, Value into, int64_t position,
                                 int64_t first) {
  int64_t count = cast<ShapedType>(part.getType()).getDimSize(position);
  Slice slice = sliceOf(into, position, getIndexAttr(first), count);
  auto type = cast<RankedTensorType>(into.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[position] = count;
  part = castTo(part, RankedTensorType::get(shape, type.getElementType()));
  return tensor::InsertSliceOp::create(*this, part, into, slice.offsets,
                                       slice.sizes, slice.strides);
}

Value IndexedBuilder::uniformLogMass(char dim, FloatType type) {
  if (int64_t size = staticSize(dim); !ShapedType::isDynamic(size))
    return floatConstant(
        *this, type,
        -std::log(static_cast<double>(std::max<int64_t>(size, 1))));
  // max(size, 1) keeps the value finite for an empty side.
  Value one = arith::ConstantIndexOp::create(*this, 1);
  Value length = arith::MaxSIOp::create(*this, cast<Value>(sizes.at(dim)), one);
  Value integer = arith::IndexCastOp::create(*this, getI64Type(), length);
  Value real = arith::SIToFPOp::create(*this, type, integer);
  return arith::NegFOp::create(*this, math::LogOp::create(*this, real));
}

Value IndexedBuilder::castTo(Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(*this, type, value);
}
