//===- HeadAdjoint.cpp - Reverse mode of one head to vectors --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// lot.head_adjoint and lot.head_score_gradient. Tokens past the end and tokens
// without mass have an adjoint of 0; what is computed from their data is
// dropped by a choice, not by a product.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

/// The number of pivots of a factor.
static int64_t getPivots(Value factor) {
  return cast<MemRefType>(factor.getType()).getDimSize(1);
}

//===----------------------------------------------------------------------===//
// lot.head_adjoint
//===----------------------------------------------------------------------===//

/// The products of one tile, in the adjoint, times the plan; adds to the sums
/// of the chunk.
static void emitAdjointTile(Emitter &e, const Plan &plan, Value post,
                            Value adjoint, Value tokenSums, Value laneSums,
                            Value tile, TokenTile at) {
  int64_t r = plan.scores.numPivots;
  Value zero = e.index(0);
  writePlanTile(e, plan, tile, at);
  TileVectors none(kTileVectors, e.splat(0.0));
  ValueRange total =
      e.forLoop(zero, e.index(r), 1, none, [&](Value j, ValueRange acc) {
        Value p = e.loadSplat(post, {j});
        Value sum = e.loadVector(laneSums, {j, zero});
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v) {
          Value start = e.vectorStart(v);
          Value entry = e.mul(e.loadVector(plan.tile, {j, start}), p);
          Value x = e.mul(entry, e.loadVector(adjoint, {tile, j, start}));
          e.storeVector(x, adjoint, {tile, j, start});
          sum = e.add(sum, x);
          next.push_back(e.add(acc[v], x));
        }
        e.storeVector(sum, laneSums, {j, zero});
        return next;
      });
  for (int64_t v = 0; v < kTileVectors; ++v)
    e.storeVector(total[v], tokenSums, {e.addIndex(at.first, v * e.lanes())});
}

/// A tile of absent tokens.
static void emitEmptyAdjoint(Emitter &e, Value adjoint, Value tokenSums,
                             Value tile, TokenTile at) {
  Value none = e.splat(0.0);
  e.forEach(getPivots(adjoint), [&](Value j) {
    for (int64_t v = 0; v < kTileVectors; ++v)
      e.storeVector(none, adjoint, {tile, j, e.vectorStart(v)});
  });
  for (int64_t v = 0; v < kTileVectors; ++v)
    e.storeVector(none, tokenSums, {e.addIndex(at.first, v * e.lanes())});
}

