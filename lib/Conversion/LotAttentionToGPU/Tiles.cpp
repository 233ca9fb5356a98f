//===- Tiles.cpp - Scores and token steps of 16 tokens --------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tiles.h"

using namespace mlir;
using namespace mlir::lot;

Value lot::laneColumn(Kernel &k) { return k.mul(k.rem(k.lane(), 4), 2); }

Value Matrix::load(Kernel &k, Value row, Value column, int64_t count) const {
  Values at(leading);
  at.append({shift ? k.add(row, shift) : row, column});
  return k.loadVector(memref, at, count);
}

/// The products with 32 columns of d at a time, 16 bytes of a row a lane: the
/// contraction may take its terms in any order, as long as both sides have the
/// same. Lane l % 4 has the columns 8 (l % 4) and on.
static Tile emitTensorDots(Kernel &k, const Facts &facts, const Rows &rows,
                           Value tokens, ValueRange leading,
                           const Matrix &pivots, RowFormat format) {
  Value column = k.mul(k.rem(k.lane(), 4), 8);
  Value pivot = k.div(k.lane(), 4);
  auto addColumns = [&](Value depth, Tile dots) {
    Values a[2];
    for (int64_t i = 0; i < 2; ++i) {
      Values at(leading);
      at.push_back(rows.index[i]);
      a[i] = k.words(
          loadRow(k, tokens, at, k.add(column, depth), 8, rows.live[i]));
    }
    for (int64_t part = 0; part < format.parts; ++part)
      for (int64_t j = 0; j < facts.pivots(); j += 8) {
        Value from = k.add(k.add(column, depth), part * format.depth());
        Values b = k.words(pivots.load(k, k.add(pivot, j), from, 8));
        auto sums = MutableArrayRef<Value>(dots).slice(j / 2, 4);
        emitMma(k, facts.io, {a[0][0], a[1][0], a[0][1], a[1][1]}, {b[0], b[1]},
                sums);
        emitMma(k, facts.io, {a[0][2], a[1][2], a[0][3], a[1][3]}, {b[2], b[3]},
                sums);
      }
    return dots;
  };
  Tile dots(facts.pivots() / 2, k.f32(0));
  // A loop where straight code would be long.
  constexpr int64_t kUnrolled = 64 * 128;
  if (facts.pivots() * format.depth() > kUnrolled)
    return k.forLoop(k.index(0), k.index(format.depth()), k.index(32), dots,
                     [&](Value depth, ValueRange carried) {
                       return addColumns(depth, Tile(carried));
                     });
  for (int64_t depth = 0; depth < format.depth(); depth += 32)
    dots = addColumns(k.index(depth), dots);
  return dots;
}

/// In f32 by multiply-adds, four columns of d at a time.
static Tile emitScalarDots(Kernel &k, const Facts &facts, const Rows &rows,
                           Value tokens, ValueRange leading,
                           const Matrix &pivots, RowFormat format) {
  Tile start(facts.pivots() / 2, k.f32(0));
  Value first = laneColumn(k);
  return k.forLoop(
      k.index(0), k.index(format.columns), k.index(4), start,
      [&](Value depth, ValueRange carried) {
        Tile dots(carried);
        Value a[2];
        for (int64_t i = 0; i < 2; ++i) {
          Values at(leading);
          at.push_back(rows.index[i]);
          a[i] = k.convert(loadRow(k, tokens, at, depth, 4, rows.live[i]),
                           k.getF32Type());
        }
        for (int64_t i = 0; i < static_cast<int64_t>(dots.size()); i += 4)
          for (int64_t c = 0; c < 2; ++c) {
            Value b = pivots.load(k, k.add(first, columnOf(i) + c), depth, 4);
            for (int64_t row = 0; row < 2; ++row)
              for (int64_t e = 0; e < 4; ++e) {
                Value &sum = dots[i + 2 * row + c];
                sum = k.fma(k.element(a[row], e), k.element(b, e), sum);
              }
          }
        return dots;
      });
}

Tile lot::emitDots(Kernel &k, const Facts &facts, const Rows &rows,
                   Value tokens, ValueRange leading, const Matrix &matrix,
                   RowFormat format) {
  return format.words
             ? emitTensorDots(k, facts, rows, tokens, leading, matrix, format)
             : emitScalarDots(k, facts, rows, tokens, leading, matrix, format);
}

Tile lot::scaleDots(Kernel &k, const Facts &facts, Tile tile) {
  Value scale = k.f32(facts.scoreScale);
  for (Value &score : tile)
    score = k.mulf(score, scale);
  return tile;
}

Tile lot::emitRawScores(Kernel &k, const Facts &facts, const Side &side,
                        const Rows &rows, const Matrix &pivots) {
  return scaleDots(k, facts,
                   emitDots(k, facts, rows, side.tokens,
                            {side.batch, side.tokenHead}, pivots,
                            facts.pivotFormat()));
}

Tile lot::clipScores(Kernel &k, const Facts &facts, Tile tile) {
  if (facts.clamp)
    for (Value &score : tile)
      score = k.minf(k.maxf(score, k.f32(-*facts.clamp)), k.f32(*facts.clamp));
  return tile;
}

Tile lot::emitScores(Kernel &k, const Facts &facts, const Side &side,
                     const Rows &rows, const Matrix &pivots) {
  return clipScores(k, facts, emitRawScores(k, facts, side, rows, pivots));
}

Values lot::addToColumns(Kernel &k, const Tile &tile, ValueRange sums) {
  Values next(sums);
  if (next.empty())
    return next;
  for (auto [i, value] : llvm::enumerate(tile)) {
    Value &sum = next[i / 4 * 2 + i % 2];
    sum = k.addf(sum, value);
  }
  return next;
}

