//===- AttentionOperands.cpp - What lot.attention and its vjp share -------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionOperands.h"

#include <cmath>

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// Accessors
//===----------------------------------------------------------------------===//

#define LOT_ATTENTION_ACCESSORS(OP)                                            \
  FloatType OP::getStateType() {                                               \
    return lot::getStateType(getShapedType(getQuery()).getElementType());      \
  }                                                                            \
  int64_t OP::getHeadDim() {                                                   \
    return getShapedType(getQuery()).getShape().back();                        \
  }                                                                            \
  int64_t OP::getValueDim() {                                                  \
    return getShapedType(getValue()).getShape().back();                        \
  }                                                                            \
  int64_t OP::getNumPivots() {                                                 \
    return getShapedType(getPivots()).getShape().drop_back().back();           \
  }                                                                            \
  double OP::getScaleOrDefault() {                                             \
    if (std::optional<APFloat> scale = getScale())                             \
      return scale->convertToDouble();                                         \
    return 1.0 / std::sqrt(static_cast<double>(getHeadDim()));                 \
  }
LOT_ATTENTION_ACCESSORS(AttentionOp)
LOT_ATTENTION_ACCESSORS(AttentionVjpOp)

//===----------------------------------------------------------------------===//
// Verification: C1 to C19 of docs/spec.md
//===----------------------------------------------------------------------===//

/// C15 to C19: the attributes.
template <typename OpTy>
static LogicalResult verifyAttributes(OpTy op) {
  double epsilon = op.getEpsilon().convertToDouble();
  if (!(epsilon > 0) || std::isinf(epsilon))
    return op.emitOpError("C15: expected epsilon > 0 and finite, got ")
           << op.getEpsilonAttr();
  // The attribute's own value: the accessor's is unsigned.
  if (int64_t steps = op.getHalfStepsAttr().getInt(); steps < 1)
    return op.emitOpError("C16: expected half_steps >= 1, got ") << steps;
  double floor = op.getRowFloor().convertToDouble();
  if (!(floor >= 0) || std::isinf(floor))
    return op.emitOpError("C17: expected row_floor >= 0 and finite, got ")
           << op.getRowFloorAttr();
  if (op.getScoreClamp() && !(op.getScoreClamp()->convertToDouble() >= 0))
    return op.emitOpError("C18: expected score_clamp >= 0, got ")
           << op.getScoreClampAttr();
  if (op.getScale() && !op.getScale()->isFinite())
    return op.emitOpError("C19: expected a finite scale, got ")
           << op.getScaleAttr();
  if (!op.getOutScale().isFinite())
    return op.emitOpError("C19: expected a finite out_scale, got ")
           << op.getOutScaleAttr();
  return success();
}

/// C7 and C8: query heads are a multiple of key heads, pivot heads are either.
static LogicalResult verifyHeads(Operation *op, Named q, Named k, Named z) {
  int64_t hq = q.dim(1), hk = k.dim(1), hp = z.dim(-3);
  if (!ShapedType::isDynamic(hq) && !ShapedType::isDynamic(hk) &&
      (hk == 0 ? hq != 0 : hq % hk != 0))
    return op->emitOpError(
               "C7: expected the heads of query to be a multiple of "
               "the heads of key, got ")
           << hq << " and " << hk;
  bool known = !ShapedType::isDynamic(hq) && !ShapedType::isDynamic(hk) &&
               !ShapedType::isDynamic(hp);
  if (known && hp != hq && hp != hk)
    return op->emitOpError("C8: expected the heads of pivots to be those of "
                           "query (")
           << hq << ") or of key (" << hk << "), got " << hp;
  return success();
}

/// C1 to C5: ranks and element types.
static LogicalResult verifyTypes(Operation *op, FloatType state,
                                 const AttentionOperands &all) {
  for (Named operand : {all.q, all.k, all.v, all.o})
    if (failed(verifyRank(op, "C1", operand, {4})))
      return failure();
  if (failed(verifyRank(op, "C1", all.z, {3, 4})))
    return failure();
  for (Named mass : {all.la, all.lb, all.lw, all.lg})
    if (mass.value && failed(verifyRank(op, "C2", mass, {2, 3})))
      return failure();

  if (failed(verifyIoType(op, "C3", all.q)))
    return failure();
  Type io = all.q.type().getElementType();
  for (Named operand : {all.k, all.v, all.o})
    if (failed(verifyElementType(op, "C3", operand, {io})))
      return failure();
  SmallVector<Type> pivotTypes{io};
  if (io != state)
    pivotTypes.push_back(state);
  if (failed(verifyElementType(op, "C4", all.z, pivotTypes)))
    return failure();
  for (Named mass : {all.la, all.lb, all.lw, all.lg})
    if (mass.value && failed(verifyElementType(op, "C5", mass, {state})))
      return failure();
  return success();
}

DimGroups AttentionOperands::getDimGroups() const {
  return {
      DimGroup("C6", "batch size")
          .add(q, 0)
          .add(k, 0)
          .add(v, 0)
          .add(o, 0)
          .addAtRank(4, z, 0)
          .add(la, 0)
          .add(lb, 0)
          .addAtRank(3, lw, 0)
          .addAtRank(3, lg, 0),
      DimGroup("C7", "heads").add(q, 1).add(o, 1).addAtRank(3, la, 1),
      DimGroup("C7", "heads").add(k, 1).add(v, 1).addAtRank(3, lb, 1),
      DimGroup("C8", "heads").add(z, -3).add(lw, -2).add(lg, -2),
      DimGroup("C9", "length").add(q, 2).add(o, 2).add(la, -1),
      DimGroup("C10", "length").add(k, 2).add(v, 2).add(lb, -1),
      DimGroup("C11", "head dim").add(q, 3).add(k, 3).add(z, -1),
      DimGroup("C12", "value dim").add(v, 3).add(o, 3),
      DimGroup("C13", "number of pivots").add(z, -2).add(lw, -1).add(lg, -1),
  };
}

/// C22: opaque values in a row.
static LogicalResult verifyResiduals(Operation *op, Named residuals) {
  if (!residuals.value)
    return success();
  if (failed(verifyRank(op, "C22", residuals, {1})))
    return failure();
  return verifyElementType(op, "C22", residuals,
                           {Float32Type::get(op->getContext())});
}

template <typename OpTy>
static LogicalResult verifyAll(OpTy op) {
  AttentionOperands all(op);
  auto &[q, k, v, z, o, la, lb, lw, lg] = all;
  if (failed(verifyTypes(op, op.getStateType(), all)) ||
      failed(verifyResiduals(op, {op.getResiduals(), "residuals"})) ||
      failed(verifyStaticDim(op, "C14", "head dim d", q, 3)) ||
      failed(verifyStaticDim(op, "C14", "head dim d", k, 3)) ||
      failed(verifyStaticDim(op, "C14", "head dim d", z, -1)) ||
      failed(verifyStaticDim(op, "C14", "value dim dv", v, 3)) ||
      failed(verifyStaticDim(op, "C14", "value dim dv", o, 3)) ||
      failed(verifyStaticDim(op, "C14", "number of pivots r", z, -2)) ||
      failed(verifyHeads(op, q, k, z)) ||
      failed(verifyDimGroups(op, op.getDimGroups())) ||
      failed(verifyAttributes(op)))
    return failure();
  return success();
}

LogicalResult lot::verifyAttention(AttentionOp op) { return verifyAll(op); }
LogicalResult lot::verifyAttention(AttentionVjpOp op) { return verifyAll(op); }
