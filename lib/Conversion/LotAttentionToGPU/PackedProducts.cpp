//===- PackedProducts.cpp - Products of packed tiles ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedProducts.h"

#include "InlinePTX.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

static Value constantWord(Kernel &k, uint32_t bits) {
  return arith::ConstantOp::create(
      k, k.getI32IntegerAttr(static_cast<int32_t>(bits)));
}
static Value asWord(Kernel &k, Value value) {
  return arith::BitcastOp::create(k, k.getI32Type(), value);
}
static Value asFloat(Kernel &k, Value word) {
  return arith::BitcastOp::create(k, k.getF32Type(), word);
}

Value lot::inverseScale(Kernel &k, Value value) {
  Value exponent =
      arith::AndIOp::create(k, asWord(k, value), constantWord(k, 0x7f800000));
  return asFloat(
      k, arith::SubIOp::create(k, constantWord(k, 0x7f000000), exponent));
}

Value lot::largestOfWarp(Kernel &k, Value value) {
  // Magnitudes compare as their bits do.
  Value bits =
      arith::AndIOp::create(k, asWord(k, value), constantWord(k, 0x7fffffff));
  return asFloat(k, NVVM::ReduxOp::create(k, k.getI32Type(), bits,
                                          NVVM::ReduxKind::UMAX,
                                          constantWord(k, 0xffffffff)));
}

//===----------------------------------------------------------------------===//
// Rows of tokens
//===----------------------------------------------------------------------===//

RowStream::RowStream(Kernel &k) : k(k) {
  slots = k.shared.allocate({kStages * Facts::kWarps * Facts::kTile, 32},
                            k.getBF16Type());
}

Values RowStream::slot(Value stage, int64_t row) {
  Value own = k.div(k.lane(), 4);
  Value tile = k.add(k.add(k.mul(k.warp(), Facts::kTile), row),
                     k.mul(stage, Facts::kWarps * Facts::kTile));
  Value part = arith::XOrIOp::create(k, k.rem(k.lane(), 4), k.div(own, 2));
  return {k.add(tile, own), k.mul(part, 8)};
}

void RowStream::start(Value stage, const std::array<Value, 2> &live,
                      Value source, Value column) {
  Value zero = k.index(0);
  Value from = k.narrow(k.add(column, k.mul(k.rem(k.lane(), 4), 8)));
  Value inside = k.lessNarrow(from, k.dim(source, 1));
  for (int64_t row = 0; row < 2; ++row) {
    // Nothing is read of a row that is not there: zeros.
    Value count = k.select(k.both(live[row], inside), k.index(8), zero);
    nvgpu::DeviceAsyncCopyOp::create(
        k, nvgpu::DeviceAsyncTokenType::get(k.getContext()), slots,
        slot(stage, 8 * row), source, ValueRange{k.index(8 * row), from},
        k.getIndexAttr(8), count, k.getUnitAttr());
  }
  skip();
}

void RowStream::skip() { NVVM::CpAsyncCommitGroupOp::create(k); }

void RowStream::wait(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(k, k.getI32IntegerAttr(pending));
  k.warpBarrier();
}

RowBlock RowStream::load(Value stage) {
  RowBlock block;
  for (int64_t row = 0; row < 2; ++row)
    block.words[row] = k.words(k.loadVector(slots, slot(stage, 8 * row), 8));
  return block;
}

Values RowStream::loadOperand(Value stage, int64_t half, bool transposed) {
  // Lane l names row l % 16 of columns 8 (l / 16).
  Value row = k.rem(k.lane(), 16);
  Value part = k.add(k.div(k.lane(), 16), 2 * half);
  part = arith::XOrIOp::create(k, part, k.rem(k.div(row, 2), 4));
  Value tile = k.add(k.mul(k.warp(), Facts::kTile),
                     k.mul(stage, Facts::kWarps * Facts::kTile));
  Value loaded = nvgpu::LdMatrixOp::create(
      k, VectorType::get({4, 2}, k.getBF16Type()), slots,
      ValueRange{k.add(tile, row), k.mul(part, 8)}, transposed,
      /*numTiles=*/4);
  Values words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(k.words(k.element(loaded, i))[0]);
  return words;
}

StagedCopy lot::stageMatrix(Kernel &k, const Facts &facts, Value packed,
                            ValueRange leading, RowFormat format) {
  // Rows are 16 bytes off multiples of 128: in different banks.
  int64_t columns = format.depth() * format.parts;
  int64_t stride = llvm::alignTo(columns, 64) + 8;
  Value shared = k.shared.allocate({facts.pivots(), stride}, facts.io);
  return {packed, Values(leading), facts.pivots(), columns / 8, shared};
}

