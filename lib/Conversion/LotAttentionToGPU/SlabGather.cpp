//===- SlabGather.cpp - Plans in registers times rows of values -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SlabGather.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

/// Sums of a lane.
static constexpr int64_t kSums = 32;

static int64_t getSlabColumns(const Facts &facts, int64_t columns) {
  int64_t most = kSums * kWarp / facts.pivots() / 16 * 16;
  return std::min<int64_t>(llvm::alignTo(columns, 32), most);
}

/// Bytes of the sums of a warp.
static constexpr int64_t kSumBytes = kSums * kWarp * 4;

SlabGather::SlabGather(Kernel &k, const Facts &facts, int64_t columns,
                       const SharedRegion &memory)
    : k(k), facts(facts), allColumns(llvm::alignTo(columns, 32)),
      slabColumns(getSlabColumns(facts, columns)),
      slabs(llvm::divideCeil(allColumns, slabColumns)),
      places(std::min<int64_t>(memory.partBytes / kSumBytes, 2)),
      partials(memory.view(0, places * kSumBytes / 4, 1, k.getF32Type())),
      ring(k, memory, facts.io, slabColumns, slabColumns, kSumBytes,
           memory.partBytes - kSumBytes, /*packed=*/true) {}

/// Asks for a cache line, which no register waits for.
static void prefetchLine(Kernel &k, Value rows, Value row) {
  auto parts = memref::ExtractStridedMetadataOp::create(k, rows);
  Value at = k.add(parts.getOffset(), k.mul(row, parts.getStrides()[0]));
  int64_t bytes = cast<MemRefType>(rows.getType()).getElementTypeBitWidth() / 8;
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(k, rows);
  Value address = arith::IndexCastOp::create(k, k.getI64Type(),
                                             k.add(base, k.mul(at, bytes)));
  Value pointer = LLVM::IntToPtrOp::create(
      k, LLVM::LLVMPointerType::get(k.getContext(), 1), address);
  auto level = NVVM::PrefetchCacheLevelAttr::get(k.getContext(),
                                                 NVVM::PrefetchCacheLevel::L2);
  NVVM::PrefetchOp::create(k, level, NVVM::CacheEvictionPriorityAttr(), pointer,
                           Value(), UnitAttr());
}

void SlabGather::prefetch(const WarpRing::Source &source,
                          function_ref<Value(int64_t i)> tileStart,
                          Value tiles) {
  auto hasTile = [&](int64_t i) { return k.lessNarrow(k.index(i), tiles); };
  auto lane = ring.startLane(source);
  for (int64_t turn = 0; turn < ring.getSlots(); ++turn)
    copyTurn(source, lane, tileStart, hasTile, turn);
  // Of 64 columns.
  int64_t lines = llvm::divideCeil(source.columns, 64);
  Value first = tileStart(0), last = k.sub(source.side.length, k.index(1));
  k.forLoop(k.lane(), k.mul(tiles, Facts::kTile * lines), k.index(kWarp),
            [&](Value i) {
              Value row = k.add(first, k.div(i, lines));
              Value column = k.mul(k.rem(i, lines), 64);
              Value rows = k.viewRows(source.tokens, source.leading, column);
              prefetchLine(k, rows, k.minNarrow(row, last));
            });
}

void SlabGather::copyTurn(const WarpRing::Source &source,
                          const std::optional<WarpRing::Lane> &lane,
                          function_ref<Value(int64_t i)> tileStart,
                          function_ref<Value(int64_t i)> hasTile,
                          int64_t turn) {
  int64_t slab = turn / facts.residentTiles();
  if (slab >= slabs)
    return ring.copy(nullptr, lane, Value(), 0, turn);
  // Of tiles that are added together all are copied.
  int64_t i = turn % facts.residentTiles();
  int64_t begin = llvm::alignDown(i, group());
  ring.copy(&source, lane, tileStart(i), slab * slabColumns, turn,
            begin > 0 ? hasTile(begin) : Value());
}

