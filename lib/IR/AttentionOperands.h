//===- AttentionOperands.h - What lot.attention and its vjp share --*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_ATTENTIONOPERANDS_H
#define LOT_LIB_IR_ATTENTIONOPERANDS_H

#include "OpUtils.h"

namespace mlir::lot {

/// The operands by name; log masses may be null. `o` has the shape of the
/// result: the forward's init or its cotangent.
struct AttentionOperands {
  Named q, k, v, z, o, la, lb, lw, lg;

  explicit AttentionOperands(AttentionOp op)
      : AttentionOperands(op, {op.getInit(), "init"}) {}
  explicit AttentionOperands(AttentionVjpOp op)
      : AttentionOperands(op, {op.getCotangent(), "cotangent"}) {}

  /// The equal dims: C6 to C13 of docs/spec.md.
  DimGroups getDimGroups() const;

private:
  template <typename OpTy>
  AttentionOperands(OpTy op, Named out)
      : q{op.getQuery(), "query"}, k{op.getKey(), "key"},
        v{op.getValue(), "value"}, z{op.getPivots(), "pivots"}, o(out),
        la{op.getQueryLogMass(), "query_log_mass"},
        lb{op.getKeyLogMass(), "key_log_mass"},
        lw{op.getPivotLogMass(), "pivot_log_mass"},
        lg{op.getGlueLogMass(), "glue_log_mass"} {}
};

/// C1 to C19 of docs/spec.md.
LogicalResult verifyAttention(AttentionOp op);
LogicalResult verifyAttention(AttentionVjpOp op);

} // namespace mlir::lot

#endif // LOT_LIB_IR_ATTENTIONOPERANDS_H
