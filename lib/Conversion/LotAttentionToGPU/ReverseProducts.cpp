//===- ReverseProducts.cpp - Products of a plan in registers --------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `reverse` (ResidentReverse.cpp) reads and writes of tokens. Blocks of
// rows come in one stream: those of tokens, a tile after the other; of dO or V
// by columns, by tiles, and tokens by columns again.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"
#include "PackedProducts.h"
#include "ReversePlan.h"

using namespace mlir;
using namespace mlir::lot;

GradientKernels::ReverseRows
GradientKernels::getReverseTokens(Kernel &k, const Side &side) {
  return {ReversePlan::viewBlock(k, side, side.tokens,
                                 {side.batch, side.tokenHead}),
          Value()};
}

GradientKernels::ReverseRows
GradientKernels::getReverseRows(Kernel &k, const Side &side, Value isKey) {
  Value rows = k.select(isKey, k.use(value), k.use(cotangent));
  Value head = k.select(isKey, side.tokenHead, side.head);
  Value ratio = k.mulf(k.f32(facts.r), k.reciprocal(k.toFloat(side.length)));
  return {ReversePlan::viewBlock(k, side, rows, {side.batch, head}),
          k.select(isKey, ratio, k.f32(facts.outScale))};
}

void GradientKernels::startRows(Kernel &k, ReversePlan &plan, Value stage,
                                Value tile, Value rows, Value column,
                                RowStream &stream) {
  stream.start(stage, plan.liveRows(tile), plan.viewRows(rows, tile), column);
}

/// The first blocks of tokens.
void GradientKernels::startPlanTiles(Kernel &k, const Side &side,
                                     ReversePlan &plan, RowStream &stream) {
  int64_t blocks = facts.depth() / 32;
  Value rows = getReverseTokens(k, side).rows;
  k.forLoop(k.index(0), k.index(RowStream::kStages), k.index(1),
            [&](Value unit) {
              startRows(k, plan, unit, k.div(unit, blocks), rows,
                        k.mul(k.rem(unit, blocks), 32), stream);
            });
}

/// The block in place of the `at`-th of a tile's `blocks`: so many further on,
/// or one of the first of `next`, by columns.
void GradientKernels::startNextRows(Kernel &k, ReversePlan &plan, Value tile,
                                    int64_t at, int64_t blocks, Value rows,
                                    Value next, RowStream &stream) {
  int64_t ahead = at + RowStream::kStages;
  Value count = k.index(plan.getTileCount());
  Value unit = k.add(k.mul(tile, blocks), ahead);
  Value number = k.add(tile, ahead / blocks);
  Value more = k.less(number, count);
  Value after = k.sub(unit, k.index(plan.getTileCount() * blocks));
  startRows(k, plan, k.rem(unit, RowStream::kStages),
            k.select(more, number, after), k.select(more, rows, next),
            k.select(more, k.index(ahead % blocks * 32), k.index(0)), stream);
}

Value GradientKernels::getStage(Kernel &k, Value tile, int64_t blocks,
                                int64_t at) {
  return k.rem(k.add(k.mul(tile, blocks), at), RowStream::kStages);
}

/// R of the tiles.
void GradientKernels::emitPlanTiles(Kernel &k, const Side &side, Value isKey,
                                    ReversePlan &plan, Value pivots, Value last,
                                    RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  int64_t blocks = facts.depth() / 32;
  Value rows = getReverseTokens(k, side).rows;
  Value next = getReverseRows(k, side, isKey).rows;
  plan.emitPlan(
      [&](ReversePlan::PlanTile) { stream.wait(RowStream::kStages - blocks); },
      [&](ReversePlan::PlanTile tile) {
        Values columns = loadColumns(k, facts, last);
        Tile scores;
        for (int64_t j = 0; j < facts.pivots() / 4; j += 2) {
          Value y[2];
          for (int64_t e = 0; e < 2; ++e)
            y[e] = k.mulf(columns[j + e], k.f32(1 / facts.scoreScale));
          scores.append({y[0], y[1], y[0], y[1]});
        }
        for (int64_t at = 0; at < blocks; ++at)
          addBlockDots(k, facts, stream, getStage(k, tile.number, blocks, at),
                       32 * at, pivots, facts.pivotFormat(), scores);
        return scores;
      },
      [&](ReversePlan::PlanTile tile) {
        for (int64_t at = 0; at < blocks; ++at)
          startNextRows(k, plan, tile.number, at, blocks, rows, next, stream);
      });
}

