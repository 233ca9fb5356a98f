//===- GatherProduct.cpp - A plan's transpose times rows of values --------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedTiles.h"
#include "Products.h"

#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

Value lot::makePlanStage(Kernel &k, const Facts &facts) {
  if (facts.tensorProducts())
    return Value();
  int64_t columns = std::min(facts.pivots(), kPlanColumns);
  return k.shared.allocate({Facts::kThreads / 2, columns + 4}, k.getF32Type());
}

void lot::stageTile(Kernel &k, const Tile &all, int64_t firstPivot,
                    Value shared, Value base) {
  ArrayRef<Value> tile = ArrayRef(all).drop_front(firstPivot / 2);
  tile = tile.take_front(kPlanColumns / 2);
  k.warpBarrier();
  Value row = k.add(base, k.div(k.lane(), 4)), first = laneColumn(k);
  for (int64_t i = 0; i < static_cast<int64_t>(tile.size()); i += 2)
    k.storeVector(k.pack({tile[i], tile[i + 1]}), shared,
                  {k.add(row, 8 * rowOf(i)), k.add(first, columnOf(i))});
  k.warpBarrier();
}

/// Shared memory of a kernel with a GatherProduct: rows of a tile for each
/// warp, plans, totals, and vectors of pivots.
int64_t GatherShape::countBytes(const Facts &facts) const {
  constexpr int64_t kVectors = 4096;
  int64_t width = facts.tensorProducts() ? 2 : 4, rows = Facts::kThreads / 2;
  int64_t plans = facts.tensorProducts()
                      ? 0
                      : rows * (std::min(facts.pivots(), kPlanColumns) + 4) * 4;
  return rows * (columns + 8) * width + facts.pivots() * columns * 4 + plans +
         kVectors;
}

GatherShape::GatherShape(const Facts &facts, int64_t allColumns)
    : all(allColumns) {
  // Registers of a lane for the sums; a tile of many pivots needs its own.
  int64_t sums = facts.pivots() <= 64 ? 128 : 64;
  columns = std::min<int64_t>(
      allColumns, llvm::alignDown(sums * kWarp / facts.pivots(), 8));
  // Some GPUs have less than half of the shared memory of others.
  while (columns > 32 && countBytes(facts) > facts.sharedLimit)
    columns = llvm::alignTo(columns / 2, 8);
  blocks = llvm::divideCeil(allColumns, columns);
}

GatherProduct::GatherProduct(Kernel &k, const Facts &facts,
                             const GatherShape &shape, Value plans,
                             int64_t tiles)
    : k(k), facts(facts), shape(shape),
      start(facts.pivots() * shape.columns / kWarp, k.f32(0)), tiles(tiles),
      plans(plans) {
  Type element = facts.tensorProducts() ? facts.io : Type(k.getF32Type());
  int64_t kept = canPrefetch() ? tiles : 1;
  rows = k.shared.allocate({kept * Facts::kThreads / 2, shape.columns + 8},
                           element);
  totals = k.shared.allocate({facts.pivots(), shape.columns}, k.getF32Type());
}

bool GatherProduct::canPrefetch() const {
  // Two blocks of a multiprocessor keep the rows of all their tiles.
  int64_t bytes = tiles * Facts::kThreads / 2 * (shape.columns + 8) * 2;
  return facts.tensorProducts() && facts.dv % 8 == 0 &&
         bytes <= Facts::kCopyBytes && bytes <= facts.sharedLimit / 2;
}

void GatherProduct::prefetchRows(int64_t i, const Side &side, Value tile,
                                 Value source, ValueRange leading) {
  prefetched = true;
  Value base = k.add(k.mul(k.warp(), Facts::kTile), i * Facts::kThreads / 2);
  int64_t vectors = shape.columns / 8;
  Value columns = k.index(facts.dv), zero = k.index(0);
  for (int64_t at = 0; at < vectors * Facts::kTile; at += kWarp) {
    Value index = k.add(k.lane(), at);
    Value row = k.div(index, vectors);
    Value from = k.mul(k.rem(index, vectors), 8);
    auto [token, live] = locateToken(k, side, tile, row);
    Value inside = k.less(from, columns);
    Values indices(leading);
    indices.append({token, k.select(inside, from, zero)});
    // No elements are read of a row that does not count: zeros.
    Value count = k.select(k.both(live, inside), k.index(8), zero);
    nvgpu::DeviceAsyncCopyOp::create(
        k, nvgpu::DeviceAsyncTokenType::get(k.getContext()), rows,
        ValueRange{k.add(base, row), from}, source, indices, k.getIndexAttr(8),
        count, k.getUnitAttr());
  }
}

void GatherProduct::waitForRows() {
  Value token = nvgpu::DeviceAsyncCreateGroupOp::create(
      k, nvgpu::DeviceAsyncTokenType::get(k.getContext()), ValueRange());
  nvgpu::DeviceAsyncWaitOp::create(k, token, k.getI32IntegerAttr(0));
  k.warpBarrier();
}

Values GatherProduct::prepare(const Tile &plan, int64_t parts) {
  if (!facts.tensorProducts())
    return plan;
  Values words;
  for (const Values &part : splitTile(k, facts.io, plan, parts))
    words.append(transposeTile(k, part));
  return words;
}

