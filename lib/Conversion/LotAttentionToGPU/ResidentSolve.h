//===- ResidentSolve.h - Half-steps on a factor in registers ----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With E_ij = 2^(score_ij - m_i), m_i the largest score of a row, a sweep is
// two products with E, without an exponential of an entry:
//
//     s_i = sum_j E_ij v_j      c_j = sum_i E_ij mass_i / s_i      v_j = 2^(y_j
//     - max y)
//
// f32 drops entries below 2^-126. What is lost is at most 2^-22 of a sum where
// s_i >= 2^-60 and c_j >= 2^-35: up to 2^60 * 2^-126 for each of 512 tokens. A
// block where a sum is smaller does that sweep in the log domain, from the
// tokens (docs/semantics.md section 7).
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_RESIDENTSOLVE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_RESIDENTSOLVE_H

#include "ClusterSums.h"
#include "LaneMemory.h"
#include "SweepPass.h"

namespace mlir::lot {

class ResidentSolve {
public:
  /// Computes the factor of the block's tokens. `pivotMass` [pivot sets,
  /// pivots]; potentials go to `noted` [problems, states, pivots] if it is
  /// there.
  ResidentSolve(Kernel &k, const Facts &facts, const Side &side,
                const Matrix &pivots, Value pivotMass, bool keySide,
                Value noted);

  /// All half-steps of the side.
  void emitSweeps();
  /// The plans of this warp's tiles.
  SmallVector<Tile> emitPlans();

  int64_t getTileCount() const { return facts.residentTiles(); }
  /// The first token of a tile.
  Value getTileStart(int64_t i);

private:
  /// Whether this thread has a pivot, and which.
  Value hasPivot();
  Value ownPivot();
  struct Scaling {
    Values columns; ///< v of the lane's columns
    Value max;      ///< of y
  };
  Scaling loadScaling(Value potentials, Value lessMass = Value());
  Value emitRowSum(const Tile &factor, const Values &columns, int64_t row);
  Value emitSweep(bool first);
  Value emitLogSweep(bool first);
  void emitExchange(Value logSum, Value step);
  void emitFactor();
  /// E of a tile.
  void keepTile(int64_t i, const Tile &tile);
  Tile getTile(int64_t i);
  /// m of the lane's rows of a tile: of the key side.
  void keepTop(int64_t tile, const std::array<Value, 2> &top);
  std::array<Value, 2> loadTop(int64_t tile);
  SmallVector<Tile> emitFactorPlans(const Scaling &last, const Scaling &prev);
  Values forLoggedTiles(const Values &init, SweepPass::TileBody body);

  Kernel &k;
  const Facts &facts;
  const Side &side;
  Matrix pivots;
  bool keySide;
  Value noted;
  SmallVector<Tile> factor; ///< but for the last tile
  std::optional<LaneMemory> lastTile;
  Value largest;     ///< of m over the block's live rows (key side)
  Value reference;   ///< of log masses
  Value state, prev; ///< shared [pivots]
  Value masses;      ///< shared [pivots]
  Value slots;       ///< shared [2 * kMaxCluster * pivots]: sums of the blocks
  Value arrivals; ///< shared: a transaction barrier for each parity of `slots`
  Value sums;     ///< shared [warps][pivots]
  Value tops;     ///< shared [warps][tiles * 16]: m, of the key side
  SweepPass pass;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_RESIDENTSOLVE_H
