//===- GlueOperands.cpp - What lot.glue and its vjp share -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GlueOperands.h"

#include <cmath>

using namespace mlir;
using namespace mlir::lot;

/// C60 and C61: ranks and element types.
static LogicalResult verifyTypes(Operation *op, const GlueOperands &all) {
  for (Named operand : {all.r1, all.r2, all.v, all.o})
    if (failed(verifyRank(op, "C60", operand, {4})))
      return failure();
  for (Named vector : {all.mass, all.ratio})
    if (vector.value && failed(verifyRank(op, "C60", vector, {3})))
      return failure();

  Builder b(op->getContext());
  if (failed(verifyIoType(op, "C61", all.o)))
    return failure();
  Type io = all.o.type().getElementType();
  Type state = getStateType(io);
  SmallVector<Type> valueTypes{io};
  if (io != state)
    valueTypes.push_back(state);
  if (failed(verifyElementType(op, "C61", all.v, valueTypes)))
    return failure();
  for (Named operand : {all.r1, all.r2, all.mass, all.ratio})
    if (operand.value && failed(verifyElementType(op, "C61", operand, {state})))
      return failure();
  return success();
}

/// C63: query heads are a multiple of value heads, key plan heads are either.
static LogicalResult verifyHeads(Operation *op, const GlueOperands &all) {
  int64_t hq = all.r1.dim(1), hs = all.r2.dim(1), hk = all.v.dim(1);
  if (ShapedType::isDynamic(hq) || ShapedType::isDynamic(hk))
    return success();
  if (hk == 0 ? hq != 0 : hq % hk != 0)
    return op->emitOpError("C63: expected the heads of query_plan to be a "
                           "multiple of the heads of value, got ")
           << hq << " and " << hk;
  if (!ShapedType::isDynamic(hs) && hs != hq && hs != hk)
    return op->emitOpError("C63: expected the heads of key_plan to be those of "
                           "query_plan (")
           << hq << ") or of value (" << hk << "), got " << hs;
  return success();
}

DimGroups GlueOperands::getDimGroups() const {
  return {
      DimGroup("C62", "batch size")
          .add(r1, 0)
          .add(r2, 0)
          .add(v, 0)
          .add(o, 0)
          .add(mass, 0)
          .add(ratio, 0),
      DimGroup("C63", "heads").add(r1, 1).add(o, 1).add(mass, 1),
      DimGroup("C63", "heads").add(r2, 1).add(ratio, 1),
      DimGroup("C64", "length").add(r1, 2).add(o, 2).add(mass, 2),
      DimGroup("C64", "length").add(r2, 2).add(v, 2),
      DimGroup("C65", "number of pivots").add(r1, 3).add(r2, 3).add(ratio, 2),
      DimGroup("C65", "value dim").add(v, 3).add(o, 3),
  };
}

template <typename OpTy>
static LogicalResult verifyAll(OpTy op) {
  GlueOperands all(op);
  if (failed(verifyTypes(op, all)) ||
      failed(verifyStaticDim(op, "C65", "number of pivots r", all.r1, 3)) ||
      failed(verifyStaticDim(op, "C65", "number of pivots r", all.r2, 3)) ||
      failed(verifyStaticDim(op, "C65", "value dim dv", all.v, 3)) ||
      failed(verifyStaticDim(op, "C65", "value dim dv", all.o, 3)) ||
      failed(verifyHeads(op, all)) ||
      failed(verifyDimGroups(op, op.getDimGroups())))
    return failure();
  double floor = op.getRowFloor().convertToDouble();
  if (!(floor >= 0) || std::isinf(floor))
    return op.emitOpError("C66: expected row_floor >= 0 and finite, got ")
           << op.getRowFloorAttr();
  if (!op.getOutScale().isFinite())
    return op.emitOpError("C67: expected a finite out_scale, got ")
           << op.getOutScaleAttr();
  return success();
}

LogicalResult lot::verifyGlue(GlueOp op) { return verifyAll(op); }
LogicalResult lot::verifyGlue(GlueVjpOp op) { return verifyAll(op); }
