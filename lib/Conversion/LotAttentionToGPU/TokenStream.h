//===- TokenStream.h - A warp's tiles of a long chunk -----------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TOKENSTREAM_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TOKENSTREAM_H

#include "Tiles.h"
#include "WarpRing.h"
#include "WarpgroupMma.h"

namespace mlir::lot {

/// The tiles of a chunk, dealt out to the warps of a block; rows of their
/// tokens, and of values if there are any, are copied some tiles ahead.
class TokenStream {
public:
  TokenStream(Kernel &k, const Facts &facts, const Side &side);
  /// What stageMatrix (PackedProducts.h) left; stageForGroup, if four warps
  /// multiply together. Before the first scores.
  void setPivots(const Matrix &staged) { pivots = staged; }
  /// Of `source`, too, so many columns.
  void addValues(const WarpRing::Source &source, int64_t columns);
  /// Starts the first copies; a warp's rows take at least `leastBytes` of
  /// shared memory, which are free again after `finish`.
  void start(int64_t leastBytes = 0);
  /// Before: lets two tiles of a warp be there at once, and no more, if there
  /// is memory for `moreBytes` a warp behind them.
  bool useTwoSlots(int64_t moreBytes);
  /// Before, too, in a block of four warps: scores by wgmma, where it can; all
  /// warps of the block go through as many tiles then, up to `most` between two
  /// barriers.
  void useGroup(int64_t most);
  bool usesGroup() const { return isGroup; }
  static bool canUseGroup(const Facts &facts) {
    return facts.warpgroups && facts.tensorCores && facts.d % 8 == 0 &&
           GroupOperand::canHave(facts.depth());
  }
  /// Bytes that the rows of a warp take.
  int64_t countRingBytes() const;
  /// Keeps the pivots in registers where they are few, until they are dropped;
  /// four warps that multiply together need none.
  /// After the barrier that stageMatrix needs.
  void keepPivots(int64_t most = 64);
  void dropPivots() { operands.clear(); }
  /// What depends on the thread is computed for each tile: where registers are
  /// too short for addresses that wait from tile to tile.
  void computeAnew() { isCrowded = true; }

  struct StreamedTile {
    Value begin;    ///< its first token
    Value firstRow; ///< in the ring of tokens
    Value valueRow; ///< in that of values
    Rows rows;
    Tile dots = {}; ///< tokens . pivots, if they are made by wgmma
  };
  using Body =
      function_ref<Values(const StreamedTile &tile, ValueRange carried)>;
  /// Once; `restart` starts the first copies again for another time. Tiles of
  /// which no token has mass get `absent`, if there is one, and nothing else.
  using Absent = function_ref<void(Value tile)>;
  Values forTiles(const Values &init, Body body, Absent absent = nullptr);
  void restart();
  /// Waits for the last copies, of nothing, and for all warps.
  void finish();

  /// Before they are clipped.
  Tile emitRawScores(const StreamedTile &tile) {
    return scaleDots(k, facts, emitDots(tile));
  }
  Tile emitScores(const StreamedTile &tile) {
    return clipScores(k, facts, emitRawScores(tile));
  }
  /// Rows of values . rows of `matrix`, which stageMatrix left.
  Tile emitValueDots(const StreamedTile &tile, const Matrix &matrix);
  /// 2^(score + y) with y of the columns.
  Tile emitPowers(const StreamedTile &tile, const Values &columns);

  const SharedRegion &getMemory() const { return *memory; }
  /// Rows of tokens and of values, shared [warps][rows][columns].
  Value getTokenRows() const { return streams[0].ring.getRows(); }
  Value getValueRows() const { return streams[1].ring.getRows(); }

private:
  /// Where a warp begins, `stride` apart from where it goes on; four warps
  /// together are at one place.
  Value getFirst() {
    if (isGroup)
      return side.begin;
    return k.add(side.begin, k.mul(k.warp(), Facts::kTile));
  }
  /// The warp's tile at a place.
  Value locateTile(Value at);
  /// Tiles of a warp between two barriers of four warps.
  int64_t together() const {
    return side.mass ? 1 : std::min(mostTogether, slots / 2);
  }
  /// Rows of the ring of tokens from tile to tile, and those of values.
  int64_t pitch() const { return streams[0].ring.getPitch(); }
  Value toValueRow(Value row) { return k.div(row, pitch() / Facts::kTile); }
  /// From one tile of a warp to the next.
  int64_t stride() const { return k.getWarps() * Facts::kTile; }
  /// Rows of tokens or values.
  struct Stream {
    WarpRing::Source source;
    WarpRing ring;
    std::optional<WarpRing::Walk> walk;
    std::optional<WarpRing::Lane> lane; ///< in place of a walk
  };
  void copyFirst();
  /// The tile at place `at`: locateTile. `some`: whether any of the tiles that
  /// are taken together is in the chunk; all of them are copied then, since
  /// sums get rows past it, times 0. `places`: of the streams that walk;
  /// `present`: see WarpRing::copyFrom.
  void copy(Value at, Value some, Value firstRow, ValueRange places,
            Value present);
  /// Whether the row of a tile that the lane answers for has mass, and the same
  /// of all rows (i32, a bit each); null where no walk asks for it.
  Value isPresent(Value at);
  Value gather(Value isPresent) {
    return isPresent ? k.ballot(isPresent) : Value();
  }
  /// tokens . pivots.
  Tile emitDots(const StreamedTile &tile);
  Tile emitGroupDots(Value firstRow);
  /// The lane's places some tiles after the first.
  Values getPlaces(int64_t tiles);
  Values advance(ValueRange places);
  Rows locateTileRows(Value tile);

  Kernel &k;
  const Facts &facts;
  const Side &side;
  Matrix pivots;
  std::optional<WarpRing::Source> valueSource;
  int64_t valueColumns = 0;
  int64_t slots = 0; ///< tiles of a warp that are there at once, 2^i
  std::optional<SharedRegion> memory; ///< of each warp
  SmallVector<Stream, 2> streams;     ///< tokens, then values
  Values operands;                    ///< of the pivots, if they are kept
  bool isCrowded = false;             ///< see computeAnew
  bool isGroup = false;               ///< see useGroup
  int64_t mostTogether = 1;           ///< see useGroup
};

/// What a row of such powers adds up to, each times `factors` of the columns if
/// they are there; and whether a sum is in a range in which nothing counts as
/// missing, and its inverse can be multiplied with.
Value emitRowSum(Kernel &k, const Tile &tile, int64_t row,
                 const Values *factors = nullptr);
Value isKeptRowSum(Kernel &k, Value sum);

/// 2^(to - from) of vectors in shared memory, [pivots], as are `ratios`:
/// factors that make other plans of powers. Whether products with them keep to
/// a safe range, too; the same in all threads, which are all here.
Value storePlanRatios(Kernel &k, const Facts &facts, Value to, Value from,
                      Value ratios);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_TOKENSTREAM_H
