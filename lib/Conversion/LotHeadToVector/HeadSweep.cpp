//===- HeadSweep.cpp - lot.head_sweep and lot.head_log_sweep to vectors ---===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;
using namespace mlir::lot;

/// mass / token sum, 0 for a token without mass.
static TileVectors emitTokenScale(Emitter &e, ValueRange sums, Value mass,
                                  Value first) {
  TileVectors scale = loadTokens(e, mass, first);
  for (int64_t v = 0; v < kTileVectors; ++v)
    scale[v] = e.div(scale[v], e.divisor(sums[v]));
  return scale;
}

void lot::emitPart(Emitter &e, HeadSweepOp op, ValueRange args, PassPart part) {
  Value factor = args[0], prev = args[1], mass = args[2], partials = args[5];
  int64_t r = cast<MemRefType>(factor.getType()).getDimSize(1);
  Value zero = e.index(0);
  Value begin = arith::MulIOp::create(e, part.first, part.chunks.perChunk);
  Value last = e.addIndex(part.endTile(e), -1);
  // Tile 0 exists in the buffer even when no token does; its sums are unused.
  TileVectors start = emitTokenScale(e, emitTokenSums(e, factor, begin, prev),
                                     mass, e.mulIndex(begin, e.tile()));
  // The scalings of a chunk's first tile come from the chunk before: the same
  // numbers that its own part would start with.
  part.forChunks(
      e, start,
      [&](Value chunk, Value first, Value end,
          ValueRange scale) -> TileVectors {
        Value laneSums = getPartial(e, partials, chunk, 0, r, e.lanes());
        e.fill(laneSums, 0.0);
        return e.forLoop(
            first, end, 1, scale, [&](Value tile, ValueRange scale) {
              // The tile after the last one is the last one again.
              Value next = e.minIndex(e.addIndex(tile, 1), last);
              TileVectors acc(kTileVectors, e.splat(0.0));
              ValueRange tokenSums = e.forLoop(
                  zero, e.index(r), 1, acc, [&](Value j, ValueRange acc) {
                    Value sum = e.loadVector(laneSums, {j, zero});
                    Value p = e.loadSplat(prev, {j});
                    SmallVector<Value> result;
                    for (int64_t v = 0; v < kTileVectors; ++v) {
                      sum = e.fma(
                          e.loadVector(factor, {tile, j, e.vectorStart(v)}),
                          scale[v], sum);
                      result.push_back(e.fma(
                          e.loadVector(factor, {next, j, e.vectorStart(v)}), p,
                          acc[v]));
                    }
                    e.storeVector(sum, laneSums, {j, zero});
                    return result;
                  });
              return emitTokenScale(e, tokenSums, mass,
                                    e.mulIndex(next, e.tile()));
            });
      });
}

PassResults lot::emitFold(Emitter &e, HeadSweepOp op, ValueRange args,
                          Chunks chunks) {
  int64_t r = cast<MemRefType>(op.getFactor().getType()).getDimSize(1);
  foldSums(e, args[5], chunks.count, r, args[4]);
  return {};
}

/// x_i of the token step, or 0 / absent without one.
static TileVectors emitTokenPotentials(Emitter &e, bool tokenStep, Value scores,
                                       int64_t r, Value log2Mass, Value first) {
  TileVectors mass = loadTokens(e, log2Mass, first), sums;
  if (tokenStep)
    sums = emitTokenLogSums(e, scores, r);
  for (int64_t v = 0; v < kTileVectors; ++v) {
    if (tokenStep) {
      mass[v] = e.sub(e.max(mass[v], e.splat(kAbsent)), sums[v]);
      continue;
    }
    Value live = e.greater(mass[v], e.splat(kAbsentBound));
    mass[v] = e.select(live, e.splat(0.0), e.splat(kAbsent));
  }
  return mass;
}

/// Merges a tile into the running (max, sum) pairs [r][lanes].
static void emitMerge(Emitter &e, Value scores, Value prev, int64_t r,
                      const TileVectors &potential, Value tops, Value sums) {
  e.forEach(r, [&](Value j) {
    Value zero = e.index(0), bias = e.loadSplat(prev, {j});
    TileVectors terms;
    Value top = e.loadVector(tops, {j, zero}), old = top;
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value s = e.loadVector(scores, {j, e.vectorStart(v)});
      terms.push_back(e.add(e.sub(s, bias), potential[v]));
      top = e.max(top, terms.back());
    }
    Value sum = e.mul(e.loadVector(sums, {j, zero}), e.exp2(e.sub(old, top)));
    for (Value term : terms)
      sum = e.add(sum, e.exp2(e.sub(term, top)));
    e.storeVector(top, tops, {j, zero});
    e.storeVector(sum, sums, {j, zero});
  });
}

void lot::emitPart(Emitter &e, HeadLogSweepOp op, ValueRange args,
                   PassPart part) {
  Value prev = args[2], log2Mass = args[3], partials = args[5];
  int64_t r = cast<MemRefType>(prev.getType()).getDimSize(0);
  Value tile = e.scratch({r, e.tile()});
  Scores scores = makeScores(e, args[0], args[1], log2Mass,
                             op.getMaskedTokens(), op.getClampAttr(), r);
  part.forChunks(e, [&](Value chunk, Value start, Value stop) {
    Value tops = getPartial(e, partials, chunk, 0, r, e.lanes());
    Value sums = getPartial(e, partials, chunk, r * e.lanes(), r, e.lanes());
    e.fill(tops, kAbsent);
    e.fill(sums, 0.0);
    part.forTiles(e, start, stop, [&](Value, TokenTile at) {
      ifAnyLive(
          e, scores.log2Mass, at,
          [&] {
            emitScores(e, scores, at, prev, tile, {});
            TileVectors potential = emitTokenPotentials(
                e, op.getTokenStep(), tile, r, log2Mass, at.first);
            emitMerge(e, tile, prev, r, potential, tops, sums);
          },
          [] {});
    });
  });
}

PassResults lot::emitFold(Emitter &e, HeadLogSweepOp op, ValueRange args,
                          Chunks chunks) {
  Value sums = args[4], partials = args[5], zero = e.index(0);
  int64_t r = cast<MemRefType>(sums.getType()).getDimSize(0);
  e.forEach(r, [&](Value j) {
    Value top =
        e.forLoop(zero, chunks.count, 1, e.splat(kAbsent),
                  [&](Value chunk, ValueRange top) -> TileVectors {
                    Value tops =
                        getPartial(e, partials, chunk, 0, r, e.lanes());
                    return {e.max(top[0], e.loadVector(tops, {j, zero}))};
                  })[0];
    Value best = e.reduceMax(top), wide = e.broadcast(best);
    Value sum = e.forLoop(
        zero, chunks.count, 1, e.splat(0.0),
        [&](Value chunk, ValueRange sum) -> TileVectors {
          Value tops = getPartial(e, partials, chunk, 0, r, e.lanes());
          Value laneSums =
              getPartial(e, partials, chunk, r * e.lanes(), r, e.lanes());
          Value scale = e.exp2(e.sub(e.loadVector(tops, {j, zero}), wide));
          return {e.fma(e.loadVector(laneSums, {j, zero}), scale, sum[0])};
        })[0];
    Value result = e.add(best, e.log2(e.reduceAdd(sum)));
    Value reached = e.greater(best, e.scalar(kAbsentBound));
    e.store(e.select(reached, result, e.scalar(kAbsent)), sums, {j});
  });
  return {};
}
