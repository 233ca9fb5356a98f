//===- GlueOperands.h - What lot.glue and its vjp share ------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_GLUEOPERANDS_H
#define LOT_LIB_IR_GLUEOPERANDS_H

#include "OpUtils.h"

namespace mlir::lot {

/// The operands by name; the last two may be null. `o` has the shape of the
/// result: the forward's init or its cotangent.
struct GlueOperands {
  Named r1, r2, v, o, mass, ratio;

  explicit GlueOperands(GlueOp op) : GlueOperands(op, {op.getInit(), "init"}) {}
  explicit GlueOperands(GlueVjpOp op)
      : GlueOperands(op, {op.getCotangent(), "cotangent"}) {}

  /// The equal dims: C62 to C65 of docs/spec.md.
  DimGroups getDimGroups() const;

private:
  template <typename OpTy>
  GlueOperands(OpTy op, Named out)
      : r1{op.getQueryPlan(), "query_plan"}, r2{op.getKeyPlan(), "key_plan"},
        v{op.getValue(), "value"}, o(out),
        mass{op.getQueryLogMass(), "query_log_mass"},
        ratio{op.getGlueLogRatio(), "glue_log_ratio"} {}
};

/// C60 to C67 of docs/spec.md.
LogicalResult verifyGlue(GlueOp op);
LogicalResult verifyGlue(GlueVjpOp op);

} // namespace mlir::lot

#endif // LOT_LIB_IR_GLUEOPERANDS_H
