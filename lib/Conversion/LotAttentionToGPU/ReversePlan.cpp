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

static Value constantWord(Kernel &k, int32_t value) {
  return arith::ConstantOp::create(k, k.getI32IntegerAttr(value));
}

static Value toWord(Kernel &k, Value index) {
  return arith::IndexCastOp::create(k, k.getI32Type(), index);
}

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
  vectors = k.shared.allocate({Facts::kWarps * 4, r + 8}, k.getF16Type());
  pivotScales = k.shared.allocate({slots}, f32);
  firstX = k.shared.allocate({countTokens(facts)}, f32);
  firstTerms = k.shared.allocate({Facts::kWarps}, f32);
  // All of X and Y, which nobody has before the steps, or scratch.
  int64_t factorBytes = 4 * slots * (r + 8) * 2, bytesY = slots * (r + 8) * 4;
  int64_t scratch = Facts::kWarps * r * kBlockStride * 4;
  memory = k.shared.allocate({std::max(factorBytes + bytesY, scratch)},
                             k.getI8Type());
  factors = viewMemory(0, {4 * slots, r + 8}, k.getF16Type());
  termsY = viewMemory(factorBytes, {slots, r + 8}, k.getI32Type());
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  rows = k.shared.allocate({Facts::kWarps}, k.getI32Type());
  Value block = k.sub(side.end, side.begin);
  k.store(toWord(k, k.sub(block, k.mul(k.warp(), Facts::kTile))), rows,
          k.warp());
  k.warpBarrier();
  words.assign(countTokens(facts) / kTileRows, Values(r / 4, zero));
  suspect = zero;
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
  for (Value word : words[tile])
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

Value ReversePlan::getScratch(int64_t warps, int64_t rows, int64_t columns) {
  return viewMemory(0, {warps, rows, columns}, k.getF32Type());
}

std::array<Value, 2> ReversePlan::liveRows(Value number) {
  Value left =
      arith::SubIOp::create(k, rowsLeft(), toWord(k, k.div(k.lane(), 4)));
  Value rows = k.mul(number, kTileRows);
  auto isBelow = [&](int64_t row) -> Value {
    return arith::CmpIOp::create(k, arith::CmpIPredicate::slt,
                                 toWord(k, k.add(rows, row)), left);
  };
  return {isBelow(0), isBelow(8)};
}

static Value viewRowsFrom(Kernel &k, Value base, Value offset, Value rows,
                          Value columns, Value stride) {
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  auto type = cast<MemRefType>(base.getType());
  auto layout = StridedLayoutAttr::get(k.getContext(), kDynamic, {kDynamic, 1});
  return memref::ReinterpretCastOp::create(
      k,
      MemRefType::get({kDynamic, kDynamic}, type.getElementType(), layout,
                      type.getMemorySpace()),
      base, OpFoldResult(offset), ArrayRef<OpFoldResult>{rows, columns},
      ArrayRef<OpFoldResult>{stride, k.getIndexAttr(1)});
}

Value ReversePlan::viewBlock(Kernel &k, const Side &side, Value memref,
                             ValueRange leading) {
  auto parts = memref::ExtractStridedMetadataOp::create(k, memref);
  Value offset = parts.getOffset();
  Values at(leading);
  at.push_back(side.begin);
  for (auto [index, stride] : llvm::zip(at, parts.getStrides()))
    offset = k.add(offset, k.mul(index, stride));
  return viewRowsFrom(k, parts.getBaseBuffer(), offset,
                      k.sub(side.end, side.begin), k.dim(memref, at.size()),
                      parts.getStrides()[leading.size()]);
}

Value ReversePlan::viewRows(Value block, Value number) {
  auto parts = memref::ExtractStridedMetadataOp::create(k, block);
  Value stride = parts.getStrides()[0];
  Value first = k.add(k.mul(k.warp(), Facts::kTile), k.div(k.lane(), 4));
  first = k.add(first, k.mul(number, kTileRows));
  return viewRowsFrom(k, parts.getBaseBuffer(),
                      k.add(parts.getOffset(), k.mul(k.narrow(first), stride)),
                      k.index(Facts::kTile), k.dim(block, 1), stride);
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
  Value most = forTiles(k.f32(0), [&](int64_t tile, ValueRange carried) {
    before(tile);
    Values all(getWords(tile));
    all.append(carried.begin(), carried.end());
    all = ifTokens(tile, all, [&] {
      Value term = carried[0];
      Values result = packPlan(tile, scores(tile), weights, scale, first, term);
      result.push_back(term);
      return result;
    });
    Value next = all.pop_back_val();
    setWords(tile, all);
    after(tile);
    return Values{next};
  })[0];
  k.store(largestOfWarp(k, most), firstTerms, k.warp());
}

Values ReversePlan::giveState(ValueRange rest) {
  Values all{suspect};
  for (const Values &tile : words)
    llvm::append_range(all, tile);
  llvm::append_range(all, rest);
  return all;
}

