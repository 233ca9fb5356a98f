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

TileVectors lot::emitTokenLogSums(Emitter &e, Value scores, int64_t pivots,
                                  Value bias) {
  auto read = [&](Value j, int64_t v) {
    Value s = e.loadVector(scores, {j, e.vectorStart(v)});
    return bias ? e.add(s, e.loadSplat(bias, {j})) : s;
  };
  TileVectors start(kTileVectors, e.splat(kAbsent));
  ValueRange top = e.forLoop(e.index(0), e.index(pivots), 1, start,
                             [&](Value j, ValueRange args) {
                               SmallVector<Value> next;
                               for (int64_t v = 0; v < kTileVectors; ++v)
                                 next.push_back(e.max(args[v], read(j, v)));
                               return next;
                             });
  TileVectors zero(kTileVectors, e.splat(0.0));
  ValueRange sums = e.forLoop(
      e.index(0), e.index(pivots), 1, zero, [&](Value j, ValueRange args) {
        SmallVector<Value> next;
        for (int64_t v = 0; v < kTileVectors; ++v) {
          next.push_back(e.add(args[v], e.exp2(e.sub(read(j, v), top[v]))));
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

/// numerator / (D prev) of a tile.
static TileVectors emitRowScale(Emitter &e, const Plan &plan, Value tileIndex,
                                TokenTile tile) {
  TileVectors sums = emitTokenSums(e, plan.factor, tileIndex, plan.prev);
  TileVectors scale(kTileVectors, e.splat(1.0));
  if (plan.numerator == Numerator::mass)
    scale = loadTokens(e, plan.mass, tile.first);
  else if (plan.numerator == Numerator::live)
    for (auto [x, mass] :
         llvm::zip_equal(scale, loadTokens(e, plan.log2Mass, tile.first)))
      x = e.select(isLive(e, mass), x, e.splat(0.0));
  for (int64_t v = 0; v < kTileVectors; ++v)
    scale[v] = e.div(scale[v], e.divisor(sums[v]));
  return scale;
}

/// plan.tile = 2^(scores + shift + numerator - log sum), scores with bias
/// logPrev.
static void emitLogTile(Emitter &e, const Plan &plan, TokenTile tile) {
  int64_t r = plan.scores.numPivots;
  emitScores(e, plan.scores, tile, plan.logPrev, plan.tile, {});
  TileVectors mass = loadTokens(e, plan.log2Mass, tile.first);
  TileVectors offset(kTileVectors, e.splat(0.0)), sums;
  if (plan.tokenStep)
    sums = emitTokenLogSums(e, plan.tile, r);
  for (int64_t v = 0; v < kTileVectors; ++v) {
    if (plan.tokenStep && plan.numerator == Numerator::mass)
      offset[v] = e.max(mass[v], e.splat(kAbsent));
    else if (plan.numerator != Numerator::one) // only absent tokens drop out
      offset[v] = e.select(e.greater(mass[v], e.splat(kAbsentBound)),
                           e.splat(0.0), e.splat(kAbsent));
    if (plan.tokenStep)
      offset[v] = e.sub(offset[v], sums[v]);
  }
  e.forEach(r, [&](Value j) {
    Value shift = e.loadSplat(plan.logShift, {j});
    for (int64_t v = 0; v < kTileVectors; ++v) {
      Value s = e.loadVector(plan.tile, {j, e.vectorStart(v)});
      // An entry may exceed 1 (w_j / a_i on the query side); exp2 has no
      // overflow check of its own.
      Value x = e.min(e.add(e.add(s, offset[v]), shift), e.splat(127.0));
      e.storeVector(e.exp2(x), plan.tile, {j, e.vectorStart(v)});
    }
  });
}

/// The tile of the factor itself.
static Value viewFactorTile(Emitter &e, Value factor, Value tileIndex,
                            MemRefType type) {
  SmallVector<OpFoldResult> offsets{tileIndex, e.getIndexAttr(0),
                                    e.getIndexAttr(0)},
      sizes{e.getIndexAttr(1), e.getIndexAttr(type.getDimSize(0)),
            e.getIndexAttr(type.getDimSize(1))},
      strides(3, e.getIndexAttr(1));
  auto reduced = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      type.getShape(), cast<MemRefType>(factor.getType()), offsets, sizes,
      strides));
  Value view =
      memref::SubViewOp::create(e, reduced, factor, offsets, sizes, strides);
  return memref::CastOp::create(e, type, view);
}

PlanEntries lot::viewPlanTile(Emitter &e, const Plan &plan, Value tileIndex,
                              TokenTile tile) {
  auto type =
      MemRefType::get({plan.scores.numPivots, e.tile()}, e.scalarType(),
                      StridedLayoutAttr::get(
                          e.getContext(), ShapedType::kDynamic, {e.tile(), 1}));
  SmallVector<Type> types{type};
  types.append(kTileVectors, e.vectorType());
  ValueRange result = e.ifElse(
      plan.scaled, types,
      [&] {
        SmallVector<Value> values{
            viewFactorTile(e, plan.factor, tileIndex, type)};
        values.append(emitRowScale(e, plan, tileIndex, tile));
        return values;
      },
      [&] {
        emitLogTile(e, plan, tile);
        SmallVector<Value> values{
            memref::CastOp::create(e, type, plan.tile).getResult()};
        values.append(kTileVectors, e.splat(1.0));
        return values;
      });
  return {result.front(), TileVectors(result.drop_front())};
}

void lot::writePlanTile(Emitter &e, const Plan &plan, Value tileIndex,
                        TokenTile tile) {
  e.ifElse(
      plan.scaled, TypeRange(),
      [&] {
        TileVectors scale = emitRowScale(e, plan, tileIndex, tile);
        e.forEach(plan.scores.numPivots, [&](Value j) {
          for (int64_t v = 0; v < kTileVectors; ++v) {
            Value entry =
                e.loadVector(plan.factor, {tileIndex, j, e.vectorStart(v)});
            e.storeVector(e.mul(entry, scale[v]), plan.tile,
                          {j, e.vectorStart(v)});
          }
        });
        return SmallVector<Value>();
      },
      [&] {
        emitLogTile(e, plan, tile);
        return SmallVector<Value>();
      });
}

Value lot::isAnyLive(Emitter &e, Value log2Mass, TokenTile tile) {
  TileVectors mass = loadTokens(e, log2Mass, tile.first);
  Value best = mass[0];
  for (int64_t v = 1; v < kTileVectors; ++v)
    best = e.max(best, mass[v]);
  return isLive(e, e.reduceMax(best));
}

void lot::ifAnyLive(Emitter &e, Value log2Mass, TokenTile tile,
                    function_ref<void()> present, function_ref<void()> absent) {
  if (!log2Mass) {
    present();
    return;
  }
  auto branch = [](function_ref<void()> body) {
    return [body] {
      body();
      return SmallVector<Value>();
    };
  };
  e.ifElse(isAnyLive(e, log2Mass, tile), TypeRange(), branch(present),
           branch(absent));
}
