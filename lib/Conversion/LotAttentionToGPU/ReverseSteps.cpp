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

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// See ReversePlan.h.
static constexpr double kLeastSum = 0x1p-29;
static constexpr double kLostPart = 0x1p-12;
/// The largest values of the vectors in f16 are below twice this.
static constexpr double kVectorScale = 0x1p14;
/// Vectors of smaller values than these are 0.
static constexpr double kLeastVector = 0x1p-109;
/// The largest weight of column sums in f16 is below twice this. 32 terms of a
/// lane have at most kLargestEntry planScale = 2^15 times that.
static constexpr double kWeightScale = 0x1p-6;
/// Rows whose sums are smaller than the inverse of this make weights differ by
/// more than f16 keeps.
static constexpr double kWideScale = 0x1p6;
/// More than any sum.
static constexpr double kMostSum = 0x1p126;
/// Tiles whose rows a group of four lanes shares out.
static constexpr int64_t kGroup = 4;

Value ReversePlan::groupToken(int64_t first) {
  Value tile = k.add(k.rem(k.lane(), kGroup), first);
  Value warp = k.mul(k.warp(), getTileCount() * Facts::kTile);
  return k.add(k.add(warp, k.mul(tile, Facts::kTile)), k.div(k.lane(), 4));
}

ReversePlan::Term ReversePlan::emitTerm(Value a, Value b, Value added,
                                        Value pivotScale) {
  // 0 in rows that are not there.
  Value unit = timesScale(kVectorScale);
  Value scale =
      k.select(k.greater(a, k.f32(0)), k.mulf(k.reciprocal(a), unit), k.f32(0));
  Value passed = k.negf(k.mulf(scale, pivotScale));
  return {scale, k.mulf(scale, k.fma(passed, b, added))};
}

ReversePlan::Products ReversePlan::emitProducts(int64_t first,
                                                const Step &step) {
  Products result;
  if (!sharesOperands()) {
    // Even lanes have a of all four tiles, odd ones b.
    SmallVector<std::array<Value, 2>> products;
    for (int64_t i = first; i < first + kGroup; ++i)
      products.push_back(emitRowSums(k, wordsOf(words, i), step.operand));
    Value odd = k.equal(k.rem(k.lane(), 2), 1);
    Value upper = k.equal(k.rem(k.div(k.lane(), 2), 2), 1);
    for (int64_t row = 0; row < 2; ++row) {
      // Lane l takes tile l % 4.
      Value even = k.select(upper, products[2][row], products[0][row]);
      Value other = k.select(upper, products[3][row], products[1][row]);
      Value given = k.exchange(k.select(odd, even, other), 1);
      result.a[row] = k.select(odd, given, even);
      result.b[row] = k.select(odd, other, given);
    }
    return result;
  }
  // Columns 2 i and 2 i + 1 of B have values for tile i alone.
  Values sums(4, k.f32(0));
  for (int64_t i = 0; i < kGroup; ++i)
    for (int64_t part = 0; part < 2; ++part)
      emitMma(k, k.getF16Type(), wordsOf(words, first + i),
              ArrayRef(step.operand).slice(4 * i + 2 * part, 2), sums);
  for (int64_t row = 0; row < 2; ++row) {
    result.a[row] = sums[2 * row];
    result.b[row] = sums[2 * row + 1];
  }
  return result;
}

ReversePlan::Group ReversePlan::emitGroup(int64_t first, const Step &step,
                                          ArrayRef<Value> added,
                                          GroupBounds &bounds) {
  Products products = emitProducts(first, step);
  Group group;
  group.live = liveRows(k.add(k.rem(k.lane(), kGroup), first));
  for (int64_t row = 0; row < 2; ++row) {
    Value a = products.a[row], many = k.f32(kMostSum);
    auto [scale, value] =
        emitTerm(a, products.b[row], added[row], step.pivotScale);
    bounds.least = k.minf(bounds.least, k.select(group.live[row], a, many));
    bounds.finite = k.fma(value, k.f32(0), bounds.finite);
    group.cotangent[row] = value;
    group.scale[row] = scale;
  }
  return group;
}

