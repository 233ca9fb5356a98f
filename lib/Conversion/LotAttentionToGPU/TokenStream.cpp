//===- TokenStream.cpp - A warp's tiles of a long chunk -------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenStream.h"

#include "StagedScores.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::lot;

TokenStream::TokenStream(Kernel &k, const Facts &facts, const Side &side)
    : k(k), facts(facts), side(side) {}

void TokenStream::addValues(const WarpRing::Source &source, int64_t columns) {
  valueSource.emplace(source);
  valueColumns = columns;
}

/// Bytes of a tile's rows of so many columns.
static int64_t getTileBytes(int64_t columns) {
  return 2 * getStagedStride(columns) * Facts::kTile;
}

/// Shared memory for what comes after the rows.
static constexpr int64_t kVectors = 8 * 1024;

bool TokenStream::useTwoSlots(int64_t moreBytes) {
  slots = 2;
  int64_t bytes = k.getWarps() * (countRingBytes() + moreBytes);
  if (k.shared.getBytes() + bytes + kVectors <= facts.sharedLimit)
    return true;
  slots = 0;
  return false;
}

void TokenStream::useGroup(int64_t most) {
  assert(canUseGroup(facts) && k.getWarps() == kGroupWarps);
  isGroup = true;
  mostTogether = most;
}

void TokenStream::start(int64_t leastBytes) {
  int64_t tokenBytes = getTileBytes(facts.depth());
  int64_t valueBytes = valueSource ? getTileBytes(valueColumns) : 0;
  // Two blocks of a multiprocessor, or as much as there is.
  auto fits = [&](int64_t count, int64_t blocks) {
    int64_t bytes = k.getWarps() * count * (tokenBytes + valueBytes);
    return k.shared.getBytes() + bytes + kVectors <= facts.sharedLimit / blocks;
  };
  if (!slots)
    slots = fits(4, 2) || (fits(4, 1) && !fits(2, 2)) ? 4 : 2;
  auto add = [&](const WarpRing::Source &source, const WarpRing &ring) {
    auto walk = ring.startWalk(source, locateTile(getFirst()));
    streams.push_back({source, ring, walk, std::nullopt});
  };
  WarpRing::Source tokens{
      side, side.tokens, {side.batch, side.tokenHead}, facts.d};
  if (isGroup) {
    SharedRegion region = k.shared.allocateRegion(
        1, slots * kGroupRows * 2 * facts.depth(), GroupOperand::kAlignment);
    WarpRing ring(k, region, facts.io, facts.depth(), slots);
    add(tokens, ring);
    // Rows past the chunk are then copies of others, which do not count.
    if (streams.front().lane = ring.startLane(tokens); streams.front().lane)
      streams.front().walk.reset();
    tokenBytes = 0;
  }
  int64_t warpBytes = std::max(leastBytes, slots * (tokenBytes + valueBytes));
  if (warpBytes)
    memory.emplace(k.shared.allocateRegion(k.getWarps(), warpBytes));
  auto makeRing = [&](int64_t columns, int64_t offset) {
    return WarpRing(k, *memory, facts.io, columns, getStagedStride(columns),
                    offset, slots * getTileBytes(columns));
  };
  if (!isGroup)
    add(tokens, makeRing(facts.depth(), 0));
  if (valueSource)
    add(*valueSource, makeRing(valueColumns, slots * tokenBytes));
  copyFirst();
}

int64_t TokenStream::countRingBytes() const {
  int64_t values = valueSource ? getTileBytes(valueColumns) : 0;
  return slots * (getTileBytes(facts.depth()) + values);
}

void TokenStream::restart() {
  // The last copies, of nothing, went into the same memory.
  NVVM::CpAsyncWaitGroupOp::create(k, k.getI32IntegerAttr(0));
  if (isGroup)
    k.barrier();
  else
    k.warpBarrier();
  copyFirst();
}

void TokenStream::copyFirst() {
  for (int64_t i = 0; i < slots - together(); ++i) {
    Value at = k.add(getFirst(), i * stride());
    Value turn = k.add(getFirst(), llvm::alignDown(i, together()) * stride());
    copy(at, k.less(turn, side.end), k.index(i * pitch()), getPlaces(i),
         gather(isPresent(at)));
  }
}

