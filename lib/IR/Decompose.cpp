//===- Decompose.cpp - What the decompositions share ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"

#include "lot/IR/Lot.h"
#include "lot/Math/Formulas.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

LogicalResult lot::expectTensors(DestinationStyleOpInterface op) {
  if (op.hasPureTensorSemantics())
    return success();
  return op->emitOpError("expected tensors to rewrite, got memrefs; lot-to-"
                         "linalg works on tensors, lot-to-cpu takes buffers");
}

std::pair<Value, Value> lot::rowLogSumExp(IndexedBuilder &t,
                                          const ScoreDims &dims, Value scores,
                                          Value potential) {
  return rowLogSumExp(t, {scores, dims.all}, {potential, dims.pivot},
                      dims.token);
}

std::pair<Value, Value> lot::rowLogSumExp(IndexedBuilder &t,
                                          IndexedBuilder::Term scores,
                                          IndexedBuilder::Term potential,
                                          const std::string &token) {
  Type type = getElementTypeOrSelf(scores.value.getType());
  std::string loops = token + "j";
  // max_j (L_ij + y_j)
  Value max = t.generic(
      {scores, potential},
      {t.fill(-std::numeric_limits<double>::infinity(), token, type), token},
      loops, [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        return arith::MaximumFOp::create(b, logTerm(b, args[0], args[1]),
                                         args[2]);
      });
  // sum_j exp(L_ij + y_j - max_i)
  Value sum = t.generic(
      {scores, potential, {max, token}}, {t.fill(0.0, token, type), token},
      loops, [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value term = expTerm(b, logTerm(b, args[0], args[1]), args[2]);
        return arith::AddFOp::create(b, args[3], term);
      });
  return {max, sum};
}

int64_t HeadsOf::staticSize() const {
  for (auto [value, dim] : dims)
    if (int64_t size = cast<ShapedType>(value.getType()).getDimSize(dim);
        !ShapedType::isDynamic(size))
      return size;
  return ShapedType::kDynamic;
}

FailureOr<int64_t> lot::resolveHeadGroup(Operation *op, const HeadsOf &many,
                                         const HeadsOf &few) {
  int64_t a = many.staticSize(), b = few.staticSize();
  if (!ShapedType::isDynamic(a) && !ShapedType::isDynamic(b)) {
    if (a == b)
      return 1;
    if (b != 0 && a % b == 0)
      return a / b;
    op->emitOpError() << "expected the heads of " << many.name
                      << " to be a multiple of the heads of " << few.name
                      << ", got " << a << " and " << b;
    return failure();
  }
  using Bounds = ValueBoundsConstraintSet;
  for (auto [x, i] : many.dims)
    for (auto [y, j] : few.dims)
      if (FailureOr<bool> equal =
              Bounds::areEqual(Bounds::Variable(x, i), Bounds::Variable(y, j));
          succeeded(equal) && *equal)
        return 1;
  op->emitOpError() << "expected static heads of " << many.name << " and "
                    << few.name << " or provably equal ones, got "
                    << many.dims[0].first.getType() << " and "
                    << few.dims[0].first.getType()
                    << "; heads must be static where they are grouped";
  return failure();
}