/// Of the lane's rows in all groups: 0 but in the first step.
Values ReversePlan::loadAdded(Value isFirst, Value rowSums) {
  SmallVector<Type> types(getTileCount() / kGroup * 2, k.getF32Type());
  auto load = [&] {
    Values added;
    for (int64_t first = 0; first < getTileCount(); first += kGroup) {
      std::array<Value, 2> live =
          liveRows(k.add(k.rem(k.lane(), kGroup), first));
      // Nothing has been stored of rows that are not there.
      for (int64_t row = 0; row < 2; ++row) {
        Value at = k.add(groupToken(first), 8 * row);
        added.push_back(k.select(live[row], k.load(rowSums, at), k.f32(0)));
      }
    }
    return added;
  };
  return k.ifElse(isFirst, types, load,
                  [&] { return Values(types.size(), k.f32(0)); });
}

/// Rows of small sums are rare: `least` is the smallest one of the lane.
void ReversePlan::checkSums(ArrayRef<Group> groups, const Step &step,
                            Value least) {
  Value before = suspect;
  auto check = [&]() -> Values {
    // By t: 0 where a sum is not positive.
    Value large = k.mulf(k.reciprocal(step.least), timesScale(kVectorScale));
    for (const Group &group : groups)
      for (int64_t row = 0; row < 2; ++row) {
        Value scale = group.scale[row], value = group.cotangent[row];
        Value product =
            k.fma(scale, step.largest, k.maxf(value, k.negf(value)));
        Value none = k.invert(k.greater(scale, k.f32(0)));
        Value lost = k.both(k.invert(k.greater(large, scale)),
                            k.invert(k.greater(step.limit, product)));
        suspectIf(k.both(k.either(none, lost), group.live[row]));
      }
    return {suspect};
  };
  suspect = k.ifElse(k.invert(k.greater(least, step.least)), suspect.getType(),
                     check, [&]() -> Values { return {before}; })[0];
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
  Value back = overScale(1);
  for (Value &sum : partials)
    sum = k.mulf(sum, back);
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
  // A lane's sum, of at most 32 terms, stays below 2^16.
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
      Values tile = wordsOf(words, g * kGroup + i);
      for (auto [at, sum] : llvm::enumerate(sums))
        for (int64_t row = 0; row < 2; ++row)
          sum = k.fma(k.fromWord(tile[2 * at + row], f16), weights[row], sum);
    }
  }
  Value back = k.mulf(k.reciprocal(scale), overScale(1));
  Values partials;
  for (Value sum : sums) {
    Value pair = k.convert(sum, k.getF32Type());
    for (int64_t e = 0; e < 2; ++e)
      partials.push_back(k.mulf(k.element(pair, e), back));
  }
  return partials;
}

static Value isEqual(Kernel &k, Value a, Value b) {
  return arith::CmpIOp::create(k, arith::CmpIPredicate::eq, a, b);
}

/// Columns [8 i, 8 i + 8) of rows lane % `rows` from `first` on, and of those 8
/// and more further on, as operands B: four at a time.
static Values loadOperand(Kernel &k, const Facts &facts, Value memory,
                          Value first, int64_t rows, int64_t count = 1) {
  int64_t tiles = facts.pivots() / 8, all = std::min<int64_t>(tiles * count, 4);
  Value number = k.rem(k.div(k.lane(), 8), all);
  Value row = k.add(first, k.rem(k.lane(), rows));
  row = k.add(row, k.mul(k.div(number, tiles), 8));
  Value column = k.mul(k.rem(number, tiles), 8);
  Values words;
  for (int64_t at = 0; at < tiles * count; at += all) {
    Value loaded = nvgpu::LdMatrixOp::create(
        k, VectorType::get({all, 2}, k.getF16Type()), memory,
        ValueRange{k.add(row, at / tiles * 8), column}, /*transpose=*/false,
        all);
    for (int64_t i = 0; i < all; ++i)
      words.push_back(k.words(k.element(loaded, i))[0]);
  }
  return words;
}

