//===- AttentionOp.cpp - lot.attention ------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include <cmath>

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// Accessors
//===----------------------------------------------------------------------===//

FloatType AttentionOp::getStateType() {
  return lot::getStateType(getShapedType(getQuery()).getElementType());
}
int64_t AttentionOp::getHeadDim() {
  return getShapedType(getQuery()).getShape().back();
}
int64_t AttentionOp::getValueDim() {
  return getShapedType(getValue()).getShape().back();
}
int64_t AttentionOp::getNumPivots() {
  return getShapedType(getPivots()).getShape().drop_back().back();
}
double AttentionOp::getScaleOrDefault() {
  if (std::optional<APFloat> scale = getScale())
    return scale->convertToDouble();
  return 1.0 / std::sqrt(static_cast<double>(getHeadDim()));
}

//===----------------------------------------------------------------------===//
// Verification: C1 to C20 of docs/spec.md
//===----------------------------------------------------------------------===//

/// C15 to C19: the attributes.
static LogicalResult verifyAttributes(AttentionOp op) {
  double epsilon = op.getEpsilon().convertToDouble();
  if (!(epsilon > 0) || std::isinf(epsilon))
    return op.emitOpError("C15: expected epsilon > 0 and finite, got ")
           << op.getEpsilonAttr();
  if (op.getHalfSteps() < 1)
    return op.emitOpError("C16: expected half_steps >= 1, got ")
           << op.getHalfSteps();
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
static LogicalResult verifyHeads(AttentionOp op, Named q, Named k, Named z) {
  int64_t hq = q.dim(1), hk = k.dim(1), hp = z.dim(-3);
  if (!ShapedType::isDynamic(hq) && !ShapedType::isDynamic(hk) &&
      (hk == 0 ? hq != 0 : hq % hk != 0))
    return op.emitOpError("C7: expected the heads of query to be a multiple of "
                          "the heads of key, got ")
           << hq << " and " << hk;
  bool known = !ShapedType::isDynamic(hq) && !ShapedType::isDynamic(hk) &&
               !ShapedType::isDynamic(hp);
  if (known && hp != hq && hp != hk)
    return op.emitOpError("C8: expected the heads of pivots to be those of "
                          "query (")
           << hq << ") or of key (" << hk << "), got " << hp;
  return success();
}

/// C2, C5, C6, C9, C10: a token log mass [B, n] or [B, H, n].
static LogicalResult verifyTokenMass(AttentionOp op, Named mass, Named tokens,
                                     StringRef lengthLabel) {
  if (!mass.value)
    return success();
  if (failed(verifyRank(op, "C2", mass, {2, 3})) ||
      failed(verifyElementType(op, "C5", mass, {op.getStateType()})) ||
      failed(verifySameDim(op, "C6", "batch size", tokens, 0, mass, 0)) ||
      failed(verifySameDim(op, lengthLabel, "length", tokens, 2, mass, -1)))
    return failure();
  return mass.rank() == 2
             ? success()
             : verifySameDim(op, "C7", "heads", tokens, 1, mass, 1);
}

/// C2, C5, C6, C8, C13: a pivot log mass [Hp, r] or [B, Hp, r].
static LogicalResult verifyPivotMass(AttentionOp op, Named mass, Named pivots,
                                     Named query) {
  if (!mass.value)
    return success();
  if (failed(verifyRank(op, "C2", mass, {2, 3})) ||
      failed(verifyElementType(op, "C5", mass, {op.getStateType()})) ||
      failed(verifySameDim(op, "C8", "heads", pivots, -3, mass, -2)) ||
      failed(verifySameDim(op, "C13", "number of pivots", pivots, -2, mass, -1)))
    return failure();
  return mass.rank() == 2
             ? success()
             : verifySameDim(op, "C6", "batch size", query, 0, mass, 0);
}

LogicalResult AttentionOp::verify() {
  Named q{getQuery(), "query"}, k{getKey(), "key"}, v{getValue(), "value"},
      z{getPivots(), "pivots"}, o{getInit(), "init"};
  Named la{getQueryLogMass(), "query_log_mass"},
      lb{getKeyLogMass(), "key_log_mass"},
      lw{getPivotLogMass(), "pivot_log_mass"},
      lg{getGlueLogMass(), "glue_log_mass"};

  for (Named operand : {q, k, v, o})
    if (failed(verifyRank(*this, "C1", operand, {4})))
      return failure();
  if (failed(verifyRank(*this, "C1", z, {3, 4})) ||
      failed(verifyIoType(*this, "C3", q)))
    return failure();
  Type io = q.type().getElementType();
  for (Named operand : {k, v, o})
    if (failed(verifyElementType(*this, "C3", operand, {io})))
      return failure();
  SmallVector<Type> pivotTypes{io};
  if (io != getStateType())
    pivotTypes.push_back(getStateType());
  if (failed(verifyElementType(*this, "C4", z, pivotTypes)))
    return failure();

  for (Named operand : {k, v, o})
    if (failed(verifySameDim(*this, "C6", "batch size", q, 0, operand, 0)))
      return failure();
  if (z.rank() == 4 &&
      failed(verifySameDim(*this, "C6", "batch size", q, 0, z, 0)))
    return failure();
  if (failed(verifyHeads(*this, q, k, z)) ||
      failed(verifySameDim(*this, "C7", "heads", q, 1, o, 1)) ||
      failed(verifySameDim(*this, "C7", "heads", k, 1, v, 1)) ||
      failed(verifySameDim(*this, "C9", "length", q, 2, o, 2)) ||
      failed(verifySameDim(*this, "C10", "length", k, 2, v, 2)))
    return failure();

  if (failed(verifyStaticDim(*this, "C14", "head dim d", q, 3)) ||
      failed(verifyStaticDim(*this, "C14", "head dim d", k, 3)) ||
      failed(verifyStaticDim(*this, "C14", "head dim d", z, -1)) ||
      failed(verifyStaticDim(*this, "C14", "value dim dv", v, 3)) ||
      failed(verifyStaticDim(*this, "C14", "value dim dv", o, 3)) ||
      failed(verifyStaticDim(*this, "C14", "number of pivots r", z, -2)) ||
      failed(verifySameDim(*this, "C11", "head dim", q, 3, k, 3)) ||
      failed(verifySameDim(*this, "C11", "head dim", q, 3, z, -1)) ||
      failed(verifySameDim(*this, "C12", "value dim", v, 3, o, 3)))
    return failure();

  if (failed(verifyTokenMass(*this, la, q, "C9")) ||
      failed(verifyTokenMass(*this, lb, k, "C10")) ||
      failed(verifyPivotMass(*this, lw, z, q)) ||
      failed(verifyPivotMass(*this, lg, z, q)) ||
      failed(verifyAttributes(*this)))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(AttentionOp)

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {}
