//===- PackedProducts.cpp - Products of packed tiles ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedProducts.h"

#include "InlinePTX.h"
#include "WarpgroupMma.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"

using namespace mlir;
using namespace mlir::lot;

static Value asWord(Kernel &k, Value value) {
  return arith::BitcastOp::create(k, k.getI32Type(), value);
}
static Value asFloat(Kernel &k, Value word) {
  return arith::BitcastOp::create(k, k.getF32Type(), word);
}

Value lot::inverseScale(Kernel &k, Value value) {
  Value exponent =
      arith::AndIOp::create(k, asWord(k, value), k.word(0x7f800000));
  return asFloat(k, arith::SubIOp::create(k, k.word(0x7f000000), exponent));
}

Value lot::largestOfWarp(Kernel &k, Value value) {
  // Magnitudes compare as their bits do.
  Value bits = arith::AndIOp::create(k, asWord(k, value), k.word(0x7fffffff));
  return asFloat(k, NVVM::ReduxOp::create(k, k.getI32Type(), bits,
                                          NVVM::ReduxKind::UMAX,
                                          k.word(0xffffffff)));
}

//===----------------------------------------------------------------------===//
// Rows of tokens
//===----------------------------------------------------------------------===//

/// Of the 16-bit elements.
static constexpr int64_t kBytes = 2;

static Value toPointer(Kernel &k, Value address, unsigned space) {
  return LLVM::IntToPtrOp::create(
      k, LLVM::LLVMPointerType::get(k.getContext(), space), address);
}

LaneRows lot::locateLaneRows(Kernel &k, Value memref, ValueRange leading,
                             Value first, Value own, Value left) {
  auto parts = memref::ExtractStridedMetadataOp::create(k, memref);
  Value stride = parts.getStrides()[leading.size()];
  Value offset = k.add(parts.getOffset(), k.mul(first, stride));
  for (auto [index, step] : llvm::zip(leading, parts.getStrides()))
    offset = k.add(offset, k.mul(index, step));
  Value word = emitOpaque(k, k.toWord(stride));
  Value row = k.narrow(k.add(own, k.div(k.lane(), 4)));
  Value place = k.add(k.mul(row, k.widen(word)), k.mul(k.rem(k.lane(), 4), 8));
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(k, memref);
  Value pointer = k.add(base, k.mul(k.add(offset, place), kBytes));
  return {emitOpaque(k, pointer), word, left};
}

LaneRows LaneRows::move(Kernel &k, Value rows, Value columns) const {
  // A product of words, twice as wide.
  Value elements = arith::MulIOp::create(k, rows, k.word(kBytes));
  Value to = k.add(pointer, k.mul(k.widen(stride), k.widen(elements)));
  LaneRows moved{to, stride, arith::SubIOp::create(k, left, rows)};
  return columns ? moved.right(k, columns) : moved;
}

LaneRows LaneRows::right(Kernel &k, Value columns) const {
  return {k.add(pointer, k.mul(columns, kBytes)), stride, left};
}

Value LaneRows::at(Kernel &k, int64_t row) const {
  if (row == 0)
    return pointer;
  return k.add(pointer, k.mul(k.widen(stride), kBytes * row));
}

Value LaneRows::isThere(Kernel &k, int64_t row) const {
  return arith::CmpIOp::create(k, arith::CmpIPredicate::sgt, left, k.word(row));
}

LaneRows LaneRows::onlyIf(Kernel &k, Value condition) const {
  if (!condition)
    return *this;
  return {pointer, stride, k.select(condition, left, k.word(0))};
}

LaneRows lot::select(Kernel &k, Value condition, const LaneRows &yes,
                     const LaneRows &no) {
  return {k.select(condition, yes.pointer, no.pointer),
          k.select(condition, yes.stride, no.stride),
          k.select(condition, yes.left, no.left)};
}

Value lot::hasColumns(Kernel &k, Value column, int64_t columns) {
  if (columns % 32 == 0)
    return Value();
  Value from = k.add(column, k.mul(k.rem(k.lane(), 4), 8));
  return k.lessNarrow(from, k.index(columns));
}

/// Of a stage and of a row of it.
static constexpr int64_t kRowBytes = 32 * kBytes;
static constexpr int64_t kStageBytes = Facts::kWarps * Facts::kTile * kRowBytes;