void SlabGather::emit(const WarpRing::Source &source,
                      function_ref<Value(int64_t i)> tileStart,
                      function_ref<Value(int64_t i)> hasTile,
                      function_ref<Values(int64_t i)> plan,
                      function_ref<Value(Value pivot)> pivotFactor,
                      Value target, ValueRange leading) {
  int64_t blocks = facts.pivots() / 16, tiles = slabColumns / 8;
  int64_t words = facts.pivots() / 4;
  SmallVector<Values> operands(facts.residentTiles());
  auto lane = ring.startLane(source);
  for (int64_t slab = 0; slab < slabs; ++slab) {
    Values sums(blocks * tiles * 4, k.f32(0));
    for (int64_t i = 0; i < facts.residentTiles(); i += group()) {
      int64_t turn = slab * facts.residentTiles() + i;
      auto some = MutableArrayRef<Values>(operands).slice(i, group());
      Values before = sums;
      // The sums and, at first, the operands.
      auto add = [&] {
        if (slab == 0)
          for (int64_t t = 0; t < group(); ++t)
            some[t] = transposeTile(k, plan(i + t));
        ring.wait(ring.getSlots() - group());
        addTiles(turn, some, sums);
        Values all = sums;
        if (slab == 0)
          for (const Values &operand : some)
            all.append(operand);
        return all;
      };
      if (i == 0) {
        add();
      } else {
        SmallVector<Type> types(sums.size(), k.getF32Type());
        if (slab == 0)
          types.append(group() * words, k.getI32Type());
        Values all = k.ifElse(hasTile(i), types, add, [&] {
          Values none = before;
          none.append(types.size() - none.size(), k.word(0));
          return none;
        });
        ArrayRef<Value> rest = all;
        sums = Values(rest.take_front(before.size()));
        rest = rest.drop_front(before.size());
        for (size_t t = 0; t < some.size() && !rest.empty(); ++t)
          some[t] = Values(rest.slice(t * words, words));
      }
      // Into the slots that they leave; turns without a tile are counted.
      k.warpBarrier();
      for (int64_t t = 0; t < group(); ++t)
        copyTurn(source, lane, tileStart, hasTile, turn + t + ring.getSlots());
    }
    // The last two slabs at once.
    bool isLast = slab + 1 == slabs;
    if (isLast && slab > 0 && places > 1) {
      keep(sums, 1);
      fold(slab - 1, 2, pivotFactor, target, leading);
      continue;
    }
    if (slab)
      k.barrier();
    keep(sums, 0);
    if (slab + 2 != slabs || places == 1)
      fold(slab, 1, pivotFactor, target, leading);
  }
}

/// sums += plan^T x rows of turns from `turn` on.
void SlabGather::addTiles(int64_t turn, ArrayRef<Values> operands,
                          MutableArrayRef<Value> sums) {
  int64_t blocks = facts.pivots() / 16, tiles = slabColumns / 8;
  for (int64_t c = 0; c < tiles; c += 2) {
    // Four 8 x 8 tiles: the first 8 tokens and the others, of 8 columns and of
    // the next 8.
    Value row = k.rem(k.lane(), 16);
    Value column = ring.locateColumn(row, k.mul(k.div(k.lane(), 16), 8));
    if (c)
      column = arith::XOrIOp::create(k, column, k.index(8 * c));
    SmallVector<Values> loaded;
    for (size_t t = 0; t < operands.size(); ++t) {
      Value from = k.add(ring.getFirstRow(turn + t), row);
      Value four = nvgpu::LdMatrixOp::create(
          k, VectorType::get({4, 2}, facts.io), ring.getRows(),
          ValueRange{k.warp(), from, column}, /*transpose=*/true,
          /*numTiles=*/4);
      loaded.emplace_back();
      for (int64_t i = 0; i < 4; ++i)
        loaded.back().push_back(k.words(k.element(four, i))[0]);
    }
    for (auto [words, values] : llvm::zip_equal(operands, loaded))
      for (int64_t e = 0; e < 2; ++e)
        for (int64_t block = 0; block < blocks; ++block)
          emitMma(k, facts.io, ArrayRef(words).slice(4 * block, 4),
                  ArrayRef(values).slice(2 * e, 2),
                  sums.slice(4 * (block * tiles + c + e), 4));
  }
}

void SlabGather::keep(ArrayRef<Value> sums, int64_t place) {
  // Four of every lane side by side: all banks at once.
  for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); i += 4) {
    Value at = k.add(k.mul(k.lane(), 4), i * kWarp + place * kSumBytes / 4);
    k.storeVector(k.pack(sums.slice(i, 4)), partials, {k.warp(), at});
  }
}

void SlabGather::fold(int64_t first, int64_t count,
                      function_ref<Value(Value pivot)> pivotFactor,
                      Value target, ValueRange leading) {
  int64_t tiles = slabColumns / 8, items = facts.pivots() * slabColumns / 4;
  k.barrier();
  k.forLoop(k.thread(), k.index(items * count), k.threadCount(), [&](Value i) {
    Value place = k.div(i, items), item = k.rem(i, items);
    Value at = k.add(k.mul(item, 4), k.mul(place, kSumBytes / 4));
    Value sum = k.sumWarps([&](int64_t warp) {
      return k.loadVector(partials, {k.index(warp), at}, 4);
    });
    // As lanes have the results of mma: two of a pivot, two of the eighth one
    // after.
    Value tile = k.div(item, kWarp), lane = k.rem(item, kWarp);
    Value j = k.add(k.mul(k.div(tile, tiles), 16), k.div(lane, 4));
    Value c = k.add(k.mul(k.rem(tile, tiles), 8), k.mul(k.rem(lane, 4), 2));
    c = k.add(c, k.mul(k.add(place, first), slabColumns));
    k.ifThen(k.less(c, k.index(allColumns)), [&] {
      for (int64_t row = 0; row < 2; ++row) {
        Value pivot = k.add(j, 8 * row), factor = pivotFactor(pivot);
        Values pair;
        for (int64_t e = 0; e < 2; ++e)
          pair.push_back(k.mulf(k.element(sum, 2 * row + e), factor));
        Values indices(leading);
        indices.append({pivot, c});
        k.storeVector(k.pack(pair), target, indices);
      }
    });
  });
}
