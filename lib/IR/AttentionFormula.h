//===- AttentionFormula.h - The formula of lot.attention in linalg -*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the decompositions of lot.attention and of its vjp have in common:
// masses spread over heads, masked scores, solved sides.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_ATTENTIONFORMULA_H
#define LOT_LIB_IR_ATTENTIONFORMULA_H

#include "Decompose.h"

#include "lot/IR/Lot.h"

namespace mlir::lot {

/// One side of the coupling with its plan, all [B, heads, ...].
struct SolvedSide {
  Value scores, tokenMass, pivotMass;
  /// Null where the plan is formed without a token step.
  Value prev;
  Value last, trajectory, plan;
  Marginal first;

  Marginal conditional() const { return first; }
};

/// Letters: b batch, i queries, k keys, j pivots, d head dim, e value dim;
/// heads are q (query), h (key) and s (the solved key side: those of the
/// pivots). Where heads are grouped, q = (h, g).
struct AttentionFormula {
  using Term = IndexedBuilder::Term;

  IndexedBuilder &t;
  Value query, key, value, pivots;
  Value queryLogMass, keyLogMass, pivotLogMass, glueLogMass;
  /// [B, Hq, n, dv]: the forward's init or its cotangent.
  Value out;
  FloatType state;
  double scale, epsilon;
  std::optional<double> clamp;
  int64_t halfSteps;
  Normalization normalization;
  APFloat rowFloor, outScale;
  int64_t group = 1, keyHeads = ShapedType::kDynamic;
  /// Whether each query head of a group has pivots of its own.
  bool ownPivots = true;

  template <typename OpTy>
  AttentionFormula(OpTy op, Value out, IndexedBuilder &t)
      : t(t), query(op.getQuery()), key(op.getKey()), value(op.getValue()),
        pivots(op.getPivots()), queryLogMass(op.getQueryLogMass()),
        keyLogMass(op.getKeyLogMass()), pivotLogMass(op.getPivotLogMass()),
        glueLogMass(op.getGlueLogMass()), out(out), state(op.getStateType()),
        scale(op.getScaleOrDefault()),
        epsilon(op.getEpsilon().convertToDouble()),
        halfSteps(op.getHalfSteps()), normalization(op.getNormalization()),
        rowFloor(op.getRowFloor()), outScale(op.getOutScale()) {
    if (op.getScoreClamp())
      clamp = op.getScoreClamp()->convertToDouble();
  }

  /// Finds out how heads are grouped and binds the sizes of the letters. Fails
  /// with a diagnostic on `op` where the groups are not known.
  LogicalResult bind(Operation *op);

  bool grouped() const { return group != 1; }
  static bool hasRank(Value value, int64_t rank) {
    return cast<ShapedType>(value.getType()).getRank() == rank;
  }
  /// `dims` behind a batch letter if the operand has one: rank tells.
  static std::string withBatch(Value value, StringRef dims) {
    bool batch = !hasRank(value, dims.size());
    return (batch ? "b" : "") + dims.str();
  }

  /// The masses of the query side, [B, Hq, n] and [B, Hq, r]; null if uniform.
  Value queryMass();
  Value queryPivotMass();
  /// The masses of the key side, [B, Hs, m] and [B, Hs, r]; null if uniform.
  Value keyMass();
  Value keyPivotMass(Value mass);

  /// Unscaled products with the pivots, [B, Hq, n, r] and [B, Hs, m, r].
  Value queryDots();
  Value keyDots();

  /// clip(scale x.z, -c, c) / epsilon; -inf where the token or the pivot has no
  /// mass, whatever their data are.
  Value maskedScores(Value dot, const std::string &dims, Term tokenMass,
                     Term pivotMass);

  /// `value` with 0 in the lines whose log mass is -inf; itself without masses.
  Value live(Term value, Term mass);
  /// V with the rows of absent keys replaced by 0.
  Value liveValues();

  /// log(w / w_glue), [B, Hs, r]; null where they are the same.
  Value glueLogRatio(Value pivotMass);

  /// One side solved, with the potentials of every step if asked for.
  SolvedSide solveSide(Value scores, StringRef heads, char token,
                       Marginal first, Value tokenMass, Value pivotMass,
                       bool trajectory);

private:
  Value spread(Value mass, const std::string &from, const std::string &to);
};

} // namespace mlir::lot

#endif // LOT_LIB_IR_ATTENTIONFORMULA_H