Values ReversePlan::emitOperand(Value slot, const Values &token,
                                const Values &pivot) {
  Type f16 = k.getF16Type();
  int64_t slots = slotRows();
  Value own = k.mul(k.warp(), 4), kept = k.mul(slot, 2);
  auto store = [&](Value column, int64_t row, Value value) {
    k.store(value, vectors, {k.add(own, row), column});
    k.ifThen(k.equal(k.warp(), 0), [&] {
      k.store(value, factors,
              {k.add(kept, row / 2 * 2 * slots + row % 2), column});
    });
  };
  k.warpBarrier();
  for (int64_t i = 0; i < sums.columnsOfLane(); ++i)
    for (int64_t vector = 0; vector < 2; ++vector) {
      Value value = vector ? pivot[i] : token[i];
      Value high = k.convert(value, f16);
      Value rest = k.subf(value, k.convert(high, k.getF32Type()));
      store(sums.columnOf(i), 2 * vector, high);
      store(sums.columnOf(i), 2 * vector + 1, k.convert(rest, f16));
    }
  k.warpBarrier();
  if (!sharesOperands())
    return loadOperand(k, facts, vectors, own, 4);
  // Lane l names column l % 8 of one of both parts and of 8 pivots.
  Value column = k.rem(k.lane(), 8), number = k.div(k.lane(), 8);
  Value row = k.add(k.mul(k.rem(column, 2), 2), k.div(number, 2));
  row = k.add(row, own);
  Value none = k.index(Facts::kWarps * 4);
  Values words;
  for (int64_t i = 0; i < kGroup; ++i) {
    Value from = k.select(k.equal(k.div(column, 2), i), row, none);
    Value loaded = nvgpu::LdMatrixOp::create(
        k, VectorType::get({4, 2}, f16), vectors,
        ValueRange{from, k.mul(k.rem(number, 2), 8)}, /*transpose=*/false,
        /*numTiles=*/4);
    for (int64_t at = 0; at < 4; ++at)
      words.push_back(k.words(k.element(loaded, at))[0]);
  }
  return words;
}

Tile ReversePlan::subtractTerms(int64_t tile, Tile gradient, Value rowSums) {
  int64_t all = slotRows();
  Value pair = k.rem(k.lane(), 4), column = k.div(k.lane(), 4);
  // The key side's first pivot step, which has a slot of its own.
  int64_t last = countSlots(facts, /*keySide=*/true) - 1;
  Value firstSlot = k.select(isKey, k.index(last), k.index(all));
  // Both are 0 of rows that are not there, in a tile that has others.
  Value added[2], first[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value at = k.add(localRow(number(tile)), 8 * row);
    added[row] = k.load(rowSums, at);
    first[row] = k.load(firstX, at);
  }
  ArrayRef<Value> plan = getWords(tile);
  auto subtract = [&](Value from, Tile result) {
    Values a, b, operands[2];
    for (int64_t vector = 0; vector < 2; ++vector)
      operands[vector] = loadOperand(
          k, facts, factors, k.add(k.mul(from, 2), vector * 2 * all), 8, 2);
    size_t of = facts.pivots() / 8;
    for (int64_t half = 0; half < 2; ++half) {
      // Lanes of a row have four steps.
      Value slot = k.add(k.add(from, 4 * half), pair);
      std::array<Value, 2> products[2];
      for (int64_t vector = 0; vector < 2; ++vector)
        products[vector] = emitRowSums(
            k, plan, ArrayRef(operands[vector]).slice(half * of, of));
      Value isFirst = k.equal(slot, 0), scale = k.load(pivotScales, slot);
      for (int64_t row = 0; row < 2; ++row) {
        Term term = emitTerm(products[0][row], products[1][row],
                             k.select(isFirst, added[row], k.f32(0)), scale);
        if (last / 4 % 2 == half)
          term.scale =
              k.select(isEqual(k, slot, firstSlot), first[row], term.scale);
        a.push_back(packWord(k, k.getBF16Type(), term.scale, term.cotangent));
      }
    }
    for (int64_t j = 0; j < facts.pivots(); j += 8) {
      b.clear();
      for (int64_t half = 0; half < 2; ++half)
        b.push_back(k.load(
            termsY, {k.add(k.add(from, pair), 4 * half), k.add(column, j)}));
      emitMma(k, k.getBF16Type(), a, b,
              MutableArrayRef<Value>(result).slice(j / 2, 4));
    }
    return result;
  };
  if (all <= 8)
    return subtract(k.index(0), gradient);
  return k.forLoop(k.index(0), k.index(all), k.index(8), gradient,
                   [&](Value from, ValueRange carried) {
                     return subtract(from, Tile(carried));
                   });
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
    std::array<Value, 2> live = liveRows(k.add(k.rem(k.lane(), kGroup), first));
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
  // Where all is 0 nothing is lost.
  return k.maxf(k.mulf(mean, timesScale(kLostPart * 0x1p25)),
                k.f32(kLeastVector));
}

