//===- AttentionWorker.cpp - The heads of lot.attention -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadWorker.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
class AttentionWorker : public HeadWorker {
public:
  AttentionWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                  ValueRange args, bool parallel)
      : HeadWorker(op, b, args, parallel) {}

private:
  void emitItem(const Item &item) override;
  void emitQuerySide(Value batch, Value queryHead);
};
} // namespace

void AttentionWorker::emitItem(const Item &item) {
  Value glue =
      packGlueMass(pivotSlice(op.glueMass, item.batch, item.pivotHead));
  SideTokens side =
      makeSide(slice(op.key, {item.batch, item.keyHead}),
               tokenSlice(op.keyMass, item.batch, item.keyHead), workspace.key);
  SideTrace none;
  SolvedSide plan = emitSolveSide(b, packed, side, glue, Marginal::pivots,
                                  op.halfSteps, op.clamp, op.schedule, none);
  HeadGatherOp::create(b, side.tokens,
                       slice(op.value, {item.batch, item.keyHead}),
                       packed.scores, side.log2Mass, side.mass, side.factor,
                       plan.scaled, plan.prev, plan.post, plan.logPrev,
                       plan.logShift, workspace.gathered, op.clamp,
                       /*token_step=*/op.halfSteps > 1, op.isRowSum(),
                       /*unit_numerator=*/false, side.maskedTokens,
                       side.partials, threads, op.schedule);
  forQueryHeads(item, [&](Value head) { emitQuerySide(item.batch, head); });
}

void AttentionWorker::emitQuerySide(Value batch, Value queryHead) {
  SideTokens side =
      makeSide(slice(op.query, {batch, queryHead}),
               tokenSlice(op.queryMass, batch, queryHead), workspace.query);
  SideTrace none;
  SolvedSide plan =
      emitSolveSide(b, packed, side, /*glueLog2Mass=*/nullptr, Marginal::tokens,
                    op.halfSteps, op.clamp, op.schedule, none);
  HeadApplyOp::create(b, side.tokens, workspace.gathered, packed.scores,
                      side.log2Mass, side.mass, side.factor, plan.scaled,
                      plan.prev, plan.post, plan.logPrev, plan.logShift,
                      slice(op.inits[0], {batch, queryHead}), op.normalization,
                      APFloat(op.rowFloor), APFloat(op.outScale), op.clamp,
                      /*token_step=*/true, /*mass_numerator=*/false,
                      side.maskedTokens, threads, op.schedule);
}

void lot::emitAttentionWorker(const AttentionLike &op, ImplicitLocOpBuilder &b,
                              ValueRange args, bool parallel) {
  AttentionWorker(op, b, args, parallel).emit();
}
