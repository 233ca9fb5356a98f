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
GradientKernels::getReverseTokens(Kernel &k, const Side &side,
                                  ReversePlan &plan) {
  return {plan.locateRows(side.tokens, {side.batch, side.tokenHead}), facts.d,
          Value()};
}

Value GradientKernels::getReverseFactor(Kernel &k, const Side &side,
                                        Value isKey) {
  Value ratio = k.mulf(k.f32(facts.r), k.reciprocal(k.toFloat(side.length)));
  return k.select(isKey, ratio, k.f32(facts.outScale));
}

GradientKernels::ReverseRows
GradientKernels::getReverseRows(Kernel &k, const Side &side, Value isKey,
                                ReversePlan &plan) {
  Value rows = k.select(isKey, k.use(value), k.use(cotangent));
  Value head = k.select(isKey, side.tokenHead, side.head);
  return {plan.locateRows(rows, {side.batch, head}), facts.dv,
          getReverseFactor(k, side, isKey)};
}

static Value plus(Kernel &k, Value word, int64_t value) {
  return arith::AddIOp::create(k, word, k.word(value));
}
static Value times(Kernel &k, Value word, int64_t factor) {
  return arith::MulIOp::create(k, word, k.word(factor));
}
static Value rowsOfTiles(Kernel &k, Value tiles) {
  return times(k, tiles, ReversePlan::kTileRows);
}

/// Rows of a loop's round, from column `column` on.
static LaneRows moveToRound(Kernel &k, ReversePlan &plan, const LaneRows &rows,
                            Value column) {
  return rows.move(k, rowsOfTiles(k, plan.getRound()), column);
}

/// The first blocks of tokens.
void GradientKernels::startPlanTiles(Kernel &k, const Side &side,
                                     ReversePlan &plan, RowStream &stream) {
  int64_t blocks = facts.depth() / 32;
  plan.countRows();
  ReverseRows tokens = getReverseTokens(k, side, plan);
  stream.locate();
  Value none = k.word(0);
  for (int64_t unit = 0; unit < RowStream::kStages; ++unit) {
    Value column = k.index(unit % blocks * 32);
    stream.start(unit,
                 tokens.rows.onlyIf(k, hasColumns(k, column, tokens.columns))
                     .move(k, none, column),
                 ReversePlan::rowOfTile(unit / blocks));
  }
}

/// The first block of a round, where its stage is not always the same.
static Value firstOfRound(Kernel &k, ReversePlan &plan, int64_t blocks) {
  if (plan.roundTiles() * blocks % RowStream::kStages == 0)
    return Value();
  return times(k, plan.getRound(), blocks);
}

/// Tiles that wait for their `blocks` of rows together, and start others then:
/// fewer instructions, as long as there are two such groups.
static int64_t countTogether(int64_t blocks) { return blocks == 1 ? 2 : 1; }

static void waitForRows(RowStream &stream, int64_t tile, int64_t blocks) {
  int64_t together = countTogether(blocks);
  if (tile % together == 0)
    stream.wait(RowStream::kStages - together * blocks);
}

/// Emits `start` for those after whose last one it is.
static void startTogether(Kernel &k, int64_t tile, int64_t blocks,
                          function_ref<void(int64_t tile)> start) {
  int64_t together = countTogether(blocks);
  if (tile % together != together - 1)
    return;
  // Into the place of rows that all lanes have read.
  k.warpBarrier();
  for (int64_t at = tile - together + 1; at <= tile; ++at)
    start(at);
}

namespace {
/// Where a tile is to be found that is so many further on: in a later round, or
/// past the last tile, among the first ones again.
struct TilesAhead {
  TilesAhead(Kernel &k, ReversePlan &plan, int64_t tile) {
    // Tiles that follow each other have the first in common.
    int64_t round = plan.roundTiles(), passed = tile / round * round;
    place = tile - passed;
    next = arith::AddIOp::create(k, plan.getRound(), k.word(passed));
    if (passed == 0)
      return;
    Value last = k.word(plan.getTileCount() - passed);
    isPast = arith::CmpIOp::create(k, arith::CmpIPredicate::uge,
                                   plan.getRound(), last);
    past = arith::SubIOp::create(k, plan.getRound(), last);
  }
  /// The first tile of its round.
  Value first(Kernel &k) const {
    return isPast ? k.select(isPast, past, next) : next;
  }
  Value isPast; ///< null: it is not
  Value next, past;
  int64_t place; ///< in its round
};
} // namespace

