//===- ApplyProduct.cpp - A plan times the gathered values ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

ApplyProduct::ApplyProduct(Kernel &k, const Facts &facts, Value values,
                           Value set, int64_t columns, Value plans)
    : k(k), facts(facts), values{values, {set}}, columns(columns),
      plans(plans) {
  int64_t rows = llvm::alignTo(columns, 32);
  int64_t stride = facts.pivots() + 8;
  int64_t bytes = rows * stride * (facts.tensorProducts() ? 2 : 4);
  if (bytes <= Facts::kCopyBytes / 2 && k.shared.hasRoom(bytes)) {
    auto type = cast<MemRefType>(values.getType());
    Value shared = k.shared.allocate({rows, stride}, type.getElementType());
    int64_t count = 16 / (type.getElementTypeBitWidth() / 8);
    int64_t vectors = facts.pivots() / count;
    k.forLoop(k.thread(), k.index(rows * vectors), k.index(k.getThreads()),
              [&](Value i) {
                Value row = k.div(i, vectors);
                Value column = k.mul(k.rem(i, vectors), count);
                Value to = facts.tensorProducts() ? locateColumn(k, row) : row;
                k.storeVector(this->values.load(k, row, column, count), shared,
                              {to, column});
              });
    this->values = {shared, {}};
  }
}

Value ApplyProduct::locateColumn(Kernel &k, Value column) {
  Value in = k.rem(column, 32), pair = k.div(k.rem(in, 8), 2);
  Value own = k.add(k.mul(k.div(in, 8), 2), k.rem(in, 2));
  return k.add(k.sub(column, in), k.add(k.mul(pair, 8), own));
}

/// Blocks of 32 value columns, of which a lane has 8 side by side.
void ApplyProduct::forColumns(function_ref<void(Value column)> body) {
  k.forLoop(k.index(0), k.index(llvm::alignTo(columns, 32)), k.index(32), body);
}

void ApplyProduct::storeRow(ArrayRef<Value> elements, Value inside,
                            Value result, ValueRange at, Value column) {
  auto type = cast<MemRefType>(result.getType());
  Type element = type.getElementType();
  Values indices(at);
  if (columns % 8 == 0) {
    int64_t count = 16 / (element.getIntOrFloatBitWidth() / 8);
    k.ifThen(k.both(inside, k.less(column, k.index(columns))), [&] {
      for (int64_t i = 0; i < 8; i += count) {
        indices.push_back(k.add(column, i));
        Value vector = k.pack(elements.slice(i, count));
        k.storeVector(k.convert(vector, element), result, indices);
        indices.pop_back();
      }
    });
    return;
  }
  for (int64_t i = 0; i < 8; ++i) {
    Value at_i = k.add(column, i);
    k.ifThen(k.both(inside, k.less(at_i, k.index(columns))), [&] {
      indices.push_back(at_i);
      k.store(k.convert(elements[i], element), result, indices);
      indices.pop_back();
    });
  }
}

void ApplyProduct::emit(const Tile &plan, const Value factor[2],
                        const Side &side, Value tile, Value result,
                        ValueRange leading) {
  if (facts.tensorProducts())
    return emitWords(packTile(k, facts.io, plan), factor, side, tile, result,
                     leading);
  Value base = k.mul(k.warp(), Facts::kTile);
  if (facts.pivots() <= kPlanColumns)
    stageTile(k, plan, 0, plans, base);
  Value group = k.div(k.lane(), 4), quad = k.rem(k.lane(), 4);
  forColumns([&](Value block) {
    Values sums(16, k.f32(0));
    Value column = k.add(block, k.mul(quad, 8));
    for (int64_t part = 0; part < facts.pivots(); part += kPlanColumns) {
      if (facts.pivots() > kPlanColumns)
        stageTile(k, plan, part, plans, base);
      int64_t count = std::min(facts.pivots() - part, kPlanColumns);
      sums = k.forLoop(
          k.index(0), k.index(count), k.index(4), sums,
          [&](Value j, ValueRange carried) {
            Values next(carried);
            Value rowValues[2];
            for (int64_t row = 0; row < 2; ++row)
              rowValues[row] = k.loadVector(
                  plans, {k.add(k.add(base, group), 8 * row), j}, 4);
            for (int64_t c = 0; c < 8; ++c) {
              Value g = values.load(k, k.add(column, c), k.add(j, part), 4);
              for (int64_t row = 0; row < 2; ++row)
                for (int64_t e = 0; e < 4; ++e) {
                  Value &sum = next[c / 2 * 4 + 2 * row + c % 2];
                  sum =
                      k.fma(k.element(rowValues[row], e), k.element(g, e), sum);
                }
            }
            return next;
          });
    }
    storeTile(sums, factor, side, tile, result, leading, block);
  });
}

/// G of all pivots for the c-th of 4 products of 8 columns from `block` on, two
/// words for every 16 pivots. Column l of it is the value column
/// 8 (l / 2) + 2 c + l % 2: a lane's results are 8 columns side by side.
Values ApplyProduct::loadOperands(Value block, int64_t c) {
  Values words;
  if (!values.leading.empty()) { // not in shared memory
    Value l = k.div(k.lane(), 4);
    Value column = k.add(k.mul(k.div(l, 2), 8), k.rem(l, 2));
    column = k.add(k.add(block, column), 2 * c);
    for (int64_t j = 0; j < facts.pivots(); j += 8) {
      Value first = k.add(laneColumn(k), j);
      words.push_back(k.words(values.load(k, column, first, 2))[0]);
    }
    return words;
  }
  // Lane l names column l % 8 of 8 pivots.
  Value row = k.add(k.add(block, 8 * c), k.rem(k.lane(), 8));
  for (int64_t j = 0; j < facts.pivots(); j += 32) {
    int64_t tiles = std::min<int64_t>(4, (facts.pivots() - j) / 8);
    Value pivot = k.mul(k.rem(k.div(k.lane(), 8), tiles), 8);
    Type element = getElementTypeOrSelf(values.memref.getType());
    Value loaded = nvgpu::LdMatrixOp::create(
        k, VectorType::get({tiles, 2}, element), values.memref,
        ValueRange{row, k.add(pivot, j)}, /*transpose=*/false, tiles);
    for (int64_t i = 0; i < tiles; ++i)
      words.push_back(k.words(k.element(loaded, i))[0]);
  }
  return words;
}

