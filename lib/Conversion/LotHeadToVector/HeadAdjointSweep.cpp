//===- HeadAdjointSweep.cpp - Half-steps backwards, to vectors ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// lot.head_adjoint_sweep, lot.head_log_adjoint_sweep and lot.head_first_step.
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

/// token_gradient = (first ? 0 : token_gradient) + cotangent, of one vector;
/// nothing where `again` is true.
static void addToGradient(Emitter &e, Value gradient, Value token, Value first,
                          Value cotangent, Value again) {
  Value old = e.loadVector(gradient, {token});
  Value start = e.select(first, e.splat(0.0), old);
  Value sum = e.add(start, cotangent);
  e.storeVector(again ? e.select(again, old, sum) : sum, gradient, {token});
}

/// token_sums where `first` is true, else 0: they may not be numbers then.
static TileVectors loadCotangents(Emitter &e, Value tokenSums, Value first,
                                  Value token) {
  TileVectors sums = loadTokens(e, tokenSums, token);
  for (Value &sum : sums)
    sum = e.select(first, sum, e.splat(0.0));
  return sums;
}

//===----------------------------------------------------------------------===//
// lot.head_adjoint_sweep
//===----------------------------------------------------------------------===//

namespace {
/// The operands of a reverse sweep.
struct ReverseSweep {
  bool pivotStep;
  Value factor, prev, pivotAdjoint, mass, tokenSums, slot, first, tokenGradient,
      steps;

  /// Sums a tile has per token vector: D prev, and D pivot_adjoint.
  int64_t numSums() const { return (pivotStep ? 2 : 1) * kTileVectors; }

  /// acc + D[tile][j] prev_j, and the same with pivot_adjoint.
  SmallVector<Value> addPivot(Emitter &e, Value tile, Value j,
                              ValueRange acc) const {
    SmallVector<Value> entries, next;
    for (int64_t v = 0; v < kTileVectors; ++v)
      entries.push_back(e.loadVector(factor, {tile, j, e.vectorStart(v)}));
    Value p = e.loadSplat(prev, {j});
    for (int64_t v = 0; v < kTileVectors; ++v)
      next.push_back(e.fma(entries[v], p, acc[v]));
    if (!pivotStep)
      return next;
    Value y = e.loadSplat(pivotAdjoint, {j});
    for (int64_t v = 0; v < kTileVectors; ++v)
      next.push_back(e.fma(entries[v], y, acc[kTileVectors + v]));
    return next;
  }

  /// The steps of a tile from its sums; they are stored, and x comes back. A
  /// tile that was done before is done again, but not added again.
  TileVectors finish(Emitter &e, Value tile, ValueRange sums,
                     Value again) const;
};
} // namespace

TileVectors ReverseSweep::finish(Emitter &e, Value tile, ValueRange sums,
                                 Value again) const {
  Value start = e.mulIndex(tile, e.tile());
  TileVectors cotangent = loadCotangents(e, tokenSums, first, start), x;
  TileVectors masses = loadTokens(e, mass, start);
  for (int64_t v = 0; v < kTileVectors; ++v) {
    Value inverse = e.div(e.splat(1.0), e.divisor(sums[v])), last = slot;
    if (pivotStep) {
      Value t = e.mul(masses[v], inverse);
      e.storeVector(t, steps, {tile, slot, e.vectorStart(v)});
      cotangent[v] = e.sub(cotangent[v], e.mul(t, sums[kTileVectors + v]));
      last = e.addIndex(slot, 1);
    }
    x.push_back(e.mul(cotangent[v], inverse));
    e.storeVector(x[v], steps, {tile, last, e.vectorStart(v)});
    addToGradient(e, tokenGradient, e.addIndex(start, v * e.lanes()), first,
                  cotangent[v], again);
  }
  return x;
}

