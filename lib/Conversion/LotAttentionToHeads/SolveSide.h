//===- SolveSide.h - The half-steps of one side of one head -----*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_SOLVESIDE_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_SOLVESIDE_H

#include "lot/IR/Lot.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::lot {

/// Scalar code over r-sized buffers: one loop over the pivots per call.
class PivotMath : public ImplicitLocOpBuilder {
public:
  PivotMath(ImplicitLocOpBuilder &b, FloatType type, int64_t pivots)
      : ImplicitLocOpBuilder(b), type(type), pivots(pivots) {}

  FloatType getStateType() const { return type; }
  int64_t getNumPivots() const { return pivots; }

  Value index(int64_t value);
  Value scalar(double value);
  Value buffer(); ///< r state values on the stack
  Value load(Value buffer, Value j);
  void store(Value value, Value buffer, Value j);

  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value max(Value a, Value b);
  Value min(Value a, Value b);
  Value exp2(Value a);
  Value log2(Value a);
  Value greater(Value a, Value b); ///< false on NaN
  Value select(Value condition, Value a, Value b);

  void forPivots(function_ref<void(Value j)> body);
  /// The fold of `body(j, accumulator)` over the pivots.
  Value foldPivots(Value init, function_ref<Value(Value j, Value acc)> body);
  void copy(Value from, Value to);
  /// The row `k` of a buffer [rows, r].
  void loadRow(Value from, Value k, Value to);
  void storeRow(Value from, Value to, Value k);

private:
  FloatType type;
  int64_t pivots;
};

/// The pivots of a head, packed for both sides.
struct PackedPivots {
  Value scores;   ///< [d, r]: scale / epsilon * log2(e) * Z^T, 0 where absent
  Value log2Mass; ///< [r], -1e30 where absent
  Value mass;     ///< [r]
  Value present;  ///< [r]: 1 or 0
  Value bias;     ///< [r]: 0, -1e30 where absent
};

/// What reverse mode needs of the steps of a solved side: [sweeps + 2, r]. Row
/// k is of sweep k, the row after the sweeps of a first pivot step, the last of
/// a last token step.
struct SideTrace {
  Value prev, sums;        ///< of scaled sweeps
  Value logPrev, logShift; ///< where `safe` is false: minus the log sums
  Value tops;              ///< row maxima of the factor (key side), or null
  Value safe;              ///< out, i1: all sweeps were scaled, on one factor

  explicit operator bool() const { return bool(prev); }
};

/// The sweeps (token steps followed by a pivot step) of a side.
inline int64_t getNumSweeps(Marginal first, int64_t halfSteps) {
  return (first == Marginal::pivots ? halfSteps - 1 : halfSteps) / 2;
}
/// Whether its last half-step is a token step.
inline bool areTokensLast(Marginal first, int64_t halfSteps) {
  return (first == Marginal::pivots) == (halfSteps % 2 == 0);
}

/// The tokens of one side and the workspace that the sides share.
struct SideTokens {
  Value tokens;      ///< [n, d]
  Value log2Mass;    ///< padded to whole tiles
  Value mass;        ///< padded to whole tiles
  Value factor;      ///< [tiles, r, tile]
  Value partials;    ///< what the chunks of a pass leave
  Value threads;     ///< how many share a pass, or null: one
  bool maskedTokens; ///< a log mass was given: tokens may be absent
  bool maskedPivots;
};

/// What `lot.head_gather` and `lot.head_apply` need of a solved side.
struct SolvedSide {
  Value scaled;            ///< i1
  Value prev, post;        ///< of the scaled form
  Value logPrev, logShift; ///< of the log form
};

/// Emits `half_steps` half-steps of one side, `first` naming its first
/// marginal, and the vectors of its plan. `glueLog2Mass` (key side only, or
/// null) is what the plan is divided by in place of the pivot mass. `trace`, if
/// it has buffers, takes what reverse mode needs.
SolvedSide emitSolveSide(PivotMath &b, const PackedPivots &pivots,
                         const SideTokens &side, Value glueLog2Mass,
                         Marginal first, int64_t halfSteps, FloatAttr clamp,
                         CPUScheduleAttr schedule, SideTrace &trace);

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOHEADS_SOLVESIDE_H
