//===- Decompose.h - What the decompositions share -----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_IR_DECOMPOSE_H
#define LOT_LIB_IR_DECOMPOSE_H

#include "IndexedBuilder.h"

#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace mlir::lot {

/// Fails with a diagnostic if the op works on buffers: formulas are values.
LogicalResult expectTensors(DestinationStyleOpInterface op);

/// The letters of a score tensor [batch..., tokens i, pivots j] and of the
/// vectors beside it.
struct ScoreDims {
  std::string batch, all, token, pivot;

  explicit ScoreDims(Value scores)
      : batch(batchLetters(cast<ShapedType>(scores.getType()).getRank() - 2)),
        all(batch + "ij"), token(batch + "i"), pivot(batch + "j") {}
};

/// (max, sum) over pivots of scores + potential, [batch..., i]: the log-sum-exp
/// of each token's row.
std::pair<Value, Value> rowLogSumExp(IndexedBuilder &t, const ScoreDims &dims,
                                     Value scores, Value potential);
/// The same where the potential has dims that the scores lack; `token` are
/// those of the result.
std::pair<Value, Value> rowLogSumExp(IndexedBuilder &t,
                                     IndexedBuilder::Term scores,
                                     IndexedBuilder::Term potential,
                                     const std::string &token);

/// An operand with a head dimension, for `resolveHeadGroup`.
struct HeadsOf {
  StringRef name;
  /// The operand and, after it, others that have the same heads.
  SmallVector<std::pair<Value, int64_t>> dims;

  /// The first static size among them.
  int64_t staticSize() const;
};

/// How many heads of `many` share one of `few`. 1 if both counts are equal,
/// statically or by what is known of the values. Fails with a diagnostic when
/// they differ in a way that is not known at compile time.
FailureOr<int64_t> resolveHeadGroup(Operation *op, const HeadsOf &many,
                                    const HeadsOf &few);

} // namespace mlir::lot

#endif // LOT_LIB_IR_DECOMPOSE_H
