//===- HeadValues.cpp - lot.head_gather and lot.head_apply to vectors -----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

/// G_j times post_j where the plan is scaled: post is not in its entries.
static void emitPost(Emitter &e, Value scaled, Value post, Value src,
                     Value dst) {
  auto type = cast<MemRefType>(dst.getType());
  e.forEach(type.getDimSize(0), [&](Value j) {
    Value factor =
        e.broadcast(e.select(scaled, e.load(post, {j}), e.scalar(1.0)));
    e.forEach(e.index(0), e.index(type.getDimSize(1)), e.lanes(), [&](Value c) {
      e.storeVector(e.mul(e.loadVector(src, {j, c}), factor), dst, {j, c});
    });
  });
}

/// gathered[j][dv] += sum of the plan's row j over the tile.
static void emitRowSums(Emitter &e, const Plan &plan, Value gathered,
                        Columns columns) {
  e.forEach(plan.scores.numPivots, [&](Value j) {
    Value sum = e.loadVector(plan.tile, {j, e.vectorStart(0)});
    for (int64_t v = 1; v < kTileVectors; ++v)
      sum = e.add(sum, e.loadVector(plan.tile, {j, e.vectorStart(v)}));
    Value c = e.index(columns.rowSum());
    e.store(e.add(e.load(gathered, {j, c}), e.reduceAdd(sum)), gathered,
            {j, c});
  });
}

