//===- HeadOps.cpp - Verifiers of the head ops ----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::lot;

/// Fails unless both static dims are equal.
static LogicalResult verifySameDim(Operation *op, StringRef label,
                                   StringRef what, Named a, int64_t dimA,
                                   Named b, int64_t dimB) {
  int64_t sizeA = a.dim(dimA), sizeB = b.dim(dimB);
  if (ShapedType::isDynamic(sizeA) || ShapedType::isDynamic(sizeB) ||
      sizeA == sizeB)
    return success();
  return op->emitOpError() << label << ": expected " << b.name
                           << " to have the " << what << " " << sizeA << " of "
                           << a.name << ", got " << sizeB;
}

/// C80: the element type of a state buffer is f32 or f64, the same everywhere.
static LogicalResult verifyState(Operation *op, ArrayRef<Named> buffers) {
  Builder b(op->getContext());
  Type state = buffers.front().type().getElementType();
  if (failed(verifyElementType(op, "C80", buffers.front(),
                               {b.getF32Type(), b.getF64Type()})))
    return failure();
  for (Named buffer : buffers.drop_front())
    if (failed(verifyElementType(op, "C80", buffer, {state})))
      return failure();
  return success();
}

/// C81: ranks.
static LogicalResult verifyRanks(Operation *op, int64_t rank,
                                 ArrayRef<Named> buffers) {
  for (Named buffer : buffers)
    if (failed(verifyRank(op, "C81", buffer, {rank})))
      return failure();
  return success();
}

/// C82: the factor is [tiles, r, token_tile] of the schedule.
static LogicalResult verifyFactor(Operation *op, Named factor,
                                  CPUScheduleAttr schedule) {
  if (failed(verifyStaticDim(op, "C82", "number of pivots r", factor, 1)))
    return failure();
  if (factor.dim(2) != schedule.getTokenTile())
    return op->emitOpError("C82: expected tiles of ")
           << schedule.getTokenTile() << " tokens in factor, got "
           << factor.type();
  return success();
}

/// C83: everything over pivots has one r; the packed pivots are [d, r], with r
/// rounded up to whole vectors.
static LogicalResult verifyPivots(Operation *op, Named pivots,
                                  CPUScheduleAttr schedule,
                                  ArrayRef<Named> vectors) {
  Named first = vectors.front();
  if (failed(verifyStaticDim(op, "C83", "number of pivots r", first, 0)) ||
      failed(verifyStaticDim(op, "C83", "head dim d", pivots, 0)))
    return failure();
  for (Named vector : vectors.drop_front())
    if (failed(
            verifySameDim(op, "C83", "number of pivots", first, 0, vector, 0)))
      return failure();
  int64_t columns = llvm::alignTo(first.dim(0), schedule.getLanes());
  if (pivots.dim(1) != columns)
    return op->emitOpError("C83: expected pivots to have ")
           << columns << " columns, the number of pivots of " << first.name
           << " in whole vectors, got " << pivots.type();
  return success();
}

static LogicalResult verifyTokens(Operation *op, Named tokens, Named pivots) {
  return failure(
      failed(verifyRank(op, "C81", tokens, {2})) ||
      failed(verifyIoType(op, "C80", tokens)) ||
      failed(verifyStaticDim(op, "C83", "head dim d", tokens, 1)) ||
      failed(verifySameDim(op, "C83", "head dim", pivots, 0, tokens, 1)));
}

/// C85: a row of the partials holds `size` values of the type of `sums`.
template <typename OpTy>
static LogicalResult verifyPartials(OpTy op, Named sums, int64_t size) {
  Named partials{op.getPartials(), "partials"};
  if (failed(verifyElementType(op, "C80", partials,
                               {sums.type().getElementType()})) ||
      failed(verifyRank(op, "C81", partials, {2})))
    return failure();
  if (ShapedType::isDynamic(partials.dim(1)) || partials.dim(1) < size)
    return op.emitOpError("C85: expected rows of partials to hold ")
           << size << " values, got " << partials.type();
  return success();
}

LogicalResult HeadMassOp::verify() {
  SmallVector<Named> buffers{{getLog2Mass(), "log2_mass"}, {getMass(), "mass"}};
  if (getLogMass())
    buffers.push_back({getLogMass(), "log_mass"});
  return failure(failed(verifyState(*this, buffers)) ||
                 failed(verifyRanks(*this, 1, buffers)));
}

LogicalResult HeadFactorOp::verify() {
  Named tokens{getTokens(), "tokens"}, pivots{getPivots(), "pivots"},
      bias{getBias(), "bias"}, log2Mass{getLog2Mass(), "log2_mass"},
      mass{getMass(), "mass"}, factor{getFactor(), "factor"},
      sums{getSums(), "sums"};
  return failure(
      failed(
          verifyState(*this, {pivots, bias, log2Mass, mass, factor, sums})) ||
      failed(verifyRanks(*this, 1, {bias, log2Mass, mass, sums})) ||
      failed(verifyRanks(*this, 2, {pivots})) ||
      failed(verifyRanks(*this, 3, {factor})) ||
      failed(verifyFactor(*this, factor, getSchedule())) ||
      failed(verifyPivots(*this, pivots, getSchedule(), {bias, sums})) ||
      failed(verifySameDim(*this, "C83", "number of pivots", bias, 0, factor,
                           1)) ||
      failed(verifyTokens(*this, tokens, pivots)) ||
      failed(verifyPartials(*this, sums,
                            (sums.dim(0) + 2) * getSchedule().getLanes())));
}

