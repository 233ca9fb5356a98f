//===- ShardingTokens.cpp - Ops whose tokens are on several devices ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing of a token leaves its device: a sweep needs the maximum and the sum
// over tokens of each pivot, the glue G = R2^T V, reverse mode the sums over
// tokens of gradients that pivots share. An op becomes its formulas on the
// device's own tokens, and these sums are completed by all-reduces.
//
//===----------------------------------------------------------------------===//

#include "ShardingLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::lot;

/// -log of the number of tokens on all devices, of which `local` dim `dim` is
/// this device's part.
static Value globalLogMass(ImplicitLocOpBuilder &b, Value local, int64_t dim,
                           FloatType type, const Shards &shards,
                           ArrayRef<shard::GridAxis> axes) {
  int64_t size = cast<ShapedType>(local.getType()).getDimSize(dim);
  if (!ShapedType::isDynamic(size)) {
    double mass = -std::log(static_cast<double>(size * shards.count(axes)));
    return arith::ConstantOp::create(b, b.getFloatAttr(type, mass));
  }
  Value here = arith::IndexCastOp::create(b, b.getI64Type(),
                                          tensor::DimOp::create(b, local, dim));
  Value counts = tensor::FromElementsOp::create(b, here);
  counts = shard::AllReduceOp::create(b, counts, shards.gridName(), axes,
                                      shard::ReductionKind::Sum)
               .getResult();
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value all = tensor::ExtractOp::create(b, counts, zero);
  // In f64: a count is exact there.
  Value wide = arith::SIToFPOp::create(b, b.getF64Type(), all);
  Value log = arith::NegFOp::create(b, math::LogOp::create(b, wide));
  return type.isF64() ? log : arith::TruncFOp::create(b, type, log).getResult();
}

/// A uniform log mass for the tokens of `like`, [leading dims..., tokens].
static Value uniformMass(OpBuilder &builder, Location loc, Value like,
                         ArrayRef<int64_t> dims, FloatType type,
                         const Shards &shards, char token) {
  ImplicitLocOpBuilder b(loc, builder);
  Value mass = globalLogMass(b, like, dims.back(), type, shards, shards[token]);
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : dims)
    sizes.push_back(tensor::getMixedSize(b, loc, like, dim));
  Value empty = tensor::EmptyOp::create(b, sizes, type);
  return linalg::FillOp::create(b, mass, empty).getResult(0);
}

namespace {
/// An op on local operands that gets the masses which are uniform over all
/// devices' tokens: the op itself would take them over its own tokens only.
struct ExplicitMasses {
  Operation *op;
  const Shards &shards;
  OpBuilder &b;
  /// Results that only the added masses have.
  SmallVector<unsigned> added;

  /// Gives the op `mass` for the operand that `range` stands for; a vjp also
  /// gets an init for its gradient at position `init`.
  template <typename OpTy>
  void set(OpTy typed, MutableOperandRange range, Value mass,
           std::optional<unsigned> init) {
    range.assign(mass);
    if (!init)
      return;
    if constexpr (!std::is_same_v<OpTy, AttentionOp> &&
                  !std::is_same_v<OpTy, GlueOp> &&
                  !std::is_same_v<OpTy, PlanOp>) {
      SmallVector<Value> inits(typed.getInits());
      auto type = cast<RankedTensorType>(mass.getType());
      Value empty = tensor::EmptyOp::create(
          b, op->getLoc(), tensor::getMixedSizes(b, op->getLoc(), mass),
          type.getElementType());
      inits.insert(inits.begin() + *init, empty);
      typed.getInitsMutable().assign(inits);
      added.push_back(*init);
    }
  }

  template <typename OpTy>
  void addAttention(OpTy typed, bool vjp) {
    FloatType type = typed.getStateType();
    // No init where masses have no gradients.
    vjp &= typed->getNumResults() > 4;
    unsigned next = 4;
    if (!typed.getQueryLogMass() && !shards['n'].empty())
      set(typed, typed.getQueryLogMassMutable(),
          uniformMass(b, op->getLoc(), typed.getQuery(), {0, 2}, type, shards,
                      'n'),
          vjp ? std::optional(next) : std::nullopt);
    next += typed.getQueryLogMass() ? 1 : 0;
    if (!typed.getKeyLogMass() && !shards['m'].empty())
      set(typed, typed.getKeyLogMassMutable(),
          uniformMass(b, op->getLoc(), typed.getKey(), {0, 2}, type, shards,
                      'm'),
          vjp ? std::optional(next) : std::nullopt);
  }

  template <typename OpTy>
  void addScores(OpTy typed, std::optional<unsigned> init) {
    if (typed.getTokenLogMass())
      return;
    auto scores = cast<RankedTensorType>(typed.getScores().getType());
    auto dims = llvm::to_vector(llvm::seq<int64_t>(0, scores.getRank() - 1));
    set(typed, typed.getTokenLogMassMutable(),
        uniformMass(b, op->getLoc(), typed.getScores(), dims,
                    cast<FloatType>(scores.getElementType()), shards, 'n'),
        init);
  }

