//===- ReversePlan.h - Half-steps backwards on a plan in registers -*- C++ -*-//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With uniform masses both plans are multiples of one that is normalised over
// the pivots,
//
//     R_ij = 2^(score_ij + y_j - logsumexp_j(score_ij + prev_j))
//
// (y the last potential, prev the one of the last token step), and the weights
// of every half-step are R with rows and columns scaled: with D^s_j = 2^(y^s_j
// - y_j), a_i = sum_j R_ij D^(s-1)_j, n tokens and r pivots,
//
//     A_ij = R_ij D^(s-1)_j / a_i            of the token step of sweep s
//     P_ij = (r / n) R_ij D^s_j / a_i        of its pivot step
//
// so that a sweep backwards is two products with R, and the gradient of the
// scores is R o (dR - X Y^T), X and Y two columns a sweep (docs/semantics.md
// section 6). A warp keeps R of its tiles in f16, times planScale.
//
// f16 drops up to 2^-25 of that, and dL loses as much times X Y. This is
// nothing where a_i is large; rows with a_i < kLeastSum, relative to the
// largest D, are suspect if it is more than kLostPart of the mean |sum_j R_ij
// dR_ij| of the warp. So is the first pivot step of the key side, of which some
// rows may have much more than of the plan. Rows wider than kLargestRange,
// entries above kLargestEntry, and whatever is not finite are always suspect
// (docs/semantics.md section 7).
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_REVERSEPLAN_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_REVERSEPLAN_H

#include "ClusterSums.h"
#include "LaneMemory.h"
#include "PackedProducts.h"

namespace mlir::lot {

class ReversePlan {
public:
  /// Both sides have the same code; `isKey` (i1, the same in all threads) tells
  /// which one it is. Allocates shared memory, after all large parts of others.
  /// A clusterBarrier has to follow.
  ReversePlan(Kernel &k, const Facts &facts, const Side &side, Value isKey,
              Value mail);

  /// D of all sweeps from the potentials [problems, states, pivots], of which
  /// the last one is `last` (shared).
  void emitScales(Value states, Value last);
  /// R of the tiles. For each, `before` and `after` are emitted, and `scores`
  /// where it has tokens: in units of scoreScale, with y.
  void emitPlan(function_ref<void(int64_t tile)> before,
                function_ref<Tile(int64_t tile)> scores,
                function_ref<void(int64_t tile)> after);
  /// What a loop over the tiles does with their words.
  enum class Access { read, write, change };
  /// A loop over the tiles, in which `carried` goes from one to the next.
  /// Registers have no index: the words of a round are picked before it and put
  /// back after; `tile` is a tile's place among those of its round.
  using TileBody = function_ref<Values(int64_t tile, ValueRange carried)>;
  Values forTiles(Access access, ValueRange init, TileBody body);
  // Where the loop is.
  /// i32, the same in all threads: the first tile of the round.
  Value getRound() const { return round; }
  Value number(int64_t tile); ///< of the tile, among the warp's
  /// The first of the loops for columns.
  Value getColumn() const { return column; }

  /// Such a loop for each 32 of `columns`, in which `count` sums go from one
  /// tile to the next; `fold`, if there is one, gets them. Words are read.
  void forTiles(int64_t columns, int64_t count, TileBody body,
                function_ref<void(Value column, ArrayRef<Value> sums)> fold);
  /// Where registers are short, threads are computed anew while it lives.
  std::unique_ptr<KernelBuilder::FreshThread> freshIfCrowded();
  /// Emits one of both, which leave the words as they are; what they return.
  Values ifKey(function_ref<Values()> keys, function_ref<Values()> queries);
  /// Emits `body` where a tile has tokens; `values` become what it returns.
  Values ifTokens(int64_t tile, ValueRange values, function_ref<Values()> body);
  /// The half-steps backwards. `cotangent`: of y, columns of the lane;
  /// `turn`: the number of exchanges before the first. `rowSums` [tokens of the
  /// block]: sum_j R_ij dR_ij. Y is left times `unit`.
  void emitSteps(Values cotangent, Value rowSums, Value turn, Value unit);
  /// `gradient` - X Y^T of a tile. X is computed again, from R and what each
  /// step left of its vectors: kept, it would take more memory than all inputs.
  Tile subtractTerms(int64_t tile, Tile gradient, Value rowSums);

