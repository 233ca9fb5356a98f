//===- ReverseSteps.cpp - Half-steps backwards by products with a plan ----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Step s backwards, with u the cotangent of y^s, a and b the products of R with
// D^(s-1) and (r / n) D^s u, t_i = 1 / a_i:
//
//     x'_i = (rowSums_i -) t_i b_i       rowSums: in the first step only
//     X = (t, t x')   Y = ((r / n) D^s u, D^(s-1))
//     u of y^(s-1): -D^(s-1)_j sum_i R_ij t_i x'_i
//
// Where the half-steps end with a token step, that one comes before: D = 1,
// b = 0. The first pivot step of the key side, which no token step precedes,
// comes last: its X is known since R.
//
//===----------------------------------------------------------------------===//

#include "PackedProducts.h"
#include "ReversePlan.h"

using namespace mlir;
using namespace mlir::lot;

/// See ReversePlan.h.
static constexpr double kLeastSum = 0x1p-29;
static constexpr double kLostPart = 0x1p-12;
/// The largest values of the vectors in f16 are below twice this.
static constexpr double kVectorScale = 0x1p14;
/// Vectors of smaller values than these are 0.
static constexpr double kLeastVector = 0x1p-109;
/// The largest weight of column sums in f16 is below twice this. 16 terms of a
/// lane have at most kLargestEntry planScale = 2^15 times that.
static constexpr double kWeightScale = 0x1p-5;
/// Rows whose sums are smaller than the inverse of this make weights differ by
/// more than f16 keeps.
static constexpr double kWideScale = 0x1p6;
/// Tiles whose rows a group of four lanes shares out.
static constexpr int64_t kGroup = 4;

Value ReversePlan::groupToken(int64_t first) {
  Value tile = k.add(k.rem(k.lane(), kGroup), first);
  Value warp = k.mul(k.warp(), getTileCount() * Facts::kTile);
  return k.add(k.add(warp, k.mul(tile, Facts::kTile)), k.div(k.lane(), 4));
}

ReversePlan::Group ReversePlan::emitGroup(int64_t first, const Step &step,
                                          Value rowSums) {
  // Even lanes have a of all four tiles, odd ones b.
  SmallVector<std::array<Value, 2>> products;
  for (int64_t i = first; i < first + kGroup; ++i)
    products.push_back(emitRowSums(k, words[i], step.operand));
  Value odd = k.equal(k.rem(k.lane(), 2), 1);
  Value upper = k.equal(k.rem(k.div(k.lane(), 2), 2), 1);
  Value local = groupToken(first);
  std::array<Value, 2> live =
      liveRows(k.mul(k.add(k.rem(k.lane(), kGroup), first), tileRows(1)));
  Group group;
  Value finite = k.f32(0);
  for (int64_t row = 0; row < 2; ++row) {
    // Lane l takes tile l % 4.
    Value even = k.select(upper, products[2][row], products[0][row]);
    Value other = k.select(upper, products[3][row], products[1][row]);
    Value given = k.exchange(k.select(odd, even, other), 1);
    Value a = k.select(odd, given, even), b = k.select(odd, other, given);

    Value small = k.invert(k.greater(a, step.least));
    // 0 in rows that are not there.
    Value some = k.greater(a, k.f32(0));
    Value scale =
        k.select(some,
                 k.mulf(k.reciprocal(a),
                        k.f32(planScale(facts, keySide) * kVectorScale)),
                 k.f32(0));
    Value at = k.add(local, 8 * row);
    // Nothing has been stored of rows that are not there.
    Value added = k.select(k.both(step.isFirst, live[row]), k.load(rowSums, at),
                           k.f32(0));
    Value passed = k.mulf(k.mulf(scale, b), step.pivotScale);
    Value value = k.mulf(scale, k.subf(added, passed));
    Value product = k.fma(scale, step.largest, k.maxf(value, k.negf(value)));
    Value fits = k.both(some, k.greater(step.limit, product));
    suspectIf(k.both(k.both(small, k.invert(fits)), live[row]));
    storeTerm(step.slot, at, packWord(k, k.getBF16Type(), scale, value));
    group.cotangent[row] = value;
    group.scale[row] = scale;
    finite = k.fma(value, k.f32(0), finite);
  }
  suspectIf(k.invert(k.greater(k.f32(1), finite)));
  return group;
}

/// sum_i R_ij cotangent_i over the cluster, of the lane's columns.
Values ReversePlan::emitColumnSums(ArrayRef<Group> groups, Value turn) {
  // t x' of a row of which t is large is so beside the others, but not R t x'.
  Value largest = k.f32(0);
  for (const Group &group : groups)
    largest = k.maxf(largest, k.maxf(group.scale[0], group.scale[1]));
  Value isWide = k.greater(largestOfWarp(k, largest), k.f32(kWideScale));
  SmallVector<Type> types(facts.pivots() / 4, k.getF32Type());
  Values partials = k.ifElse(
      isWide, types, [&] { return addColumnsWide(groups); },
      [&] { return addColumnsPacked(groups); });
  return sums.add(partials, /*extra=*/Value(), turn);
}