void lot::emitPart(Emitter &e, HeadGatherOp op, ValueRange args,
                   PassPart part) {
  Value value = args[1];
  auto type = cast<MemRefType>(args[11].getType());
  int64_t r = type.getDimSize(0);
  Plan plan =
      makePlan(e, op, args, r, op.getTokenStep(),
               op.getUnitNumerator() ? Numerator::live : Numerator::mass);
  Columns columns{cast<MemRefType>(value.getType()).getDimSize(1), e.lanes()};
  Value masked = op.getMaskedTokens() ? plan.log2Mass : Value();
  Value copied = e.scratch({e.tile(), columns.width()});
  if (columns.width() != columns.count)
    e.fill(copied, 0.0);
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    Value gathered = getPartial(e, args[12], chunk, 0, r, type.getDimSize(1));
    e.fill(gathered, 0.0);
    part.forTiles(e, start, stop, [&](Value index, TokenTile tile) {
      auto gather = [&] {
        writePlanTile(e, plan, index, tile);
        if (op.getRowSum())
          emitRowSums(e, plan, gathered, columns);
        Value rows = readRows(e, value, tile, copied, masked);
        emitProduct(
            e,
            {r, columns.vectors(), e.tile(),
             [&](Value j, Value i) { return e.loadSplat(plan.tile, {j, i}); },
             [&](Value i, Value c) {
               return e.loadVector(rows, {i, columns.inMemory(e, c)});
             },
             [&](Value j, Value c) { return e.loadVector(gathered, {j, c}); },
             [&](Value acc, Value j, Value c) {
               e.storeVector(acc, gathered, {j, c});
             },
             [&](Value j, int64_t count) {
               prefetchNextTile(e, value, tile, j, count, r);
             }});
      };
      ifAnyLive(e, masked, tile, gather, [] {});
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadGatherOp op, ValueRange args,
                          Chunks chunks) {
  Value scaled = args[6], post = args[8], gathered = args[11];
  auto type = cast<MemRefType>(gathered.getType());
  foldPartials(e, args[12], chunks.count, type.getDimSize(0),
               type.getDimSize(1), gathered);
  emitPost(e, scaled, post, gathered, gathered);
  return {};
}

/// What multiplies row i of the product: the row scale, out_scale and the
/// normalization, per token.
static void emitRowFactors(Emitter &e, HeadApplyOp op, const Plan &plan,
                           const PlanEntries &entries, TokenTile tile,
                           Value scaledValues, Columns columns, Value factors) {
  double floor = op.getRowFloor().convertToDouble();
  Value outScale = e.splat(op.getOutScale().convertToDouble());
  bool rowSum = op.getNormalization() == Normalization::row_sum;
  TileVectors mass = loadTokens(e, plan.mass, tile.first), sums;
  if (rowSum) {
    TileVectors zero(kTileVectors, e.splat(0.0));
    sums = TileVectors(e.forLoop(
        e.index(0), e.index(plan.scores.numPivots), 1, zero,
        [&](Value j, ValueRange acc) {
          Value g = e.loadSplat(scaledValues, {j, e.index(columns.rowSum())});
          SmallVector<Value> next;
          for (int64_t v = 0; v < kTileVectors; ++v)
            next.push_back(
                e.fma(e.loadVector(entries.entries, {j, e.vectorStart(v)}), g,
                      acc[v]));
          return next;
        }));
  }
  for (int64_t v = 0; v < kTileVectors; ++v) {
    Value scale = e.mul(entries.rowScale[v], outScale);
    if (op.getNormalization() == Normalization::none) {
      scale = e.mul(scale, mass[v]);
    } else if (rowSum) {
      Value sum = e.mul(sums[v], entries.rowScale[v]);
      if (floor > 0)
        sum = e.max(sum, e.div(e.splat(floor), mass[v]));
      Value live = e.greater(sum, e.splat(0.0));
      scale = e.select(live, e.div(scale, sum), e.splat(0.0));
    }
    e.storeVector(scale, factors, {e.vectorStart(v)});
  }
}

void lot::emitPart(Emitter &e, HeadApplyOp op, ValueRange args, PassPart part) {
  Value gathered = args[1], out = args[11];
  auto gatheredType = cast<MemRefType>(gathered.getType());
  int64_t r = gatheredType.getDimSize(0);
  // Rows are written for tokens that have mass alone.
  Plan plan =
      makePlan(e, op, args, r, op.getTokenStep(),
               op.getMassNumerator() ? Numerator::mass : Numerator::one);
  auto outType = cast<MemRefType>(out.getType());
  Type io = outType.getElementType();
  Columns columns{outType.getDimSize(1), e.lanes()};
  Value masked = op.getMaskedTokens() ? plan.log2Mass : Value();
  Value values = e.scratch(gatheredType.getShape());
  emitPost(e, plan.scaled, plan.post, gathered, values);
  Value copied = e.scratch({e.tile(), columns.width()}, io);
  Value factors = e.scratch({e.tile()});
  part.forTiles(e, [&](Value index, TokenTile tile) {
    OutputRows rows = openRows(e, out, tile, copied);
    auto apply = [&] {
      PlanEntries entries = viewPlanTile(e, plan, index, tile);
      emitRowFactors(e, op, plan, entries, tile, values, columns, factors);
      emitProduct(
          e, {e.tile(), columns.vectors(), r,
              [&](Value i, Value j) {
                return e.loadSplat(entries.entries, {j, i});
              },
              [&](Value j, Value c) { return e.loadVector(values, {j, c}); },
              [&](Value, Value) { return e.splat(0.0); },
              [&](Value acc, Value i, Value c) {
                Value x = e.mul(acc, e.loadSplat(factors, {i}));
                if (masked) {
                  Value mass = e.load(masked, {e.addIndex(tile.first, i)});
                  x = e.select(isLive(e, mass), x, e.splat(0.0));
                }
                e.storeVector(e.convert(x, io), rows.rows,
                              {i, columns.inMemory(e, c)});
              },
              nullptr});
    };
    auto clear = [&] {
      Value zero = e.convert(e.splat(0.0), io);
      e.forEach(e.tile(), [&](Value i) {
        e.forEach(e.index(0), e.index(columns.rowSum()), e.lanes(),
                  [&](Value c) {
                    e.storeVector(zero, rows.rows, {i, columns.inMemory(e, c)});
                  });
      });
    };
    ifAnyLive(e, masked, tile, apply, clear);
    closeRows(e, rows, tile, out);
  });
}

PassResults lot::emitFold(Emitter &, HeadApplyOp, ValueRange, Chunks) {
  return {}; // rows of tokens are nobody else's
}
