//===- TokenReductions.cpp - Sums over parts of the tokens, completed ----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows the token dims of operands through linalg, tensor and scf ops. A
// linalg op that reduces over one gets an all-reduce of its result.
//
//===----------------------------------------------------------------------===//

#include "ShardingLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

/// How a linalg op combines a term with what its output holds: `out + term`,
/// `out - term` or `max(out, term)`.
static std::optional<shard::ReductionKind> combiner(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  Value yielded = body->getTerminator()->getOperand(0);
  Value out = body->getArguments().back();
  Operation *last = yielded.getDefiningOp();
  if (!last || !out.hasOneUse() || *out.user_begin() != last)
    return std::nullopt;
  if (isa<arith::AddFOp>(last) ||
      (isa<arith::SubFOp>(last) && last->getOperand(0) == out))
    return shard::ReductionKind::Sum;
  if (isa<arith::MaximumFOp>(last))
    return shard::ReductionKind::Max;
  return std::nullopt;
}

/// Whether the tensor is filled with what the reduction starts from.
static bool isNeutral(Value start, shard::ReductionKind kind) {
  auto fill = start.getDefiningOp<linalg::FillOp>();
  if (!fill)
    return false;
  return kind == shard::ReductionKind::Sum
             ? matchPattern(fill.getInputs()[0], m_AnyZeroFloat())
             : matchPattern(fill.getInputs()[0], m_NegInfFloat());
}

/// Whether the tensor is 0 everywhere, as gradients of what is not read are: a
/// fill, or sums of such. Sums of it over any devices are 0, too.
static bool isZero(Value value) {
  if (isNeutral(value, shard::ReductionKind::Sum))
    return true;
  auto sum = value.getDefiningOp<linalg::GenericOp>();
  return sum && !sum.getInputs().empty() &&
         llvm::all_of(sum.getInputs(), isZero) &&
         llvm::all_of(sum.getBody()->without_terminator(), [](Operation &op) {
           return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp,
                      arith::NegFOp>(op);
         });
}

static Value filledWithNeutral(ImplicitLocOpBuilder &b, Value like,
                               shard::ReductionKind kind) {
  auto type = cast<RankedTensorType>(like.getType());
  double neutral = kind == shard::ReductionKind::Sum
                       ? 0.0
                       : -std::numeric_limits<double>::infinity();
  Value scalar = arith::ConstantOp::create(
      b, b.getFloatAttr(type.getElementType(), neutral));
  Value empty = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, b.getLoc(), like), type.getElementType());
  return linalg::FillOp::create(b, scalar, empty).getResult(0);
}

LogicalResult TokenReductions::reduce(linalg::LinalgOp op,
                                      ArrayRef<shard::GridAxis> axes) {
  std::optional<shard::ReductionKind> kind = combiner(op);
  if (op->getNumResults() != 1 || !kind)
    return op->emitOpError("expected a sum or a maximum over split tokens, got "
                           "another reduction");
  ImplicitLocOpBuilder b(op.getLoc(), op);
  OpOperand *init = op.getDpsInitOperand(0);
  Value start = init->get(), part = op->getResult(0);
  // Every device would add the start.
  bool neutral = isNeutral(start, *kind);
  if (!neutral)
    init->set(filledWithNeutral(b, start, *kind));
  b.setInsertionPointAfter(op);
  auto reduced =
      shard::AllReduceOp::create(b, part, shards.gridName(), axes, *kind);
  Value total = reduced.getResult();
  if (!neutral) {
    int64_t rank = cast<RankedTensorType>(part.getType()).getRank();
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    total = linalg::GenericOp::create(
                b, TypeRange(part.getType()), ValueRange(total),
                ValueRange(start), maps, loops,
                [&](OpBuilder &nested, Location loc, ValueRange args) {
                  Value sum =
                      *kind == shard::ReductionKind::Sum
                          ? arith::AddFOp::create(nested, loc, args[1], args[0])
                                .getResult()
                          : arith::MaximumFOp::create(nested, loc, args[1],
                                                      args[0]);
                  linalg::YieldOp::create(nested, loc, sum);
                })
                .getResult(0);
  }
  part.replaceAllUsesExcept(total, reduced);
  if (const DimAxes *dims = find(part))
    track(total, DimAxes(*dims));
  return success();
}

LogicalResult TokenReductions::merge(Operation *op, DimAxes &into,
                                     const DimAxes &from) {
  for (auto [a, b] : llvm::zip_equal(into, from)) {
    if (a && b && *a != *b)
      return op->emitOpError("expected tokens split over the same grid axes in "
                             "all operands, got others");
    if (b)
      a = b;
  }
  return success();
}

