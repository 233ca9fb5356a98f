//===- PackedSolve.h - Half-steps on a factor of 16 bits --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block keeps, in f16 and registers, the factor of its tokens relative to
// potentials b (docs/semantics.md section 7):
//
//     E_ij = 2^(score_ij + b_j - m_i + 8)    m_i: the largest of the row
//
// and a sweep is two products with it, without an exponential of an entry:
//
//     s_i = sum_j E_ij v_j       c_j = sum_i E_ij w_i / s_i
//     v_j = 2^(y_j - b_j - k)    w_i = mass of the token times their number
//
// v has its largest entry in [1, 2), so that a term of c, at most 1 / v_j,
// fits. f16 keeps an entry to 2^-25, 33 bits below the row's largest, exactly
// enough from 22 bits below on. What is lost is at most 2^-12 of a sum where
// s_i >= 2^-8 for all tokens and c_j >= 2^-13 sum_i w_i / s_i. A row's largest
// entry is 2^8, so that sum_i w_i / s_i is at most 2^-8 sum_j c_j, and
// c_j >= 2^-21 r max_j c_j is enough. Where a sum of the cluster is smaller,
// its blocks do that sweep in the log domain, from the tokens, and make the
// factor anew, relative to its result.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDSOLVE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDSOLVE_H

#include "ClusterSums.h"
#include "PackedProducts.h"
#include "SweepPass.h"
#include "WarpRing.h"

namespace mlir::lot {

class PackedSolve {
public:
  /// Starts to copy the first tokens into `memory`, a part for each warp, and
  /// what the constructor takes as `sample`, before anything else is known than
  /// the side.
  static Value startCopies(Kernel &k, const Facts &facts, const Side &side,
                           Value isKey, const SharedRegion &memory);
  /// Of the query or (`isKey`, i1) key side. `pivotMass` [pivot sets, pivots],
  /// null where all pivots have the same;
  /// potentials go to `noted` [problems, states, pivots] if it is there.
  /// `mail`, and `turn`, the number of exchanges before: see ClusterSums.
  /// `memory` is free again when the factor is made. `numbers`: of `side`.
  PackedSolve(Kernel &k, const Facts &facts, Side &side,
              const SharedSide &numbers, Value isKey, const Matrix &pivots,
              Value pivotMass, Value noted, Value mail, Value turn,
              const SharedRegion &memory, Value sample);

  /// All half-steps. Copies into `memory` that `prefetch` starts, on the key
  /// side alone, may still be under way then: whatever was copied before is
  /// waited for when the factor is made again, and they are started again.
  void emitSweeps(function_ref<void()> prefetch = nullptr);
  /// What plans are made of: E_ij v_j u_i, E of each tile as words of f16.
  void emitPlans();
  ArrayRef<Value> getTile(int64_t i) const {
    return ArrayRef(factor).slice(i * tileWords(), tileWords());
  }
  /// The number of exchanges so far.
  Value getTurn() const { return turn; }
  /// v in shared memory, [pivots]; on the key side less the mass of the pivot.
  Value getPivotFactors() const { return pivotFactors; }
  /// u of the lane's rows.
  std::array<Value, 2> loadRowFactors(int64_t tile);

  /// The first token of tile `i` of this warp, computed anew at each use: the
  /// tiles of a warp lie one after the other.
  Value getTileStart(Value i);
  Value getTileStart(int64_t i) { return getTileStart(k.index(i)); }
  /// The warp's rows of a tensor, from its first tile on.
  LaneRows locateLaneRows(Value memref, ValueRange leading);
  /// Tiles of every warp, the same for all blocks of the side, and whether they
  /// have one of this number.
  Value countTiles();
  Value hasTile(int64_t i) { return hasTile(k.index(i)); }
  Value hasTile(Value i) { return k.lessNarrow(i, countTiles()); }

private:
  /// The smallest s_i that nothing counts as missing from.
  static constexpr double kLeastRowSum = 0x1p-8;