/// The warp's sums with weights in f32.
Values ReversePlan::addColumnsWide(ArrayRef<Group> groups) {
  Values partials(facts.pivots() / 4, k.f32(0));
  Value quad = k.sub(k.lane(), k.rem(k.lane(), 4));
  for (auto [g, group] : llvm::enumerate(groups))
    for (int64_t i = 0; i < kGroup; ++i) {
      Tile tile = unpackTile(k, k.getF16Type(), takeWords(g * kGroup + i));
      for (int64_t row = 0; row < 2; ++row) {
        Value weight = k.fromLane(group.cotangent[row], k.add(quad, i));
        for (auto [at, entry] : llvm::enumerate(tile))
          if (rowOf(at) == row) {
            Value &sum = partials[at / 4 * 2 + at % 2];
            sum = k.fma(entry, weight, sum);
          }
      }
    }
  for (Value &sum : partials)
    sum = k.mulf(sum, k.f32(1 / planScale(facts, keySide)));
  return partials;
}

/// The same with weights in f16, relative to the largest of the warp.
Values ReversePlan::addColumnsPacked(ArrayRef<Group> groups) {
  Type f16 = k.getF16Type();
  Value largest = k.f32(0);
  for (const Group &group : groups)
    for (Value value : group.cotangent)
      largest = k.maxf(largest, k.maxf(value, k.negf(value)));
  largest = k.maxf(largestOfWarp(k, largest), k.f32(kLeastVector));
  // A lane's sum, of 16 terms, stays below 2^16.
  Value scale = k.mulf(inverseScale(k, largest), k.f32(kWeightScale));
  Values sums(facts.pivots() / 8, k.zeros(VectorType::get({2}, f16)));
  Value quad = k.sub(k.lane(), k.rem(k.lane(), 4));
  for (auto [g, group] : llvm::enumerate(groups)) {
    Value word = packWord(k, f16, k.mulf(group.cotangent[0], scale),
                          k.mulf(group.cotangent[1], scale));
    for (int64_t i = 0; i < kGroup; ++i) {
      Value pair = k.fromWord(k.fromLane(word, k.add(quad, i)), f16);
      Value weights[2];
      for (int64_t row = 0; row < 2; ++row) {
        Value weight = k.element(pair, row);
        weights[row] = k.pack({weight, weight});
      }
      ArrayRef<Value> tile = words[g * kGroup + i];
      for (auto [at, sum] : llvm::enumerate(sums))
        for (int64_t row = 0; row < 2; ++row)
          sum = k.fma(k.fromWord(tile[2 * at + row], f16), weights[row], sum);
    }
  }
  Value back =
      k.mulf(k.reciprocal(scale), k.f32(1 / planScale(facts, keySide)));
  Values partials;
  for (Value sum : sums) {
    Value pair = k.convert(sum, k.getF32Type());
    for (int64_t e = 0; e < 2; ++e)
      partials.push_back(k.mulf(k.element(pair, e), back));
  }
  return partials;
}

void ReversePlan::storeY(Value slot, int64_t i, Value pivot, Value token,
                         Value unit) {
  Value word = packWord(k, k.getBF16Type(), k.negf(k.mulf(pivot, unit)),
                        k.negf(k.mulf(token, unit)));
  k.ifThen(k.equal(k.warp(), 0),
           [&] { k.store(word, termsY, {slot, sums.columnOf(i)}); });
}

Value ReversePlan::emitLossLimit(Value rowSums) {
  Value sum = k.f32(0), count = k.f32(0);
  for (int64_t first = 0; first < getTileCount(); first += kGroup) {
    std::array<Value, 2> live =
        liveRows(k.mul(k.add(k.rem(k.lane(), kGroup), first), tileRows(1)));
    for (int64_t row = 0; row < 2; ++row) {
      Value value = k.load(rowSums, k.add(groupToken(first), 8 * row));
      value = k.maxf(value, k.negf(value));
      sum = k.addf(sum, k.select(live[row], value, k.f32(0)));
      count = k.addf(count, k.select(live[row], k.f32(1), k.f32(0)));
    }
  }
  sum = k.sumLanes(sum, {16, 8, 4, 2, 1});
  count = k.maxf(k.sumLanes(count, {16, 8, 4, 2, 1}), k.f32(1));
  Value mean = k.mulf(sum, k.reciprocal(count));
  double factor = kLostPart * 0x1p25 * planScale(facts, keySide);
  // Where all is 0 nothing is lost.
  return k.maxf(k.mulf(mean, k.f32(factor)), k.f32(kLeastVector));
}