Values ReversePlan::takeState(ValueRange values) {
  suspect = values.front();
  values = values.drop_front();
  for (Values &tile : words) {
    size_t count = tile.size();
    tile = values.take_front(count);
    values = values.drop_front(count);
  }
  return Values(values);
}

Value ReversePlan::unit() { return k.numberBesideThread(); }
Value ReversePlan::number() { return k.rem(unit(), getTileCount()); }
Value ReversePlan::column() { return k.mul(k.div(unit(), getTileCount()), 32); }

Values ReversePlan::forTiles(Value &place, ValueRange init, TileBody body) {
  int64_t count = getTileCount();
  Values all = giveState(init);
  all.push_back(place);
  Values results = k.forLoop(
      constantWord(k, 0), constantWord(k, count), constantWord(k, roundTiles()),
      all, [&](Value, ValueRange carried) {
        Value word = carried.back();
        Values rest = takeState(carried.drop_back());
        for (int64_t at = 0; at < roundTiles(); ++at) {
          word = emitOpaque(k, word);
          KernelBuilder::FreshThread inTile(k, word);
          rest = body(at, rest);
          word = arith::AddIOp::create(
              k, word, constantWord(k, 1 << Kernel::kThreadBits));
        }
        std::rotate(words.begin(), words.begin() + roundTiles(), words.end());
        Values next = giveState(rest);
        next.push_back(word);
        return next;
      });
  place = results.pop_back_val();
  return takeState(results);
}

Values ReversePlan::forTiles(ValueRange init, TileBody body) {
  Value place = toWord(k, k.thread());
  return forTiles(place, init, body);
}

void ReversePlan::forTiles(
    int64_t columns, int64_t count, TileBody body,
    function_ref<void(Value column, ArrayRef<Value> sums)> fold) {
  Values all = giveState(toWord(k, k.thread()));
  takeState(k.forLoop(
      constantWord(k, 0), constantWord(k, columns), constantWord(k, 32), all,
      [&](Value column, ValueRange carried) {
        Value place = takeState(carried)[0];
        Values sums = forTiles(place, Values(count, k.f32(0)), body);
        if (fold) {
          KernelBuilder::FreshThread inFold(k);
          fold(arith::IndexCastUIOp::create(k, k.getIndexType(), column), sums);
        }
        return giveState(place);
      }));
}

Values ReversePlan::ifKey(function_ref<Values()> keys,
                          function_ref<Values()> queries) {
  Values before = giveState({});
  SmallVector<Type> types(ValueRange(before).getTypes());
  types.append(sums.columnsOfLane(), k.getF32Type());
  auto emit = [&](function_ref<Values()> side) {
    takeState(before);
    Values results = side();
    return giveState(results);
  };
  return takeState(k.ifElse(
      isKey, types, [&] { return emit(keys); }, [&] { return emit(queries); }));
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
                             Value inverse, Value first, Value &most) {
  std::array<Value, 2> live = liveRows(number());
  Value scale[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value max = k.noMass(), sum = k.f32(0), unit = k.f32(facts.scoreScale);
    for (auto [at, value] : llvm::enumerate(scores))
      if (rowOf(at) == row)
        max = k.maxf(max, value);
    max = k.maxLanes(max, {1, 2});
    max = k.select(k.isLive(max), max, k.f32(0));
    Value least = max;
    for (Value value : pickRow(scores, row)) {
      // Without -inf, of pivots that are not there: -inf times 0 is NaN.
      if (facts.r < facts.pivots())
        value = k.fma(value, k.f32(0), value);
      least = k.minf(least, value);
    }
    max = k.mulf(max, unit);
    Value wide =
        k.greater(k.subf(max, k.mulf(least, unit)), k.f32(kLargestRange));
    suspectIf(k.both(wide, live[row]));
    for (auto [at, value] : llvm::enumerate(scores))
      if (rowOf(at) == row) {
        value = k.exp2(k.fma(value, unit, k.negf(max)));
        sum = k.fma(value, weights[at / 4 * 2 + at % 2], sum);
      }
    sum = k.sumLanes(sum, {1, 2});
    scale[row] = k.mulf(inverse, k.reciprocal(sum));
    // The largest e_ij is 1.
    Value large = k.invert(k.greater(timesScale(kLargestEntry), scale[row]));
    suspectIf(k.both(large, live[row]));
    scale[row] = k.select(live[row], scale[row], k.f32(0));
    // P_ij of the first sweep is R_ij 2^(logsumexp_j(score_ij + prev_j) + y^1_j
    // - y_j) r.
    Value term = k.mulf(k.exp2(k.addf(max, first)), sum);
    term = k.select(live[row], term, k.f32(0));
    most = k.maxf(most, term);
    k.ifThen(k.both(isKey, k.equal(k.rem(k.lane(), 4), 0)), [&] {
      k.store(term, firstX, k.add(localRow(number()), 8 * row));
    });
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
  Value rows = k.mul(number(), kTileRows);
  Value some = arith::CmpIOp::create(k, arith::CmpIPredicate::slt,
                                     toWord(k, rows), rowsLeft());
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
