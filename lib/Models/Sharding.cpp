//===- Sharding.cpp - Ops over a grid of devices
//---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ShardingLoops.h"

#include "lot/Models/Models.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::lot;

Value lot::allReduceSum(OpBuilder &builder, Location loc, const Shards &shards,
                        ArrayRef<shard::GridAxis> axes, Value value) {
  ImplicitLocOpBuilder b(loc, builder);
  auto type = cast<RankedTensorType>(value.getType());
  auto convert = [&](Value from, Type element) -> Value {
    Value empty = tensor::EmptyOp::create(
        b, tensor::getMixedSizes(b, loc, from), element);
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> loops(type.getRank(),
                                           utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               b, TypeRange(empty.getType()), ValueRange(from),
               ValueRange(empty), maps, loops,
               [&](OpBuilder &nested, Location at, ValueRange args) {
                 Value x = args[0];
                 if (element.getIntOrFloatBitWidth() >
                     x.getType().getIntOrFloatBitWidth())
                   x = arith::ExtFOp::create(nested, at, element, x);
                 else
                   x = arith::TruncFOp::create(nested, at, element, x);
                 linalg::YieldOp::create(nested, at, x);
               })
        .getResult(0);
  };
  bool narrow = type.getElementTypeBitWidth() < 32;
  if (narrow)
    value = convert(value, b.getF32Type());
  value = shard::AllReduceOp::create(b, value, shards.gridName(), axes,
                                     shard::ReductionKind::Sum)
              .getResult();
  return narrow ? convert(value, type.getElementType()) : value;
}

/// Whether one grid axis may split both loops: query and key tokens of
/// self-attention lie on the same devices.
static bool mayShareAxes(char a, char b) {
  return ShardingLoops::isToken(a) && ShardingLoops::isToken(b);
}

/// The letter that has one of the axes already, or 0.
static char axisTakenBy(const LoopAxes &axes, char letter,
                        ArrayRef<shard::GridAxis> wanted) {
  for (const auto &[other, taken] : axes)
    if (other != letter && !mayShareAxes(other, letter) &&
        llvm::any_of(wanted, [&, &taken = taken](shard::GridAxis axis) {
          return llvm::is_contained(taken, axis);
        }))
      return other;
  return 0;
}

/// The letters of operands, then of results (those of their inits).
static SmallVector<ShardingLoops::Dims>
operandsAndResults(Operation *op, const ShardingLoops &loops) {
  SmallVector<ShardingLoops::Dims> all = loops.operands;
  unsigned inits = op->getNumOperands() - op->getNumResults();
  for (unsigned i = 0, e = op->getNumResults(); i != e; ++i)
    all.push_back({"result", loops.operands[inits + i].letters});
  return all;
}

/// The shardings of operands and results as axes of loops. Fails with a
/// diagnostic where they contradict each other or split what must be whole.
static FailureOr<LoopAxes>
collectAxes(Operation *op, const ShardingLoops &loops,
            ArrayRef<shard::Sharding> operandShardings,
            ArrayRef<shard::Sharding> resultShardings) {
  LoopAxes axes;
  SmallVector<shard::Sharding, 0> shardings(operandShardings);
  llvm::append_range(shardings, resultShardings);
  for (auto [dims, sharding] :
       llvm::zip_equal(operandsAndResults(op, loops), shardings)) {
    if (!sharding)
      continue;
    if (!sharding.getStaticHaloSizes().empty() ||
        !sharding.getStaticShardedDimsOffsets().empty())
      return op->emitOpError()
             << "expected even shards of " << dims.name
             << " without halos, got halo sizes or shard offsets";
    ArrayRef<shard::GridAxesAttr> split = sharding.getSplitAxes();
    for (auto [i, letter] : llvm::enumerate(dims.letters)) {
      GridAxes wanted;
      if (i < split.size())
        wanted = llvm::to_vector(split[i].asArrayRef());
      if (loops.isWhole(letter) && !wanted.empty())
        return op->emitOpError() << "expected dim " << i << " of " << dims.name
                                 << " whole on every device, got it split";
      auto [it, fresh] = axes.try_emplace(letter, wanted);
      if (!fresh && it->second != wanted)
        return op->emitOpError()
               << "expected dim " << i << " of " << dims.name
               << " split like the operands before it, got other grid axes";
      if (axisTakenBy(axes, letter, wanted))
        return op->emitOpError() << "expected dim " << i << " of " << dims.name
                                 << " split over grid axes of its own, got one "
                                    "that splits another dim";
    }
  }
  return axes;
}