/// R B of a tile and 32 columns: its part of sum_j R_ij dR_ij to `rowSums`;
/// `body` gets what emitBlockProduct has. The tile in bf16.
Values GradientKernels::emitTileProduct(
    Kernel &k, ReversePlan &plan, ReversePlan::PlanTile tile, Value valuesT,
    Value column, Value unit, Value rowSums, RowStream &stream,
    function_ref<void(ArrayRef<Value> products)> body) {
  RowBlock block = stream.load(getStage(k, tile.number));
  Values words = packTile(k, k.getBF16Type(),
                          unpackTile(k, k.getF16Type(), plan.takeWords(tile)));
  Value dots[2] = {k.f32(0), k.f32(0)};
  emitBlockProduct(k, facts, words, valuesT, column,
                   [&](int64_t c, ArrayRef<Value> products) {
                     addDots(k, block, c, products, dots);
                     if (body)
                       body(products);
                   });
  Value first = k.equal(k.rem(k.lane(), 4), 0);
  for (int64_t row = 0; row < 2; ++row) {
    Value dot = k.mulf(k.sumLanes(dots[row], {1, 2}), unit);
    Value at = k.add(plan.localRow(tile.number), 8 * row);
    k.ifThen(first, [&] {
      Value before =
          k.select(k.equal(column, 0), k.f32(0), k.load(rowSums, at));
      k.store(k.addf(before, dot), rowSums, at);
    });
  }
  return words;
}

/// The block that takes the place of a tile's, after a pass over the tiles for
/// each 32 columns: the next tile's, or the first ones of emitScoreProducts.
void GradientKernels::startPassRows(Kernel &k, ReversePlan &plan, Value tile,
                                    Value column, Value rows,
                                    RowStream &stream) {
  int64_t count = plan.getTileCount(), blocks = facts.valueColumns() / 32;
  Value unit =
      k.add(k.add(k.mul(k.div(column, 32), count), tile), RowStream::kStages);
  Value more = k.less(unit, k.index(blocks * count));
  Value after = k.sub(unit, k.index(blocks * count));
  startRows(k, plan, getStage(k, tile),
            k.select(more, k.rem(unit, count), k.div(after, blocks)), rows,
            k.mul(k.select(more, k.div(unit, count), k.rem(after, blocks)), 32),
            stream);
}

/// R B, with what comes of it: sum_j R_ij dR_ij to `rowSums`, and dV.
void GradientKernels::emitValueGradient(Kernel &k, const Side &side,
                                        ReversePlan &plan,
                                        const ReverseRows &values,
                                        Value valuesT, Value rowSums,
                                        RowStream &stream) {
  Value unit = k.mulf(values.factor, plan.overScale(1));
  Value result = ReversePlan::viewBlock(k, side, k.use(valueGradient),
                                        {side.batch, side.head});
  plan.forColumns(facts.valueColumns(), [&](Value column) {
    plan.forTiles({}, [&](ReversePlan::PlanTile tile, ValueRange) {
      stream.wait(RowStream::kStages - 1);
      plan.ifTokens(tile, {}, [&] {
        BlockWords rounded;
        emitTileProduct(k, plan, tile, valuesT, column, unit, rowSums, stream,
                        [&](ArrayRef<Value> products) {
                          rounded.append(k, facts.io, products, unit);
                        });
        storeBlock(k, rounded, plan.liveRows(tile.number),
                   plan.viewRows(result, tile.number), column);
        return Values{};
      });
      startPassRows(k, plan, tile.number, column, values.rows, stream);
      return Values{};
    });
  });
}

/// The same of the query side, with parts of dG and G_j . dG_j to `spent`.
void GradientKernels::emitGradientParts(Kernel &k, const Side &side,
                                        ReversePlan &plan,
                                        const ReverseRows &values,
                                        Value valuesT, Value set, Value rowSums,
                                        Value spent, RowStream &stream) {
  Value unit = k.mulf(values.factor, plan.overScale(1));
  Value parts = k.use(gradientParts), g = k.use(buffers.values.rows);
  Value scratch = plan.getScratch(Facts::kWarps, facts.pivots(), kBlockStride);
  plan.forColumns(facts.valueColumns(), [&](Value column) {
    Values zeros(facts.pivots(), k.f32(0));
    Values sums = plan.forTiles(
        zeros, [&](ReversePlan::PlanTile tile, ValueRange carried) {
          stream.wait(RowStream::kStages - 1);
          Values sums = plan.ifTokens(tile, carried, [&] {
            Values words = emitTileProduct(k, plan, tile, valuesT, column, unit,
                                           rowSums, stream, nullptr);
            Values next(carried);
            addTransposed(k, transposeTile(k, words), stream,
                          getStage(k, tile.number), next);
            return next;
          });
          startPassRows(k, plan, tile.number, column, values.rows, stream);
          return sums;
        });
    KernelBuilder::FreshThread inFold(k);
    Value problem = k.sub(side.problem, side.first);
    foldBlocks(
        k, facts, sums, scratch, [&](Value pivot, Value from, Value four) {
          Value to = k.add(column, from);
          Value old =
              k.convert(k.loadVector(g, {set, pivot, to}, 4), k.getF32Type());
          Values all;
          Value dot = k.f32(0);
          for (int64_t e = 0; e < 4; ++e) {
            all.push_back(k.mulf(k.element(four, e), unit));
            dot = k.fma(all[e], k.element(old, e), dot);
          }
          k.storeVector(k.pack(all), parts, {problem, side.chunk, pivot, to});
          dot = k.sumLanes(dot, {1, 2, 4});
          k.ifThen(k.equal(from, 0), [&] {
            Value before =
                k.select(k.equal(column, 0), k.f32(0), k.load(spent, pivot));
            k.store(k.addf(before, dot), spent, pivot);
          });
        });
  });
}