/// The blocks that take the place of a tile's `blocks`: those so many further
/// on, or the first ones of `next`, by columns.
void GradientKernels::startNextRows(Kernel &k, ReversePlan &plan, int64_t tile,
                                    int64_t blocks, const ReverseRows &rows,
                                    const ReverseRows &next,
                                    RowStream &stream) {
  auto inRows = plan.freshIfCrowded();
  auto move = [&](const ReverseRows &from, Value number, int64_t column) {
    Value at = k.index(column);
    return from.rows.onlyIf(k, hasColumns(k, at, from.columns))
        .move(k, rowsOfTiles(k, number), at);
  };
  for (int64_t at = 0; at < blocks; ++at) {
    int64_t unit = tile * blocks + at, ahead = unit + RowStream::kStages;
    TilesAhead tiles(k, plan, ahead / blocks);
    int64_t column = ahead % blocks * 32;
    if (!tiles.isPast) {
      stream.start(unit, move(rows, tiles.next, column),
                   ReversePlan::rowOfTile(tiles.place));
      continue;
    }
    // The tile of the unit so many after the last.
    int64_t place = tiles.place * blocks + ahead % blocks;
    Value past = times(k, tiles.past, blocks);
    // With one address for all tiles of a round, where that is so.
    int64_t common = blocks == 1 ? place : 0;
    Value number = k.select(tiles.isPast, plus(k, past, place - common),
                            plus(k, tiles.next, tiles.place - common));
    ReverseRows from = rows;
    from.rows.pointer = k.add(from.rows.pointer, k.index(column * 2));
    from.rows = select(
        k, tiles.isPast,
        next.rows.onlyIf(k, hasColumns(k, k.index(0), next.columns)),
        from.rows.onlyIf(k, hasColumns(k, k.index(column), rows.columns)));
    stream.start(unit, from.rows.move(k, rowsOfTiles(k, number)),
                 ReversePlan::rowOfTile(common));
  }
}

/// R of the tiles. `columns`: y in units of scoreScale, shared.
void GradientKernels::emitPlanTiles(Kernel &k, const Side &side, Value isKey,
                                    ReversePlan &plan, Value pivots,
                                    Value columns, RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  int64_t blocks = facts.depth() / 32;
  plan.countRows();
  ReverseRows rows = getReverseTokens(k, side, plan);
  ReverseRows next = getReverseRows(k, side, isKey, plan);
  stream.locate();
  plan.emitPlan(
      [&](int64_t tile) { waitForRows(stream, tile, blocks); },
      [&](int64_t tile) {
        RowStream::Turned turned(stream, firstOfRound(k, plan, blocks));
        Values y = loadColumns(k, facts, columns);
        Tile scores;
        for (int64_t j = 0; j < facts.pivots() / 4; j += 2)
          scores.append({y[j], y[j + 1], y[j], y[j + 1]});
        for (int64_t at = 0; at < blocks; ++at)
          addBlockDots(k, facts, stream, tile * blocks + at, 32 * at, pivots,
                       facts.pivotFormat(), scores);
        return scores;
      },
      [&](int64_t tile) {
        RowStream::Turned turned(stream, firstOfRound(k, plan, blocks));
        startTogether(k, tile, blocks, [&](int64_t at) {
          startNextRows(k, plan, at, blocks, rows, next, stream);
        });
      });
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
  RowBlock block = stream.load(tile);
  emitBlockProduct(k, facts, words, valuesT, plan.getColumn(),
                   [&](int64_t c, ArrayRef<Value> products) {
                     addDots(k, block, c, products, dots);
                     if (body)
                       body(products);
                   });
  auto inSums = plan.freshIfCrowded();
  bool once = facts.valueColumns() == 32;
  for (int64_t row = 0; row < 2; ++row) {
    Value dot = k.mulf(k.sumLanes(dots[row], {1, 2}), unit);
    Value at = k.add(plan.localRow(plan.number(tile)), 8 * row);
    // All lanes of the row have the same.
    if (once)
      k.store(dot, rowSums, at);
    else
      k.ifThen(k.equal(k.rem(k.lane(), 4), 0), [&] {
        Value before = k.select(k.equal(plan.getColumn(), 0), k.f32(0),
                                k.load(rowSums, at));
        k.store(k.addf(before, dot), rowSums, at);
      });
  }
  return words;
}

