//===- StreamKernels.cpp - The plans applied to streamed rows -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// gather and apply (PlanKernels.cpp) of packed classes, where a head has no
// place in a cluster: rows come in some tiles ahead (TokenStream.h), and a plan
// takes one exponential an entry.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "PackedTiles.h"
#include "Products.h"
#include "StreamProducts.h"
#include "TokenStream.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Plans of streamed tiles, R_ij = E_ij v_j u_i, from powers as they are:
///
///   keys     E_ij = 2^(score_ij + prev_j)   v_j = 2^(last_j - prev_j)
///   queries  E_ij = 2^(score_ij + last_j)   v_j = 1
///   u_i = (keys: mass_i) / sum_j 2^(score_ij + prev_j)
///
/// prev being what the last token step read. Where a row has sums out of a safe
/// range, or last and prev are far apart, the block does all tiles again with
/// entries that are the plan's, and v and u are 1.
class StreamPlan {
public:
  /// All threads are here, and `last` and `prev`, in shared memory, are there.
  StreamPlan(Kernel &k, const Facts &facts, TokenStream &stream, Value last,
             Value prev, bool keySide);

  using Body =
      function_ref<Values(const TokenStream::StreamedTile &tile, Tile entries,
                          const Value u[2], ValueRange carried)>;
  Values forTiles(const Values &init, Body body,
                  TokenStream::Absent absent = nullptr);
  /// v of a pivot, after forTiles.
  Value getPivotFactor(Value j) {
    return k.select(exact, k.f32(1), k.load(factors, j));
  }

private:
  Values addExact(const Values &init, Body body, TokenStream::Absent absent);
  Values addQuickly(const Values &init, Body body, TokenStream::Absent absent);

  Kernel &k;
  const Facts &facts;
  TokenStream &stream;
  Value last, prev;
  bool keySide;
  Value exact;   ///< i1: entries are the plan's
  Value factors; ///< shared [pivots]: v of keys, 1 / 2^(last - prev) of queries
};
} // namespace

StreamPlan::StreamPlan(Kernel &k, const Facts &facts, TokenStream &stream,
                       Value last, Value prev, bool keySide)
    : k(k), facts(facts), stream(stream), last(last), prev(prev),
      keySide(keySide) {
  factors = k.shared.allocate({facts.pivots()}, k.getF32Type());
  exact = k.invert(keySide ? storePlanRatios(k, facts, last, prev, factors)
                           : storePlanRatios(k, facts, prev, last, factors));
}

Values StreamPlan::forTiles(const Values &init, Body body,
                            TokenStream::Absent absent) {
  SmallVector<Type> types(ValueRange(init).getTypes());
  types.push_back(k.getI1Type());
  Values quick = k.ifElse(
      exact, types,
      [&] {
        Values none = init;
        none.push_back(k.flag(true));
        return none;
      },
      [&] { return addQuickly(init, body, absent); });
  exact = quick.pop_back_val();
  types.pop_back();
  return k.ifElse(
      exact, types, [&] { return addExact(init, body, absent); },
      [&] { return quick; });
}

/// The sums, and whether a row of the block has left the range.
Values StreamPlan::addQuickly(const Values &init, Body body,
                              TokenStream::Absent absent) {
  Values columns = loadColumns(k, facts, keySide ? prev : last);
  Values start = init;
  start.push_back(k.flag(false));
  Values sums = stream.forTiles(
      start,
      [&](const TokenStream::StreamedTile &tile, ValueRange carried) {
        const Rows &rows = tile.rows;
        Tile entries = stream.emitPowers(tile, columns);
        Values ratios;
        if (!keySide)
          ratios = loadColumns(k, facts, factors);
        Value u[2], lost = carried.back();
        for (int64_t row = 0; row < 2; ++row) {
          Value sum = emitRowSum(k, entries, row, keySide ? nullptr : &ratios);
          u[row] = k.reciprocal(sum);
          if (keySide)
            u[row] = k.mulf(u[row], k.exp2(rows.mass[row]));
          u[row] = k.select(rows.live[row], u[row], k.f32(0));
          lost = k.either(
              lost, k.both(rows.live[row], k.invert(isKeptRowSum(k, sum))));
        }
        Values next = body(tile, entries, u, carried.drop_back());
        next.push_back(lost);
        return next;
      },
      absent);
  sums.back() = k.barrierAny(sums.back());
  return sums;
}

Values StreamPlan::addExact(const Values &init, Body body,
                            TokenStream::Absent absent) {
  stream.dropPivots();
  stream.restart();
  return stream.forTiles(
      init,
      [&](const TokenStream::StreamedTile &tile, ValueRange carried) {
        Values read = loadColumns(k, facts, prev);
        Tile plan = emitPlanEntries(k, stream.emitScores(tile), tile.rows,
                                    &read, loadColumns(k, facts, last), keySide,
                                    /*step=*/nullptr);
        Value u[2];
        for (int64_t row = 0; row < 2; ++row)
          u[row] = k.select(tile.rows.live[row], k.f32(1), k.f32(0));
        return body(tile, plan, u, carried);
      },
      absent);
}

