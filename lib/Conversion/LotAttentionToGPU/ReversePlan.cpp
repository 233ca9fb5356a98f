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
  int64_t tiles = std::min<int64_t>(8, 64 / (facts.pivots() / 4));
  return tiles * Facts::kWarps * Facts::kTile;
}

int64_t ReversePlan::countSlots(const Facts &facts, bool keySide) {
  int64_t sweeps = keySide ? facts.keySweeps() : facts.querySweeps();
  return sweeps + endsWithTokens(facts, keySide);
}

ReversePlan::ReversePlan(Kernel &k, const Facts &facts, const Side &side,
                         bool keySide, Value mail)
    : k(k), facts(facts), side(side), keySide(keySide),
      // Mail of the forward, at most two turns a sweep, may be there yet.
      sums(k, facts.pivots(), mail, /*turnsBefore=*/2 * facts.states()) {
  Type f32 = k.getF32Type();
  int64_t r = facts.pivots(), slots = countSlots(facts, keySide);
  scales = k.shared.allocate({sweeps() + 1, r}, f32);
  shifts = k.shared.allocate({sweeps() + 1}, f32);
  // Rows of these that are read together are in different banks.
  vectors = k.shared.allocate({Facts::kWarps * 4, r + 8}, k.getF16Type());
  int64_t all = llvm::alignTo(slots, 8);
  pivotScales = k.shared.allocate({all}, f32);
  if (keySide) {
    firstX = k.shared.allocate({countTokens(facts)}, f32);
    firstTerms = k.shared.allocate({Facts::kWarps}, f32);
  }
  // All of X and Y, which nobody has before the steps, or scratch.
  int64_t factorBytes = 4 * all * (r + 8) * 2, bytesY = all * (r + 8) * 4;
  int64_t scratch = Facts::kWarps * r * kBlockStride * 4;
  memory = k.shared.allocate({std::max(factorBytes + bytesY, scratch)},
                             k.getI8Type());
  factors = viewMemory(0, {4 * all, r + 8}, k.getF16Type());
  termsY = viewMemory(factorBytes, {all, r + 8}, k.getI32Type());
  words.resize(countTokens(facts) / (Facts::kWarps * Facts::kTile));
  suspect = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
}

void ReversePlan::suspectIf(Value condition) {
  Value one = arith::ConstantOp::create(k, k.getI32IntegerAttr(1));
  suspect = emitOpaque(k, k.select(condition, one, suspect));
}

Value ReversePlan::getSuspect() {
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  return arith::CmpIOp::create(k, arith::CmpIPredicate::ne, suspect, zero);
}

