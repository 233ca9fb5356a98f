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

/// The first blocks of tokens.
void GradientKernels::startPlanTiles(Kernel &k, const Side &side,
                                     ReversePlan &plan, RowStream &stream) {
  int64_t blocks = facts.depth() / 32;
  ReverseRows tokens{side.tokens, {side.batch, side.tokenHead}, Value()};
  for (int64_t unit = 0; unit < RowStream::kStages; ++unit)
    startRows(k, plan, unit, unit / blocks, tokens, k.index(unit % blocks * 32),
              stream);
}

/// R of the tiles.
void GradientKernels::emitPlanTiles(Kernel &k, const Side &side, bool keySide,
                                    ReversePlan &plan, Value pivots, Value last,
                                    RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  int64_t blocks = facts.depth() / 32, all = plan.getTileCount() * blocks;
  ReverseRows tokens{side.tokens, {side.batch, side.tokenHead}, Value()};
  ReverseRows next = getReverseRows(k, side, keySide);
  Values columns = loadColumns(k, facts, last);
  for (Value &y : columns)
    y = k.mulf(y, k.f32(1 / facts.scoreScale));
  plan.emitPlan(
      [&](int64_t) { stream.wait(RowStream::kStages - blocks); },
      [&](int64_t i) {
        Tile scores;
        for (int64_t j = 0; j < facts.pivots() / 4; j += 2)
          scores.append(
              {columns[j], columns[j + 1], columns[j], columns[j + 1]});
        for (int64_t at = 0; at < blocks; ++at)
          addBlockDots(k, facts, stream, (i * blocks + at) % RowStream::kStages,
                       32 * at, pivots, facts.pivotFormat(), scores);
        return scores;
      },
      [&](int64_t i) {
        for (int64_t at = 0; at < blocks; ++at) {
          int64_t unit = i * blocks + at + RowStream::kStages;
          if (unit < all)
            startRows(k, plan, unit % RowStream::kStages, unit / blocks, tokens,
                      k.index(unit % blocks * 32), stream);
          else
            startRows(k, plan, (unit - all) % RowStream::kStages, unit - all,
                      next, k.index(0), stream);
        }
      });
}

void GradientKernels::startRows(Kernel &k, ReversePlan &plan, int64_t stage,
                                int64_t tile, const ReverseRows &source,
                                Value column, RowStream &stream) {
  Value rows = k.index(ReversePlan::tileRows(tile));
  stream.start(stage, plan.liveRows(rows),
               plan.viewRows(source.memref, source.leading, rows), column);
}