void ReversePlan::emitSteps(Values cotangent, Value rowSums, Value turn,
                            Value unit) {
  KernelBuilder::FreshThread inPart(k);
  // The key side's first pivot step comes after all others.
  Value count =
      pick([&](bool keySide) { return countSlots(facts, keySide) - keySide; });
  Value limit = emitLossLimit(rowSums);
  Values init(cotangent);
  init.push_back(suspect);
  Values results = k.forLoop(k.index(0), count, k.index(1), init,
                             [&](Value slot, ValueRange carried) -> Values {
                               KernelBuilder::FreshThread inStep(k);
                               suspect = carried.back();
                               Values next =
                                   emitStep(slot, count, carried.drop_back(),
                                            rowSums, limit, turn, unit);
                               next.push_back(suspect);
                               return next;
                             });
  suspect = results.pop_back_val();
  // Nothing is right once something has overflowed, which is handed on.
  Value none = k.f32(0);
  for (Value value : results)
    none = k.fma(value, k.f32(0), none);
  suspectIf(k.invert(k.greater(k.f32(1), none)));
  suspect = k.ifElse(
      isKey, suspect.getType(),
      [&]() -> Values {
        finishKeys(count, results, limit, unit);
        return {suspect};
      },
      [&, before = suspect]() -> Values { return {before}; })[0];
  clearSlots(count);
  k.barrier();
}