void lot::addToColumns(Kernel &k, const Tile &tile, const Value weights[2],
                       MutableArrayRef<Value> sums) {
  for (auto [i, value] : llvm::enumerate(tile)) {
    Value &sum = sums[i / 4 * 2 + i % 2];
    sum = k.fma(value, weights[rowOf(i)], sum);
  }
}

void lot::storeColumnSums(Kernel &k, const Facts &facts, Values sums,
                          Value target, ValueRange leading) {
  Value warps =
      k.shared.allocate({k.getWarps(), facts.pivots()}, k.getF32Type());
  for (Value &sum : sums)
    sum = k.sumLanes(sum, {4, 8, 16});
  Value first = laneColumn(k);
  k.ifThen(k.less(k.lane(), k.index(4)), [&] {
    for (auto [c, sum] : llvm::enumerate(sums))
      k.store(sum, warps, {k.warp(), k.add(first, c / 2 * 8 + c % 2)});
  });
  k.barrier();
  k.ifThen(k.less(k.thread(), k.index(facts.pivots())), [&] {
    Value total = k.sumWarps([&](int64_t warp) {
      return k.load(warps, {k.index(warp), k.thread()});
    });
    Values at(leading);
    at.push_back(k.thread());
    k.store(total, target, at);
  });
}

Values lot::subtractMass(Kernel &k, const Values &y, const Values &mass) {
  Values result;
  for (auto [potential, log2Mass] : llvm::zip_equal(y, mass))
    result.push_back(
        k.select(k.isLive(potential), k.subf(potential, log2Mass), k.noMass()));
  return result;
}

Values lot::loadColumns(Kernel &k, const Facts &facts, Value vector,
                        ValueRange leading) {
  Values columns;
  Value first = laneColumn(k);
  for (int64_t j = 0; j < facts.pivots(); j += 8) {
    Values at(leading);
    at.push_back(k.add(first, j));
    Value pair = k.loadVector(vector, at, 2);
    columns.append({k.element(pair, 0), k.element(pair, 1)});
  }
  return columns;
}

Tile lot::addColumns(Kernel &k, const Tile &tile, const Values &columns) {
  Tile result;
  for (auto [i, value] : llvm::enumerate(tile))
    result.push_back(k.addf(value, columns[i / 4 * 2 + i % 2]));
  return result;
}

TokenStep lot::emitTokenStep(Kernel &k, const Tile &tile) {
  TokenStep step;
  step.terms = tile;
  // The lanes that share a row.
  constexpr int64_t kRowLanes[] = {1, 2};
  for (int64_t row = 0; row < 2; ++row) {
    Value max = k.noMass(), sum = k.f32(0);
    for (auto [i, value] : llvm::enumerate(tile))
      if (rowOf(i) == row)
        max = k.maxf(max, value);
    max = k.maxLanes(max, kRowLanes);
    // A row without mass: 2^(-inf - 0) = 0.
    max = k.select(k.isLive(max), max, k.f32(0));
    for (auto [i, value] : llvm::enumerate(step.terms))
      if (rowOf(i) == row) {
        value = k.exp2(k.subf(value, max));
        sum = k.addf(sum, value);
      }
    sum = k.sumLanes(sum, kRowLanes);
    step.max[row] = max;
    step.sum[row] = sum;
    step.logSum[row] = k.addf(max, k.log2(sum));
  }
  return step;
}

Tile lot::emitPlanEntries(Kernel &k, const Tile &scores, const Rows &rows,
                          const Values *prev, const Values &last, bool keySide,
                          std::optional<TokenStep> *stepOut) {
  Value offset[2] = {k.f32(0), k.f32(0)};
  if (prev) {
    TokenStep step = emitTokenStep(k, addColumns(k, scores, *prev));
    for (int64_t i = 0; i < 2; ++i) {
      Value x = k.negf(step.logSum[i]);
      if (keySide)
        x = k.addf(x, rows.mass[i]);
      offset[i] = k.select(k.isLive(step.logSum[i]), x, k.noMass());
    }
    if (stepOut)
      *stepOut = step;
  }
  for (int64_t i = 0; i < 2; ++i)
    offset[i] = k.select(rows.live[i], offset[i], k.noMass());
  Tile plan = addColumns(k, scores, last);
  for (auto [i, value] : llvm::enumerate(plan))
    value = k.exp2(k.addf(value, offset[rowOf(i)]));
  return plan;
}

void lot::emitCopy(Kernel &k, const Facts &facts, Value source,
                   ValueRange leading, Value shared, int64_t allColumns) {
  auto type = cast<MemRefType>(shared.getType());
  int64_t count = 16 / (type.getElementTypeBitWidth() / 8);
  int64_t columns = allColumns / count;
  k.forLoop(k.thread(), k.index(type.getDimSize(0) * columns), k.threadCount(),
            [&](Value i) {
              Value row = k.div(i, columns);
              Value column = k.mul(k.rem(i, columns), count);
              Values at(leading);
              at.append({row, column});
              k.storeVector(k.loadVector(source, at, count), shared,
                            {row, column});
            });
}

Matrix lot::stageRows(Kernel &k, const Facts &facts, Value packed, Value set,
                      RowFormat format) {
  int64_t bytes = facts.getBytes(format);
  if (bytes > Facts::kCopyBytes || !k.shared.hasRoom(bytes))
    return {packed, {set}};
  Value shared = k.shared.allocate({facts.pivots(), format.stride()},
                                   facts.rowType(k, format));
  // Nobody has written what lies between rows.
  emitCopy(k, facts, packed, set, shared, format.depth() * format.parts);
  return {shared, {}};
}
