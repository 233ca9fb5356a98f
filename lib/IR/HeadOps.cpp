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
           << schedule.getTokenTile() << " tokens in " << factor.name
           << ", got " << factor.type();
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
  SmallVector<Named> vectors{bias, log2Mass, mass, sums};
  if (getTops())
    vectors.push_back({getTops(), "tops"});
  return failure(
      failed(verifyState(*this, {pivots, factor})) ||
      failed(verifyState(*this, vectors)) ||
      failed(verifyState(*this, {pivots, sums})) ||
      failed(verifyRanks(*this, 1, vectors)) ||
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

/// What ops with a plan have in common; `over` is over pivots, too.
template <typename OpTy>
static LogicalResult verifyPlanOperands(OpTy op, Named over) {
  Named tokens{op.getTokens(), "tokens"}, pivots{op.getPivots(), "pivots"},
      log2Mass{op.getLog2Mass(), "log2_mass"}, mass{op.getMass(), "mass"},
      factor{op.getFactor(), "factor"}, prev{op.getPrev(), "prev"},
      post{op.getPost(), "post"}, logPrev{op.getLogPrev(), "log_prev"},
      logShift{op.getLogShift(), "log_shift"};
  if (failed(verifyState(op, {pivots, log2Mass, mass, factor, prev, post,
                              logPrev, logShift, over})) ||
      failed(verifyRanks(op, 1,
                         {log2Mass, mass, prev, post, logPrev, logShift})) ||
      failed(verifyRanks(op, 2, {pivots})) ||
      failed(verifyRanks(op, 3, {factor})) ||
      failed(verifyFactor(op, factor, op.getSchedule())) ||
      failed(verifyPivots(op, pivots, op.getSchedule(),
                          {prev, post, logPrev, logShift, over})) ||
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
  return op->emitOpError("C84: expected ")
         << gathered.name << " to have " << columns << " columns, those of "
         << values.name << " in whole vectors of " << lanes
         << (rowSum ? " and one vector for row sums" : "") << ", got "
         << gathered.type();
}

LogicalResult HeadGatherOp::verify() {
  Named value{getValue(), "value"}, gathered{getGathered(), "gathered"};
  if (failed(verifyRanks(*this, 2, {value, gathered})) ||
      failed(verifyPlanOperands(*this, gathered)) ||
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
  if (failed(verifyRanks(*this, 2, {out, gathered})) ||
      failed(verifyPlanOperands(*this, gathered)) ||
      failed(verifyIoType(*this, "C80", out)) ||
      failed(verifyStaticDim(*this, "C84", "value dim dv", out, 1)))
    return failure();
  bool rowSum = getNormalization() == Normalization::row_sum;
  return verifyColumns(*this, gathered, out, rowSum, getSchedule());
}

//===----------------------------------------------------------------------===//
// Reverse mode
//===----------------------------------------------------------------------===//

/// C86: steps are [tiles, slots, token_tile] of the schedule.
static LogicalResult verifySteps(Operation *op, Named steps,
                                 CPUScheduleAttr schedule) {
  if (failed(verifyStaticDim(op, "C86", "number of slots", steps, 1)))
    return failure();
  if (steps.dim(2) != schedule.getTokenTile())
    return op->emitOpError("C86: expected tiles of ")
           << schedule.getTokenTile() << " tokens in steps, got "
           << steps.type();
  return success();
}

LogicalResult HeadAdjointOp::verify() {
  Named rows{getRows(), "rows"}, columns{getColumns(), "columns"},
      adjoint{getAdjoint(), "adjoint"}, tokenSums{getTokenSums(), "token_sums"},
      sums{getSums(), "sums"};
  return failure(
      failed(verifyState(*this, {sums, columns, adjoint, tokenSums})) ||
      failed(verifyRanks(*this, 1, {tokenSums, sums})) ||
      failed(verifyRanks(*this, 2, {columns})) ||
      failed(verifyRanks(*this, 3, {adjoint})) ||
      failed(verifyPlanOperands(*this, sums)) ||
      failed(verifyFactor(*this, adjoint, getSchedule())) ||
      failed(verifySameDim(*this, "C83", "number of pivots", sums, 0, adjoint,
                           1)) ||
      failed(verifyPivots(*this, columns, getSchedule(), {sums})) ||
      failed(verifyTokens(*this, rows, columns)) ||
      failed(
          verifyPartials(*this, sums, sums.dim(0) * getSchedule().getLanes())));
}

LogicalResult HeadAdjointSweepOp::verify() {
  Named factor{getFactor(), "factor"}, prev{getPrev(), "prev"},
      pivotAdjoint{getPivotAdjoint(), "pivot_adjoint"}, mass{getMass(), "mass"},
      tokenSums{getTokenSums(), "token_sums"},
      tokenGradient{getTokenGradient(), "token_gradient"},
      steps{getSteps(), "steps"}, sums{getSums(), "sums"};
  if (failed(verifyState(*this, {mass, factor, prev, pivotAdjoint, tokenSums,
                                 tokenGradient, steps, sums})) ||
      failed(verifyRanks(
          *this, 1,
          {prev, pivotAdjoint, mass, tokenSums, tokenGradient, sums})) ||
      failed(verifyRanks(*this, 3, {factor, steps})) ||
      failed(verifyFactor(*this, factor, getSchedule())) ||
      failed(verifySteps(*this, steps, getSchedule())))
    return failure();
  for (Named vector : {prev, pivotAdjoint, sums})
    if (failed(verifySameDim(*this, "C83", "number of pivots", factor, 1,
                             vector, 0)))
      return failure();
  return verifyPartials(*this, sums, factor.dim(1) * getSchedule().getLanes());
}

LogicalResult HeadLogAdjointSweepOp::verify() {
  Named tokens{getTokens(), "tokens"}, pivots{getPivots(), "pivots"},
      prev{getPrev(), "prev"}, shift{getShift(), "shift"},
      pivotAdjoint{getPivotAdjoint(), "pivot_adjoint"},
      log2Mass{getLog2Mass(), "log2_mass"},
      tokenSums{getTokenSums(), "token_sums"},
      tokenGradient{getTokenGradient(), "token_gradient"},
      adjoint{getAdjoint(), "adjoint"}, sums{getSums(), "sums"};
  return failure(
      failed(verifyState(*this, {log2Mass, pivots, prev, shift, pivotAdjoint,
                                 tokenSums, tokenGradient, adjoint, sums})) ||
      failed(verifyRanks(*this, 1,
                         {prev, shift, pivotAdjoint, log2Mass, tokenSums,
                          tokenGradient, sums})) ||
      failed(verifyRanks(*this, 2, {pivots})) ||
      failed(verifyRanks(*this, 3, {adjoint})) ||
      failed(verifyFactor(*this, adjoint, getSchedule())) ||
      failed(verifyPivots(*this, pivots, getSchedule(),
                          {prev, shift, pivotAdjoint, sums})) ||
      failed(verifySameDim(*this, "C83", "number of pivots", prev, 0, adjoint,
                           1)) ||
      failed(verifyTokens(*this, tokens, pivots)) ||
      failed(
          verifyPartials(*this, sums, prev.dim(0) * getSchedule().getLanes())));
}

LogicalResult HeadFirstStepOp::verify() {
  Named tops{getTops(), "tops"}, log2Mass{getLog2Mass(), "log2_mass"},
      steps{getSteps(), "steps"};
  return failure(failed(verifyState(*this, {tops, log2Mass, steps})) ||
                 failed(verifyRanks(*this, 1, {tops, log2Mass})) ||
                 failed(verifyRanks(*this, 3, {steps})) ||
                 failed(verifySteps(*this, steps, getSchedule())));
}

LogicalResult HeadScoreGradientOp::verify() {
  Named tokens{getTokens(), "tokens"}, pivots{getPivots(), "pivots"},
      pivotRows{getPivotRows(), "pivot_rows"}, factor{getFactor(), "factor"},
      steps{getSteps(), "steps"}, pivotSteps{getPivotSteps(), "pivot_steps"},
      log2Mass{getLog2Mass(), "log2_mass"}, adjoint{getAdjoint(), "adjoint"},
      tokenGradient{getTokenGradient(), "token_gradient"},
      pivotGradient{getPivotGradient(), "pivot_gradient"};
  if (failed(verifyState(*this, {log2Mass, pivots, pivotRows, factor, steps,
                                 pivotSteps, adjoint, pivotGradient})) ||
      failed(verifyRanks(*this, 1, {log2Mass})) ||
      failed(verifyRanks(*this, 2,
                         {tokens, pivots, pivotRows, pivotSteps, tokenGradient,
                          pivotGradient})) ||
      failed(verifyRanks(*this, 3, {factor, steps, adjoint})) ||
      failed(verifyIoType(*this, "C80", tokenGradient)) ||
      failed(verifyFactor(*this, factor, getSchedule())) ||
      failed(verifyFactor(*this, adjoint, getSchedule())) ||
      failed(verifySteps(*this, steps, getSchedule())) ||
      failed(verifySameDim(*this, "C86", "number of slots", steps, 1,
                           pivotSteps, 0)) ||
      failed(verifySameDim(*this, "C83", "number of pivots", factor, 1,
                           pivotSteps, 1)) ||
      failed(verifySameDim(*this, "C83", "number of pivots", factor, 1, adjoint,
                           1)) ||
      failed(verifyPivots(*this, pivots, getSchedule(),
                          {pivotRows, pivotGradient})) ||
      failed(verifySameDim(*this, "C83", "number of pivots", factor, 1,
                           pivotRows, 0)) ||
      failed(verifyTokens(*this, tokens, pivots)) ||
      failed(
          verifySameDim(*this, "C83", "head dim", tokens, 1, tokenGradient, 1)))
    return failure();
  for (Named rows : {pivotRows, pivotGradient})
    if (failed(verifyColumns(*this, rows, tokens, false, getSchedule())))
      return failure();
  return verifyPartials(*this, pivotGradient,
                        pivotGradient.dim(0) * pivotGradient.dim(1));
}

LogicalResult HeadMassGradientOp::verify() {
  Named tokenGradient{getTokenGradient(), "token_gradient"},
      tokenSums{getTokenSums(), "token_sums"},
      log2Mass{getLog2Mass(), "log2_mass"}, out{getOut(), "out"};
  SmallVector<Named> all{tokenGradient, tokenSums, log2Mass, out};
  if (getMore())
    all.push_back({getMore(), "more"});
  return failure(failed(verifyState(*this, all)) ||
                 failed(verifyRanks(*this, 1, all)));
}

/// C84: rows hold the columns of `values` and one more.
static LogicalResult verifyRowSums(Operation *op, Named rows, Named values) {
  if (failed(verifyRanks(op, 2, {values, rows})) ||
      failed(verifyIoType(op, "C80", values)) ||
      failed(verifyStaticDim(op, "C84", "value dim dv", values, 1)))
    return failure();
  if (rows.dim(1) != values.dim(1) + 1)
    return op->emitOpError("C84: expected rows to have ")
           << values.dim(1) + 1 << " columns, one more than " << values.name
           << ", got " << rows.type();
  return success();
}

LogicalResult HeadAppendOnesOp::verify() {
  Named value{getValue(), "value"}, rows{getRows(), "rows"};
  return failure(failed(verifyState(*this, {rows})) ||
                 failed(verifyRowSums(*this, rows, value)));
}

LogicalResult HeadRowCotangentOp::verify() {
  Named cotangent{getCotangent(), "cotangent"},
      log2Mass{getLog2Mass(), "log2_mass"}, mass{getMass(), "mass"},
      rows{getRows(), "rows"}, floor{getFloorGradient(), "floor_gradient"};
  return failure(failed(verifyState(*this, {log2Mass, mass, rows, floor})) ||
                 failed(verifyRanks(*this, 1, {log2Mass, mass, floor})) ||
                 failed(verifyRowSums(*this, rows, cotangent)));
}