  int64_t getTileCount() const { return countTokens(facts) / kTileRows; }
  /// Tiles of a round: more take less moving, but more code.
  int64_t roundTiles() const { return 64 / facts.pivots(); }
  /// R of a tile, to be unpacked: what it is made of is not kept, nor
  /// unpacked before.
  Values takeWords(int64_t tile);
  /// Words that take its place.
  void setWords(int64_t tile, ValueRange all) { words[tile] = all; }
  const Values &getWords(int64_t tile) const { return words[tile]; }
  /// A tile of a warp is so many rows after the one before.
  static constexpr int64_t kTileRows = Facts::kWarps * Facts::kTile;
  /// Counts the rows that the lane and its warp have from its first tile on, to
  /// be kept in registers from here on: for loops and locateRows.
  void countRows();
  /// The lane's rows of the block, `memref`[leading, token, column], from its
  /// first tile on.
  LaneRows locateRows(Value memref, ValueRange leading);
  /// Rows of a tile of a loop, and whether the lane's are there.
  static int64_t rowOfTile(int64_t tile) { return tile * kTileRows; }
  std::array<Value, 2> liveRows(int64_t tile);
  /// The lane's first row of a tile among the tokens of the block, in the order
  /// of warps.
  Value localRow(Value number);
  /// Whether something may be missing: of this thread.
  Value getSuspect();
  ClusterSums &getSums() { return sums; }
  /// Shared memory for others before the first and after the last step.
  Value getScratch();