Value TokenStream::isPresent(Value at) {
  bool walks = llvm::any_of(
      streams, [](const Stream &stream) { return stream.walk.has_value(); });
  if (!side.mass || !walks)
    return Value();
  Value row = k.rem(k.lane(), Facts::kTile);
  return locateToken(k, side, locateTile(at), row).second;
}

void TokenStream::copy(Value at, Value some, Value firstRow, ValueRange places,
                       Value present) {
  Value tile = locateTile(at);
  for (Stream &stream : streams) {
    Value row = &stream == streams.begin() ? firstRow : toValueRow(firstRow);
    if (stream.lane) {
      stream.ring.copyFrom(stream.source, *stream.lane, tile, row, some);
    } else if (stream.walk) {
      stream.ring.copyFrom(stream.source, *stream.walk, places.front(), tile,
                           row, present);
      places = places.drop_front();
    } else {
      stream.ring.copyTo(&stream.source, tile, 0, row);
    }
  }
}

Values TokenStream::getPlaces(int64_t tiles) {
  Values places;
  for (Stream &stream : streams)
    if (auto &walk = stream.walk)
      places.push_back(
          k.add(walk->first, k.mul(walk->rowStride, tiles * stride())));
  return places;
}

Values TokenStream::advance(ValueRange places) {
  Values next;
  for (Stream &stream : streams)
    if (auto &walk = stream.walk)
      next.push_back(
          k.add(places[next.size()], k.mul(walk->rowStride, stride())));
  return next;
}

void TokenStream::keepPivots(int64_t most) {
  constexpr int64_t kMost = 64; // registers of a lane
  int64_t count = facts.pivots() * facts.depth() * facts.pivotParts / 64;
  if (count <= kMost && !isGroup)
    operands = loadPivotOperands(k, facts, pivots, most);
}

/// Without masses no index of a token is needed.
Rows TokenStream::locateTileRows(Value tile) {
  if (side.mass)
    return locateRows(k, side, tile);
  Rows rows;
  Value uniform = k.negf(k.log2(k.toFloat(side.length)));
  for (int64_t i = 0; i < 2; ++i) {
    Value row = k.add(k.add(tile, k.div(k.lane(), 4)), 8 * i);
    rows.live[i] = k.lessNarrow(row, side.end);
    rows.mass[i] = uniform;
  }
  return rows;
}

Value TokenStream::locateTile(Value at) {
  return isGroup ? k.add(at, k.mul(k.warp(), Facts::kTile)) : at;
}

Values TokenStream::forTiles(const Values &init, Body body, Absent absent) {
  int64_t ahead = slots - together(), copies = streams.size();
  auto wrap = [&](Value row) -> Value {
    return arith::AndIOp::create(k, row, k.index(slots * pitch() - 1));
  };
  Values start{k.index(0)};
  start.append(getPlaces(ahead));
  // Masses are read a tile before they are needed.
  if (Value present = gather(isPresent(k.add(getFirst(), ahead * stride()))))
    start.push_back(present);
  size_t own = start.size();
  start.append(init);
  auto step = [&](Value at, ValueRange carried) {
    Value row = carried.front();
    Values places(carried.slice(1, own - 1)), results(carried.drop_front(own));
    Value present;
    Value later = isPresent(k.add(at, (ahead + 1) * stride()));
    if (later)
      present = places.pop_back_val();
    if (isGroup) {
      // This warp's rows are there, all warps' when all have come.
      streams.back().ring.wait((ahead - together()) * copies);
      publishCopies(k);
      k.barrier();
    }
    // Into the slots that the tiles before have left.
    Value some = k.less(k.add(at, ahead * stride()), side.end);
    for (int64_t t = 0; t < together(); ++t) {
      copy(k.add(at, (ahead + t) * stride()), some,
           wrap(k.add(row, (ahead + t) * pitch())), places, present);
      places = advance(places);
    }
    if (!isGroup)
      streams.back().ring.wait(ahead * copies);
    for (int64_t t = 0; t < together(); ++t) {
      Value tile = locateTile(k.add(at, t * stride()));
      Value own = k.add(row, t * pitch());
      StreamedTile streamed{tile, own, toValueRow(own), Rows()};
      if (isGroup)
        streamed.dots = emitGroupDots(own);
      streamed.rows = locateTileRows(tile);
      results = ifAnyLive(
          k, streamed.rows, results, [&] { return body(streamed, results); },
          tile, absent);
    }
    if (!isGroup)
      k.warpBarrier();
    Values next{wrap(k.add(row, together() * pitch()))};
    next.append(places);
    if (later)
      next.push_back(gather(later));
    next.append(results);
    return next;
  };
  Values results =
      k.forLoop(getFirst(), side.end, k.index(together() * stride()), start,
                [&](Value at, ValueRange carried) {
                  std::optional<KernelBuilder::FreshThread> inTile;
                  if (isCrowded)
                    inTile.emplace(k);
                  return step(at, carried);
                });
  return Values(ArrayRef(results).drop_front(own));
}

