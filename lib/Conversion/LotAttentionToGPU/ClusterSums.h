//===- ClusterSums.h - Sums over the blocks of a cluster --------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_CLUSTERSUMS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_CLUSTERSUMS_H

#include "PackedTiles.h"

namespace mlir::lot {

/// The largest cluster.
inline constexpr int64_t kMaxCluster = 16;

/// Adds r columns and one more value up over all rows of a cluster: over the
/// lanes of a warp by shuffles, the warps of a block through shared memory, the
/// blocks by asynchronous stores into the shared memory of all of them. Sums
/// are taken in the order of warps and blocks. Exchanges are numbered, for all
/// blocks alike: `turn`.
class ClusterSums {
public:
  /// Allocates shared memory. A barrier of the cluster has to follow. Teams
  /// that are spread (Kernel::spreadIf) exchange through `mail`.
  ClusterSums(Kernel &k, int64_t pivots, Value mail, int64_t turnsBefore = 0);

  /// Words of `mail` that each block of a spread team needs.
  static int64_t mailWords(int64_t pivots) { return 2 * (pivots + 1); }

  /// After an exchange every lane has the columns lane, lane + 32, ... below r;
  /// lanes beyond r have the last column.
  int64_t columnsOfLane() const { return llvm::divideCeil(pivots, kWarp); }
  Value columnOf(int64_t i);
  Values loadLaneColumns(Value vector);

  /// `partials`: the lane's columns (two of every 8 pivots) of its rows;
  /// `extra`: of each lane, may be null. The totals, `extra` behind the
  /// columns.
  Values add(const Values &partials, Value extra, Value turn);
  /// The same of sums of the warp, as scatterColumns (PackedTiles.h) has them.
  Values addScattered(const Values &sums, Value extra, Value turn);
  /// log2 of the sums of 2^logSum, which thread j of every block has for column
  /// j.
  Values addLogs(Value logSum, Value turn);
  /// Columns of the lane as the tiles' lanes have them: two of every 8 pivots.
  Values spread(const Values &columns);
  /// The same as operand B of f16: the high part of an f32 in the even columns
  /// of B, the rest in the odd ones, so that columns 2 i and 2 i + 1 of a
  /// product add up.
  Values spreadOperand(const Values &columns);

private:
  Value slot(Value turn, Value block, Value column);
  Value tag(Value turn) { return k.add(turn, turnsBefore + 1); }
  Value mailAt(Value turn, Value block, Value column);
  /// Runs `spread` where the team is, or is a single block, or else `cluster`.
  void byTeam(function_ref<void()> spread, function_ref<void()> cluster);
  /// Keeps the block's sum of a column, and leaves it for others.
  void post(Value sum, Value column, Value turn);
  /// Waits for `count` columns of theirs.
  void collect(int64_t count, Value turn);

  Kernel &k;
  int64_t pivots;
  Value mail; ///< [teams, 2, blocks, pivots + 1] of values with their turn
  int64_t turnsBefore; ///< of other kernels that have written there
  Value warps;         ///< shared [2 * warps * (pivots + 1)]
  Value slots;         ///< shared [2 * kMaxCluster * (pivots + 1)]
  Value arrivals;      ///< a transaction barrier for each parity of `turn`
  Value columns;       ///< shared [warps][pivots]
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_CLUSTERSUMS_H
