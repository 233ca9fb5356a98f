//===- GlueFormula.h - The glued coupling in linalg ----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_GLUEFORMULA_H
#define LOT_LIB_IR_GLUEFORMULA_H

#include "Decompose.h"

#include "lot/IR/Lot.h"

namespace mlir::lot {

/// What lot.glue and its vjp compute first. Letters: b batch, h key heads, g
/// query heads of one key head, i queries, k keys, j pivots, e value dim.
/// Without groups there is no g.
struct GlueFormula {
  using Term = IndexedBuilder::Term;

  IndexedBuilder &t;
  Value queryPlan, keyPlan, value, queryLogMass, glueLogRatio;
  /// [B, Hq, n, dv]: the forward's init or its cotangent.
  Value out;
  Normalization normalization;
  double rowFloor, outScale;
  FloatType state;
  int64_t group = 1, keyHeads = ShapedType::kDynamic;
  /// Heads of queries and of the key plan, as letters.
  std::string queryHeads = "bh", planHeads = "bh";

  template <typename OpTy>
  GlueFormula(OpTy op, Value out, IndexedBuilder &t)
      : t(t), queryPlan(op.getQueryPlan()), keyPlan(op.getKeyPlan()),
        value(op.getValue()), queryLogMass(op.getQueryLogMass()),
        glueLogRatio(op.getGlueLogRatio()), out(out),
        normalization(op.getNormalization()),
        rowFloor(op.getRowFloor().convertToDouble()),
        outScale(op.getOutScale().convertToDouble()),
        state(cast<FloatType>(getElementTypeOrSelf(queryPlan.getType()))) {}

  /// Finds out how heads are grouped, splits grouped heads of all operands and
  /// binds the sizes of the letters. Fails with a diagnostic on `op` where the
  /// groups are not known.
  LogicalResult bind(Operation *op);

  bool grouped() const { return group != 1; }
  bool keyPlanGrouped() const { return planHeads == "bhg"; }
  bool sumsRows() const { return normalization == Normalization::row_sum; }
  /// Whether the formula contains the masses of the queries.
  bool usesMass() const {
    return normalization == Normalization::none || (sumsRows() && rowFloor > 0);
  }

  /// Makes query heads (h, g) of one dim.
  Value splitHeads(Value value);
  Value splitPlanHeads(Value value) {
    return keyPlanGrouped() ? splitHeads(value) : value;
  }

  /// G_je = exp(ratio_j) sum_k R2_kj V_ke.
  Value gather();
  /// c_j = exp(ratio_j) sum_k R2_kj: G of a value that is 1.
  Value gatherOnes();
  /// U_ie = sum_j R1_ij G_je.
  Value apply(Value gathered);
  /// sum_j R1_ij c_j.
  Value applyOnes(Value ones);
  /// x_j exp(ratio_j).
  Value scaleByRatio(Value x, const std::string &dims);

  /// The log mass of the queries as a term, or `uniform` if it is absent; only
  /// where the formula contains it.
  void addMass(SmallVectorImpl<Term> &terms, Value &uniform);
};

} // namespace mlir::lot

#endif // LOT_LIB_IR_GLUEFORMULA_H
