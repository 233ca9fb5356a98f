//===- ReversePlan.cpp - The plan of reverse mode in registers ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReversePlan.h"

#include "InlinePTX.h"
#include "PackedProducts.h"

using namespace mlir;
using namespace mlir::lot;

/// See ReversePlan.h. f16 ends at 2 planScale kLargestEntry.
static constexpr double kLargestEntry = 4;
/// Bits between the largest and the smallest entry of a row: where plans are so
/// sharp, what is left of dR - X Y^T is what bf16 rounded off X.
static constexpr double kLargestRange = 160;

int64_t ReversePlan::countTokens(const Facts &facts) {
  // 64 registers, half of what two blocks of a multiprocessor leave a lane.
  return 64 / (facts.pivots() / 4) * kTileRows;
}

ReversePlan::ReversePlan(Kernel &k, const Facts &facts, const Side &side,
                         Value isKey, Value mail)
    : k(k), facts(facts), side(side), isKey(isKey),
      // Mail of the forward, of fewer turns, may be there yet.
      sums(k, facts.pivots(), mail, /*turnsBefore=*/1 << 30) {
  Type f32 = k.getF32Type();
  int64_t r = facts.pivots(), slots = slotRows();
  int64_t states = 1 + std::max(facts.querySweeps(), facts.keySweeps());
  scales = k.shared.allocate({states, r}, f32);
  shifts = k.shared.allocate({states}, f32);
  // Rows of these that are read together are in different banks.
  vectors = k.shared.allocate({Facts::kWarps * 4 + 1, r + 8}, k.getF16Type());
  k.ifThen(k.less(k.thread(), k.index(r / 2)), [&] {
    auto two = VectorType::get({2}, k.getF16Type());
    k.storeVector(k.zeros(two), vectors,
                  {k.index(Facts::kWarps * 4), k.mul(k.thread(), 2)});
  });
  pivotScales = k.shared.allocate({slots}, f32);
  firstX = k.shared.allocate({countTokens(facts)}, f32);
  firstTerms = k.shared.allocate({Facts::kWarps}, f32);
  // All of X and Y, which nobody has before the steps, or scratch.
  int64_t factorBytes = 4 * slots * (r + 8) * 2, bytesY = slots * (r + 8) * 4;
  int64_t scratch = Facts::kWarps * kBlockPivots * kBlockStride * 4;
  memory = k.shared.allocate({std::max(factorBytes + bytesY, scratch)},
                             k.getI8Type());
  factors = viewMemory(0, {4 * slots, r + 8}, k.getF16Type());
  termsY = viewMemory(factorBytes, {slots, r + 8}, k.getI32Type());
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  rows = k.shared.allocate({Facts::kWarps}, k.getI32Type());
  Value block = k.sub(side.end, side.begin);
  k.store(k.toWord(k.sub(block, k.mul(k.warp(), Facts::kTile))), rows,
          k.warp());
  k.warpBarrier();
  shareTiles();
  words.assign(keptTiles, Values(r / 4, zero));
  suspect = zero;
}

/// Tiles that registers are too few for: of those that two blocks of a
/// multiprocessor have, what is computed takes about half.
void ReversePlan::shareTiles() {
  keptTiles = getTileCount();
  if (!isCrowded())
    return;
  constexpr int64_t kMost = 4;
  int64_t tileBytes = Facts::kWarps * facts.pivots() / 4 * kWarp * 4;
  // A multiprocessor has 1 KB for each block beside what they may have. Without
  // a second block there are registers for all.
  int64_t limit = facts.sharedLimit / 2 - 512;
  // With two vectors of the kernel.
  int64_t used = k.shared.getBytes() + 2 * 4 * facts.pivots();
  int64_t others = std::min((limit - used) / tileBytes, kMost);
  if (used > limit || others == 0)
    return;
  keptTiles -= others;
  otherWords.emplace(k, Facts::kWarps, others * facts.pivots() / 4,
                     k.getI32Type());
}

//===----------------------------------------------------------------------===//
// What differs between the sides
//===----------------------------------------------------------------------===//

/// R <= 1 where its rows add up to 1.
static double planScale(bool endsWithTokens) {
  return endsWithTokens ? 0x1p15 : 0x1p13;
}

Value ReversePlan::pick(function_ref<int64_t(bool keySide)> number) {
  if (number(true) == number(false))
    return k.index(number(true));
  return k.select(isKey, k.index(number(true)), k.index(number(false)));
}

Value ReversePlan::countTurns() {
  return pick(
      [&](bool keySide) { return countSlots(facts, keySide) - keySide; });
}

Value ReversePlan::countSweeps() {
  return pick([&](bool keySide) { return countSweeps(facts, keySide); });
}

Value ReversePlan::endsWithTokens() {
  return endsWithTokens(facts, /*keySide=*/true) ? isKey : k.invert(isKey);
}

