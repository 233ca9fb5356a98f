//===- AttentionDecompose.cpp - lot.attention in its formulas -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionFormula.h"

using namespace mlir;
using namespace mlir::lot;

FailureOr<SmallVector<Value>> AttentionOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  AttentionFormula f(*this, getInit(), t);
  if (failed(f.bind(*this)))
    return failure();
  Value la = f.queryMass(), lwQuery = f.queryPivotMass();
  Value lb = f.keyMass(), lwKey = f.keyPivotMass(f.pivotLogMass);
  Value queryScores =
      f.maskedScores(f.queryDots(), "bqij", {la, "bqi"}, {lwQuery, "bqj"});
  Value keyScores =
      f.maskedScores(f.keyDots(), "bskj", {lb, "bsk"}, {lwKey, "bsj"});
  SolvedSide queries = f.solveSide(queryScores, "bq", 'i', Marginal::tokens, la,
                                   lwQuery, /*trajectory=*/false);
  SolvedSide keys = f.solveSide(keyScores, "bs", 'k', Marginal::pivots, lb,
                                lwKey, /*trajectory=*/false);
  // The glue asks for the query masses only where they matter.
  bool usesMass =
      f.normalization == Normalization::none ||
      (f.normalization == Normalization::row_sum && f.rowFloor.isNonZero());
  auto glue = GlueOp::create(t, TypeRange{getInit().getType()}, queries.plan,
                             keys.plan, f.liveValues(), usesMass ? la : Value(),
                             f.glueLogRatio(lwKey), getInit(), f.normalization,
                             f.rowFloor, f.outScale);
  SmallVector<Value> results{glue.getResult(0)};
  // The vjp's decomposition does not read them.
  if (Value residuals = getResiduals())
    results.push_back(residuals);
  return results;
}
