//===- HeadValues.cpp - lot.head_gather and lot.head_apply to vectors -----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// plan[j][token] for one tile and scratch for making it.
struct PlanScratch {
  Value packed, scores, plan;
  PlanScratch(Emitter &e, int64_t d, int64_t r)
      : packed(e.scratch({d, e.tile()})), scores(e.scratch({r, e.tile()})),
        plan(e.scratch({r, e.tile()})) {}
};
} // namespace

static void forTiles(Emitter &e, Value tokens,
                     function_ref<void(Value index, TokenTile tile)> body) {
  Value length = memref::DimOp::create(e, tokens, 0);
  Value tiles = arith::CeilDivSIOp::create(e, length, e.index(e.tile()));
  e.forEach(e.index(0), tiles, 1, [&](Value index) {
    body(index, {e.mulIndex(index, e.tile()), length});
  });
}

void lot::emitHeadGather(Emitter &e, HeadGatherOp op, ValueRange args) {
  Plan plan{args[0],           args[2],
            args[3],           args[4],
            args[5],           args[6],
            args[7],           args[8],
            args[9],           args[10],
            op.getClampAttr(), op.getMaskedTokens(),
            op.getTokenStep(), /*massNumerator=*/true};
  Value value = args[1], gathered = args[11];
  auto pivotType = cast<MemRefType>(plan.pivots.getType());
  auto gatheredType = cast<MemRefType>(gathered.getType());
  int64_t r = pivotType.getDimSize(0), d = pivotType.getDimSize(1);
  int64_t columns = gatheredType.getDimSize(1);
  int64_t dv = cast<MemRefType>(value.getType()).getDimSize(1);

  PlanScratch scratch(e, d, r);
  Value rows = e.scratch({e.tile(), columns});
  if (columns != dv)
    e.fill(rows, 0.0);
  if (op.getRowSum())
    e.forEach(e.tile(),
              [&](Value i) { e.store(e.scalar(1.0), rows, {i, e.index(dv)}); });
  e.fill(gathered, 0.0);
  forTiles(e, plan.tokens, [&](Value index, TokenTile tile) {
    emitPlanTile(e, plan, index, tile, scratch.packed, scratch.scores,
                 scratch.plan);
    packRows(e, value, tile, plan.maskedTokens ? plan.log2Mass : Value(), rows);
    emitProduct(
        e, {r, columns / e.lanes(), e.tile(),
            [&](Value j, Value i) { return e.loadSplat(scratch.plan, {j, i}); },
            [&](Value i, Value c) { return e.loadVector(rows, {i, c}); },
            [&](Value j, Value c) { return e.loadVector(gathered, {j, c}); },
            [&](Value acc, Value j, Value c) {
              e.storeVector(acc, gathered, {j, c});
            }});
  });
}

/// What multiplies row i of R1 G: out_scale and the normalization.
static void emitRowFactors(Emitter &e, HeadApplyOp op, const Plan &plan,
                           TokenTile tile, Value rows, int64_t dv,
                           Value factors) {
  double outScale = op.getOutScale().convertToDouble();
  double floor = op.getRowFloor().convertToDouble();
  e.forEach(e.tile(), [&](Value i) {
    Value scale = e.scalar(outScale);
    if (op.getNormalization() != Normalization::query_mass) {
      Value mass = e.load(plan.mass, {e.addIndex(tile.first, i)});
      if (op.getNormalization() == Normalization::none) {
        scale = e.mul(scale, mass);
      } else {
        Value sum = e.load(rows, {i, e.index(dv)});
        if (floor > 0)
          sum = e.max(sum, e.div(e.scalar(floor), mass));
        Value live = e.greater(sum, e.scalar(0.0));
        scale = e.select(live, e.div(scale, sum), e.scalar(0.0));
      }
    }
    e.store(scale, factors, {i});
  });
}

void lot::emitHeadApply(Emitter &e, HeadApplyOp op, ValueRange args) {
  Plan plan{args[0],
            args[2],
            args[3],
            args[4],
            args[5],
            args[6],
            args[7],
            args[8],
            args[9],
            args[10],
            op.getClampAttr(),
            op.getMaskedTokens(),
            /*tokenStep=*/true,
            /*massNumerator=*/false};
  Value gathered = args[1], out = args[11];
  auto pivotType = cast<MemRefType>(plan.pivots.getType());
  int64_t r = pivotType.getDimSize(0), d = pivotType.getDimSize(1);
  int64_t columns = cast<MemRefType>(gathered.getType()).getDimSize(1);
  int64_t dv = cast<MemRefType>(out.getType()).getDimSize(1);

  PlanScratch scratch(e, d, r);
  Value rows = e.scratch({e.tile(), columns}), factors = e.scratch({e.tile()});
  forTiles(e, plan.tokens, [&](Value index, TokenTile tile) {
    emitPlanTile(e, plan, index, tile, scratch.packed, scratch.scores,
                 scratch.plan);
    emitProduct(
        e, {e.tile(), columns / e.lanes(), r,
            [&](Value i, Value j) { return e.loadSplat(scratch.plan, {j, i}); },
            [&](Value j, Value c) { return e.loadVector(gathered, {j, c}); },
            [&](Value, Value) { return e.splat(0.0); },
            [&](Value acc, Value i, Value c) {
              e.storeVector(acc, rows, {i, c});
            }});
    emitRowFactors(e, op, plan, tile, rows, dv, factors);
    storeRows(e, rows, tile, plan.maskedTokens ? plan.log2Mass : Value(),
              factors, out);
  });
}