Value ReversePlan::timesScale(double factor) {
  return k.select(endsWithTokens(), k.f32(factor * planScale(true)),
                  k.f32(factor * planScale(false)));
}

Value ReversePlan::overScale(double factor) {
  return k.select(endsWithTokens(), k.f32(factor / planScale(true)),
                  k.f32(factor / planScale(false)));
}

void ReversePlan::suspectIf(Value condition) {
  Value one = arith::ConstantOp::create(k, k.getI32IntegerAttr(1));
  suspect = emitOpaque(k, k.select(condition, one, suspect));
}

Value ReversePlan::getSuspect() {
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  return arith::CmpIOp::create(k, arith::CmpIPredicate::ne, suspect, zero);
}

Values ReversePlan::takeWords(int64_t tile) {
  Values result;
  for (Value word : wordsOf(words, tile))
    result.push_back(emitOpaque(k, word));
  return result;
}

Value ReversePlan::viewMemory(int64_t offset, ArrayRef<int64_t> shape,
                              Type element) {
  auto space = cast<MemRefType>(memory.getType()).getMemorySpace();
  auto type =
      MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space);
  return memref::ViewOp::create(k, type, memory, k.index(offset), ValueRange{});
}

Value ReversePlan::getScratch() {
  return viewMemory(0, {Facts::kWarps, kBlockPivots, kBlockStride},
                    k.getF32Type());
}

static Value isMore(Kernel &k, Value a, Value b) {
  return arith::CmpIOp::create(k, arith::CmpIPredicate::sgt, a, b);
}

std::array<Value, 2> ReversePlan::liveRows(Value number) {
  Value left = countLaneRows();
  Value rows = k.mul(number, kTileRows);
  auto isThere = [&](int64_t row) {
    return isMore(k, left, k.toWord(k.add(rows, row)));
  };
  return {isThere(0), isThere(8)};
}

std::array<Value, 2> ReversePlan::liveRows(int64_t tile) {
  auto isThere = [&](int64_t row) {
    return isMore(k, laneRows, k.word(rowOfTile(tile) + row));
  };
  return {isThere(0), isThere(8)};
}

Value ReversePlan::countLaneRows() {
  return arith::SubIOp::create(k, rowsLeft(), k.toWord(k.div(k.lane(), 4)));
}

LaneRows ReversePlan::locateRows(Value memref, ValueRange leading) {
  return locateLaneRows(k, memref, leading, side.begin,
                        k.mul(k.warp(), Facts::kTile), rowsOfLane);
}

void ReversePlan::countRows() {
  rowsOfLane = emitOpaque(k, countLaneRows());
  rowsOfWarp = emitOpaque(k, rowsLeft());
}

Value ReversePlan::localRow(Value number) {
  int64_t tiles = getTileCount();
  Value tile = k.add(k.mul(k.warp(), tiles), number);
  return k.add(k.mul(tile, Facts::kTile), k.div(k.lane(), 4));
}

void ReversePlan::emitScales(Value states, Value last) {
  // A warp for each potential.
  Value sweeps = countSweeps();
  k.forLoop(
      k.warp(), k.add(sweeps, 1), k.index(Facts::kWarps), [&](Value step) {
        Value isLast = k.invert(k.less(step, sweeps));
        Values changes;
        Value max = k.noMass();
        for (int64_t i = 0; i < sums.columnsOfLane(); ++i) {
          Value column = sums.columnOf(i), y = k.load(last, column);
          Value before =
              k.select(isLast, y, k.load(states, {side.problem, step, column}));
          Value change = k.select(k.isLive(y), k.subf(before, y), k.noMass());
          max = k.maxf(max, change);
          changes.push_back(change);
        }
        max = k.maxLanes(max, {16, 8, 4, 2, 1});
        max = k.select(k.isLive(max), max, k.f32(0));
        for (auto [i, change] : llvm::enumerate(changes))
          k.store(k.exp2(k.subf(change, max)), scales,
                  {step, sums.columnOf(i)});
        k.ifThen(k.equal(k.lane(), 0), [&] { k.store(max, shifts, step); });
      });
}