void AttentionKernels::emitStreamGather() {
  Kernel k = makeKernel("gather", kStreamSumWarps, Overlap::WithBothLater);
  k.setBlocksPerMultiprocessor(2);
  GatherShape shape(facts, facts.valueColumns());
  Value columnBlocks = k.index(shape.blocks);
  Value column = k.mul(k.rem(k.block(), columnBlocks), shape.columns);
  Side side = locate(k, keySide.in(k), k.div(k.block(), columnBlocks));
  bool isGroup = TokenStream::canUseGroup(facts);
  TokenStream stream(k, facts, side);
  if (isGroup)
    stream.useGroup(/*most=*/1);
  stream.addValues(
      {side, k.use(value), {side.batch, side.tokenHead}, facts.dv, column},
      shape.columns);
  stream.start(4 * facts.pivots() * shape.columns);
  stagePivots(k, side, stream);
  PlanState state = emitPlanState(k, side, /*keySide=*/true);
  k.barrier();
  StreamPlan plan(k, facts, stream, state.last, state.prev, /*keySide=*/true);

  size_t entries = facts.pivots() * shape.columns / kWarp;
  Values init(entries, k.f32(0));
  if (facts.rowSum())
    init.append(facts.pivots() / 4, k.f32(0));
  Values sums = plan.forTiles(
      init,
      [&](const TokenStream::StreamedTile &tile, Tile weights, const Value u[2],
          ValueRange carried) -> Values {
        for (auto [i, weight] : llvm::enumerate(weights))
          weight = k.mulf(weight, u[rowOf(i)]);
        Values next = addStreamedRows(
            k, facts, splitTile(k, facts.io, weights, facts.valueParts()),
            stream.getValueRows(), tile.valueRow, k.index(0), shape.columns,
            carried.take_front(entries));
        next.append(addToColumns(k, weights, carried.drop_front(entries)));
        return next;
      });
  stream.finish();
  Values leading{side.problem, side.chunk};
  // Key problems come first among the problems.
  storeStreamedRows(
      k, facts, ArrayRef(sums).take_front(entries), stream.getMemory(),
      [&](Value pivot) { return plan.getPivotFactor(pivot); },
      k.use(buffers.gathered), leading, column, shape.columns);
  if (facts.rowSum()) {
    Values columns(ArrayRef(sums).drop_front(entries));
    for (auto [i, sum] : llvm::enumerate(columns))
      sum = k.mulf(
          sum, plan.getPivotFactor(k.add(laneColumn(k), i / 2 * 8 + i % 2)));
    storeColumnSums(k, facts, columns, k.use(buffers.gatheredSums), leading);
  }
  Value blocks = arith::MulIOp::create(b, keySide.problems, keySide.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void AttentionKernels::emitStreamApply(Value out) {
  bool isGroup = TokenStream::canUseGroup(facts);
  Kernel k = makeKernel("apply", isGroup ? kGroupWarps : kStreamWarps,
                        Overlap::WithBothLater);
  k.setBlocksPerMultiprocessor(isGroup ? kGroupBlocks : 2);
  Side side = locate(k, querySide.in(k), k.block());
  TokenStream stream(k, facts, side);
  if (isGroup)
    stream.useGroup(/*most=*/2);
  stream.start();
  stagePivots(k, side, stream);
  Value keyProblem = getKeyProblem(k, side);
  ApplyProduct product(k, facts, k.use(buffers.values.transposed), keyProblem,
                       facts.dv, /*plans=*/Value());
  PlanState state = emitPlanState(k, side, /*keySide=*/false);
  Value rowSums;
  if (facts.rowSum())
    rowSums = stageVector(k, k.use(buffers.values.extra), keyProblem);
  Value result = k.use(out);
  k.barrier();
  StreamPlan plan(k, facts, stream, state.last, state.prev, /*keySide=*/false);
  stream.keepPivots();
  Value left = k.sub(k.sub(side.end, side.begin), k.div(k.lane(), 4));
  LaneRows own = locateLaneRows(k, result, {side.batch, side.head}, side.begin,
                                k.index(0), k.toWord(left));
  plan.forTiles(
      {},
      [&](const TokenStream::StreamedTile &tile, Tile entries, const Value u[2],
          ValueRange) -> Values {
        std::array<Value, 2> factor;
        for (int64_t row = 0; row < 2; ++row) {
          Value sum;
          if (facts.rowSum()) {
            Values columns = loadColumns(k, facts, rowSums);
            sum = k.mulf(emitRowSum(k, entries, row, &columns), u[row]);
          }
          Value more =
              emitRowFactor(k, sum, tile.rows, k.f32(facts.outScale), row);
          factor[row] = k.mulf(u[row], more);
        }
        Value from = k.toWord(k.sub(tile.begin, side.begin));
        product.emitRows(packTile(k, facts.io, entries), factor,
                         own.move(k, from, Value()));
        return {};
      },
      [&](Value tile) {
        product.emitZeros(side, tile, result, {side.batch, side.head});
      });
  k.launch(b, arith::MulIOp::create(b, querySide.problems, querySide.chunks));
}