  /// `factor` times planScale, or divided by it.
  Value timesScale(double factor);
  Value overScale(double factor);
  static int64_t countTokens(const Facts &facts);
  /// Exchanges of the side: of queries one before the steps, the last of which
  /// has none.
  Value countTurns();

private:
  static bool endsWithTokens(const Facts &facts, bool keySide) {
    return (facts.halfSteps % 2 == 1) != keySide;
  }
  static int64_t countSweeps(const Facts &facts, bool keySide) {
    return keySide ? facts.keySweeps() : facts.querySweeps();
  }
  /// Sweeps that leave a pair of columns of X and Y.
  static int64_t countSlots(const Facts &facts, bool keySide) {
    return countSweeps(facts, keySide) + endsWithTokens(facts, keySide);
  }
  /// Memory for the slots of either side.
  int64_t slotRows() const {
    return llvm::alignTo(
        std::max(countSlots(facts, false), countSlots(facts, true)), 8);
  }
  /// A number of the side.
  Value pick(function_ref<int64_t(bool keySide)> number);
  Value countSweeps();
  /// i1: whether the half-steps end with a token step.
  Value endsWithTokens();
  /// Gets those of tiles [tile, tile + pickedTiles()) of the round from
  /// `allWords`, or puts them there.
  void pickWords(int64_t tile);
  void putWords(int64_t tile);
  Values replaceWords(int64_t lo, int64_t hi, int64_t tile,
                      const Values &changed);
  Values pickedOf(int64_t first);
  Value isRoundBelow(int64_t tile);
  /// Words of all tiles of a round have no place beside the others.
  int64_t pickedTiles() const { return roundTiles() / 2; }
  /// Those of a tile that has registers, in `kept`, or else shared memory.
  Values wordsOf(ArrayRef<Values> kept, int64_t tile);
  /// Puts them there.
  void share(int64_t tile, ArrayRef<Value> changed);
  /// What the thread suspects and maybe all words, as loops and branches hand
  /// them on with `rest`, and the other way round.
  Values giveState(bool withWords, ValueRange rest);
  Values takeState(bool withWords, ValueRange values);
  /// `place`: the thread and a number of its own for each tile, as FreshThread
  /// has them; null where registers are not short. Kept from round to round,
  /// what depends on the thread takes many.
  Values forTiles(Access access, Value &place, ValueRange init, TileBody body);
  Value startPlace();
  Values emitRound(Access access, Value first, Value &place, Values carried,
                   TileBody body);
  void startRound(Value first);
  bool isCrowded() const { return facts.pivots() > 16; }
  bool sharesOperands() const { return !isCrowded(); }
  Value countLaneRows();
  /// What the groups of tiles have in common.
  struct Step {
    Value slot, isFirst;
    Values operand;   ///< D^(s-1) and D^s u for mma: see emitOperand
    Value pivotScale; ///< from a product with the latter to b
    Value least;      ///< of a, in its units
    Value largest;    ///< magnitude of D^s u
    Value limit;      ///< of X Y where a is less
  };
  /// t and t x' of a row.
  struct Term {
    Value scale, cotangent;
  };
  /// One step of `count`; the cotangent of the potential before.
  Values emitStep(Value slot, Value count, ValueRange cotangent, Value rowSums,
                  Value limit, Value turn, Value unit);
  void finishKeys(Value slot, ValueRange cotangent, Value limit, Value unit);
  void clearSlots(Value count);
  Term emitTerm(Value a, Value b, Value added, Value pivotScale);
  /// Rows of four tiles, of which a lane has one: t x' and t.
  struct Group {
    Value cotangent[2], scale[2];
    std::array<Value, 2> live;
  };
  /// The smallest a of the lane's rows, and 0 if all their t x' are finite.
  struct GroupBounds {
    Value least, finite;
  };
  Group emitGroup(int64_t first, const Step &step, ArrayRef<Value> added,
                  GroupBounds &bounds);
  Values loadAdded(Value isFirst, Value rowSums);
  /// a and b of a lane's rows.
  struct Products {
    Value a[2], b[2];
  };
  Products emitProducts(int64_t first, const Step &step);
  void checkSums(ArrayRef<Group> groups, const Step &step, Value least);
  Values emitColumnSums(ArrayRef<Group> groups, Value turn);
  Values addColumnsWide(ArrayRef<Group> groups);
  Values addColumnsPacked(ArrayRef<Group> groups);
  /// Columns D^(s-1) and D^s u of a step for mma, f16 parts as columnOperand
  /// has them; or of both parts for each tile of a group, in its own columns,
  /// so that the products of all come out where they are wanted.
  Values emitOperand(Value slot, const Values &token, const Values &pivot);
  /// Y of the lane's column i: of a pivot and of a token step.
  void storeY(Value slot, int64_t i, Value pivot, Value token, Value unit);
  /// The largest terms of the first pivot step, ranges of a row in bits, and
  /// scales of rows, of those by their bits (i32).
  struct PlanBounds {
    Value term, range, scale;
  };
  Values packPlan(int64_t tile, Tile scores, const Values &weights,
                  Value inverse, Value first, PlanBounds &bounds);
  void shareTiles();
  Value viewMemory(int64_t offset, ArrayRef<int64_t> shape, Type element);
  /// Rows of the block from the warp's first on, in 32 bits.
  Value rowsLeft() { return k.load(rows, k.warp()); }
  std::array<Value, 2> liveRows(Value number);
  /// Notes a doubt, here and now.
  void suspectIf(Value condition);
  /// X Y of which 2^-25 planScale may be lost; of a warp.
  Value emitLossLimit(Value rowSums);
  /// The first row of the lane's tile of a group, as localRow.
  Value groupToken(int64_t first);

  Kernel &k;
  const Facts &facts;
  const Side &side; ///< a new one for each part of the kernel
  Value isKey;
  ClusterSums sums;
  SmallVector<Values> words;    ///< in a loop over tiles: of its round
  SmallVector<Values> allWords; ///< in such a loop
  int64_t keptTiles;            ///< the first ones, which have registers
  std::optional<LaneMemory> otherWords; ///< of the others
  Value round, column;                  ///< see getRound and getColumn
  Value rowsOfLane, rowsOfWarp;         ///< i32, see countRows
  Value laneRows, warpRows; ///< the same from the round's first tile on
  Value rows;               ///< shared [warps]: see rowsLeft
  Value scales;      ///< shared [states][pivots]: D, relative to its largest
  Value shifts;      ///< shared [states]: log2 of that
  Value vectors;     ///< shared [warps * 4 + 1][pivots + 8]: emitOperand's
                     ///< rows, and one of zeros
  Value memory;      ///< shared bytes: X and Y of all steps, or scratch
  Value factors;     ///< [2 * slots * 2][pivots + 8] in it: as vectors
  Value termsY;      ///< [slots][pivots + 8] in it
  Value pivotScales; ///< shared [slots]: see Step
  Value firstX;      ///< shared [tokens]: of the first pivot step, key side
  Value firstTerms;  ///< shared [warps]: the largest of those
  Value suspect;     ///< i32: not 0 if so
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_REVERSEPLAN_H