/// Upstream rounds the sizes of parts down without a word.
static LogicalResult checkDivisible(Operation *op, const ShardingLoops &loops,
                                    const Shards &shards) {
  for (auto [dims, operand] :
       llvm::zip_equal(loops.operands, op->getOperands()))
    for (auto [i, letter] : llvm::enumerate(dims.letters)) {
      int64_t size = cast<ShapedType>(operand.getType()).getDimSize(i);
      int64_t count = shards.count(shards[letter]);
      if (ShapedType::isDynamic(count))
        return op->emitOpError("expected a grid of static shape, got a "
                               "dynamic one");
      if (!ShapedType::isDynamic(size) && size % count != 0)
        return op->emitOpError()
               << "expected dim " << i << " of " << dims.name
               << " to be a multiple of " << count << " devices, got " << size;
    }
  return success();
}

/// Upstream reshards by moving, splitting or gathering one grid axis; of more
/// it makes a value of another type, or none.
static LogicalResult checkParts(Operation *op, const ShardingLoops &loops,
                                Shards &shards, ArrayRef<Value> parts,
                                ArrayRef<shard::Sharding> shardings) {
  for (auto [dims, operand, part, sharding] :
       llvm::zip_equal(loops.operands, op->getOperands(), parts, shardings)) {
    Type expected = shard::shardType(operand.getType(), shards.grid, sharding);
    if (part && part.getType() == expected)
      continue;
    return op->emitOpError()
           << "expected a part " << expected << " of " << dims.name << ", got "
           << (part ? part.getType() : Type())
           << "; shard-partition moves one grid axis from one annotation of a "
              "value to the next";
  }
  return success();
}

