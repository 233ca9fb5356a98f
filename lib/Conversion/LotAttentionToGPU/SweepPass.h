//===- SweepPass.h - The sums of one sweep over a chunk ---------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SWEEPPASS_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SWEEPPASS_H

#include "Tiles.h"

#include <functional>

namespace mlir::lot {

/// The pair (max, sum) that stands for max + log2(sum), merged with another;
/// exact for -inf.
void mergePair(Kernel &k, Value &max, Value &sum, Value otherMax,
               Value otherSum);

/// The pair of log-sum-exps 0, 1, ... up to `count`, in this order.
Values foldLogSums(Kernel &k, Value count, function_ref<Value(Value i)> part);

/// The sums over a chunk's tokens that a pivot step needs. They are plain sums
/// of 2^(score_ij + y_j + x_i), of at most 1 each. Where they could lose
/// something (a pivot's sum below 2^-80: no term above the smallest number of
/// f32 could be missing from a larger one), and in a pass without a token step,
/// the block adds up pairs (maximum, sum) instead, which holds for any scores
/// (docs/semantics.md section 7).
struct SweepPass {
  using TileBody =
      function_ref<Values(const Rows &, const Tile &scores, ValueRange)>;

  Kernel &k;
  const Facts &facts;
  const Side &side;
  Value state; ///< shared [pivots]: y
  Value sums;  ///< shared [warps][pivots], scratch
  /// Runs a body over the tiles of this warp with values carried along.
  std::function<Values(const Values &init, TileBody)> forTiles;
  /// Plain sums in a quicker way, in a pass without a token step, too.
  struct QuickSums {
    Values columns;  ///< the lane's parts
    Value reference; ///< log2 of what they are multiples of
    Value least;     ///< the smallest sum from which nothing counts as missing
    Value lost;      ///< i1: the lane has seen what they do not hold for
  };
  /// They come first if they are there.
  std::function<QuickSums(Value first, Value reference)> addQuickly = nullptr;

  /// The largest log mass of the chunk's tokens, what their weights are
  /// relative to; where masses are uniform, theirs.
  Value emitReference();
  /// logsumexp_i(score_ij + x_i) of this thread's pivot, -inf for an absent
  /// one; `first` (i1): tokens have no potential yet.
  Value emitLogSum(Value first, Value reference);

  // Parts of emitLogSum.

  /// Stores one value for each column of the warp, for foldWarps.
  void storeWarp(Values values);
  /// This thread's column of all warps, in their order.
  Value foldWarps(bool logarithms);
  /// The sum by pairs (maximum, sum), with y_j in its terms.
  Value emitPairSum(Value first);

private:
  int64_t columns() const { return facts.pivots() / 4; }
  std::pair<Value, Value> foldPlain(Values added, Value reference, Value least,
                                    Value lost = Value());
  std::pair<Value, Value> emitPlainSum(Value reference);
  Value emitSafeSum(Value first, Value reference);
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_SWEEPPASS_H