/// R B, with what comes of it: sum_j R_ij dR_ij to `rowSums`, and dV, or parts
/// of dG and G_j . dG_j to `spent`.
void GradientKernels::emitPlanProducts(Kernel &k, const Side &side,
                                       bool keySide, ReversePlan &plan,
                                       const ReverseRows &tokens, Value valuesT,
                                       Value set, Value rowSums, Value spent,
                                       RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  Value unit =
      k.mulf(tokens.factor, k.f32(1 / ReversePlan::planScale(facts, keySide)));
  Value result = keySide ? k.use(valueGradient) : Value();
  Value parts = keySide ? Value() : k.use(gradientParts);
  Value g = keySide ? Value() : k.use(buffers.values.rows);
  Value first = k.equal(k.rem(k.lane(), 4), 0);
  Value scratch = plan.getScratch(Facts::kWarps, facts.pivots(), kBlockStride);
  int64_t blocks = facts.valueColumns() / 32;
  k.forLoop(
      k.index(0), k.index(facts.valueColumns()), k.index(32),
      [&](Value column) {
        // The next tile's block, or the first ones of emitScoreProducts.
        auto startNext = [&](int64_t i) {
          int64_t unit = i + RowStream::kStages;
          int64_t tile = unit % plan.getTileCount();
          if (tile == unit)
            return startRows(k, plan, tile % RowStream::kStages, tile, tokens,
                             column, stream);
          Value more = k.less(k.add(column, 32), k.index(32 * blocks));
          Value rows = k.select(more, k.index(ReversePlan::tileRows(tile)),
                                k.index(ReversePlan::tileRows(tile / blocks)));
          stream.start(
              tile % RowStream::kStages, plan.liveRows(rows),
              plan.viewRows(tokens.memref, tokens.leading, rows),
              k.select(more, k.add(column, 32), k.index(tile % blocks * 32)));
        };
        Values sums(keySide ? 0 : facts.pivots(), k.f32(0));
        for (int64_t i = 0; i < plan.getTileCount(); ++i) {
          int64_t stage = i % RowStream::kStages;
          stream.wait(RowStream::kStages - 1);
          sums = plan.forTile(i, sums, [&] {
            Value rows = k.index(ReversePlan::tileRows(i));
            RowBlock block = stream.load(stage);
            Values words =
                packTile(k, k.getBF16Type(),
                         unpackTile(k, k.getF16Type(), plan.takeWords(i)));
            Value dots[2] = {k.f32(0), k.f32(0)};
            BlockWords rounded;
            emitBlockProduct(k, facts, words, valuesT, column,
                             [&](int64_t c, ArrayRef<Value> products) {
                               addDots(k, block, c, products, dots);
                               if (keySide)
                                 rounded.append(k, facts.io, products, unit);
                             });
            for (int64_t row = 0; row < 2; ++row) {
              Value dot = k.mulf(k.sumLanes(dots[row], {1, 2}), unit);
              Value at = k.add(plan.localRow(i), 8 * row);
              k.ifThen(first, [&] {
                Value before =
                    k.select(k.equal(column, 0), k.f32(0), k.load(rowSums, at));
                k.store(k.addf(before, dot), rowSums, at);
              });
            }
            Values next(sums);
            if (keySide)
              storeBlock(k, rounded, plan.liveRows(rows),
                         plan.viewRows(result, {side.batch, side.head}, rows),
                         column);
            else
              addTransposed(k, transposeTile(k, words), block, next);
            return next;
          });
          startNext(i);
        }
        if (keySide)
          return;
        KernelBuilder::FreshThread inFold(k);
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
                                        bool keySide, ReversePlan &plan,
                                        const ReverseRows &values, Value matrix,
                                        Value pivotsT, Value rowSums,
                                        RowStream &stream) {
  auto inPart = std::make_unique<KernelBuilder::FreshThread>(k);
  Value result = k.use(keySide ? keyGradient : queryGradient);
  // Words are dL over `unit`.
  Value unit =
      k.mulf(values.factor, k.f32(1 / ReversePlan::planScale(facts, keySide)));
  Value scale = k.mulf(k.f32(facts.naturalScale), unit);
  int64_t blocks = facts.valueColumns() / 32;
  int64_t all = plan.getTileCount() * blocks;
  ReverseRows tokens{side.tokens, {side.batch, side.tokenHead}, Value()};
  for (int64_t i = 0; i < plan.getTileCount(); ++i) {
    stream.wait(RowStream::kStages - blocks);
    plan.setWords(i, plan.forTile(i, plan.getWords(i), [&] {
      Tile gradient(facts.pivots() / 2, k.f32(0));
      for (int64_t at = 0; at < blocks; ++at)
        addBlockDots(k, facts, stream, (i * blocks + at) % RowStream::kStages,
                     32 * at, matrix, facts.valueFormat(), gradient);
      gradient = plan.subtractTerms(i, gradient, rowSums);
      Tile entries = unpackTile(k, k.getF16Type(), plan.takeWords(i));
      for (auto [entry, value] : llvm::zip_equal(entries, gradient))
        value = k.mulf(entry, value);
      Values words = packTile(k, k.getBF16Type(), gradient);
      Value rows = k.index(ReversePlan::tileRows(i));
      std::array<Value, 2> live = plan.liveRows(rows);
      Value target = plan.viewRows(result, {side.batch, side.head}, rows);
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
    for (int64_t at = 0; at < blocks; ++at) {
      int64_t unit = i * blocks + at + RowStream::kStages;
      if (unit < all)
        startRows(k, plan, unit % RowStream::kStages, unit / blocks, values,
                  k.index(unit % blocks * 32), stream);
      else
        startRows(k, plan, unit - all, unit - all, tokens, k.index(0), stream);
    }
  }
  inPart.reset();
  emitPivotProducts(k, side, plan, tokens, unit, stream);
}

/// Parts of dZ.
void GradientKernels::emitPivotProducts(Kernel &k, const Side &side,
                                        ReversePlan &plan,
                                        const ReverseRows &tokens, Value unit,
                                        RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  Value parts = k.use(buffers.gathered);
  Value scratch = plan.getScratch(Facts::kWarps, facts.pivots(), kBlockStride);
  k.forLoop(k.index(0), k.index(facts.depth()), k.index(32), [&](Value column) {
    Values sums(facts.pivots(), k.f32(0));
    for (int64_t i = 0; i < plan.getTileCount(); ++i) {
      int64_t stage = i % RowStream::kStages, unit = i + RowStream::kStages;
      stream.wait(RowStream::kStages - 1);
      sums = plan.forTile(i, sums, [&] {
        Values next(sums);
        addTransposed(k, plan.getWords(i), stream.load(stage), next);
        return next;
      });
      // Columns past the last are not read.
      int64_t tile = unit % plan.getTileCount();
      startRows(k, plan, tile % RowStream::kStages, tile, tokens,
                tile == unit ? column : k.add(column, 32), stream);
    }
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