/// With e_ij = 2^(score_ij + y_j - max), R_ij = e_ij / sum_j e_ij 2^(prev_j -
/// y_j): one exponential an entry.
void ReversePlan::emitPlan(function_ref<void(int64_t tile)> before,
                           function_ref<Tile(int64_t tile)> scores,
                           function_ref<void(int64_t tile)> after) {
  Value prev = pick([&](bool keySide) {
    return keySide ? facts.keyPrev() : facts.queryPrev();
  });
  Values weights = loadColumns(k, facts, scales, prev);
  Value shift = k.load(shifts, prev);
  Value scale = k.mulf(timesScale(1), k.exp2(k.negf(shift)));
  Value first = k.addf(shift, k.load(shifts, k.index(1)));
  // All of PlanBounds.
  Values init{k.f32(0), k.f32(0), k.word(0)};
  Values bounds =
      forTiles(Access::write, init, [&](int64_t tile, ValueRange carried) {
        before(tile);
        Values all(getWords(tile));
        all.append(carried.begin(), carried.end());
        all = ifTokens(tile, all, [&] {
          PlanBounds bounds{carried[0], carried[1], carried[2]};
          Values result =
              packPlan(tile, scores(tile), weights, scale, first, bounds);
          result.append({bounds.term, bounds.range, bounds.scale});
          return result;
        });
        size_t of = getWords(tile).size();
        setWords(tile, ArrayRef(all).take_front(of));
        after(tile);
        return Values(ArrayRef(all).drop_front(of));
      });
  suspectIf(k.greater(bounds[1], k.f32(kLargestRange)));
  // NaN is more than all numbers.
  Value largest = arith::BitcastOp::create(k, k.getF32Type(), bounds[2]);
  suspectIf(k.invert(k.greater(timesScale(kLargestEntry), largest)));
  k.store(largestOfWarp(k, bounds[0]), firstTerms, k.warp());
}

Values ReversePlan::ifKey(function_ref<Values()> keys,
                          function_ref<Values()> queries) {
  // Both leave the words as they are.
  Value before = suspect;
  SmallVector<Type> types{suspect.getType()};
  types.append(sums.columnsOfLane(), k.getF32Type());
  auto emit = [&](function_ref<Values()> side) {
    suspect = before;
    Values results = side();
    return giveState(/*withWords=*/false, results);
  };
  return takeState(/*withWords=*/false,
                   k.ifElse(
                       isKey, types, [&] { return emit(keys); },
                       [&] { return emit(queries); }));
}

/// The values of one row of a tile.
static Values pickRow(const Tile &tile, int64_t row) {
  Values values;
  for (auto [at, value] : llvm::enumerate(tile))
    if (rowOf(at) == row)
      values.push_back(value);
  return values;
}

Values ReversePlan::packPlan(int64_t tile, Tile scores, const Values &weights,
                             Value inverse, Value first, PlanBounds &bounds) {
  std::array<Value, 2> live = liveRows(tile);
  Value scale[2], none = k.f32(0), unit = k.f32(facts.scoreScale);
  for (int64_t row = 0; row < 2; ++row) {
    Value max, least, sum = none;
    for (Value value : pickRow(scores, row)) {
      max = max ? k.maxf(max, value) : value;
      // Without -inf, of pivots that are not there: -inf times 0 is NaN.
      if (facts.r < facts.pivots())
        value = k.fma(value, none, value);
      least = least ? k.minf(least, value) : value;
    }
    // Where it is not finite nothing else is, either.
    max = k.mulf(k.maxLanes(max, {1, 2}), unit);
    Value range = k.fma(k.negf(least), unit, max);
    bounds.range = k.maxf(bounds.range, k.select(live[row], range, none));
    for (auto [at, value] : llvm::enumerate(scores))
      if (rowOf(at) == row) {
        value = k.exp2(k.fma(value, unit, k.negf(max)));
        sum = k.fma(value, weights[at / 4 * 2 + at % 2], sum);
      }
    sum = k.sumLanes(sum, {1, 2});
    // The largest e_ij is 1.
    scale[row] = k.select(live[row], k.mulf(inverse, k.reciprocal(sum)), none);
    bounds.scale = arith::MaxUIOp::create(
        k, bounds.scale,
        arith::BitcastOp::create(k, k.getI32Type(), scale[row]));
    // P_ij of the first sweep is R_ij 2^(logsumexp_j(score_ij + prev_j) + y^1_j
    // - y_j) r. Only keys ask for it.
    Value term = k.mulf(k.exp2(k.addf(max, first)), sum);
    term = k.select(live[row], term, none);
    bounds.term = k.maxf(bounds.term, term);
    // The same from all lanes of the row.
    k.store(term, firstX, k.add(localRow(number(tile)), 8 * row));
  }
  for (auto [at, value] : llvm::enumerate(scores))
    value = k.mulf(value, scale[rowOf(at)]);
  Values result;
  for (Value word : packTile(k, k.getF16Type(), scores))
    result.push_back(emitOpaque(k, word));
  return result;
}

Values ReversePlan::ifTokens(int64_t tile, ValueRange values,
                             function_ref<Values()> body) {
  Value some = isMore(k, warpRows, k.word(rowOfTile(tile)));
  SmallVector<Type> types(values.getTypes());
  types.push_back(suspect.getType());
  auto withSuspect = [&](Values all) {
    all.push_back(suspect);
    return all;
  };
  Value before = suspect;
  Values results = k.ifElse(
      some, types, [&] { return withSuspect(body()); },
      [&] {
        suspect = before;
        return withSuspect(Values(values));
      });
  suspect = results.pop_back_val();
  return results;
}
