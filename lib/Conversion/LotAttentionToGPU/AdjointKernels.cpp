//===- AdjointKernels.cpp - Reverse mode of the glued plans ---------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With E = R o dR of a plan, a pass over the tokens leaves
//
//     e_i = sum_j E_ij              for the tokens
//     sum_i E_ij (- e_i A_ij)       for the pivots, in the partials
//
// The second term is there where the last token step read the last potential.
//
//===----------------------------------------------------------------------===//

#include "GradientKernels.h"
#include "InlinePTX.h"
#include "PackedTiles.h"
#include "StreamProducts.h"

using namespace mlir;
using namespace mlir::lot;

void GradientKernels::emitQueryAdjoint() {
  bool streamed = facts.isPacked();
  Kernel k =
      makeKernel("query_adjoint", streamed ? kStreamSumWarps : Facts::kWarps);
  if (streamed)
    k.setBlocksPerMultiprocessor(2);
  GatherShape shape(facts, facts.valueColumns());
  Value column = k.mul(k.rem(k.block(), k.index(shape.blocks)), shape.columns);
  Side side =
      locate(k, querySide.in(k), k.div(k.block(), k.index(shape.blocks)));
  emitQueryAdjoint(k, side, shape, column, buffers.gathered, streamed);
  Value blocks = arith::MulIOp::create(b, querySide.problems, querySide.chunks);
  k.launch(b, arith::MulIOp::create(
                  b, blocks, arith::ConstantIndexOp::create(b, shape.blocks)));
}

void GradientKernels::emitQueryAdjoint(Kernel &k, const Side &side,
                                       const GatherShape &shape, Value column,
                                       Value target, bool streamed) {
  int64_t parts = facts.valueParts();
  size_t entries = facts.pivots() * shape.columns / kWarp;
  size_t count = facts.pivots() / 4;
  std::optional<GatherProduct> product;
  if (!streamed)
    product.emplace(k, facts, shape, makePlanStage(k, facts));
  EntryInputs inputs = emitEntryInputs(k, side, /*keySide=*/false, streamed,
                                       4 * facts.pivots() * shape.columns);
  Value noted = k.use(tokenCotangents);

  Values init(entries, k.f32(0));
  init.append(facts.rowSum() ? 2 * count : count, k.f32(0));
  Values all = forEntries(
      k, side, inputs, init, inputs.near,
      [&](EntryTile &tile, ValueRange carried) -> Values {
        Entries e = emitEntries(k, side, tile, inputs);
        // No address of theirs waits from tile to tile.
        Side here = side;
        here.problem = emitOpaque(k, side.problem);
        storeRows(k, here, tile.begin, e.sum, noted);
        // (R1 factor)^T dO.
        Tile scaled, slopes;
        for (auto [i, entry] : llvm::enumerate(e.plan)) {
          scaled.push_back(k.mulf(entry, e.factor[rowOf(i)]));
          slopes.push_back(k.mulf(entry, e.slope[rowOf(i)]));
        }
        Values next =
            product
                ? product->accumulate(product->prepare(scaled, parts), side,
                                      tile.begin, inputs.tokens, inputs.leading,
                                      column, carried.take_front(entries))
                : addStreamedRows(
                      k, facts, splitTile(k, facts.io, scaled, parts),
                      inputs.stream->getValueRows(), tile.streamed->valueRow,
                      column, shape.columns, carried.take_front(entries));
        ValueRange columns = carried.drop_front(entries);
        next.append(addToColumns(k,
                                 emitEnds(k, tile.rows, e, /*keySide=*/false),
                                 columns.take_front(count)));
        next.append(addToColumns(k, slopes, columns.drop_front(count)));
        return next;
      });
  // In the order of key problems: the query heads of one follow each other.
  Value problem = k.sub(side.problem, side.first);
  ArrayRef<Value> results(all);
  if (product) {
    product->store(results.take_front(entries), k.use(target),
                   {problem, side.chunk}, column);
  } else {
    inputs.stream->finish();
    storeStreamedRows(k, facts, results.take_front(entries),
                      inputs.stream->getMemory(), nullptr, k.use(target),
                      {problem, side.chunk}, column, shape.columns);
  }
  results = results.drop_front(entries);
  storeColumnSums(k, facts, Values(results.take_front(count)), k.use(sums),
                  {k.index(0), side.problem, side.chunk});
  if (facts.rowSum())
    storeColumnSums(k, facts, Values(results.drop_front(count)),
                    k.use(buffers.gatheredSums), {problem, side.chunk});
}

void GradientKernels::emitKeyAdjoint() {
  bool streamed = facts.isPacked();
  Kernel k =
      makeKernel("key_adjoint", streamed ? kStreamSumWarps : Facts::kWarps);
  if (streamed)
    k.setBlocksPerMultiprocessor(2);
  Side side = locate(k, keySide.in(k), k.block());
  emitKeyAdjoint(k, side, streamed);
  k.launch(b, arith::MulIOp::create(b, keySide.problems, keySide.chunks));
}

void GradientKernels::emitKeyAdjoint(Kernel &k, const Side &side,
                                     bool streamed) {
  Value plans = makePlanStage(k, facts);
  ApplyProduct product(k, facts, k.use(gradients.transposed), side.problem,
                       facts.dv, plans);
  EntryInputs inputs = emitEntryInputs(k, side, /*keySide=*/true, streamed);
  Value result = k.use(valueGradient), noted = k.use(tokenCotangents);

  int64_t count = facts.pivots() / 4;
  Values leading{side.batch, side.head};
  Values all = forEntries(
      k, side, inputs, Values(2 * count, k.f32(0)), inputs.near,
      [&](EntryTile &tile, ValueRange carried) -> Values {
        Entries e = emitEntries(k, side, tile, inputs);
        storeRows(k, side, tile.begin, e.sum, noted);
        Value factor[2] = {k.f32(1), k.f32(1)};
        product.emit(e.plan, factor, side, tile.begin, result, leading);
        Values next = addToColumns(k, e.entries, carried.take_front(count));
        next.append(addToColumns(k, emitEnds(k, tile.rows, e, /*keySide=*/true),
                                 carried.drop_front(count)));
        return next;
      },
      [&](Value tile) { product.emitZeros(side, tile, result, leading); });
  ArrayRef<Value> results(all);
  storeColumnSums(k, facts, Values(results.take_front(count)), k.use(planSums),
                  {side.problem, side.chunk});
  storeColumnSums(k, facts, Values(results.drop_front(count)), k.use(sums),
                  {k.index(0), side.problem, side.chunk});
}
