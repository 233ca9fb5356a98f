//===- PlanTile.cpp - Token sums and plan entries of one tile -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

TileVectors lot::emitTokenSums(Emitter &e, Value factor, Value tile,
                               Value prev) {
  int64_t r = cast<MemRefType>(factor.getType()).getDimSize(1);
  TileVectors zero(kTileVectors, e.splat(0.0));
  ValueRange sums =
      e.forLoop(e.index(0), e.index(r), 1, zero, [&](Value j, ValueRange acc) {
        Value p = e.loadSplat(prev, {j});
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v)
          next.push_back(e.fma(
              e.loadVector(factor, {tile, j, e.vectorStart(v)}), p, acc[v]));
        return next;
      });
  return TileVectors(sums);
}

TileVectors lot::emitTokenLogSums(Emitter &e, Value scores, int64_t pivots) {
  TileVectors start(kTileVectors, e.splat(kAbsent));
  ValueRange top = e.forLoop(
      e.index(0), e.index(pivots), 1, start, [&](Value j, ValueRange args) {
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v)
          next.push_back(
              e.max(args[v], e.loadVector(scores, {j, e.vectorStart(v)})));
        return next;
      });
  TileVectors zero(kTileVectors, e.splat(0.0));
  ValueRange sums = e.forLoop(
      e.index(0), e.index(pivots), 1, zero, [&](Value j, ValueRange args) {
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v) {
          Value s = e.loadVector(scores, {j, e.vectorStart(v)});
          next.push_back(e.add(args[v], e.exp2(e.sub(s, top[v]))));
        }
        return next;
      });
  TileVectors logs;
  for (int64_t v = 0; v < kTileVectors; ++v)
    logs.push_back(e.add(top[v], e.log2(sums[v])));
  return logs;
}

TileVectors lot::loadTokens(Emitter &e, Value buffer, Value first) {
  TileVectors values;
  for (int64_t v = 0; v < kTileVectors; ++v)
    values.push_back(e.loadVector(buffer, {e.addIndex(first, v * e.lanes())}));
  return values;
}

/// R = D numerator / (D prev) post.
static void emitScaledTile(Emitter &e, const Plan &plan, Value tileIndex,
                           TokenTile tile, Value dst) {
  TileVectors sums = emitTokenSums(e, plan.factor, tileIndex, plan.prev);
  TileVectors mass = loadTokens(e, plan.mass, tile.first);
  TileVectors scale;
  for (int64_t v = 0; v < kTileVectors; ++v)
    scale.push_back(
        e.div(plan.massNumerator ? mass[v] : e.splat(1.0), e.divisor(sums[v])));
  int64_t r = cast<MemRefType>(plan.pivots.getType()).getDimSize(0);
  e.forEach(r, [&](Value j) {
    Value post = e.loadSplat(plan.post, {j});
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value entry = e.loadVector(plan.factor, {tileIndex, j, e.vectorStart(v)});
      e.storeVector(e.mul(e.mul(entry, scale[v]), post), dst,
                    {j, e.vectorStart(v)});
    }
  });
}

/// R = 2^(scores + shift + numerator - log sum), scores with bias logPrev.
static void emitLogTile(Emitter &e, const Plan &plan, TokenTile tile,
                        Value packed, Value scores, Value dst) {
  int64_t r = cast<MemRefType>(plan.pivots.getType()).getDimSize(0);
  packTokens(e, plan.tokens, tile, plan.maskedTokens ? plan.log2Mass : Value(),
             packed);
  emitScores(e, packed, plan.pivots, plan.logPrev, plan.clamp, scores, {});
  TileVectors mass = loadTokens(e, plan.log2Mass, tile.first);
  TileVectors offset(kTileVectors, e.splat(0.0)), sums;
  if (plan.tokenStep)
    sums = emitTokenLogSums(e, scores, r);
  for (int64_t v = 0; v < kTileVectors; ++v) {
    if (plan.tokenStep && plan.massNumerator)
      offset[v] = e.max(mass[v], e.splat(kAbsent));
    else if (plan.massNumerator) // no token step: only absent tokens drop out
      offset[v] = e.select(e.greater(mass[v], e.splat(kAbsentBound)),
                           e.splat(0.0), e.splat(kAbsent));
    if (plan.tokenStep)
      offset[v] = e.sub(offset[v], sums[v]);
  }
  e.forEach(r, [&](Value j) {
    Value shift = e.loadSplat(plan.logShift, {j});
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value s = e.loadVector(scores, {j, e.vectorStart(v)});
      // An entry may exceed 1 (w_j / a_i on the query side); exp2 has no
      // overflow check of its own.
      Value x = e.min(e.add(e.add(s, offset[v]), shift), e.splat(127.0));
      e.storeVector(e.exp2(x), dst, {j, e.vectorStart(v)});
    }
  });
}

void lot::emitPlanTile(Emitter &e, const Plan &plan, Value tileIndex,
                       TokenTile tile, Value packed, Value scores, Value dst) {
  auto choice = scf::IfOp::create(e, plan.scaled, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPoint(choice.thenBlock()->getTerminator());
  emitScaledTile(e, plan, tileIndex, tile, dst);
  e.setInsertionPoint(choice.elseBlock()->getTerminator());
  emitLogTile(e, plan, tile, packed, scores, dst);
}