/// The block that takes the place of a tile's where they come by columns: the
/// one so many tiles further on. After the last, the first ones by tiles if
/// `wraps`.
void GradientKernels::startPassRows(Kernel &k, ReversePlan &plan, int64_t tile,
                                    const ReverseRows &rows, bool wraps,
                                    RowStream &stream) {
  auto inRows = plan.freshIfCrowded();
  TilesAhead tiles(k, plan, tile + RowStream::kStages);
  int64_t blocks = llvm::divideCeil(rows.columns, 32);
  Value column = plan.getColumn(), further = k.add(column, 32);
  Value number = tiles.first(k);
  int64_t place = tiles.place;
  if (wraps && blocks == 1) {
    column = k.index(0);
  } else if (wraps) {
    Value isLast = k.invert(k.lessNarrow(further, k.index(32 * blocks)));
    Value unit = k.add(k.widen(tiles.past), place);
    Value first = k.div(unit, blocks), part = k.mul(k.rem(unit, blocks), 32);
    isLast = k.both(isLast, tiles.isPast);
    number = k.select(isLast, k.toWord(first), plus(k, number, place));
    column = k.select(isLast, part, k.select(tiles.isPast, further, column));
    place = 0;
  } else {
    column = k.select(tiles.isPast, further, column);
  }
  Value has = hasColumns(k, column, rows.columns);
  if (!has && !wraps)
    has = k.lessNarrow(column, k.index(rows.columns));
  stream.start(tile,
               rows.rows.onlyIf(k, has).move(k, rowsOfTiles(k, number), column),
               ReversePlan::rowOfTile(place));
}

/// R B, with what comes of it: sum_j R_ij dR_ij to `rowSums`, and dV.
void GradientKernels::emitValueGradient(Kernel &k, const Side &side,
                                        ReversePlan &plan,
                                        const ReverseRows &values,
                                        Value valuesT, Value rowSums,
                                        RowStream &stream) {
  Value unit = k.mulf(values.factor, plan.overScale(1));
  LaneRows result =
      plan.locateRows(k.use(valueGradient), {side.batch, side.head});
  stream.locate();
  plan.forTiles(
      facts.valueColumns(), 0,
      [&](int64_t tile, ValueRange) {
        RowStream::Turned turned(stream, firstOfRound(k, plan, 1));
        waitForRows(stream, tile, 1);
        plan.ifTokens(tile, {}, [&] {
          BlockWords rounded;
          emitTileProduct(k, plan, tile, valuesT, unit, rowSums, stream,
                          [&](ArrayRef<Value> products) {
                            rounded.append(k, facts.io, products, {unit, unit});
                          });
          LaneRows rows = moveToRound(k, plan, result, plan.getColumn());
          Value some = hasColumns(k, plan.getColumn(), facts.dv);
          storeBlock(k, rounded, rows.onlyIf(k, some),
                     ReversePlan::rowOfTile(tile));
          return Values{};
        });
        startTogether(k, tile, 1, [&](int64_t at) {
          startPassRows(k, plan, at, values, /*wraps=*/true, stream);
        });
        return Values{};
      },
      nullptr);
}