void ReversePlan::emitSteps(Values cotangent, Value rowSums, int64_t turn,
                            Value unit) {
  KernelBuilder::FreshThread inPart(k);
  bool lead = endsWithTokens(facts, keySide);
  int64_t slots = countSlots(facts, keySide), count = slots - keySide;
  int64_t columns = sums.columnsOfLane();
  Value ratio = k.mulf(k.f32(facts.r), k.reciprocal(k.toFloat(side.length)));
  Value limit = emitLossLimit(rowSums);
  Values init(cotangent);
  init.push_back(suspect);
  Values results = k.forLoop(
      k.index(0), k.index(count), k.index(1), init,
      [&](Value slot, ValueRange carried) -> Values {
        KernelBuilder::FreshThread inStep(k);
        suspect = carried.back();
        Step step;
        step.slot = slot;
        step.limit = limit;
        step.isFirst = k.equal(slot, 0);
        Value tokenState = k.sub(k.index(sweeps() + lead - 1), slot);
        Value pivotState = k.min(k.add(tokenState, 1), k.index(sweeps()));
        // Both columns of scales are relative to their largest.
        Value growth = k.exp2(
            k.subf(k.load(shifts, pivotState), k.load(shifts, tokenState)));
        Values token, pivot;
        Value largest = k.f32(0);
        for (int64_t i = 0; i < columns; ++i) {
          Value column = sums.columnOf(i);
          token.push_back(k.load(scales, {tokenState, column}));
          Value y = k.mulf(k.mulf(growth, ratio),
                           k.load(scales, {pivotState, column}));
          y = k.mulf(y, carried[i]);
          if (lead)
            y = k.select(step.isFirst, k.f32(0), y);
          pivot.push_back(y);
          largest = k.maxf(largest, k.maxf(y, k.negf(y)));
          storeY(slot, i, y, token.back(), unit);
        }
        largest = k.maxf(largestOfWarp(k, largest), k.f32(kLeastVector));
        step.largest = largest;
        Value scale = k.mulf(inverseScale(k, largest), k.f32(kVectorScale));
        step.pivotScale =
            k.mulf(k.reciprocal(scale), k.f32(1 / planScale(facts, keySide)));
        step.least =
            k.mulf(k.f32(planScale(facts, keySide) * kVectorScale * kLeastSum),
                   k.maxf(growth, k.f32(1)));
        // Columns 0, 1, 4, 5 of the products' right hand side are D^(s-1).
        k.warpBarrier();
        for (int64_t i = 0; i < columns; ++i) {
          Value column = sums.columnOf(i);
          k.store(k.mulf(token[i], k.f32(kVectorScale)), vectors,
                  {k.warp(), k.index(0), column});
          k.store(k.mulf(pivot[i], scale), vectors,
                  {k.warp(), k.index(1), column});
        }
        k.warpBarrier();
        Value which = k.rem(k.div(k.lane(), 8), 2);
        step.operand =
            columnOperand(k, loadColumns(k, facts, vectors, {k.warp(), which}));
        SmallVector<Group> groups;
        for (int64_t i = 0; i < getTileCount(); i += kGroup)
          groups.push_back(emitGroup(i, step, rowSums));
        auto pass = [&]() -> Values {
          Values added = emitColumnSums(groups, k.add(slot, turn));
          for (int64_t i = 0; i < columns; ++i) {
            Value start =
                lead ? k.select(step.isFirst, carried[i], k.f32(0)) : k.f32(0);
            added[i] = k.subf(start, k.mulf(token[i], added[i]));
          }
          return added;
        };
        // Nobody asks for the cotangent of the query side's y^0.
        Values next =
            keySide ? pass()
                    : k.ifElse(k.less(slot, k.index(count - 1)),
                               carried.drop_back().getTypes(), pass,
                               [&] { return Values(carried.drop_back()); });
        next.push_back(suspect);
        return next;
      });
  suspect = results.back();
  // Nothing is right once something has overflowed, which is handed on.
  Value none = k.f32(0);
  for (int64_t i = 0; i < columns; ++i)
    none = k.fma(results[i], k.f32(0), none);
  suspectIf(k.invert(k.greater(k.f32(1), none)));
  if (keySide) {
    Value largest = k.f32(0);
    for (int64_t i = 0; i < columns; ++i) {
      Value scale = k.load(scales, {k.index(1), sums.columnOf(i)});
      Value y = k.mulf(k.mulf(scale, k.f32(facts.r)), results[i]);
      largest = k.maxf(largest, k.maxf(y, k.negf(y)));
      storeY(k.index(count), i, y, k.f32(0), unit);
    }
    Value product =
        k.mulf(k.load(firstTerms, k.warp()), largestOfWarp(k, largest));
    suspectIf(k.invert(k.greater(limit, product)));
  }
  int64_t rest = llvm::alignTo(slots, 8) - slots, r = facts.pivots();
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  k.forLoop(k.thread(), k.index(rest * r), k.index(k.getThreads()),
            [&](Value i) {
              k.store(zero, termsY, {k.add(k.div(i, r), slots), k.rem(i, r)});
            });
  k.barrier();
}