void lot::emitPart(Emitter &e, HeadAdjointSweepOp op, ValueRange args,
                   PassPart part) {
  ReverseSweep s{op.getPivotStep(), args[0], args[1], args[2], args[3],
                 args[4],           args[6], args[7], args[8], args[9]};
  Value partials = args[11], zero = e.index(0);
  int64_t r = cast<MemRefType>(s.factor.getType()).getDimSize(1);
  TileVectors none(s.numSums(), e.splat(0.0));
  Value begin = arith::MulIOp::create(e, part.first, part.chunks.perChunk);
  Value last = e.addIndex(part.endTile(e), -1);
  // Tile 0 exists in the buffers even when no token does.
  ValueRange firstSums =
      e.forLoop(zero, e.index(r), 1, none, [&](Value j, ValueRange acc) {
        return s.addPivot(e, begin, j, acc);
      });
  TileVectors start = s.finish(e, begin, firstSums, /*again=*/Value());
  part.forChunks(
      e, start,
      [&](Value chunk, Value first, Value end, ValueRange x) -> TileVectors {
        Value laneSums = getPartial(e, partials, chunk, 0, r, e.lanes());
        e.fill(laneSums, 0.0);
        return e.forLoop(first, end, 1, x, [&](Value tile, ValueRange x) {
          // The tile after the last one is the last one again.
          Value next = e.minIndex(e.addIndex(tile, 1), last);
          ValueRange nextSums = e.forLoop(
              zero, e.index(r), 1, none, [&](Value j, ValueRange acc) {
                Value sum = e.loadVector(laneSums, {j, zero});
                for (int64_t v = 0; v < kTileVectors; ++v)
                  sum =
                      e.fma(e.loadVector(s.factor, {tile, j, e.vectorStart(v)}),
                            x[v], sum);
                e.storeVector(sum, laneSums, {j, zero});
                return s.addPivot(e, next, j, acc);
              });
          Value again =
              arith::CmpIOp::create(e, arith::CmpIPredicate::eq, next, tile);
          return s.finish(e, next, nextSums, again);
        });
      });
}

PassResults lot::emitFold(Emitter &e, HeadAdjointSweepOp op, ValueRange args,
                          Chunks chunks) {
  int64_t r = cast<MemRefType>(args[0].getType()).getDimSize(1);
  foldSums(e, args[11], chunks.count, r, args[10]);
  return {};
}

//===----------------------------------------------------------------------===//
// lot.head_log_adjoint_sweep
//===----------------------------------------------------------------------===//

namespace {
struct LogReverseSweep {
  bool pivotStep, tokenStep;
  Value prev, shift, pivotAdjoint, log2Mass, tokenSums, first, tokenGradient,
      adjoint;
  Scores scores;
  Value tile, pivotWeights; ///< scratch [r, token_tile]
  Value noBias;             ///< [r]: 0

  void emitTile(Emitter &e, Value index, TokenTile at, Value laneSums) const;

private:
  /// V of the tile in pivotWeights; returns V pivot_adjoint.
  TileVectors emitPivotStep(Emitter &e, const TileVectors &offset,
                            const TileVectors &live) const;
};
} // namespace

TileVectors LogReverseSweep::emitPivotStep(Emitter &e,
                                           const TileVectors &offset,
                                           const TileVectors &live) const {
  TileVectors none(kTileVectors, e.splat(0.0));
  return TileVectors(e.forLoop(
      e.index(0), e.index(scores.numPivots), 1, none,
      [&](Value j, ValueRange acc) {
        Value bias = e.loadSplat(shift, {j}),
              y = e.loadSplat(pivotAdjoint, {j});
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v) {
          Value s = e.loadVector(tile, {j, e.vectorStart(v)});
          // At most 0 but for rounding; exp2 has no overflow check of its own.
          Value x = e.min(e.add(e.add(s, offset[v]), bias), e.splat(1.0));
          Value part = e.select(live[v], e.mul(e.exp2(x), y), e.splat(0.0));
          e.storeVector(part, pivotWeights, {j, e.vectorStart(v)});
          next.push_back(e.add(acc[v], part));
        }
        return next;
      }));
}