/// dL, and its products with pivots and tokens.
void GradientKernels::emitScoreProducts(Kernel &k, const Side &side,
                                        Value isKey, ReversePlan &plan,
                                        Value matrix, Value pivotsT,
                                        Value rowSums, RowStream &stream) {
  auto inPart = std::make_unique<KernelBuilder::FreshThread>(k);
  ReverseRows values = getReverseRows(k, side, isKey);
  Value tokens = getReverseTokens(k, side).rows;
  Value result = ReversePlan::viewBlock(
      k, side, k.select(isKey, k.use(keyGradient), k.use(queryGradient)),
      {side.batch, side.head});
  // Words are dL over `unit`.
  Value unit = k.mulf(values.factor, plan.overScale(1));
  Value scale = k.mulf(k.f32(facts.naturalScale), unit);
  int64_t blocks = facts.valueColumns() / 32;
  plan.forTiles({}, [&](ReversePlan::PlanTile tile, ValueRange) {
    stream.wait(RowStream::kStages - blocks);
    plan.setWords(tile, plan.ifTokens(tile, plan.getWords(tile), [&] {
      Tile gradient(facts.pivots() / 2, k.f32(0));
      for (int64_t at = 0; at < blocks; ++at)
        addBlockDots(k, facts, stream, getStage(k, tile.number, blocks, at),
                     32 * at, matrix, facts.valueFormat(), gradient);
      gradient = plan.subtractTerms(tile, gradient, rowSums);
      Tile entries = unpackTile(k, k.getF16Type(), plan.takeWords(tile));
      for (auto [entry, value] : llvm::zip_equal(entries, gradient))
        value = k.mulf(entry, value);
      Values words = packTile(k, k.getBF16Type(), gradient);
      std::array<Value, 2> live = plan.liveRows(tile.number);
      Value target = plan.viewRows(result, tile.number);
      k.forLoop(
          k.index(0), k.index(facts.depth()), k.index(32), [&](Value column) {
            BlockWords rounded;
            emitBlockProduct(k, facts, words, pivotsT, column,
                             [&](int64_t, ArrayRef<Value> products) {
                               rounded.append(k, facts.io, products, scale);
                             });
            storeBlock(k, rounded, live, target, column);
          });
      return transposeTile(k, words);
    }));
    for (int64_t at = 0; at < blocks; ++at)
      startNextRows(k, plan, tile.number, at, blocks, values.rows, tokens,
                    stream);
    return Values{};
  });
  inPart.reset();
  emitPivotProducts(k, side, plan, tokens, unit, stream);
}

/// Parts of dZ.
void GradientKernels::emitPivotProducts(Kernel &k, const Side &side,
                                        ReversePlan &plan, Value tokens,
                                        Value unit, RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  Value parts = k.use(buffers.gathered);
  Value scratch = plan.getScratch(Facts::kWarps, facts.pivots(), kBlockStride);
  plan.forColumns(facts.depth(), [&](Value column) {
    Values zeros(facts.pivots(), k.f32(0));
    Values sums = plan.forTiles(
        zeros, [&](ReversePlan::PlanTile tile, ValueRange carried) {
          stream.wait(RowStream::kStages - 1);
          Values sums = plan.ifTokens(tile, carried, [&] {
            Values next(carried);
            addTransposed(k, plan.getWords(tile), stream,
                          getStage(k, tile.number), next);
            return next;
          });
          // Columns past the last are not read.
          int64_t count = plan.getTileCount();
          Value ahead = k.add(tile.number, RowStream::kStages);
          Value more = k.less(ahead, k.index(count));
          startRows(k, plan, getStage(k, tile.number), k.rem(ahead, count),
                    tokens, k.select(more, column, k.add(column, 32)), stream);
          return sums;
        });
    KernelBuilder::FreshThread inFold(k);
    foldBlocks(
        k, facts, sums, scratch, [&](Value pivot, Value from, Value four) {
          Values all;
          for (int64_t e = 0; e < 4; ++e)
            all.push_back(k.mulf(k.element(four, e), unit));
          k.storeVector(k.pack(all), parts,
                        {side.problem, side.chunk, pivot, k.add(column, from)});
        });
  });
  stream.wait(0);
}