LogicalResult TokenReductions::visitLinalg(linalg::LinalgOp op) {
  DimAxes loops(op.getNumLoops(), std::nullopt);
  for (OpOperand &operand : op->getOpOperands()) {
    const DimAxes *dims = find(operand.get());
    if (!dims)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    DimAxes found(op.getNumLoops(), std::nullopt);
    for (auto [expr, axes] : llvm::zip_equal(map.getResults(), *dims))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        found[dim.getPosition()] = axes;
    if (failed(merge(op, loops, found)))
      return failure();
  }
  for (auto [result, init] :
       llvm::zip_equal(op->getResults(), op.getDpsInitsMutable())) {
    DimAxes dims;
    for (AffineExpr expr : op.getMatchingIndexingMap(&init).getResults())
      dims.push_back(loops[cast<AffineDimExpr>(expr).getPosition()]);
    track(result, dims);
  }
  GridAxes reduced;
  for (auto [type, axes] : llvm::zip_equal(op.getIteratorTypesArray(), loops)) {
    if (type != utils::IteratorType::reduction)
      continue;
    if (!axes && llvm::all_of(op.getDpsInputs(), isZero))
      continue;
    if (!axes)
      return op->emitOpError("cannot tell whether this reduction runs over "
                             "split tokens");
    llvm::append_range(reduced, *axes);
  }
  return reduced.empty() ? success() : reduce(op, reduced);
}

LogicalResult TokenReductions::visitLoop(Operation *op) {
  auto loop = cast<scf::ForOp>(op);
  for (auto [init, arg] :
       llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs()))
    if (const DimAxes *dims = find(init))
      track(arg, DimAxes(*dims));
  if (failed(complete(loop.getBody()->begin(), loop.getBody()->end())))
    return failure();
  for (auto [yielded, arg, result] :
       llvm::zip_equal(loop.getYieldedValues(), loop.getRegionIterArgs(),
                       loop.getResults())) {
    const DimAxes *dims = find(yielded);
    if (!dims)
      continue;
    DimAxes merged(*dims);
    if (const DimAxes *before = find(arg); before)
      if (failed(merge(op, merged, *before)))
        return failure();
    track(result, merged);
  }
  return success();
}

LogicalResult
TokenReductions::visitReshape(Operation *op, Value source,
                              ArrayRef<ReassociationIndices> groups,
                              bool expand) {
  const DimAxes *dims = find(source);
  if (!dims)
    return success();
  DimAxes from(*dims),
      to(cast<RankedTensorType>(op->getResult(0).getType()).getRank(),
         std::nullopt);
  for (auto [i, group] : llvm::enumerate(groups))
    for (int64_t j : group) {
      std::optional<GridAxes> axes = from[expand ? i : j];
      if (group.size() > 1 && axes && !axes->empty())
        return op->emitOpError("expected tokens to keep their dim, got it "
                               "reshaped");
      to[expand ? j : i] = axes;
    }
  track(op->getResult(0), to);
  return success();
}

LogicalResult TokenReductions::visit(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return visitLinalg(linalgOp);
  if (isa<scf::ForOp>(op))
    return visitLoop(op);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return visitReshape(op, expand.getSrc(), expand.getReassociationIndices(),
                        /*expand=*/true);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return visitReshape(op, collapse.getSrc(),
                        collapse.getReassociationIndices(), /*expand=*/false);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    const DimAxes *dims = find(slice.getSource());
    if (!dims)
      return success();
    DimAxes kept;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [i, axes] : llvm::enumerate(DimAxes(*dims)))
      if (!dropped[i])
        kept.push_back(axes);
    track(slice.getResult(), kept);
    return success();
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    int64_t rank = insert.getDestType().getRank();
    // Steps and groups, which slices are inserted along, are no tokens.
    DimAxes dims(rank, std::nullopt);
    if (const DimAxes *dest = find(insert.getDest()))
      dims = *dest;
    llvm::SmallBitVector dropped = insert.getDroppedDims();
    const DimAxes *source = find(insert.getSource());
    unsigned next = 0;
    for (int64_t i = 0; i < rank; ++i) {
      if (dropped[i])
        dims[i] = GridAxes();
      else if (source && (*source)[next++])
        dims[i] = (*source)[next - 1];
    }
    track(insert.getResult(), dims);
    return success();
  }
  Value like;
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    like = cast.getSource();
  else if (auto plan = dyn_cast<PlanOp>(op))
    like = plan.getScores();
  if (like) {
    if (const DimAxes *dims = find(like))
      track(op->getResult(0), DimAxes(*dims));
    return success();
  }
  // Whatever else makes a tensor of one with tokens is not understood.
  auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
  bool reads = llvm::any_of(op->getOperands(),
                            [&](Value operand) { return find(operand); });
  if (reads && llvm::any_of(op->getResultTypes(), isTensor))
    return op->emitOpError("cannot be split over tokens");
  return success();
}

LogicalResult TokenReductions::complete(Block::iterator first,
                                        Block::iterator end) {
  for (Operation &op : llvm::make_early_inc_range(llvm::make_range(first, end)))
    if (failed(visit(&op)))
      return failure();
  return success();
}