RowStream::RowStream(Kernel &k) : k(k) {
  slots = k.shared.allocate({kStages * Facts::kWarps * Facts::kTile, 32},
                            k.getBF16Type());
}

void RowStream::locate() {
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(k, slots);
  base = k.add(base, k.mul(k.warp(), Facts::kTile * kRowBytes));
  auto place = [&](Value row, Value part) {
    Value at = k.add(k.mul(row, kRowBytes), k.mul(part, 16));
    return emitOpaque(k, k.toWord(k.add(base, at)));
  };
  auto exchanged = [&](Value row, Value part) -> Value {
    return arith::XOrIOp::create(k, part, k.exchangeInRow(row, 4));
  };
  Value own = k.div(k.lane(), 4);
  places[0] = place(own, exchanged(own, k.rem(k.lane(), 4)));
  // Lane l names row l % 16 of columns 8 (l / 16).
  Value row = k.rem(k.lane(), 16);
  places[1] = place(row, exchanged(row, k.div(k.lane(), 16)));
}

RowStream::Turned::Turned(RowStream &stream, Value first)
    : stream(stream), places(stream.places) {
  if (!first)
    return;
  Kernel &k = stream.k;
  // By two stages or by none.
  Value two = k.word(2), bytes = k.word(kStageBytes);
  Value stage = arith::AndIOp::create(k, first, two);
  Value offset = arith::MulIOp::create(k, stage, bytes);
  for (Value &place : stream.places)
    place = arith::AddIOp::create(k, place, offset);
  Value other =
      arith::SubIOp::create(k, two, arith::AddIOp::create(k, stage, stage));
  stream.across = arith::MulIOp::create(k, other, bytes);
}

std::pair<Value, int64_t> RowStream::locate(Value place, int64_t stage) {
  stage %= kStages;
  if (!across || stage < 2)
    return {place, stage * kStageBytes};
  return {arith::AddIOp::create(k, place, across), stage % 2 * kStageBytes};
}

void RowStream::start(int64_t stage, const LaneRows &rows, int64_t row) {
  auto [place, offset] = locate(places[0], stage);
  // Else what comes of it is kept from before the loop, for all rows.
  LaneRows here = rows;
  here.stride = emitOpaque(k, rows.stride);
  for (int64_t half = 0; half < 2; ++half) {
    int64_t at = row + 8 * half;
    emitAsyncCopy(k, place, offset + 8 * half * kRowBytes, here.at(k, at),
                  k.invert(rows.isThere(k, at)));
  }
  skip();
}

void RowStream::skip() { NVVM::CpAsyncCommitGroupOp::create(k); }

void RowStream::wait(int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(k, k.getI32IntegerAttr(pending));
  k.warpBarrier();
}