/// The same of the query side, with parts of dG and G_j . dG_j to `spent`.
void GradientKernels::emitGradientParts(Kernel &k, const SharedSide &numbers,
                                        ReversePlan &plan,
                                        const ReverseRows &values,
                                        Value valuesT, Value rowSums,
                                        Value spent, RowStream &stream) {
  Value unit = k.mulf(values.factor, plan.overScale(1));
  Value parts = k.use(gradientParts), g = k.use(buffers.values.rows);
  Value scratch = plan.getScratch();
  stream.locate();
  plan.forTiles(
      facts.valueColumns(), facts.pivots(),
      [&](int64_t tile, ValueRange carried) {
        RowStream::Turned turned(stream, firstOfRound(k, plan, 1));
        waitForRows(stream, tile, 1);
        Values sums = plan.ifTokens(tile, carried, [&] {
          Values words = emitTileProduct(k, plan, tile, valuesT, unit, rowSums,
                                         stream, nullptr);
          Values next(carried);
          auto inProduct = plan.freshIfCrowded();
          addTransposed(k, transposeTile(k, words), stream, tile, next);
          return next;
        });
        startTogether(k, tile, 1, [&](int64_t at) {
          startPassRows(k, plan, at, values, /*wraps=*/true, stream);
        });
        return sums;
      },
      [&](Value column, ArrayRef<Value> sums) {
        // Where they go is not kept from before the loop.
        Side side = numbers.load(k);
        Value problem = k.sub(side.problem, side.first);
        Value set = getKeyProblem(k, side);
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
  plan.countRows();
  ReverseRows values = getReverseRows(k, side, isKey, plan);
  ReverseRows tokens = getReverseTokens(k, side, plan);
  LaneRows result =
      plan.locateRows(k.select(isKey, k.use(keyGradient), k.use(queryGradient)),
                      {side.batch, side.head});
  stream.locate();
  // Words are dL over `unit`.
  Value unit = k.mulf(values.factor, plan.overScale(1));
  Value scale = k.mulf(k.f32(facts.naturalScale), unit);
  int64_t blocks = facts.valueColumns() / 32;
  plan.forTiles(ReversePlan::Access::change, {}, [&](int64_t tile, ValueRange) {
    RowStream::Turned turned(stream, firstOfRound(k, plan, blocks));
    waitForRows(stream, tile, blocks);
    plan.setWords(tile, plan.ifTokens(tile, plan.getWords(tile), [&] {
      Tile gradient(facts.pivots() / 2, k.f32(0));
      for (int64_t at = 0; at < blocks; ++at)
        addBlockDots(k, facts, stream, tile * blocks + at, 32 * at, matrix,
                     facts.valueFormat(), gradient);
      gradient = plan.subtractTerms(tile, gradient, rowSums);
      Tile entries = unpackTile(k, k.getF16Type(), plan.takeWords(tile));
      for (auto [entry, value] : llvm::zip_equal(entries, gradient))
        value = k.mulf(entry, value);
      Values words = packTile(k, k.getBF16Type(), gradient);
      k.forLoop(k.index(0), k.index(facts.depth()), k.index(32),
                [&](Value column) {
                  BlockWords rounded;
                  emitBlockProduct(k, facts, words, pivotsT, column,
                                   [&](int64_t, ArrayRef<Value> products) {
                                     rounded.append(k, facts.io, products,
                                                    {scale, scale});
                                   });
                  LaneRows rows = moveToRound(k, plan, result, column);
                  storeBlock(k, rounded,
                             rows.onlyIf(k, hasColumns(k, column, facts.d)),
                             ReversePlan::rowOfTile(tile));
                });
      return transposeTile(k, words);
    }));
    startTogether(k, tile, blocks, [&](int64_t at) {
      startNextRows(k, plan, at, blocks, values, tokens, stream);
    });
    return Values{};
  });
  inPart.reset();
  emitPivotProducts(k, side, plan, unit, stream);
}

/// Parts of dZ.
void GradientKernels::emitPivotProducts(Kernel &k, const Side &side,
                                        ReversePlan &plan, Value unit,
                                        RowStream &stream) {
  KernelBuilder::FreshThread inPart(k);
  plan.countRows();
  ReverseRows tokens = getReverseTokens(k, side, plan);
  stream.locate();
  Value parts = k.use(buffers.gathered);
  Value scratch = plan.getScratch();
  plan.forTiles(
      facts.depth(), facts.pivots(),
      [&](int64_t tile, ValueRange carried) {
        RowStream::Turned turned(stream, firstOfRound(k, plan, 1));
        waitForRows(stream, tile, 1);
        // Without tokens both are 0.
        Values sums(carried);
        addTransposed(k, plan.getWords(tile), stream, tile, sums);
        startTogether(k, tile, 1, [&](int64_t at) {
          startPassRows(k, plan, at, tokens, /*wraps=*/false, stream);
        });
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