  template <typename OpTy>
  void addGlue(OpTy typed, std::optional<unsigned> init) {
    bool reads = typed.getNormalization() == Normalization::none ||
                 (typed.getNormalization() == Normalization::row_sum &&
                  typed.getRowFloor().isNonZero());
    if (typed.getQueryLogMass() || !reads || shards['n'].empty())
      return;
    auto plan = cast<RankedTensorType>(typed.getQueryPlan().getType());
    set(typed, typed.getQueryLogMassMutable(),
        uniformMass(b, op->getLoc(), typed.getQueryPlan(), {0, 1, 2},
                    cast<FloatType>(plan.getElementType()), shards, 'n'),
        init);
  }

  void run() {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](AttentionOp typed) { addAttention(typed, false); })
        .Case([&](AttentionVjpOp typed) { addAttention(typed, true); })
        .Case([&](GlueOp typed) { addGlue(typed, std::nullopt); })
        .Case([&](GlueVjpOp typed) { addGlue(typed, 3); })
        .Case([&](PivotSolveOp typed) { addScores(typed, std::nullopt); })
        .Case([&](PivotSolveVjpOp typed) { addScores(typed, 1); })
        .Case([&](SweepOp typed) { addScores(typed, std::nullopt); })
        .Case([&](SweepVjpOp typed) {
          addScores(typed, typed.getPrev() ? 2 : 1);
        })
        .Case([&](PlanOp typed) { addScores(typed, std::nullopt); })
        .Case([&](PlanVjpOp typed) {
          addScores(typed, typed.getPrev() ? 3 : 2);
        });
  }
};
} // namespace

/// Rewrites the lot ops from `first` to `keep` by their formulas. A plan has
/// no sum over tokens: it stays.
static LogicalResult decomposeBetween(Operation *first, Operation *keep) {
  IRRewriter rewriter(keep->getContext());
  Operation *before = first->getPrevNode();
  Block *block = first->getBlock();
  while (true) {
    SmallVector<Operation *> worklist;
    auto begin = before ? std::next(before->getIterator()) : block->begin();
    for (Operation &op : llvm::make_range(begin, keep->getIterator()))
      op.walk([&](linalg::AggregatedOpInterface nested) {
        if (isa<LotDialect>(nested->getDialect()) && !isa<PlanOp>(*nested))
          worklist.push_back(nested);
      });
    if (worklist.empty())
      return success();
    for (Operation *op : worklist) {
      rewriter.setInsertionPoint(op);
      FailureOr<SmallVector<Value>> values =
          cast<linalg::AggregatedOpInterface>(op).decomposeOperation(rewriter);
      if (failed(values))
        return failure();
      rewriter.replaceOp(op, *values);
    }
  }
}

/// The grid axes of the token dims of an operand; its other dims are whole as
/// far as sums over tokens are concerned.
static TokenReductions::DimAxes tokenAxes(StringRef letters,
                                          const Shards &shards) {
  TokenReductions::DimAxes axes;
  for (char letter : letters)
    axes.push_back(ShardingLoops::isToken(letter)
                       ? llvm::to_vector(shards[letter])
                       : GridAxes());
  return axes;
}

FailureOr<SmallVector<Value>> lot::partitionTokens(Operation *op,
                                                   ValueRange operands,
                                                   const ShardingLoops &loops,
                                                   const Shards &shards,
                                                   OpBuilder &b) {
  Location loc = op->getLoc();
  auto initTypes = [](Operation *dps) {
    return llvm::to_vector(
        TypeRange(cast<DestinationStyleOpInterface>(dps).getDpsInits()));
  };
  unsigned results = op->getNumResults();
  Operation *local =
      clone(b, op, TypeRange(operands.take_back(results)), operands);
  OpBuilder masses(local);
  ExplicitMasses explicitMasses{local, shards, masses, {}};
  explicitMasses.run();
  // The same op with a result for every init.
  Operation *complete = clone(b, local, initTypes(local), local->getOperands());
  TokenReductions reductions(shards);
  for (auto [operand, dims] : llvm::zip_equal(
           complete->getOperands(), getShardingLoops(complete).operands))
    reductions.track(operand, tokenAxes(dims.letters, shards));
  local->erase();

  // Holds the results while ops are replaced.
  auto keep = UnrealizedConversionCastOp::create(
      b, loc, complete->getResultTypes(), complete->getResults());
  Operation *before = complete->getPrevNode();
  Block *block = complete->getBlock();
  if (!isa<PlanOp>(complete) && failed(decomposeBetween(complete, keep)))
    return failure();
  auto first = before ? std::next(before->getIterator()) : block->begin();
  if (failed(reductions.complete(first, keep->getIterator())))
    return failure();
  SmallVector<Value> values;
  for (auto [i, value] : llvm::enumerate(keep.getInputs()))
    if (!llvm::is_contained(explicitMasses.added, i))
      values.push_back(value);
  keep->erase();
  return values;
}