void LogReverseSweep::emitTile(Emitter &e, Value index, TokenTile at,
                               Value laneSums) const {
  Value zero = e.index(0), none = e.splat(0.0);
  emitScores(e, scores, at, noBias, tile, {});
  TileVectors mass = loadTokens(e, log2Mass, at.first), live, logSums;
  TileVectors offset(kTileVectors, none);
  for (Value m : mass)
    live.push_back(isLive(e, m));
  if (tokenStep) {
    logSums = emitTokenLogSums(e, tile, scores.numPivots, prev);
    for (int64_t v = 0; v < kTileVectors; ++v)
      offset[v] = e.sub(e.max(mass[v], e.splat(kAbsent)), logSums[v]);
  }
  TileVectors cotangent = loadCotangents(e, tokenSums, first, at.first);
  if (pivotStep) {
    TileVectors sums = emitPivotStep(e, offset, live);
    for (int64_t v = 0; v < kTileVectors; ++v)
      cotangent[v] = e.sub(cotangent[v], sums[v]);
  }
  if (tokenStep)
    for (int64_t v = 0; v < kTileVectors; ++v) {
      cotangent[v] = e.select(live[v], cotangent[v], none);
      addToGradient(e, tokenGradient, e.addIndex(at.first, v * e.lanes()),
                    first, cotangent[v], /*again=*/Value());
    }
  e.forEach(scores.numPivots, [&](Value j) {
    Value sum = e.loadVector(laneSums, {j, zero});
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value start = e.vectorStart(v);
      Value x = e.loadVector(adjoint, {index, j, start});
      if (pivotStep)
        x = e.sub(x, e.loadVector(pivotWeights, {j, start}));
      if (tokenStep) {
        Value s = e.add(e.loadVector(tile, {j, start}), e.loadSplat(prev, {j}));
        Value weight = e.exp2(e.min(e.sub(s, logSums[v]), e.splat(1.0)));
        Value part = e.mul(weight, cotangent[v]);
        x = e.sub(x, part);
        sum = e.add(sum, part);
      }
      e.storeVector(x, adjoint, {index, j, start});
    }
    e.storeVector(sum, laneSums, {j, zero});
  });
}

void lot::emitPart(Emitter &e, HeadLogAdjointSweepOp op, ValueRange args,
                   PassPart part) {
  int64_t r = cast<MemRefType>(args[2].getType()).getDimSize(0);
  LogReverseSweep s{op.getPivotStep(),
                    op.getTokenStep(),
                    args[2],
                    args[3],
                    args[4],
                    args[5],
                    args[6],
                    args[7],
                    args[8],
                    args[9],
                    makeScores(e, args[0], args[1], args[5],
                               op.getMaskedTokens(), op.getClampAttr(), r),
                    e.scratch({r, e.tile()}),
                    op.getPivotStep() ? e.scratch({r, e.tile()}) : Value(),
                    makeNoBias(e, r)};
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    Value laneSums = getPartial(e, args[11], chunk, 0, r, e.lanes());
    e.fill(laneSums, 0.0);
    part.forTiles(e, start, stop, [&](Value index, TokenTile at) {
      s.emitTile(e, index, at, laneSums);
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadLogAdjointSweepOp op, ValueRange args,
                          Chunks chunks) {
  int64_t r = cast<MemRefType>(args[2].getType()).getDimSize(0);
  foldSums(e, args[11], chunks.count, r, args[10]);
  return {};
}

//===----------------------------------------------------------------------===//
// lot.head_first_step
//===----------------------------------------------------------------------===//

void lot::emitHeadFirstStep(Emitter &e, HeadFirstStepOp op, ValueRange args) {
  Value tops = args[0], log2Mass = args[1], slot = args[3], steps = args[4];
  Value tiles = arith::CeilDivUIOp::create(e, args[2], e.index(e.tile()));
  Value top =
      e.forLoop(e.index(0), tiles, 1, e.splat(kAbsent),
                [&](Value tile, ValueRange top) -> SmallVector<Value> {
                  Value first = e.mulIndex(tile, e.tile()), best = top[0];
                  TileVectors own = loadTokens(e, tops, first),
                              mass = loadTokens(e, log2Mass, first);
                  for (int64_t v = 0; v < kTileVectors; ++v)
                    best = e.max(best, e.select(isLive(e, mass[v]), own[v],
                                                e.splat(kAbsent)));
                  return {best};
                })[0];
  Value best = e.broadcast(e.reduceMax(top));
  e.forEach(e.index(0), tiles, 1, [&](Value tile) {
    Value first = e.mulIndex(tile, e.tile());
    TileVectors own = loadTokens(e, tops, first),
                mass = loadTokens(e, log2Mass, first);
    for (int64_t v = 0; v < kTileVectors; ++v)
      e.storeVector(e.select(isLive(e, mass[v]), e.exp2(e.sub(own[v], best)),
                             e.splat(0.0)),
                    steps, {tile, slot, e.vectorStart(v)});
  });
}
