//===- ShardingLoops.h - Which dims of an op are split alike -------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_MODELS_SHARDINGLOOPS_H
#define LOT_LIB_MODELS_SHARDINGLOOPS_H

#include "lot/IR/Lot.h"

#include "mlir/Dialect/Shard/Interfaces/ShardingInterface.h"

#include <map>
#include <string>

namespace mlir::lot {

/// The loops of an op as letters, and the letters of each operand's dims: dims
/// with one letter are split over the same grid axes.
///
///   b, h  batch and heads (x, y of score tensors): devices work apart; a
///         gradient that they share is summed up
///   n, m  query and key tokens (n of one side): partial sums are exchanged
///   e     value dim
///   d, r  head dim and pivots: always whole; so are o (one head shared by all
///         query heads), t (pivot steps) and p (residuals)
struct ShardingLoops {
  std::string letters;
  /// Loops that are never split.
  std::string whole;
  struct Dims {
    StringRef name;
    std::string letters;
  };
  SmallVector<Dims> operands;

  static bool isToken(char letter) { return letter == 'n' || letter == 'm'; }
  bool isWhole(char letter) const { return StringRef(whole).contains(letter); }
  bool hasResiduals() const { return isWhole('p'); }
};

ShardingLoops getShardingLoops(Operation *op);

using GridAxes = SmallVector<shard::GridAxis>;
/// The grid axes of each letter.
using LoopAxes = std::map<char, GridAxes>;

/// Where the devices of a partitioned op are.
struct Shards {
  shard::GridOp grid;
  LoopAxes axes;

  ArrayRef<shard::GridAxis> operator[](char letter) const {
    auto it = axes.find(letter);
    return it == axes.end() ? ArrayRef<shard::GridAxis>() : it->second;
  }
  int64_t count(ArrayRef<shard::GridAxis> of) const {
    return shard::collectiveProcessGroupSize(of, shape());
  }
  ArrayRef<int64_t> shape() const { return shard::GridOp(grid).getShape(); }
  StringRef gridName() const { return shard::GridOp(grid).getSymName(); }
  bool splitsTokens() const {
    return !(*this)['n'].empty() || !(*this)['m'].empty();
  }
};

/// The op on one device's part of the tokens: its formulas, with an all-reduce
/// after every sum and maximum over tokens. Returns what replaces its results.
FailureOr<SmallVector<Value>> partitionTokens(Operation *op, ValueRange local,
                                              const ShardingLoops &loops,
                                              const Shards &shards,
                                              OpBuilder &b);

/// Completes the sums and maxima over split dims among the ops from `first` to
/// `end` (not included), `axes` holding how operands are split.
class TokenReductions {
public:
  /// Known grid axes of a dim (none: whole), or nullopt: not known.
  using DimAxes = SmallVector<std::optional<GridAxes>>;

  TokenReductions(const Shards &shards) : shards(shards) {}
  void track(Value value, DimAxes dims) { tracked[value] = std::move(dims); }
  LogicalResult complete(Block::iterator first, Block::iterator end);

private:
  LogicalResult visit(Operation *op);
  LogicalResult visitLinalg(linalg::LinalgOp op);
  LogicalResult visitLoop(Operation *op);
  LogicalResult visitReshape(Operation *op, Value source,
                             ArrayRef<ReassociationIndices> groups,
                             bool expand);
  LogicalResult reduce(linalg::LinalgOp op, ArrayRef<shard::GridAxis> axes);
  LogicalResult merge(Operation *op, DimAxes &into, const DimAxes &from);
  const DimAxes *find(Value value) const {
    auto it = tracked.find(value);
    return it == tracked.end() ? nullptr : &it->second;
  }

  const Shards &shards;
  DenseMap<Value, DimAxes> tracked;
};

/// `value` summed over the devices along the axes; 16-bit floats as f32.
Value allReduceSum(OpBuilder &b, Location loc, const Shards &shards,
                   ArrayRef<shard::GridAxis> axes, Value value);

} // namespace mlir::lot

#endif // LOT_LIB_MODELS_SHARDINGLOOPS_H
