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
#include "InlinePTX.h"
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

/// The blocks that take the place of a tile's `blocks`: those so many further
/// on, or the first ones of `next`, by columns.
void GradientKernels::startNextRows(Kernel &k, ReversePlan &plan,
                                    int64_t blocks, Value rows, Value next,
                                    RowStream &stream) {
  KernelBuilder::FreshThread inRows(k);
  Value count = k.index(plan.getTileCount());
  Value first = k.add(k.mul(plan.number(), blocks), RowStream::kStages);
  Value after = k.sub(first, k.mul(count, blocks));
  auto start = [&](int64_t at, Value tile, Value from, int64_t column) {
    startRows(k, plan, getStage(k, plan.number(), blocks, at), k.narrow(tile),
              from, k.index(column), stream);
  };
  // Blocks of one tile, together.
  for (int64_t at = 0, end; at < blocks; at = end) {
    int64_t further = (at + RowStream::kStages) / blocks;
    end = std::min(blocks, (further + 1) * blocks - RowStream::kStages);
    Value tile = k.narrow(k.add(plan.number(), further));
    k.ifElse(
        k.lessNarrow(tile, count), TypeRange(),
        [&, at] {
          for (int64_t i = at; i < end; ++i)
            start(i, tile, rows, (i + RowStream::kStages) % blocks * 32);
          return Values{};
        },
        [&, at] {
          for (int64_t i = at; i < end; ++i)
            start(i, k.add(after, i), next, 0);
          return Values{};
        });
  }
}

Value GradientKernels::getStage(Kernel &k, Value tile, int64_t blocks,
                                int64_t at) {
  return k.rem(k.add(k.mul(tile, blocks), at), RowStream::kStages);
}

/// R of the tiles. `columns`: y in units of scoreScale, shared.
void GradientKernels::emitPlanTiles(Kernel &k, const Side &side, Value isKey,
                                    ReversePlan &plan, Value pivots,
                                    Value columns, RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  int64_t blocks = facts.depth() / 32;
  Value rows = getReverseTokens(k, side).rows;
  Value next = getReverseRows(k, side, isKey).rows;
  plan.emitPlan(
      [&](int64_t) { stream.wait(RowStream::kStages - blocks); },
      [&](int64_t) {
        Values y = loadColumns(k, facts, columns);
        Tile scores;
        for (int64_t j = 0; j < facts.pivots() / 4; j += 2)
          scores.append({y[j], y[j + 1], y[j], y[j + 1]});
        for (int64_t at = 0; at < blocks; ++at)
          addBlockDots(k, facts, stream, getStage(k, plan.number(), blocks, at),
                       32 * at, pivots, facts.pivotFormat(), scores);
        return scores;
      },
      [&](int64_t) { startNextRows(k, plan, blocks, rows, next, stream); });
}

/// R B of a tile and 32 columns: its part of sum_j R_ij dR_ij to `rowSums`;
/// `body` gets what emitBlockProduct has. The tile in bf16.
Values GradientKernels::emitTileProduct(
    Kernel &k, ReversePlan &plan, int64_t tile, Value valuesT, Value unit,
    Value rowSums, RowStream &stream,
    function_ref<void(ArrayRef<Value> products)> body) {
  Values words = packTile(k, k.getBF16Type(),
                          unpackTile(k, k.getF16Type(), plan.takeWords(tile)));
  Value dots[2] = {k.f32(0), k.f32(0)};
  RowBlock block = stream.load(getStage(k, plan.unit()));
  emitBlockProduct(k, facts, words, valuesT, plan.column(),
                   [&](int64_t c, ArrayRef<Value> products) {
                     addDots(k, block, c, products, dots);
                     if (body)
                       body(products);
                   });
  KernelBuilder::FreshThread inSums(k);
  Value first = k.equal(k.rem(k.lane(), 4), 0);
  for (int64_t row = 0; row < 2; ++row) {
    Value dot = k.mulf(k.sumLanes(dots[row], {1, 2}), unit);
    Value at = k.add(plan.localRow(plan.number()), 8 * row);
    k.ifThen(first, [&] {
      Value before =
          k.select(k.equal(plan.column(), 0), k.f32(0), k.load(rowSums, at));
      k.store(k.addf(before, dot), rowSums, at);
    });
  }
  return words;
}

