//===- GroupGather.cpp - Plans of four warps times rows of values ---------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GroupGather.h"

using namespace mlir;
using namespace mlir::lot;

GroupGather::GroupGather(Kernel &k, const Facts &facts)
    : k(k), facts(facts),
      plans(k.shared.allocate({kGroupRows, facts.pivots()}, facts.io,
                              GroupOperand::kAlignment)) {}

Tile GroupGather::getStart() { return Tile(facts.pivots() / 2, k.f32(0)); }

Tile GroupGather::add(const Tile &plan, const GroupOperand &rows,
                      ValueRange sums) {
  int64_t pivots = facts.pivots();
  for (int64_t i = 0; i < static_cast<int64_t>(plan.size()); i += 2) {
    Value row = k.add(k.mul(k.warp(), Facts::kTile),
                      k.add(k.div(k.lane(), 4), 8 * rowOf(i)));
    Value exchange = k.mul(k.exchangeInRow(row, pivots / 8), 8);
    Value place = arith::XOrIOp::create(k, k.index(i / 4 * 8), exchange);
    Value pair = k.convert(k.pack({plan[i], plan[i + 1]}), facts.io);
    k.storeVector(pair, plans, {row, k.add(place, laneColumn(k))});
  }
  publishCopies(k);
  k.barrier();
  return emitGroupSums(k, facts.io, rows, GroupOperand::of(k, plans, pivots),
                       sums);
}

void GroupGather::store(ArrayRef<Value> sums,
                        function_ref<Value(Value pivot)> pivotFactor,
                        Value target, ValueRange leading, Value column) {
  // As lanes have the results of products: rows are columns of values.
  Value row = k.add(k.mul(k.warp(), Facts::kTile), k.div(k.lane(), 4));
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value pivot = k.add(laneColumn(k), columnOf(i));
    Values at(leading);
    at.append({pivot, k.add(k.add(row, column), 8 * rowOf(i))});
    k.store(k.mulf(sum, pivotFactor(pivot)), target, at);
  }
}