void lot::emitPart(Emitter &e, HeadAdjointOp op, ValueRange args,
                   PassPart part) {
  Value rows = args[1], scaled = args[6], post = args[8], columns = args[11],
        adjoint = args[12], tokenSums = args[13];
  int64_t r = getPivots(adjoint);
  Plan plan =
      makePlan(e, op, args, r, op.getTokenStep(),
               op.getUnitNumerator() ? Numerator::live : Numerator::mass);
  Scores products = makeScores(e, rows, columns, plan.log2Mass,
                               op.getMaskedTokens(), FloatAttr(), r);
  Value noBias = makeNoBias(e, r), factors = e.scratch({r});
  // The entries of the scaled form lack post.
  e.forEach(r, [&](Value j) {
    e.store(e.select(scaled, e.load(post, {j}), e.scalar(1.0)), factors, {j});
  });
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    Value laneSums = getPartial(e, args[15], chunk, 0, r, e.lanes());
    e.fill(laneSums, 0.0);
    part.forTiles(e, start, stop, [&](Value tile, TokenTile at) {
      ifAnyLive(
          e, products.log2Mass, at,
          [&] {
            emitScores(e, products, at, noBias, adjoint, {tile});
            emitAdjointTile(e, plan, factors, adjoint, tokenSums, laneSums,
                            tile, at);
          },
          [&] { emitEmptyAdjoint(e, adjoint, tokenSums, tile, at); });
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadAdjointOp op, ValueRange args,
                          Chunks chunks) {
  foldSums(e, args[15], chunks.count, getPivots(args[12]), args[14]);
  return {};
}

//===----------------------------------------------------------------------===//
// lot.head_score_gradient
//===----------------------------------------------------------------------===//

namespace {
struct ScoreGradient {
  Value factor, scaled, steps, pivotSteps, log2Mass, adjoint;
  Scores scores; ///< only where they are clipped
  FloatAttr clamp;
  Value noBias, scoreTile;
};
} // namespace

/// adjoint -= D o (steps pivot_steps) of one tile.
static void subtractSteps(Emitter &e, const ScoreGradient &s, Value tile) {
  int64_t slots = cast<MemRefType>(s.steps.getType()).getDimSize(1);
  emitProduct(
      e, {getPivots(s.factor), kTileVectors, slots,
          [&](Value j, Value k) { return e.loadSplat(s.pivotSteps, {k, j}); },
          [&](Value k, Value c) { return e.loadVector(s.steps, {tile, k, c}); },
          [&](Value, Value) { return e.splat(0.0); },
          [&](Value acc, Value j, Value c) {
            Value part = e.mul(e.loadVector(s.factor, {tile, j, c}), acc);
            e.storeVector(e.sub(e.loadVector(s.adjoint, {tile, j, c}), part),
                          s.adjoint, {tile, j, c});
          },
          nullptr});
}

/// No gradient beyond the clip, all of it on its border.
static void clipGradient(Emitter &e, const ScoreGradient &s, Value tile,
                         TokenTile at) {
  emitScores(e, s.scores, at, s.noBias, s.scoreTile, {});
  Value bound = e.splat(s.clamp.getValueAsDouble()), none = e.splat(0.0);
  e.forEach(getPivots(s.factor), [&](Value j) {
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value start = e.vectorStart(v);
      Value score = e.loadVector(s.scoreTile, {j, start});
      Value size = e.max(score, e.sub(none, score));
      Value x = e.loadVector(s.adjoint, {tile, j, start});
      e.storeVector(e.select(e.greater(size, bound), none, x), s.adjoint,
                    {tile, j, start});
    }
  });
}

void lot::emitPart(Emitter &e, HeadScoreGradientOp op, ValueRange args,
                   PassPart part) {
  Value tokens = args[0], pivotRows = args[2], out = args[9];
  int64_t r = getPivots(args[3]);
  Value masked = op.getMaskedTokens() ? args[7] : Value();
  ScoreGradient s{args[3], args[4], args[5],           args[6], args[7],
                  args[8], {},      op.getClampAttr(), {},      {}};
  if (s.clamp) {
    s.scores = makeScores(e, tokens, args[1], s.log2Mass, op.getMaskedTokens(),
                          FloatAttr(), r);
    s.noBias = makeNoBias(e, r);
    s.scoreTile = e.scratch({r, e.tile()});
  }
  auto gradientType = cast<MemRefType>(args[10].getType());
  auto outType = cast<MemRefType>(out.getType());
  Type io = outType.getElementType();
  Columns columns{outType.getDimSize(1), e.lanes()};
  Value copied = e.scratch({e.tile(), columns.width()});
  if (columns.width() != columns.count)
    e.fill(copied, 0.0);
  Value written = e.scratch({e.tile(), columns.width()}, io);

  auto emitTile = [&](Value tile, TokenTile at, Value gradient) {
    e.ifElse(
        s.scaled, TypeRange(),
        [&] {
          subtractSteps(e, s, tile);
          return SmallVector<Value>();
        },
        [] { return SmallVector<Value>(); });
    if (s.clamp)
      clipGradient(e, s, tile, at);
    auto entry = [&](Value j, Value i) {
      return e.loadSplat(s.adjoint, {tile, j, i});
    };
    Value rows = readRows(e, tokens, at, copied, masked);
    emitProduct(
        e, {r, columns.vectors(), e.tile(), entry,
            [&](Value i, Value c) {
              return e.loadVector(rows, {i, columns.inMemory(e, c)});
            },
            [&](Value j, Value c) { return e.loadVector(gradient, {j, c}); },
            [&](Value acc, Value j, Value c) {
              e.storeVector(acc, gradient, {j, c});
            },
            [&](Value j, int64_t count) {
              prefetchNextTile(e, tokens, at, j, count, r);
            }});
    OutputRows open = openRows(e, out, at, written);
    emitProduct(
        e, {e.tile(), columns.vectors(), r,
            [&](Value i, Value j) { return entry(j, i); },
            [&](Value j, Value c) { return e.loadVector(pivotRows, {j, c}); },
            [&](Value, Value) { return e.splat(0.0); },
            [&](Value acc, Value i, Value c) {
              Value x = acc;
              if (masked) {
                Value m = e.load(masked, {e.addIndex(at.first, i)});
                x = e.select(isLive(e, m), x, e.splat(0.0));
              }
              e.storeVector(e.convert(x, io), open.rows,
                            {i, columns.inMemory(e, c)});
            },
            nullptr});
    closeRows(e, open, at, out);
  };
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    Value gradient =
        getPartial(e, args[11], chunk, 0, r, gradientType.getDimSize(1));
    e.fill(gradient, 0.0);
    part.forTiles(e, start, stop, [&](Value tile, TokenTile at) {
      emitTile(tile, at, gradient);
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadScoreGradientOp op, ValueRange args,
                          Chunks chunks) {
  auto type = cast<MemRefType>(args[10].getType());
  foldPartials(e, args[11], chunks.count, type.getDimSize(0),
               type.getDimSize(1), args[10], /*onto=*/true);
  return {};
}