LogicalResult HeadSweepOp::verify() {
  Named factor{getFactor(), "factor"}, prev{getPrev(), "prev"},
      mass{getMass(), "mass"}, sums{getSums(), "sums"};
  return failure(failed(verifyState(*this, {factor, prev, mass, sums})) ||
                 failed(verifyRanks(*this, 1, {prev, mass, sums})) ||
                 failed(verifyRanks(*this, 3, {factor})) ||
                 failed(verifyFactor(*this, factor, getSchedule())) ||
                 failed(verifySameDim(*this, "C83", "number of pivots", factor,
                                      1, prev, 0)) ||
                 failed(verifySameDim(*this, "C83", "number of pivots", factor,
                                      1, sums, 0)) ||
                 failed(verifyPartials(
                     *this, sums, factor.dim(1) * getSchedule().getLanes())));
}

LogicalResult HeadLogSweepOp::verify() {
  Named tokens{getTokens(), "tokens"}, pivots{getPivots(), "pivots"},
      prev{getPrev(), "prev"}, log2Mass{getLog2Mass(), "log2_mass"},
      sums{getSums(), "sums"};
  return failure(
      failed(verifyState(*this, {pivots, prev, log2Mass, sums})) ||
      failed(verifyRanks(*this, 1, {prev, log2Mass, sums})) ||
      failed(verifyRanks(*this, 2, {pivots})) ||
      failed(verifyPivots(*this, pivots, getSchedule(), {prev, sums})) ||
      failed(verifyTokens(*this, tokens, pivots)) ||
      failed(verifyPartials(*this, sums,
                            2 * prev.dim(0) * getSchedule().getLanes())));
}

/// What gather and apply have in common.
template <typename OpTy>
static LogicalResult verifyPlanOperands(OpTy op) {
  Named tokens{op.getTokens(), "tokens"}, pivots{op.getPivots(), "pivots"},
      log2Mass{op.getLog2Mass(), "log2_mass"}, mass{op.getMass(), "mass"},
      factor{op.getFactor(), "factor"}, prev{op.getPrev(), "prev"},
      post{op.getPost(), "post"}, logPrev{op.getLogPrev(), "log_prev"},
      logShift{op.getLogShift(), "log_shift"},
      gathered{op.getGathered(), "gathered"};
  if (failed(verifyState(op, {pivots, log2Mass, mass, factor, prev, post,
                              logPrev, logShift, gathered})) ||
      failed(verifyRanks(op, 1,
                         {log2Mass, mass, prev, post, logPrev, logShift})) ||
      failed(verifyRanks(op, 2, {pivots, gathered})) ||
      failed(verifyRanks(op, 3, {factor})) ||
      failed(verifyFactor(op, factor, op.getSchedule())) ||
      failed(verifyPivots(op, pivots, op.getSchedule(),
                          {prev, post, logPrev, logShift, gathered})) ||
      failed(
          verifySameDim(op, "C83", "number of pivots", prev, 0, factor, 1)) ||
      failed(verifyTokens(op, tokens, pivots)))
    return failure();
  return success();
}

/// C84: gathered holds the columns of value or out in whole vectors, and row
/// sums in one more.
static LogicalResult verifyColumns(Operation *op, Named gathered, Named values,
                                   bool rowSum, CPUScheduleAttr schedule) {
  int64_t lanes = schedule.getLanes();
  int64_t columns = llvm::alignTo(values.dim(1), lanes) + (rowSum ? lanes : 0);
  if (gathered.dim(1) == columns)
    return success();
  return op->emitOpError("C84: expected gathered to have ")
         << columns << " columns, those of " << values.name
         << " in whole vectors of " << lanes
         << (rowSum ? " and one vector for row sums" : "") << ", got "
         << gathered.type();
}

LogicalResult HeadGatherOp::verify() {
  Named value{getValue(), "value"}, gathered{getGathered(), "gathered"};
  if (failed(verifyPlanOperands(*this)) ||
      failed(verifyRanks(*this, 2, {value})) ||
      failed(verifyIoType(*this, "C80", value)) ||
      failed(verifyStaticDim(*this, "C84", "value dim dv", value, 1)))
    return failure();
  return failure(failed(verifyColumns(*this, gathered, value, getRowSum(),
                                      getSchedule())) ||
                 failed(verifyPartials(*this, gathered,
                                       gathered.dim(0) * gathered.dim(1))));
}

LogicalResult HeadApplyOp::verify() {
  Named out{getOut(), "out"}, gathered{getGathered(), "gathered"};
  if (failed(verifyPlanOperands(*this)) ||
      failed(verifyRanks(*this, 2, {out})) ||
      failed(verifyIoType(*this, "C80", out)) ||
      failed(verifyStaticDim(*this, "C84", "value dim dv", out, 1)))
    return failure();
  bool rowSum = getNormalization() == Normalization::row_sum;
  return verifyColumns(*this, gathered, out, rowSum, getSchedule());
}