void ApplyProduct::emitWords(ArrayRef<Value> words, const Value factor[2],
                             const Side &side, Value tile, Value result,
                             ValueRange leading) {
  forColumns([&](Value block) {
    Values sums(16, k.f32(0));
    for (int64_t c = 0; c < 4; ++c) {
      Values operands = loadOperands(block, c);
      for (int64_t i = 0; i < facts.pivots() / 16; ++i)
        emitMma(k, facts.io, words.slice(4 * i, 4),
                ArrayRef(operands).slice(2 * i, 2),
                MutableArrayRef<Value>(sums).slice(4 * c, 4));
    }
    storeTile(sums, factor, side, tile, result, leading, block);
  });
}

void ApplyProduct::emitRows(ArrayRef<Value> words,
                            const std::array<Value, 2> &factors,
                            const LaneRows &result) {
  assert(columns % 8 == 0 && "expected vectors of 8 columns");
  // Without branches: the products of a block come while the one before is
  // rounded and stored.
  for (int64_t from = 0; from < columns; from += 32) {
    Value column = k.index(from);
    BlockWords block;
    for (int64_t c = 0; c < 4; ++c) {
      Values operands = loadOperands(column, c), sums(4, k.f32(0));
      for (int64_t i = 0; i < facts.pivots() / 16; ++i)
        emitMma(k, facts.io, words.slice(4 * i, 4),
                ArrayRef(operands).slice(2 * i, 2), sums);
      block.append(k, facts.io, sums, factors);
    }
    LaneRows rows = result.right(k, column);
    storeBlock(k, block, rows.onlyIf(k, hasColumns(k, column, columns)), 0);
  }
}

/// 32 columns of a tile from `block` on.
void ApplyProduct::storeTile(ArrayRef<Value> sums, const Value factor[2],
                             const Side &side, Value tile, Value result,
                             ValueRange leading, Value block) {
  Value group = k.div(k.lane(), 4), quad = k.rem(k.lane(), 4);
  Value column = k.add(block, k.mul(quad, 8));
  for (int64_t row = 0; row < 2; ++row) {
    Values elements;
    for (int64_t c = 0; c < 8; ++c)
      elements.push_back(
          k.mulf(sums[c / 2 * 4 + 2 * row + c % 2], factor[row]));
    Value token = k.add(k.add(tile, group), 8 * row);
    Values at(leading);
    at.push_back(token);
    storeRow(elements, k.less(token, side.end), result, at, column);
  }
}

void ApplyProduct::emitAll(int64_t tiles,
                           function_ref<ArrayRef<Value>(int64_t i)> words,
                           function_ref<std::array<Value, 2>(int64_t i)> factor,
                           function_ref<Value(int64_t i)> hasTile,
                           const LaneRows &result) {
  assert(columns % 8 == 0 && "expected vectors of 8 columns");
  // Without a branch between them, so that the products of one come while
  // those before are rounded and stored.
  constexpr int64_t kTogether = 2;
  assert(tiles % kTogether == 0);
  forColumns([&](Value block) {
    // G of 32 columns once for all tiles.
    SmallVector<Values> operands;
    for (int64_t c = 0; c < 4; ++c)
      operands.push_back(loadOperands(block, c));
    Value some = hasColumns(k, block, columns);
    LaneRows rows = result.right(k, block).onlyIf(k, some);
    auto multiply = [&](int64_t i) {
      Values sums(16, k.f32(0));
      for (int64_t block16 = 0; block16 < facts.pivots() / 16; ++block16)
        for (int64_t c = 0; c < 4; ++c)
          emitMma(k, k.getF16Type(), words(i).slice(4 * block16, 4),
                  ArrayRef(operands[c]).slice(2 * block16, 2),
                  MutableArrayRef<Value>(sums).slice(4 * c, 4));
      return sums;
    };
    auto emitTiles = [&](int64_t first) {
      Values next = multiply(first);
      for (int64_t i = first; i < first + kTogether; ++i) {
        Values sums = next;
        std::array<Value, 2> factors = factor(i);
        if (i + 1 < first + kTogether)
          next = multiply(i + 1);
        BlockWords block;
        for (int64_t c = 0; c < 4; ++c)
          block.append(k, facts.io, ArrayRef(sums).slice(4 * c, 4), factors);
        storeBlock(k, block, rows, i * Facts::kTile);
      }
    };
    emitTiles(0);
    for (int64_t i = kTogether; i < tiles; i += kTogether)
      k.ifThen(hasTile(i), [&] { emitTiles(i); });
  });
}

void ApplyProduct::emitZeros(const Side &side, Value tile, Value result,
                             ValueRange leading) {
  Values zeros(8, k.f32(0));
  Value group = k.div(k.lane(), 4), quad = k.rem(k.lane(), 4);
  forColumns([&](Value block) {
    for (int64_t row = 0; row < 2; ++row) {
      Value token = k.add(k.add(tile, group), 8 * row);
      Values at(leading);
      at.push_back(token);
      storeRow(zeros, k.less(token, side.end), result, at,
               k.add(block, k.mul(quad, 8)));
    }
  });
}