void TokenStream::finish() {
  NVVM::CpAsyncWaitGroupOp::create(k, k.getI32IntegerAttr(0));
  k.barrier();
}

Tile TokenStream::emitGroupDots(Value firstRow) {
  auto operand = [&](Value rows) {
    return GroupOperand::of(k, rows, facts.depth());
  };
  return lot::emitGroupDots(
      k, facts.io, operand(getTokenRows()).from(k, firstRow),
      operand(pivots.memref), facts.pivots(), facts.pivotParts);
}

Tile TokenStream::emitDots(const StreamedTile &tile) {
  if (isGroup)
    return tile.dots;
  // Products with what begins at 0 take no moves of registers.
  Tile start(facts.pivots() / 2, k.f32(0));
  return emitStagedDots(k, facts, getTokenRows(), k.warp(), tile.firstRow,
                        pivots, facts.pivotFormat(), start,
                        operands.empty() ? nullptr : &operands);
}

Tile TokenStream::emitValueDots(const StreamedTile &tile,
                                const Matrix &matrix) {
  Tile start(facts.pivots() / 2, k.f32(0));
  return emitStagedDots(k, facts, getValueRows(), k.warp(), tile.firstRow,
                        matrix, facts.valueFormat(), start);
}

Tile TokenStream::emitPowers(const StreamedTile &tile, const Values &columns) {
  bool raw = facts.rawScores();
  Tile powers = emitDots(tile);
  if (!raw)
    powers = addColumns(k, clipScores(k, facts, scaleDots(k, facts, powers)),
                        columns);
  Value scale = k.f32(facts.scoreScale);
  for (auto [i, power] : llvm::enumerate(powers)) {
    if (raw)
      power = k.fma(power, scale, columns[i / 4 * 2 + i % 2]);
    power = k.exp2(power);
  }
  return powers;
}

Value lot::emitRowSum(Kernel &k, const Tile &tile, int64_t row,
                      const Values *factors) {
  // Two at a time: half as long a chain.
  Value sums[2];
  for (auto [i, entry] : llvm::enumerate(tile)) {
    if (rowOf(i) != row)
      continue;
    Value &sum = sums[i % 2];
    if (!factors) {
      sum = sum ? k.addf(sum, entry) : entry;
      continue;
    }
    Value factor = (*factors)[i / 4 * 2 + i % 2];
    sum = sum ? k.fma(entry, factor, sum) : k.mulf(entry, factor);
  }
  return k.sumLanes(k.addf(sums[0], sums[1]), {1, 2});
}

Value lot::isKeptRowSum(Kernel &k, Value sum) {
  return k.both(k.greater(sum, k.f32(0x1p-60)), k.greater(k.f32(0x1p+80), sum));
}

Value lot::storePlanRatios(Kernel &k, const Facts &facts, Value to, Value from,
                           Value ratios) {
  constexpr double kMostExponent = 30;
  Value j = k.min(k.thread(), k.index(facts.pivots() - 1));
  Value y = k.load(to, j), before = k.load(from, j);
  Value exponent = k.subf(y, before);
  Value near = k.both(k.greater(k.f32(kMostExponent), exponent),
                      k.greater(exponent, k.f32(-kMostExponent)));
  Value absent = k.invert(k.either(k.isLive(y), k.isLive(before)));
  k.store(k.select(absent, k.f32(0), k.exp2(exponent)), ratios, j);
  return k.invert(k.barrierAny(k.invert(k.either(absent, near))));
}