  /// What one sweep leaves: sums of the warp (scatterColumns), not finite if a
  /// row has lost something, and what their logarithms are relative to.
  struct Sums {
    Values columns;
    Value shift;
  };
  static WarpRing makeRing(Kernel &k, const Facts &facts,
                           const SharedRegion &memory);
  using Lane = std::optional<WarpRing::Lane>;
  /// Tiles of the factor that are made together.
  static int64_t getGroup(const Facts &facts);
  static WarpRing::Source getSource(const Facts &facts, const Side &side);
  static void copyTile(Kernel &k, const Facts &facts, const Side &side,
                       WarpRing &ring, const Lane &lane, int64_t i);
  Value emitStartReference(Value sample);
  /// With a positive scale and no clipping, what is added to scores goes into
  /// the accumulators, and the scale (`getUnit`) comes last.
  Values spreadRaw(const Values &values);
  double getUnit() const { return facts.rawScores() ? facts.scoreScale : 1; }
  /// Whether it is the key side's first sweep: no token step is before it.
  Value isFirst(Value step) { return k.both(isKey, k.equal(step, 0)); }
  Sums emitBuild(Value step, function_ref<void()> prefetch);
  /// The factor and sums, of so many columns, of one branch or of the other.
  Sums branch(Value condition, size_t columns, function_ref<Sums()> yes,
              function_ref<Sums()> no);
  /// The first factor, whose tokens are on their way: straight into registers.
  Sums emitFirstBuild();
  /// One in place of another, in a loop, by way of local memory.
  Sums emitNextBuild();
  /// The words of so many tiles from `i` on, whose tokens begin at `firstRows`
  /// of the ring, and what they add to `sums`.
  Values emitBuildTiles(Value i, ArrayRef<Value> firstRows, bool first,
                        const Values &columns, Sums &sums);
  /// Words of all tiles that a loop has left in local memory.
  Values loadPlanWords();
  Sums emitSweep();
  /// Of four tiles, the one that the lane answers for, and its two rows; sums
  /// are +inf where not live.
  struct QuadSums {
    Value tile, sums[2], live[2];
    Value masses[2]; ///< null where all are the same
  };
  QuadSums emitQuadSums(int64_t firstTile, const Values &operand);
  void addTiles(int64_t firstTile, const Values &operand, Values &packed,
                Sums &sums, Value &smallest);
  Values emitLogSweep(Value step, Value first, Value turn);
  void emitPivotStep(const Sums &sums, Value step, Value isLast);
  Values emitPlansFromTokens(const Values &last, const Values &read);
  /// The lane's row of a tile among those of the warp.
  Value rowOfWarp(Value tile, int64_t row);
  /// Eight below the largest of a row, times `unit`; +inf where there is
  /// nothing.
  Value emitTop(const Tile &tile, const Rows &rows, int64_t row,
                Value unit = Value());
  /// v of potentials in the lane's columns, and k.
  std::pair<Values, Value> scale(const Values &potentials);
  /// How many of the warp's rows are in the chunk, from the lane's first on;
  /// as a signed number.
  Value countLaneRows();
  /// Whether the lane's row of a tile of the warp is in the chunk.
  Value isInside(Value tile, int64_t row);
  Rows locateOwnRows(Value tile);
  /// The log mass of a token.
  Value getMass(Value token);
  /// w of a token.
  Value getWeight(Value mass) { return k.exp2(k.subf(mass, reference)); }
  int64_t tileWords() const { return facts.pivots() / 4; }
  /// Pivot steps of the side.
  Value countSteps();
  /// Keeps y after so many steps, for emitPlans and the log domain, and notes
  /// it; the last two are there.
  void keepPotentials(const Values &values, Value step);
  Values loadPotentials(Value step);
  Value placeOf(Value step, int64_t i);

  Kernel &k;
  const Facts &facts;
  Side &side;
  const SharedSide &numbers; ///< of the side, for what runs seldom
  Value isKey;
  Matrix pivots;
  Value noted;
  WarpRing ring; ///< of tokens
  ClusterSums cluster;
  SweepPass pass;
  Value reference;      ///< log2 of a uniform mass
  Value tokens;         ///< of the block
  Value startReference; ///< of the key side's first sweep
  Value rowFactors;     ///< shared [warps][tiles * 16]: u
  Value pivotFactors;   ///< shared [pivots]: v
  Value potentials;     ///< shared [2][warps][pivots]: y of even and odd steps
  Value state;          ///< shared [pivots], for sweeps in the log domain
  Value planWords;      ///< local memory for words that loops make
  bool absentPivots;    ///< whether there may be any
  Value masses;         ///< shared [pivots]: of the pivots
  Value weights;        ///< shared [pivots]: 2^mass, 0 of an absent one,
                        ///< negative where only the log domain will do

  // What changes from half-step to half-step: potentials of the lane's columns.
  Values factor; ///< words of all tiles
  Values base;   ///< b
  Values scaled; ///< v of y
  Value offset;  ///< k of y
  Value stale;   ///< the factor has to be made anew
  Value turn;    ///< exchanges so far
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_PACKEDSOLVE_H