/// The block that takes the place of a tile's where they come by columns: the
/// one so many tiles further on, then the first ones of emitScoreProducts.
void GradientKernels::startPassRows(Kernel &k, ReversePlan &plan, Value rows,
                                    RowStream &stream) {
  KernelBuilder::FreshThread inRows(k);
  int64_t count = plan.getTileCount(), blocks = facts.valueColumns() / 32;
  Value ahead = k.narrow(k.add(plan.unit(), RowStream::kStages));
  Value more = k.lessNarrow(ahead, k.index(blocks * count));
  Value after = k.narrow(k.sub(ahead, k.index(blocks * count)));
  Value number = k.select(more, k.rem(ahead, count), k.div(after, blocks));
  Value part = k.select(more, k.div(ahead, count), k.rem(after, blocks));
  startRows(k, plan, getStage(k, plan.unit()), k.narrow(number), rows,
            k.narrow(k.mul(part, 32)), stream);
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
  plan.forTiles(
      facts.valueColumns(), 0,
      [&](int64_t tile, ValueRange) {
        stream.wait(RowStream::kStages - 1);
        plan.ifTokens(tile, {}, [&] {
          BlockWords rounded;
          emitTileProduct(k, plan, tile, valuesT, unit, rowSums, stream,
                          [&](ArrayRef<Value> products) {
                            rounded.append(k, facts.io, products, unit);
                          });
          storeBlock(k, rounded, plan.liveRows(plan.number()),
                     plan.viewRows(result, plan.number()), plan.column());
          return Values{};
        });
        startPassRows(k, plan, values.rows, stream);
        return Values{};
      },
      nullptr);
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
  plan.forTiles(
      facts.valueColumns(), facts.pivots(),
      [&](int64_t tile, ValueRange carried) {
        stream.wait(RowStream::kStages - 1);
        Values sums = plan.ifTokens(tile, carried, [&] {
          Values words = emitTileProduct(k, plan, tile, valuesT, unit, rowSums,
                                         stream, nullptr);
          Values next(carried);
          KernelBuilder::FreshThread inProduct(k);
          addTransposed(k, transposeTile(k, words), stream,
                        getStage(k, plan.unit()), next);
          return next;
        });
        startPassRows(k, plan, values.rows, stream);
        return sums;
      },
      [&](Value column, ArrayRef<Value> sums) {
        Value problem = k.sub(side.problem, side.first);
        foldBlocks(k, facts, sums, scratch,
                   [&](Value pivot, Value from, Value four) {
                     Value to = k.add(column, from);
                     Value old = k.convert(k.loadVector(g, {set, pivot, to}, 4),
                                           k.getF32Type());
                     Values all;
                     Value dot = k.f32(0);
                     for (int64_t e = 0; e < 4; ++e) {
                       all.push_back(k.mulf(k.element(four, e), unit));
                       dot = k.fma(all[e], k.element(old, e), dot);
                     }
                     k.storeVector(k.pack(all), parts,
                                   {problem, side.chunk, pivot, to});
                     dot = k.sumLanes(dot, {1, 2, 4});
                     k.ifThen(k.equal(from, 0), [&] {
                       Value before = k.select(k.equal(column, 0), k.f32(0),
                                               k.load(spent, pivot));
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
  plan.forTiles({}, [&](int64_t tile, ValueRange) {
    stream.wait(RowStream::kStages - blocks);
    plan.setWords(tile, plan.ifTokens(tile, plan.getWords(tile), [&] {
      Tile gradient(facts.pivots() / 2, k.f32(0));
      for (int64_t at = 0; at < blocks; ++at)
        addBlockDots(k, facts, stream, getStage(k, plan.number(), blocks, at),
                     32 * at, matrix, facts.valueFormat(), gradient);
      gradient = plan.subtractTerms(tile, gradient, rowSums);
      Tile entries = unpackTile(k, k.getF16Type(), plan.takeWords(tile));
      for (auto [entry, value] : llvm::zip_equal(entries, gradient))
        value = k.mulf(entry, value);
      Values words = packTile(k, k.getBF16Type(), gradient);
      std::array<Value, 2> live = plan.liveRows(plan.number());
      Value target = plan.viewRows(result, plan.number());
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
    startNextRows(k, plan, blocks, values.rows, tokens, stream);
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
  plan.forTiles(
      facts.depth(), facts.pivots(),
      [&](int64_t tile, ValueRange carried) {
        stream.wait(RowStream::kStages - 1);
        Values sums = plan.ifTokens(tile, carried, [&] {
          Values next(carried);
          addTransposed(k, plan.getWords(tile), stream,
                        getStage(k, plan.unit()), next);
          return next;
        });
        // Columns past the last are not read.
        KernelBuilder::FreshThread inRows(k);
        int64_t count = plan.getTileCount();
        Value ahead = k.narrow(k.add(plan.unit(), RowStream::kStages));
        startRows(k, plan, getStage(k, plan.unit()), k.rem(ahead, count),
                  tokens, k.mul(k.div(ahead, count), 32), stream);
        return sums;
      },
      [&](Value column, ArrayRef<Value> sums) {
        foldBlocks(k, facts, sums, scratch,
                   [&](Value pivot, Value from, Value four) {
                     Values all;
                     for (int64_t e = 0; e < 4; ++e)
                       all.push_back(k.mulf(k.element(four, e), unit));
                     k.storeVector(k.pack(all), parts,
                                   {side.problem, side.chunk, pivot,
                                    k.add(column, from)});
                   });
      });
  stream.wait(0);
}