Values ReversePlan::takeWords(int64_t i) {
  Values result;
  for (Value word : words[i])
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

static Value toWord(Kernel &k, Value index) {
  return arith::IndexCastOp::create(k, k.getI32Type(), index);
}

Value ReversePlan::rowsLeft() {
  Value block = toWord(k, k.sub(side.end, side.begin));
  return arith::SubIOp::create(k, block,
                               toWord(k, k.mul(k.warp(), Facts::kTile)));
}

std::array<Value, 2> ReversePlan::liveRows(Value rows) {
  Value left =
      arith::SubIOp::create(k, rowsLeft(), toWord(k, k.div(k.lane(), 4)));
  auto isBelow = [&](int64_t row) -> Value {
    return arith::CmpIOp::create(k, arith::CmpIPredicate::slt,
                                 toWord(k, k.add(rows, row)), left);
  };
  return {isBelow(0), isBelow(8)};
}

Value ReversePlan::viewRows(Value memref, ValueRange leading, Value rows) {
  auto type = cast<MemRefType>(memref.getType());
  auto parts = memref::ExtractStridedMetadataOp::create(k, memref);
  ValueRange strides = parts.getStrides();
  Value first = k.add(side.begin,
                      k.add(k.mul(k.warp(), Facts::kTile), k.div(k.lane(), 4)));
  Value offset = k.add(parts.getOffset(), k.mul(first, strides[2]));
  for (int64_t i = 0; i < 2; ++i)
    offset = k.add(offset, k.mul(leading[i], strides[i]));
  // Positions of all tiles, known at once, take more registers than there are.
  offset = k.add(emitOpaque(k, offset), k.mul(rows, emitOpaque(k, strides[2])));
  SmallVector<OpFoldResult> sizes{k.getIndexAttr(Facts::kTile),
                                  k.getIndexAttr(type.getShape().back())};
  SmallVector<OpFoldResult> steps{OpFoldResult(strides[2]), k.getIndexAttr(1)};
  auto layout = StridedLayoutAttr::get(k.getContext(), ShapedType::kDynamic,
                                       {ShapedType::kDynamic, 1});
  return memref::ReinterpretCastOp::create(
      k,
      MemRefType::get({Facts::kTile, type.getShape().back()},
                      type.getElementType(), layout),
      parts.getBaseBuffer(), OpFoldResult(offset), sizes, steps);
}

Value ReversePlan::localRow(int64_t i) {
  Value first = k.mul(k.warp(), getTileCount() * Facts::kTile);
  return k.add(k.add(first, k.div(k.lane(), 4)), i * Facts::kTile);
}

void ReversePlan::emitScales(Value states, Value last) {
  // A warp for each potential.
  k.forLoop(
      k.warp(), k.index(sweeps() + 1), k.index(Facts::kWarps), [&](Value step) {
        Value isLast = k.equal(step, sweeps());
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
void ReversePlan::emitPlan(function_ref<void(int64_t i)> before,
                           function_ref<Tile(int64_t i)> scores,
                           function_ref<void(int64_t i)> after) {
  int64_t prev = keySide ? facts.keyPrev() : facts.queryPrev();
  Values weights = loadColumns(k, facts, scales, k.index(prev));
  Value shift = k.load(shifts, k.index(prev));
  Value scale = k.mulf(k.f32(planScale(facts, keySide)), k.exp2(k.negf(shift)));
  Value first, most = k.f32(0);
  if (keySide)
    first = k.addf(shift, k.load(shifts, k.index(1)));
  Value zero = arith::ConstantOp::create(k, k.getI32IntegerAttr(0));
  for (int64_t i = 0; i < getTileCount(); ++i) {
    before(i);
    Values none(facts.pivots() / 4, zero);
    none.append({suspect, most});
    Values all = forTile(i, none, [&] {
      Value term = most;
      Values result = packPlan(i, scores(i), weights, scale, first, term);
      result.append({suspect, term});
      return result;
    });
    most = all.pop_back_val();
    suspect = all.pop_back_val();
    words[i] = all;
    after(i);
  }
  if (keySide)
    k.store(largestOfWarp(k, most), firstTerms, k.warp());
}

/// The values of one row of a tile.
static Values pickRow(const Tile &tile, int64_t row) {
  Values values;
  for (auto [at, value] : llvm::enumerate(tile))
    if (rowOf(at) == row)
      values.push_back(value);
  return values;
}

Values ReversePlan::packPlan(int64_t i, Tile scores, const Values &weights,
                             Value inverse, Value first, Value &most) {
  std::array<Value, 2> live = liveRows(k.index(tileRows(i)));
  Value scale[2];
  for (int64_t row = 0; row < 2; ++row) {
    Value max = k.noMass(), sum = k.f32(0), unit = k.f32(facts.scoreScale);
    for (auto [at, value] : llvm::enumerate(scores))
      if (rowOf(at) == row)
        max = k.maxf(max, value);
    max = k.maxLanes(max, {1, 2});
    max = k.select(k.isLive(max), k.mulf(max, unit), k.f32(0));
    Value least = max;
    for (Value value : pickRow(scores, row))
      least =
          k.minf(least, k.select(k.isLive(value), k.mulf(value, unit), max));
    Value wide = k.greater(k.subf(max, least), k.f32(kLargestRange));
    suspectIf(k.both(wide, live[row]));
    for (auto [at, value] : llvm::enumerate(scores))
      if (rowOf(at) == row) {
        value = k.exp2(k.fma(value, unit, k.negf(max)));
        sum = k.fma(value, weights[at / 4 * 2 + at % 2], sum);
      }
    sum = k.sumLanes(sum, {1, 2});
    scale[row] = k.mulf(inverse, k.reciprocal(sum));
    // The largest e_ij is 1.
    Value large = k.invert(k.greater(
        k.f32(planScale(facts, keySide) * kLargestEntry), scale[row]));
    suspectIf(k.both(large, live[row]));
    scale[row] = k.select(live[row], scale[row], k.f32(0));
    if (!keySide)
      continue;
    // P_ij of the first sweep is R_ij 2^(logsumexp_j(score_ij + prev_j) + y^1_j
    // - y_j) r.
    Value term = k.mulf(k.exp2(k.addf(max, first)), sum);
    term = k.select(live[row], term, k.f32(0));
    most = k.maxf(most, term);
    k.ifThen(k.equal(k.rem(k.lane(), 4), 0),
             [&] { k.store(term, firstX, k.add(localRow(i), 8 * row)); });
  }
  for (auto [at, value] : llvm::enumerate(scores))
    value = k.mulf(value, scale[rowOf(at)]);
  Values result;
  for (Value word : packTile(k, k.getF16Type(), scores))
    result.push_back(emitOpaque(k, word));
  return result;
}

Values ReversePlan::forTile(int64_t i, const Values &values,
                            function_ref<Values()> body) {
  SmallVector<Type> types;
  for (Value value : values)
    types.push_back(value.getType());
  Value some =
      arith::CmpIOp::create(k, arith::CmpIPredicate::slt,
                            toWord(k, k.index(tileRows(i))), rowsLeft());
  return k.ifElse(some, types, body, [&] { return values; });
}