/// The tile's rows in shared memory, whole rows by lanes side by side. Those of
/// absent tokens are 0, whatever memory holds.
void GatherProduct::stageRows(const Side &side, Value tile, Value source,
                              ValueRange leading, Value column, Value base) {
  Type element = cast<MemRefType>(rows.getType()).getElementType();
  int64_t vectors = shape.columns / 4 * Facts::kTile;
  k.warpBarrier();
  for (int64_t at = 0; at < vectors; at += kWarp) {
    Value index = k.add(k.lane(), at);
    Value row = k.div(index, shape.columns / 4);
    Value from = k.mul(k.rem(index, shape.columns / 4), 4);
    auto [token, live] = locateToken(k, side, tile, row);
    Values indices(leading);
    indices.push_back(token);
    Value four = k.convert(
        loadRow(k, source, indices, k.add(column, from), 4, live), element);
    k.storeVector(four, rows, {k.add(base, row), from});
  }
  k.warpBarrier();
}

Values GatherProduct::accumulate(const Values &prepared, const Side &side,
                                 Value tile, Value source, ValueRange leading,
                                 Value column, ValueRange sums, int64_t i) {
  Values next(sums);
  Value base = k.mul(k.warp(), Facts::kTile);
  if (prefetched)
    base = k.add(base, i * Facts::kThreads / 2);
  else
    stageRows(side, tile, source, leading, column, base);
  int64_t tiles = shape.columns / 8; // of 8 columns
  if (facts.tensorProducts()) {
    for (int64_t c = 0; c < tiles; ++c) {
      // Two 8 x 8 tiles, of the first 8 tokens and the others; lanes 0 to 15
      // name their rows.
      Value from = k.add(base, k.rem(k.lane(), 16));
      auto type = VectorType::get({2, 2}, facts.io);
      Value loaded = nvgpu::LdMatrixOp::create(
          k, type, rows, ValueRange{from, k.index(8 * c)},
          /*transpose=*/true, /*numTiles=*/2);
      Values b{k.words(k.element(loaded, 0))[0],
               k.words(k.element(loaded, 1))[0]};
      ArrayRef<Value> words(prepared);
      for (; !words.empty(); words = words.drop_front(facts.pivots() / 4))
        for (int64_t i = 0; i < facts.pivots() / 16; ++i)
          emitMma(k, facts.io, words.slice(4 * i, 4), b,
                  MutableArrayRef<Value>(next).slice(4 * (i * tiles + c), 4));
    }
    return next;
  }
  Value pivot = k.div(k.lane(), 4), first = laneColumn(k);
  for (int64_t part = 0; part < facts.pivots(); part += kPlanColumns) {
    stageTile(k, prepared, part, plans, base);
    int64_t count = std::min(facts.pivots() - part, kPlanColumns);
    next = k.forLoop(
        k.index(0), k.index(Facts::kTile), k.index(1), next,
        [&](Value t, ValueRange carried) {
          Values result(carried);
          Value token = k.add(base, t);
          Values b;
          for (int64_t c = 0; c < tiles; ++c) {
            Value pair = k.loadVector(rows, {token, k.add(first, 8 * c)}, 2);
            b.append({k.element(pair, 0), k.element(pair, 1)});
          }
          for (int64_t i = 0; i < count / 8; ++i) {
            Value a = k.load(plans, {token, k.add(pivot, 8 * i)});
            int64_t block = part / 16 + i / 2;
            for (int64_t c = 0; c < tiles; ++c)
              for (int64_t e = 0; e < 2; ++e) {
                Value &sum = result[4 * (block * tiles + c) + 2 * (i % 2) + e];
                sum = k.fma(a, b[2 * c + e], sum);
              }
          }
          return result;
        });
  }
  return next;
}

void GatherProduct::store(ArrayRef<Value> sums, Value target,
                          ValueRange leading, Value column) {
  Value pivot = k.div(k.lane(), 4), first = laneColumn(k);
  int64_t tiles = shape.columns / 8;
  // Warp after warp: the order of the sums is fixed.
  k.forLoop(k.index(0), k.index(Facts::kWarps), k.index(1), [&](Value turn) {
    k.barrier();
    Value mine =
        arith::CmpIOp::create(k, arith::CmpIPredicate::eq, turn, k.warp());
    Value begins = k.equal(turn, 0);
    k.ifThen(mine, [&] {
      for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); i += 2) {
        int64_t block = i / 4;
        Values at{k.add(pivot, block / tiles * 16 + i % 4 / 2 * 8),
                  k.add(first, block % tiles * 8)};
        Value before = k.loadVector(totals, at, 2);
        before = k.select(begins, k.zeros(cast<VectorType>(before.getType())),
                          before);
        k.storeVector(k.addf(before, k.pack({sums[i], sums[i + 1]})), totals,
                      at);
      }
    });
  });
  k.barrier();
  int64_t columns = shape.columns;
  k.forLoop(k.thread(), k.index(facts.pivots() * columns),
            k.index(k.getThreads()), [&](Value i) {
              Value j = k.div(i, columns), c = k.rem(i, columns);
              Value to = k.add(column, c);
              Values at(leading);
              at.append({j, to});
              k.ifThen(k.less(to, k.index(shape.all)),
                       [&] { k.store(k.load(totals, {j, c}), target, at); });
            });
}