StagedCopy lot::stageColumns(Kernel &k, const Facts &facts, Value packed,
                             Value set, int64_t columns) {
  Value shared =
      k.shared.allocate({columns, facts.pivots() + 8}, facts.productType(k));
  return {packed, {set}, columns, facts.pivots() / 8, shared};
}

/// Eight columns of a row from `column` on.
static Value loadPiece(Kernel &k, const StagedCopy &copy, Value row,
                       Value column) {
  Values at(copy.leading);
  at.append({row, column});
  if (!copy.byElement)
    return k.loadVector(copy.source, at, 8);
  ArrayRef<int64_t> shape = cast<MemRefType>(copy.source.getType()).getShape();
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  Type element = getElementTypeOrSelf(copy.source.getType());
  Value zero = arith::ConstantOp::create(k, k.getZeroAttr(element));
  at[at.size() - 2] = k.min(row, k.index(rows - 1));
  Values elements;
  for (int64_t e = 0; e < 8; ++e) {
    Value c = k.add(column, e);
    at.back() = k.min(c, k.index(columns - 1));
    Value inside =
        k.both(k.less(row, k.index(rows)), k.less(c, k.index(columns)));
    elements.push_back(k.select(inside, k.load(copy.source, at), zero));
  }
  return k.pack(elements);
}

void lot::emitCopies(Kernel &k, ArrayRef<StagedCopy> copies,
                     function_ref<void()> meanwhile) {
  // All are read before any is written: they wait together.
  struct Piece {
    Value isMine, data, target;
    Values at;
  };
  SmallVector<Piece> pieces;
  for (const StagedCopy &copy : copies) {
    int64_t count = copy.rows * copy.vectors;
    Value next = k.thread();
    // A launch may have more threads than the fewest.
    for (int64_t round = 0; round * k.getLeastThreads() < count; ++round) {
      Value i = next, isMine;
      next = k.add(next, k.threadCount());
      if ((round + 1) * k.getThreads() > count) {
        isMine = k.less(i, k.index(count));
        i = k.min(i, k.index(count - 1));
      }
      Value row = k.div(i, copy.vectors);
      Value column = k.mul(k.rem(i, copy.vectors), 8);
      pieces.push_back({isMine,
                        loadPiece(k, copy, row, column),
                        copy.shared,
                        {row, column}});
    }
  }
  if (meanwhile)
    meanwhile();
  for (const Piece &piece : pieces) {
    auto store = [&] { k.storeVector(piece.data, piece.target, piece.at); };
    if (piece.isMine)
      k.ifThen(piece.isMine, store);
    else
      store();
  }
}

void lot::addBlockDots(Kernel &k, const Facts &facts, RowStream &stream,
                       Value stage, int64_t column, Value matrix,
                       RowFormat format, Tile &dots) {
  Values a[2] = {stream.loadOperand(stage, 0), stream.loadOperand(stage, 1)};
  // Lane l names row l % 8 of columns 8 (l / 8).
  Value pivot = k.rem(k.lane(), 8), from = k.mul(k.div(k.lane(), 8), 8);
  for (int64_t part = 0; part < format.parts; ++part)
    for (int64_t j = 0; j < facts.pivots(); j += 8) {
      Value loaded = nvgpu::LdMatrixOp::create(
          k, VectorType::get({4, 2}, facts.io), matrix,
          ValueRange{k.add(pivot, j),
                     k.add(from, part * format.depth() + column)},
          /*transpose=*/false, /*numTiles=*/4);
      auto sums = MutableArrayRef<Value>(dots).slice(j / 2, 4);
      for (int64_t half = 0; half < 2; ++half)
        emitMma(k, facts.io, a[half],
                {k.words(k.element(loaded, 2 * half))[0],
                 k.words(k.element(loaded, 2 * half + 1))[0]},
                sums);
    }
}

void lot::addDots(Kernel &k, const RowBlock &block, int64_t c,
                  ArrayRef<Value> products, Value dots[2]) {
  Value high = constantWord(k, 0xffff0000), sixteen = constantWord(k, 16);
  for (int64_t row = 0; row < 2; ++row) {
    Value word = block.words[row][c];
    Value low = arith::ShLIOp::create(k, word, sixteen);
    Value values[2] = {asFloat(k, low),
                       asFloat(k, arith::AndIOp::create(k, word, high))};
    for (int64_t e = 0; e < 2; ++e)
      dots[row] = k.fma(values[e], products[2 * row + e], dots[row]);
  }
}

