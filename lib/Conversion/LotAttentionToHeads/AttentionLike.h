//===- AttentionLike.h - lot.attention or its vjp ---------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_ATTENTIONLIKE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_ATTENTIONLIKE_H

#include "SolveSide.h"

#include "llvm/Support/MathExtras.h"

namespace mlir::lot {

/// What lot.attention and lot.attention_vjp have in common. The operands are
/// those of the op, or, after `mapOperands`, what stands for them in a
/// function; log masses may be null.
struct AttentionLike {
  Operation *op;
  bool gradients; ///< lot.attention_vjp
  Value query, key, value, pivots, queryMass, keyMass, pivotMass, glueMass;
  /// The result (and residuals, which are not written), or the gradients.
  SmallVector<Value> inits;
  Value cotangent;          ///< of the vjp
  CPUScheduleAttr schedule; ///< null where there is none
  FloatType state;
  Type io;
  int64_t d, dv, r, halfSteps;
  double scale, epsilon, outScale;
  double rowFloor;
  FloatAttr clamp; ///< in base 2 and over epsilon, as scores are
  Normalization normalization;

  explicit AttentionLike(AttentionOp op) : AttentionLike(op, false) {
    llvm::append_range(inits, op.getInits());
  }
  explicit AttentionLike(AttentionVjpOp op) : AttentionLike(op, true) {
    llvm::append_range(inits, op.getInits());
    cotangent = op.getCotangent();
  }

  /// Takes `args`, one for each operand of the op, in place of the operands.
  void mapOperands(ValueRange args);

  bool isRowSum() const { return normalization == Normalization::row_sum; }
  int64_t lanes() const { return schedule.getLanes(); }
  int64_t tile() const { return schedule.getTokenTile(); }
  /// Columns of values that the head ops see: row sums of reverse mode are a
  /// column of ones.
  int64_t valueColumns() const {
    return dv + (gradients && isRowSum() ? 1 : 0);
  }
  /// The same in whole vectors, with the forward's row sums in one more.
  int64_t gatheredColumns() const {
    return llvm::alignTo(valueColumns(), lanes()) +
           (!gradients && isRowSum() ? lanes() : 0);
  }
  int64_t packedPivots() const { return llvm::alignTo(r, lanes()); }
  int64_t pivotColumns() const { return llvm::alignTo(d, lanes()); }

private:
  template <typename OpTy>
  AttentionLike(OpTy op, bool gradients)
      : op(op), gradients(gradients), query(op.getQuery()), key(op.getKey()),
        value(op.getValue()), pivots(op.getPivots()),
        queryMass(op.getQueryLogMass()), keyMass(op.getKeyLogMass()),
        pivotMass(op.getPivotLogMass()), glueMass(op.getGlueLogMass()),
        schedule(dyn_cast_or_null<CPUScheduleAttr>(op.getScheduleAttr())),
        state(op.getStateType()),
        io(getElementTypeOrSelf(op.getQuery().getType())), d(op.getHeadDim()),
        dv(op.getValueDim()), r(op.getNumPivots()),
        halfSteps(op.getHalfSteps()), scale(op.getScaleOrDefault()),
        epsilon(op.getEpsilon().convertToDouble()),
        outScale(op.getOutScale().convertToDouble()),
        rowFloor(op.getRowFloor().convertToDouble()),
        normalization(op.getNormalization()) {
    if (op.getScoreClamp())
      clamp = Builder(op.getContext())
                  .getF64FloatAttr(op.getScoreClamp()->convertToDouble() /
                                   epsilon / llvm::numbers::ln2);
  }
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_ATTENTIONLIKE_H