Value RowStream::pointer(Value place, int64_t stage, int64_t offset) {
  auto [address, more] = locate(place, stage);
  Value base = toPointer(k, address, 3);
  auto bytes = static_cast<int32_t>(offset + more);
  return LLVM::GEPOp::create(k, base.getType(), k.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

RowBlock RowStream::load(int64_t stage) {
  RowBlock block;
  auto four = VectorType::get({4}, k.getI32Type());
  for (int64_t row = 0; row < 2; ++row) {
    Value from = pointer(places[0], stage, 8 * row * kRowBytes);
    Value loaded = LLVM::LoadOp::create(k, four, from, /*alignment=*/16);
    block.words[row] = k.words(loaded);
  }
  return block;
}

Values RowStream::loadOperand(int64_t stage, int64_t half, bool transposed) {
  auto layout = transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  Value place = places[1];
  if (half)
    place = arith::XOrIOp::create(k, place, k.word(32));
  Value from = pointer(place, stage);
  Type four = LLVM::LLVMStructType::getLiteral(
      k.getContext(), SmallVector<Type>(4, k.getI32Type()));
  Value loaded = NVVM::LdMatrixOp::create(
      k, four, from, /*num=*/4, layout,
      NVVM::LdStMatrixShapeAttr::get(k.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  Values words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(LLVM::ExtractValueOp::create(k, loaded, i));
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

StagedCopy lot::stageForGroup(Kernel &k, const Facts &facts, Value packed,
                              ValueRange leading, RowFormat format) {
  int64_t depth = format.depth();
  Value shared = k.shared.allocate({format.parts * facts.pivots(), depth},
                                   facts.io, GroupOperand::kAlignment);
  StagedCopy copy{packed, Values(leading), facts.pivots(),
                  depth * format.parts / 8, shared};
  copy.groupColumns = depth;
  return copy;
}

Values StagedCopy::locate(Kernel &k, Value row, Value column) const {
  if (!groupColumns)
    return {row, column};
  Value exchange = k.mul(k.exchangeInRow(row, groupColumns / 8), 8);
  Value in = k.rem(column, groupColumns), part = k.div(column, groupColumns);
  return {k.add(k.mul(part, rows), row),
          arith::XOrIOp::create(k, in, exchange)};
}

StagedCopy lot::stageColumns(Kernel &k, const Facts &facts, Value packed,
                             Value set, int64_t columns) {
  Value shared =
      k.shared.allocate({columns, facts.pivots() + 8}, facts.productType(k));
  return {packed, {set}, columns, facts.pivots() / 8, shared};
}

namespace {
/// Eight columns of a row on their way.
struct Piece {
  Value isMine; ///< null: it is this thread's
  Value row, column;
  Value data; ///< what has been read
};
} // namespace

/// One by one, zeros where there are none.
static Value loadElements(Kernel &k, const StagedCopy &copy,
                          const Piece &piece) {
  auto type = cast<MemRefType>(copy.source.getType());
  int64_t rows = type.getShape().end()[-2], columns = type.getShape().back();
  Value zero =
      arith::ConstantOp::create(k, k.getZeroAttr(type.getElementType()));
  Values at(copy.leading);
  at.append({k.min(piece.row, k.index(rows - 1)), Value()});
  Values elements;
  for (int64_t e = 0; e < 8; ++e) {
    Value column = k.add(piece.column, e);
    at.back() = k.min(column, k.index(columns - 1));
    Value inside = k.both(k.less(piece.row, k.index(rows)),
                          k.less(column, k.index(columns)));
    elements.push_back(k.select(inside, k.load(copy.source, at), zero));
  }
  return k.pack(elements);
}

/// The same where rows are aligned, straight to shared memory.
static void startPiece(Kernel &k, const StagedCopy &copy, const Piece &piece) {
  ArrayRef<int64_t> shape = cast<MemRefType>(copy.source.getType()).getShape();
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  Value inside = k.both(k.less(piece.row, k.index(rows)),
                        k.less(piece.column, k.index(columns)));
  Values at(copy.leading);
  at.append({k.min(piece.row, k.index(rows - 1)),
             k.min(piece.column, k.index(columns - 8))});
  auto start = [&] {
    nvgpu::DeviceAsyncCopyOp::create(
        k, nvgpu::DeviceAsyncTokenType::get(k.getContext()), copy.shared,
        copy.locate(k, piece.row, piece.column), copy.source, at,
        k.getIndexAttr(8), k.select(inside, k.index(8), k.index(0)),
        k.getUnitAttr());
  };
  if (piece.isMine)
    k.ifThen(piece.isMine, start);
  else
    start();
}

void lot::emitCopies(Kernel &k, ArrayRef<StagedCopy> copies,
                     function_ref<void()> meanwhile) {
  // All are read before any is written: they wait together.
  SmallVector<std::pair<const StagedCopy *, Piece>> pieces;
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
      Piece piece{isMine, k.div(i, copy.vectors),
                  k.mul(k.rem(i, copy.vectors), 8), Value()};
      if (!copy.byElement) {
        Values at(copy.leading);
        at.append({piece.row, piece.column});
        piece.data = k.loadVector(copy.source, at, 8);
      } else if (!copy.aligned) {
        piece.data = loadElements(k, copy, piece);
      } else {
        auto type =
            VectorType::get({8}, getElementTypeOrSelf(copy.source.getType()));
        piece.data = k.ifElse(
            copy.aligned, type,
            [&] {
              startPiece(k, copy, piece);
              return Values{k.zeros(type)};
            },
            [&] { return Values{loadElements(k, copy, piece)}; })[0];
      }
      pieces.emplace_back(&copy, piece);
    }
  }
  if (meanwhile)
    meanwhile();
  for (const auto &[copy, piece] : pieces) {
    Value isMine = piece.isMine;
    if (copy->aligned) {
      Value isRead = k.invert(copy->aligned);
      isMine = isMine ? k.both(isMine, isRead) : isRead;
    }
    auto store = [&, copy = copy, &piece = piece] {
      k.storeVector(piece.data, copy->shared,
                    copy->locate(k, piece.row, piece.column));
    };
    if (isMine)
      k.ifThen(isMine, store);
    else
      store();
  }
}

void lot::addBlockDots(Kernel &k, const Facts &facts, RowStream &stream,
                       int64_t stage, int64_t column, Value matrix,
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
  Value high = k.word(0xffff0000), sixteen = k.word(16);
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
  // Lane l names column l % 8 of 8 pivots: four of such tiles at a time.
  int64_t tiles = facts.pivots() / 8, together = 4 / tiles;
  Value n = k.rem(k.lane(), 8), number = k.div(k.lane(), 8);
  Value row = k.add(column, k.add(k.mul(k.div(n, 2), 8), k.rem(n, 2)));
  row = k.add(row, k.mul(k.div(number, tiles), 2));
  Value pivot = k.mul(k.rem(number, tiles), 8);
  auto type = VectorType::get({4, 2}, facts.io);
  for (int64_t first = 0; first < 4; first += together) {
    Value loaded = nvgpu::LdMatrixOp::create(
        k, type, staged, ValueRange{k.add(row, 2 * first), pivot},
        /*transpose=*/false, /*numTiles=*/4);
    for (int64_t c = first; c < first + together; ++c) {
      Values sums(4, k.f32(0));
      for (int64_t i = 0; i < tiles / 2; ++i) {
        int64_t at = (c - first) * tiles + 2 * i;
        emitMma(k, facts.io, words.slice(4 * i, 4),
                {k.words(k.element(loaded, at))[0],
                 k.words(k.element(loaded, at + 1))[0]},
                sums);
      }
      body(c, sums);
    }
  }
}

void lot::BlockWords::append(Kernel &k, Type type, ArrayRef<Value> products,
                             const std::array<Value, 2> &factors) {
  for (int64_t row = 0; row < 2; ++row)
    words[row].push_back(packWord(k, type,
                                  k.mulf(products[2 * row], factors[row]),
                                  k.mulf(products[2 * row + 1], factors[row])));
}

void lot::storeBlock(Kernel &k, const BlockWords &block, const LaneRows &result,
                     int64_t row) {
  LaneRows rows = result;
  // See RowStream::start.
  rows.stride = emitOpaque(k, rows.stride);
  for (int64_t half = 0; half < 2; ++half) {
    int64_t at = row + 8 * half;
    emitStoreIf(k, rows.isThere(k, at), rows.at(k, at), block.words[half]);
  }
}

//===----------------------------------------------------------------------===//
// Contraction over tokens
//===----------------------------------------------------------------------===//

void lot::addTransposed(Kernel &k, ArrayRef<Value> transposed,
                        RowStream &stream, int64_t stage, Values &sums) {
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
  Value own = k.div(k.lane(), 4), from = laneColumn(k);
  for (int64_t block = 0; block < facts.pivots(); block += kBlockPivots) {
    k.barrier();
    ArrayRef<Value> some = sums.slice(block, 16);
    for (size_t at = 0; at < some.size(); at += 2) {
      int64_t pivot = at % 4 / 2 * 8, column = at / 4 * 8;
      k.storeVector(k.pack(some.slice(at, 2)), shared,
                    {k.warp(), k.add(own, pivot), k.add(from, column)});
    }
    k.barrier();
    k.forLoop(k.thread(), k.index(kBlockPivots * 8), k.index(k.getThreads()),
              [&](Value i) {
                Value pivot = k.div(i, 8), column = k.mul(k.rem(i, 8), 4);
                Value sum;
                for (int64_t warp = 0; warp < Facts::kWarps; ++warp) {
                  Value part =
                      k.loadVector(shared, {k.index(warp), pivot, column}, 4);
                  sum = warp ? k.addf(sum, part) : part;
                }
                body(k.add(pivot, block), column, sum);
              });
  }
}