Values ReversePlan::emitStep(Value slot, Value count, ValueRange cotangent,
                             Value rowSums, Value limit, Value turn,
                             Value unit) {
  int64_t columns = sums.columnsOfLane();
  Step step;
  step.slot = slot;
  step.limit = limit;
  step.isFirst = k.equal(slot, 0);
  // A token step that comes before all others.
  Value leads = k.both(step.isFirst, endsWithTokens());
  Value latest =
      pick([&](bool keySide) { return countSlots(facts, keySide) - 1; });
  Value tokenState = k.sub(latest, slot);
  Value pivotState = k.min(k.add(tokenState, 1), countSweeps());
  // Both columns of scales are relative to their largest.
  Value growth =
      k.exp2(k.subf(k.load(shifts, pivotState), k.load(shifts, tokenState)));
  Value ratio = k.mulf(k.f32(facts.r), k.reciprocal(k.toFloat(side.length)));
  Values token, pivot;
  Value largest = k.f32(0);
  for (int64_t i = 0; i < columns; ++i) {
    Value column = sums.columnOf(i);
    token.push_back(k.load(scales, {tokenState, column}));
    Value y =
        k.mulf(k.mulf(growth, ratio), k.load(scales, {pivotState, column}));
    y = k.select(leads, k.f32(0), k.mulf(y, cotangent[i]));
    pivot.push_back(y);
    largest = k.maxf(largest, k.maxf(y, k.negf(y)));
    storeY(slot, i, y, token.back(), unit);
  }
  largest = k.maxf(largestOfWarp(k, largest), k.f32(kLeastVector));
  step.largest = largest;
  Value scale = k.mulf(inverseScale(k, largest), k.f32(kVectorScale));
  step.pivotScale = k.mulf(k.reciprocal(scale), overScale(1));
  step.least =
      k.mulf(timesScale(kVectorScale * kLeastSum), k.maxf(growth, k.f32(1)));
  k.ifThen(k.equal(k.thread(), 0),
           [&] { k.store(step.pivotScale, pivotScales, slot); });
  Values scaled[2];
  for (int64_t i = 0; i < columns; ++i) {
    scaled[0].push_back(k.mulf(token[i], k.f32(kVectorScale)));
    scaled[1].push_back(k.mulf(pivot[i], scale));
  }
  step.operand = emitOperand(slot, scaled[0], scaled[1]);
  SmallVector<Group> groups;
  Values added = loadAdded(step.isFirst, rowSums);
  GroupBounds bounds{k.f32(kMostSum), k.f32(0)};
  for (int64_t i = 0; i < getTileCount(); i += kGroup)
    groups.push_back(
        emitGroup(i, step, ArrayRef(added).slice(i / kGroup * 2, 2), bounds));
  suspectIf(k.invert(k.greater(k.f32(1), bounds.finite)));
  checkSums(groups, step, bounds.least);
  // Nobody asks for the cotangent of the query side's y^0.
  Value isWanted = k.either(isKey, k.less(k.add(slot, 1), count));
  return k.ifElse(
      isWanted, cotangent.getTypes(),
      [&] {
        Values added = emitColumnSums(groups, k.add(slot, turn));
        for (int64_t i = 0; i < columns; ++i) {
          Value start = k.select(leads, cotangent[i], k.f32(0));
          added[i] = k.subf(start, k.mulf(token[i], added[i]));
        }
        return added;
      },
      [&] { return Values(cotangent); });
}

/// Y of the first pivot step, and whether what it takes may be lost.
void ReversePlan::finishKeys(Value slot, ValueRange cotangent, Value limit,
                             Value unit) {
  Value largest = k.f32(0);
  for (auto [i, value] : llvm::enumerate(cotangent)) {
    Value scale = k.load(scales, {k.index(1), sums.columnOf(i)});
    Value y = k.mulf(k.mulf(scale, k.f32(facts.r)), value);
    largest = k.maxf(largest, k.maxf(y, k.negf(y)));
    storeY(slot, i, y, k.f32(0), unit);
  }
  Value product =
      k.mulf(k.load(firstTerms, k.warp()), largestOfWarp(k, largest));
  suspectIf(k.invert(k.greater(limit, product)));
}

/// Slots of no step from `count` on have nothing.
void ReversePlan::clearSlots(Value count) {
  int64_t all = slotRows(), r = facts.pivots();
  Value used = pick([&](bool keySide) { return countSlots(facts, keySide); });
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  k.forLoop(
      k.add(k.thread(), k.mul(count, r)), k.index(all * r),
      k.index(k.getThreads()), [&](Value i) {
        Value slot = k.div(i, r), pivot = k.rem(i, r);
        Value none = k.zeros(VectorType::get({1}, k.getF16Type()));
        none = k.element(none, 0);
        for (int64_t row = 0; row < 4; ++row)
          k.store(none, factors,
                  {k.add(k.mul(slot, 2), row / 2 * 2 * all + row % 2), pivot});
        k.ifThen(k.invert(k.less(slot, used)),
                 [&] { k.store(zero, termsY, {slot, pivot}); });
        k.store(k.f32(0), pivotScales, slot);
      });
}
