//===- HeadFactor.cpp - lot.head_factor to vectors ------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The operands, and the partials of one chunk.
struct Factor {
  bool maskedPivots;
  Value bias, log2Mass, mass, factor;
  Value tops; ///< where row maxima go; may be null
  int64_t r;
  Scores scores;
  Value laneSums; ///< [r][lanes]
  Value extremes; ///< [2][lanes]: the running maximum M, the score range
};
} // namespace

/// The partials of chunk `chunk`.
static void setPartials(Emitter &e, Factor &f, Value partials, Value chunk) {
  f.laneSums = getPartial(e, partials, chunk, 0, f.r, e.lanes());
  f.extremes = getPartial(e, partials, chunk, f.r * e.lanes(), 2, e.lanes());
}

/// Row maximum and minimum over pivots of a tile of scores.
static void emitRowRange(Emitter &e, const Factor &f, Value tile,
                         TileVectors &top, TileVectors &bottom) {
  double big = -kAbsent;
  SmallVector<Value> start(kTileVectors, e.splat(-big));
  start.append(kTileVectors, e.splat(big));
  ValueRange range = e.forLoop(
      e.index(0), e.index(f.r), 1, start, [&](Value j, ValueRange args) {
        SmallVector<Value> tops, bottoms;
        // An absent pivot has bias -1e30: lift it out of the minimum's way.
        Value lift;
        if (f.maskedPivots)
          lift = e.mul(e.loadSplat(f.bias, {j}), e.splat(-2.0));
        for (int64_t v = 0; v < kTileVectors; ++v) {
          Value s = e.loadVector(f.factor, {tile, j, e.vectorStart(v)});
          tops.push_back(e.max(args[v], s));
          Value low = lift ? e.add(s, lift) : s;
          bottoms.push_back(e.min(args[kTileVectors + v], low));
        }
        tops.append(bottoms);
        return tops;
      });
  top.assign(range.begin(), range.begin() + kTileVectors);
  bottom.assign(range.begin() + kTileVectors, range.end());
}

/// D = 2^(scores - top) in place; returns the token sums.
static TileVectors emitExponentials(Emitter &e, const Factor &f, Value tile,
                                    const TileVectors &top) {
  TileVectors zero(kTileVectors, e.splat(0.0));
  ValueRange sums = e.forLoop(
      e.index(0), e.index(f.r), 1, zero, [&](Value j, ValueRange args) {
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v) {
          Value s = e.loadVector(f.factor, {tile, j, e.vectorStart(v)});
          Value entry = e.exp2(e.sub(s, top[v]));
          e.storeVector(entry, f.factor, {tile, j, e.vectorStart(v)});
          next.push_back(e.add(args[v], entry));
        }
        return next;
      });
  return TileVectors(sums);
}

/// laneSums_j += D_j scale.
static void emitPivotSums(Emitter &e, const Factor &f, Value tile,
                          const TileVectors &scale) {
  e.forEach(f.r, [&](Value j) {
    Value sum = e.loadVector(f.laneSums, {j, e.index(0)});
    for (int64_t v = 0; v < kTileVectors; ++v)
      sum = e.fma(e.loadVector(f.factor, {tile, j, e.vectorStart(v)}), scale[v],
                  sum);
    e.storeVector(sum, f.laneSums, {j, e.index(0)});
  });
}

/// first = pivots: scale_i = 2^(top_i - M) for live tokens, with M the running
/// maximum; sums so far move to the new M when it grows.
static TileVectors emitPivotsFirst(Emitter &e, const Factor &f, Value first,
                                   const TileVectors &top) {
  double ninf = -std::numeric_limits<double>::infinity();
  TileVectors mass = loadTokens(e, f.log2Mass, first), live, liveTop;
  for (int64_t v = 0; v < kTileVectors; ++v) {
    live.push_back(e.greater(mass[v], e.splat(ninf)));
    liveTop.push_back(e.select(live[v], top[v], e.splat(kAbsent)));
  }
  Value tileTop = liveTop[0];
  for (int64_t v = 1; v < kTileVectors; ++v)
    tileTop = e.max(tileTop, liveTop[v]);
  tileTop = e.reduceMax(tileTop);
  Value zero = e.index(0), old = e.load(f.extremes, {zero, zero});
  auto grows = scf::IfOp::create(e, e.greater(tileTop, old), false);
  {
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPoint(grows.thenBlock()->getTerminator());
    e.store(tileTop, f.extremes, {zero, zero});
    Value shrink = e.exp2(e.broadcast(e.sub(old, tileTop)));
    e.forEach(f.r, [&](Value j) {
      Value sum = e.loadVector(f.laneSums, {j, e.index(0)});
      e.storeVector(e.mul(sum, shrink), f.laneSums, {j, e.index(0)});
    });
  }
  Value newTop = e.broadcast(e.load(f.extremes, {zero, zero}));
  TileVectors scale;
  for (int64_t v = 0; v < kTileVectors; ++v)
    scale.push_back(
        e.select(live[v], e.exp2(e.sub(top[v], newTop)), e.splat(0.0)));
  return scale;
}