namespace {
template <typename OpTy>
struct ShardingModel
    : public shard::ShardingInterface::ExternalModel<ShardingModel<OpTy>,
                                                     OpTy> {
  SmallVector<utils::IteratorType> getLoopIteratorTypes(Operation *op) const {
    SmallVector<utils::IteratorType> types;
    for (char letter : getShardingLoops(op).letters)
      types.push_back(StringRef("bhxyneo").contains(letter)
                          ? utils::IteratorType::parallel
                          : utils::IteratorType::reduction);
    return types;
  }

  SmallVector<shard::ReductionKind>
  getReductionLoopIteratorKinds(Operation *op) const {
    return SmallVector<shard::ReductionKind>(
        llvm::count(getLoopIteratorTypes(op), utils::IteratorType::reduction),
        shard::ReductionKind::Generic);
  }

  SmallVector<AffineMap> getIndexingMaps(Operation *op) const {
    MLIRContext *context = op->getContext();
    ShardingLoops loops = getShardingLoops(op);
    SmallVector<AffineMap> maps;
    for (const ShardingLoops::Dims &dims : operandsAndResults(op, loops)) {
      SmallVector<AffineExpr> exprs;
      for (char letter : dims.letters)
        exprs.push_back(getAffineDimExpr(loops.letters.find(letter), context));
      maps.push_back(AffineMap::get(loops.letters.size(), 0, exprs, context));
    }
    return maps;
  }

  /// Upstream's default refuses one grid axis on query and key tokens; what
  /// must be whole asks for whole operands, which upstream then gathers.
  FailureOr<shard::ShardingOption>
  getShardingOption(Operation *op, ArrayRef<shard::Sharding> operandShardings,
                    ArrayRef<shard::Sharding> resultShardings) const {
    ShardingLoops loops = getShardingLoops(op);
    shard::ShardingOption option;
    LoopAxes axes;
    SmallVector<shard::Sharding, 0> shardings(operandShardings);
    llvm::append_range(shardings, resultShardings);
    for (auto [dims, sharding] :
         llvm::zip_equal(operandsAndResults(op, loops), shardings)) {
      if (!sharding)
        continue;
      if (option.grid && option.grid != sharding.getGridAttr())
        return failure();
      option.grid = sharding.getGridAttr();
      for (auto [letter, split] :
           llvm::zip(dims.letters, sharding.getSplitAxes())) {
        if (loops.isWhole(letter) || split.empty())
          continue;
        GridAxes wanted = llvm::to_vector(split.asArrayRef());
        auto [it, fresh] = axes.try_emplace(letter, wanted);
        if ((!fresh && it->second != wanted) ||
            axisTakenBy(axes, letter, wanted))
          return failure();
      }
    }
    if (!option.grid)
      return shard::ShardingOption::makeEmpty();
    for (char letter : loops.letters)
      option.shardingArray.push_back(axes[letter]);
    shard::removeTrailingEmptySubArray(option.shardingArray);
    return option;
  }

  LogicalResult partition(Operation *op, ArrayRef<Value> partitionedOperands,
                          ArrayRef<shard::Sharding> operandShardings,
                          ArrayRef<shard::Sharding> resultShardings,
                          IRMapping &partitionMap,
                          SymbolTableCollection &symbols, OpBuilder &b) const {
    ShardingLoops loops = getShardingLoops(op);
    FailureOr<LoopAxes> axes =
        collectAxes(op, loops, operandShardings, resultShardings);
    if (failed(axes))
      return failure();
    bool splits =
        llvm::any_of(*axes, [](auto &each) { return !each.second.empty(); });
    if (splits && loops.hasResiduals())
      return op->emitOpError("expected operands whole on every device, since "
                             "residuals are those of the whole op, got some "
                             "split");
    Shards shards{nullptr, *axes};
    for (const shard::Sharding &sharding : operandShardings)
      if (sharding && !shards.grid)
        shards.grid = shard::getGridOrNull(op, sharding.getGridAttr(), symbols);
    if (!shards.grid)
      return op->emitOpError("expected a grid for its operands, got none");
    if (failed(checkDivisible(op, loops, shards)) ||
        failed(checkParts(op, loops, shards, partitionedOperands,
                          operandShardings)))
      return failure();

    SmallVector<Value> results;
    if (shards.splitsTokens()) {
      FailureOr<SmallVector<Value>> values =
          partitionTokens(op, partitionedOperands, loops, shards, b);
      if (failed(values))
        return failure();
      results = *values;
    } else {
      // Batch and heads: the same op on fewer of them.
      ValueRange local(partitionedOperands);
      results =
          clone(b, op, local.take_back(op->getNumResults()).getTypes(), local)
              ->getResults();
    }
    unsigned inits = op->getNumOperands() - op->getNumResults();
    for (auto [i, result] : llvm::enumerate(results)) {
      // What devices with other batches or heads share is a sum over them.
      GridAxes shared;
      for (char letter : StringRef("bh"))
        if (!StringRef(loops.operands[inits + i].letters).contains(letter))
          llvm::append_range(shared, shards[letter]);
      if (!shared.empty())
        result = allReduceSum(b, op->getLoc(), shards, shared, result);
      partitionMap.map(op->getResult(i), result);
    }
    return success();
  }
};
} // namespace

/// Attaches the model to each of the ops.
template <typename... OpTys>
static void attach(MLIRContext &context) {
  (OpTys::template attachInterface<ShardingModel<OpTys>>(context), ...);
}

void lot::registerShardingModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, LotDialect *dialect) {
    attach<AttentionOp, PivotSolveOp, SweepOp, PlanOp, GlueOp, AttentionVjpOp,
           PivotSolveVjpOp, SweepVjpOp, PlanVjpOp, GlueVjpOp>(*context);
  });
}
