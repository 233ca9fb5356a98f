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
/// The operands, and the lane sums [r][lanes] that become `sums`.
struct Factor {
  bool maskedPivots;
  Value bias, log2Mass, mass, factor, sums;
  int64_t r;
  Scores scores;
  Value laneSums, runningTop;
};
} // namespace

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
                                   const TileVectors &top, Value runningTop) {
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
  Value old = e.load(runningTop, {});
  auto grows = scf::IfOp::create(e, e.greater(tileTop, old), false);
  {
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPoint(grows.thenBlock()->getTerminator());
    e.store(tileTop, runningTop, {});
    Value shrink = e.exp2(e.broadcast(e.sub(old, tileTop)));
    e.forEach(f.r, [&](Value j) {
      Value sum = e.loadVector(f.laneSums, {j, e.index(0)});
      e.storeVector(e.mul(sum, shrink), f.laneSums, {j, e.index(0)});
    });
  }
  Value newTop = e.broadcast(e.load(runningTop, {}));
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
    scale = emitPivotsFirst(e, f, tokens.first, top, f.runningTop);
  }
  emitPivotSums(e, f, tile, scale);
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

Value lot::emitHeadFactor(Emitter &e, HeadFactorOp op, ValueRange args) {
  Value tokens = args[0], sums = args[6];
  int64_t r = cast<MemRefType>(sums.getType()).getDimSize(0);
  Factor f{op.getMaskedPivots(),
           args[2],
           args[3],
           args[4],
           args[5],
           sums,
           r,
           makeScores(e, tokens, args[1], args[3], op.getMaskedTokens(),
                      op.getClampAttr(), r),
           e.scratch({r, e.lanes()}),
           e.scratch({})};
  e.fill(f.laneSums, 0.0);
  e.store(e.scalar(kAbsent), f.runningTop, {});

  Value length = memref::DimOp::create(e, tokens, 0);
  Value tiles = arith::CeilDivSIOp::create(e, length, e.index(e.tile()));
  Value range = e.forLoop(
      e.index(0), tiles, 1, ValueRange{e.splat(0.0)},
      [&](Value tile, ValueRange args) {
        TokenTile at{e.mulIndex(tile, e.tile()), length};
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
  e.forEach(f.r, [&](Value j) {
    e.store(e.reduceAdd(e.loadVector(f.laneSums, {j, e.index(0)})), f.sums,
            {j});
  });
  // NaN must survive: it means "take the log domain".
  return vector::ReductionOp::create(e, vector::CombiningKind::MAXIMUMF, range);
}