//===----------------------------------------------------------------------===//
// Contraction over pivots
//===----------------------------------------------------------------------===//

void lot::emitBlockProduct(
    Kernel &k, const Facts &facts, ArrayRef<Value> words, Value staged,
    Value column,
    function_ref<void(int64_t c, ArrayRef<Value> products)> body) {
  // Lane l names column l % 8 of 8 pivots.
  int64_t tiles = facts.pivots() / 8;
  Value n = k.rem(k.lane(), 8);
  Value row = k.add(column, k.add(k.mul(k.div(n, 2), 8), k.rem(n, 2)));
  Value pivot = k.mul(k.rem(k.div(k.lane(), 8), tiles), 8);
  auto type = VectorType::get({tiles, 2}, facts.io);
  for (int64_t c = 0; c < 4; ++c) {
    Values sums(4, k.f32(0));
    Value loaded = nvgpu::LdMatrixOp::create(
        k, type, staged, ValueRange{k.add(row, 2 * c), pivot},
        /*transpose=*/false, tiles);
    for (int64_t i = 0; i < tiles / 2; ++i)
      emitMma(k, facts.io, words.slice(4 * i, 4),
              {k.words(k.element(loaded, 2 * i))[0],
               k.words(k.element(loaded, 2 * i + 1))[0]},
              sums);
    body(c, sums);
  }
}

void lot::BlockWords::append(Kernel &k, Type type, ArrayRef<Value> products,
                             Value factor) {
  for (int64_t row = 0; row < 2; ++row)
    words[row].push_back(packWord(k, type, k.mulf(products[2 * row], factor),
                                  k.mulf(products[2 * row + 1], factor)));
}

void lot::storeBlock(Kernel &k, const BlockWords &block,
                     const std::array<Value, 2> &live, Value result,
                     Value column) {
  Value from = k.narrow(k.add(column, k.mul(k.rem(k.lane(), 4), 8)));
  Value inside = k.lessNarrow(from, k.dim(result, 1));
  auto eight = VectorType::get({8}, getElementTypeOrSelf(result.getType()));
  for (int64_t row = 0; row < 2; ++row)
    k.ifThen(k.both(inside, live[row]), [&] {
      k.storeVector(
          vector::BitCastOp::create(k, eight, k.pack(block.words[row])), result,
          {k.index(8 * row), from});
    });
}

//===----------------------------------------------------------------------===//
// Contraction over tokens
//===----------------------------------------------------------------------===//

Values lot::transposeTile(Kernel &k, ArrayRef<Value> words) {
  // Pivots 0-7 and 8-15 of the first 8 tokens, then of the others.
  Values result;
  for (size_t i = 0; i < words.size(); i += 4)
    for (size_t at : {0, 2, 1, 3})
      result.push_back(emitTranspose(k, words[i + at]));
  return result;
}

void lot::addTransposed(Kernel &k, ArrayRef<Value> transposed,
                        RowStream &stream, Value stage, Values &sums) {
  for (int64_t half = 0; half < 2; ++half) {
    Values b = stream.loadOperand(stage, half, /*transposed=*/true);
    for (int64_t c = 0; c < 2; ++c)
      for (size_t i = 0; i < transposed.size() / 4; ++i)
        emitMma(
            k, k.getBF16Type(), transposed.slice(4 * i, 4),
            ArrayRef(b).slice(2 * c, 2),
            MutableArrayRef<Value>(sums).slice(4 * (4 * i + 2 * half + c), 4));
  }
}

void lot::foldBlocks(
    Kernel &k, const Facts &facts, ArrayRef<Value> sums, Value shared,
    function_ref<void(Value pivot, Value column, Value four)> body) {
  k.barrier();
  Value own = k.div(k.lane(), 4), from = laneColumn(k);
  for (size_t at = 0; at < sums.size(); at += 2) {
    int64_t pivot = at / 16 * 16 + at % 4 / 2 * 8, column = at % 16 / 4 * 8;
    k.storeVector(k.pack(sums.slice(at, 2)), shared,
                  {k.warp(), k.add(own, pivot), k.add(from, column)});
  }
  k.barrier();
  k.forLoop(k.thread(), k.index(facts.pivots() * 8), k.index(k.getThreads()),
            [&](Value i) {
              Value pivot = k.div(i, 8), column = k.mul(k.rem(i, 8), 4);
              Value sum;
              for (int64_t warp = 0; warp < Facts::kWarps; ++warp) {
                Value part =
                    k.loadVector(shared, {k.index(warp), pivot, column}, 4);
                sum = warp ? k.addf(sum, part) : part;
              }
              body(pivot, column, sum);
            });
}