/// One tile whose tokens are not all absent; returns the score range so far.
static Value emitFactorTile(Emitter &e, const Factor &f, Marginal first,
                            Value tile, TokenTile tokens, Value widest) {
  emitScores(e, f.scores, tokens, f.bias, f.factor, {tile});
  TileVectors top, bottom, scale;
  emitRowRange(e, f, tile, top, bottom);
  TileVectors sums = emitExponentials(e, f, tile, top);
  if (first == Marginal::tokens) {
    scale = loadTokens(e, f.mass, tokens.first);
    for (int64_t v = 0; v < kTileVectors; ++v)
      scale[v] = e.div(scale[v], sums[v]);
  } else {
    scale = emitPivotsFirst(e, f, tokens.first, top);
  }
  emitPivotSums(e, f, tile, scale);
  for (int64_t v = 0; f.tops && v < kTileVectors; ++v)
    e.storeVector(top[v], f.tops, {e.addIndex(tokens.first, v * e.lanes())});
  for (int64_t v = 0; v < kTileVectors; ++v)
    widest = arith::MaximumFOp::create(e, widest, e.sub(top[v], bottom[v]));
  return widest;
}

/// A tile of absent tokens: sweeps read it, and find nothing.
static void emitEmptyTile(Emitter &e, const Factor &f, Value tile) {
  e.forEach(f.r, [&](Value j) {
    for (int64_t v = 0; v < kTileVectors; ++v)
      e.storeVector(e.splat(0.0), f.factor, {tile, j, e.vectorStart(v)});
  });
}

void lot::emitPart(Emitter &e, HeadFactorOp op, ValueRange args,
                   PassPart part) {
  int64_t r = cast<MemRefType>(args[6].getType()).getDimSize(0);
  Factor f{op.getMaskedPivots(),
           args[2],
           args[3],
           args[4],
           args[5],
           op.getTops() ? args[8] : Value(),
           r,
           makeScores(e, args[0], args[1], args[3], op.getMaskedTokens(),
                      op.getClampAttr(), r),
           Value(),
           Value()};
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    setPartials(e, f, args[7], chunk);
    e.fill(f.laneSums, 0.0);
    e.storeVector(e.splat(kAbsent), f.extremes, {e.index(0), e.index(0)});
    Value range = e.forLoop(
        start, stop, 1, ValueRange{e.splat(0.0)},
        [&](Value tile, ValueRange args) {
          TokenTile at{e.mulIndex(tile, e.tile()), part.length};
          auto build = [&] {
            return SmallVector<Value>{
                emitFactorTile(e, f, op.getFirst(), tile, at, args[0])};
          };
          auto skip = [&] {
            emitEmptyTile(e, f, tile);
            return SmallVector<Value>{args[0]};
          };
          if (!f.scores.log2Mass)
            return build();
          return SmallVector<Value>(e.ifElse(isAnyLive(e, f.log2Mass, at),
                                             e.vectorType(), build, skip));
        })[0];
    e.storeVector(range, f.extremes, {e.index(1), e.index(0)});
  });
}

/// Moves the sums of all chunks to the maximum of all chunks.
static void emitCommonTop(Emitter &e, Factor f, Value partials, Value count) {
  Value zero = e.index(0);
  Value top =
      e.forLoop(zero, count, 1, e.scalar(kAbsent),
                [&](Value chunk, ValueRange top) -> SmallVector<Value> {
                  setPartials(e, f, partials, chunk);
                  return {e.max(top[0], e.load(f.extremes, {zero, zero}))};
                })[0];
  e.forEach(zero, count, 1, [&](Value chunk) {
    setPartials(e, f, partials, chunk);
    Value old = e.load(f.extremes, {zero, zero});
    Value shrink = e.exp2(e.broadcast(e.sub(old, top)));
    e.forEach(f.r, [&](Value j) {
      Value sum = e.loadVector(f.laneSums, {j, zero});
      e.storeVector(e.mul(sum, shrink), f.laneSums, {j, zero});
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadFactorOp op, ValueRange args,
                          Chunks chunks) {
  Value sums = args[6], partials = args[7], zero = e.index(0);
  Factor f{};
  f.r = cast<MemRefType>(sums.getType()).getDimSize(0);
  if (op.getFirst() == Marginal::pivots)
    emitCommonTop(e, f, partials, chunks.count);
  foldSums(e, partials, chunks.count, f.r, sums);
  // NaN must survive: it means "take the log domain".
  Value range =
      e.forLoop(zero, chunks.count, 1, e.splat(0.0),
                [&](Value chunk, ValueRange range) -> SmallVector<Value> {
                  setPartials(e, f, partials, chunk);
                  Value own = e.loadVector(f.extremes, {e.index(1), zero});
                  return {arith::MaximumFOp::create(e, range[0], own)};
                })[0];
  return {
      vector::ReductionOp::create(e, vector::CombiningKind::MAXIMUMF, range)};
}
