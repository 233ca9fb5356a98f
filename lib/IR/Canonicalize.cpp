//===- Canonicalize.cpp - Canonical forms of the ops ---------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//
// What says nothing is dropped (an attribute or a mass that equals its default,
// an operand that the formula does not contain) and work without mass becomes a
// fill. Folding of tensor.cast comes from the tensor dialect's patterns for
// destination-style ops.
//
//===----------------------------------------------------------------------===//

#include "lot/IR/Lot.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::lot;

//===----------------------------------------------------------------------===//
// What is known about a mass
//===----------------------------------------------------------------------===//

/// The float that every element of a tensor is, if it is known.
static std::optional<APFloat> getSplat(Value value) {
  if (!value)
    return std::nullopt;
  Attribute attr;
  if (matchPattern(value, m_Constant(&attr))) {
    if (auto splat = dyn_cast<SplatElementsAttr>(attr))
      return splat.getSplatValue<APFloat>();
    return std::nullopt;
  }
  APFloat element(0.0);
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    if (matchPattern(fill.getInputs()[0], m_ConstantFloat(&element)))
      return element;
  return std::nullopt;
}

/// Whether a log mass says that no line is there.
static bool isAllAbsent(Value mass) {
  std::optional<APFloat> splat = getSplat(mass);
  return splat && splat->isInfinity() && splat->isNegative();
}

/// Whether a log mass is what its absence means: -log of the length, rounded
/// to the element type.
static bool isUniform(Value mass) {
  std::optional<APFloat> splat = getSplat(mass);
  if (!splat)
    return false;
  int64_t length = cast<ShapedType>(mass.getType()).getShape().back();
  if (ShapedType::isDynamic(length) || length < 1)
    return false;
  APFloat uniform(-std::log(static_cast<double>(length)));
  bool losesInfo;
  uniform.convert(splat->getSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return splat->compare(uniform) == APFloat::cmpEqual;
}

/// Whether a log mass says that every line is there.
static bool isAllLive(Value mass) {
  std::optional<APFloat> splat = getSplat(mass);
  return splat && splat->isFinite();
}

static bool isEmpty(Value value) {
  return llvm::is_contained(cast<ShapedType>(value.getType()).getShape(), 0);
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Drops an optional operand.
static void drop(PatternRewriter &rewriter, Operation *op,
                 MutableOperandRange operand) {
  rewriter.modifyOpInPlace(op, [&] { operand.clear(); });
}

/// The results are what the inits hold.
static void replaceByInits(PatternRewriter &rewriter,
                           DestinationStyleOpInterface op) {
  if (op->getNumResults() == 0)
    rewriter.eraseOp(op);
  else
    rewriter.replaceOp(op, op.getDpsInits());
}

/// The results are zero everywhere.
static void replaceByZero(PatternRewriter &rewriter,
                          DestinationStyleOpInterface op) {
  SmallVector<Value> results;
  for (Value init : op.getDpsInits()) {
    TypedAttr zero = rewriter.getZeroAttr(getElementTypeOrSelf(init.getType()));
    Value scalar = arith::ConstantOp::create(rewriter, op.getLoc(), zero);
    auto fill = linalg::FillOp::create(rewriter, op.getLoc(),
                                       ValueRange(scalar), ValueRange(init));
    llvm::append_range(results, fill->getResults());
  }
  if (op->getNumResults() == 0)
    rewriter.eraseOp(op);
  else
    rewriter.replaceOp(op, results);
}

/// Nothing to compute where no init has an element.
template <typename OpTy>
struct EraseEmpty : public OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto dps = cast<DestinationStyleOpInterface>(*op);
    if (!llvm::all_of(dps.getDpsInits(), isEmpty))
      return failure();
    replaceByInits(rewriter, dps);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// lot.attention
//===----------------------------------------------------------------------===//

/// Attributes that equal their defaults or play no part.
template <typename OpTy>
static LogicalResult simplifyAttributes(OpTy op, PatternRewriter &rewriter) {
  // The same expression as getScaleOrDefault's, so that no bit changes.
  if (op.getScale() &&
      op.getScale()->convertToDouble() ==
          1.0 / std::sqrt(static_cast<double>(op.getHeadDim()))) {
    rewriter.modifyOpInPlace(op, [&] { op.removeScaleAttr(); });
    return success();
  }
  if (op.getScoreClamp() && op.getScoreClamp()->isInfinity()) {
    rewriter.modifyOpInPlace(op, [&] { op.removeScoreClampAttr(); });
    return success();
  }
  if (op.getNormalization() != Normalization::row_sum &&
      op.getRowFloor().isNonZero()) {
    rewriter.modifyOpInPlace(op, [&] { op.setRowFloor(APFloat(0.0)); });
    return success();
  }
  return failure();
}

/// Masses that equal their defaults. The glue's default is pivot_log_mass.
static LogicalResult simplifyMasses(AttentionOp op, PatternRewriter &rewriter) {
  Value pivot = op.getPivotLogMass(), glue = op.getGlueLogMass();
  if (glue && (glue == pivot || (!pivot && isUniform(glue)))) {
    drop(rewriter, op, op.getGlueLogMassMutable());
    return success();
  }
  if (isUniform(op.getQueryLogMass())) {
    drop(rewriter, op, op.getQueryLogMassMutable());
    return success();
  }
  if (isUniform(op.getKeyLogMass())) {
    drop(rewriter, op, op.getKeyLogMassMutable());
    return success();
  }
  if (isUniform(pivot)) {
    drop(rewriter, op, op.getPivotLogMassMutable());
    return success();
  }
  return failure();
}

/// A side without mass, or without keys: the result is zero. Residuals would
/// have to say so.
static LogicalResult foldWithoutMass(AttentionOp op,
                                     PatternRewriter &rewriter) {
  if (op.getResiduals())
    return failure();
  if (op.getShapedType(op.getKey()).getDimSize(2) != 0 &&
      !isAllAbsent(op.getQueryLogMass()) && !isAllAbsent(op.getKeyLogMass()) &&
      !isAllAbsent(op.getPivotLogMass()))
    return failure();
  replaceByZero(rewriter, op);
  return success();
}

/// Residuals that nobody reads.
static LogicalResult dropResiduals(AttentionOp op, PatternRewriter &rewriter) {
  if (op->getNumResults() != 2 || !op->getResult(1).use_empty())
    return failure();
  auto lean = AttentionOp::create(
      rewriter, op.getLoc(), TypeRange(op.getInit().getType()), op.getQuery(),
      op.getKey(), op.getValue(), op.getPivots(), op.getQueryLogMass(),
      op.getKeyLogMass(), op.getPivotLogMass(), op.getGlueLogMass(),
      op.getInit(), op.getScaleAttr(), op.getEpsilonAttr(),
      op.getHalfStepsAttr(), op.getNormalizationAttr(), op.getRowFloorAttr(),
      op.getScoreClampAttr(), op.getOutScaleAttr(), op.getScheduleAttr());
  lean->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  rewriter.replaceAllUsesWith(op->getResult(0), lean->getResult(0));
  rewriter.eraseOp(op);
  return success();
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  // An empty result needs no fill.
  patterns.add<EraseEmpty<AttentionOp>>(context, /*benefit=*/2);
  patterns.add(simplifyAttributes<AttentionOp>);
  patterns.add(simplifyMasses);
  patterns.add(dropResiduals);
  patterns.add(static_cast<LogicalResult (*)(AttentionOp, PatternRewriter &)>(
      foldWithoutMass));
}

//===----------------------------------------------------------------------===//
// lot.attention_vjp
//===----------------------------------------------------------------------===//

/// Without tokens, or where a constant mass says that a whole side is absent,
/// every gradient is zero. Masses that equal their defaults stay: they have
/// gradients.
static LogicalResult foldWithoutMass(AttentionVjpOp op,
                                     PatternRewriter &rewriter) {
  if (!isEmpty(op.getQuery()) && !isEmpty(op.getKey()) &&
      !isAllAbsent(op.getQueryLogMass()) && !isAllAbsent(op.getKeyLogMass()) &&
      !isAllAbsent(op.getPivotLogMass()))
    return failure();
  replaceByZero(rewriter, op);
  return success();
}

void AttentionVjpOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                 MLIRContext *context) {
  patterns.add(simplifyAttributes<AttentionVjpOp>);
  patterns.add(
      static_cast<LogicalResult (*)(AttentionVjpOp, PatternRewriter &)>(
          foldWithoutMass));
}

//===----------------------------------------------------------------------===//
// The vjps of the formulas
//===----------------------------------------------------------------------===//

/// No token, or none with mass: every gradient is zero. What stays of the
/// masses has a gradient.
template <typename OpTy>
static LogicalResult foldVjpWithoutMass(OpTy op, PatternRewriter &rewriter) {
  if (!isEmpty(op.getScores()) && !isAllAbsent(op.getTokenLogMass()) &&
      !isAllAbsent(op.getPivotLogMass()))
    return failure();
  replaceByZero(rewriter, op);
  return success();
}

void PivotSolveVjpOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  patterns.add(foldVjpWithoutMass<PivotSolveVjpOp>);
}

void PlanVjpOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add(foldVjpWithoutMass<PlanVjpOp>);
}

/// Nothing is added to the gradient of prev, the others are zero.
static LogicalResult foldSweepVjpWithoutMass(SweepVjpOp op,
                                             PatternRewriter &rewriter) {
  if (!isEmpty(op.getScores()) && !isAllAbsent(op.getTokenLogMass()))
    return failure();
  // The gradient of prev keeps what its init holds.
  SmallVector<Value> results;
  for (auto [index, init] : llvm::enumerate(op.getInits())) {
    if (op.getPrev() && index == 1) {
      results.push_back(init);
      continue;
    }
    TypedAttr zero = rewriter.getZeroAttr(getElementTypeOrSelf(init.getType()));
    Value scalar = arith::ConstantOp::create(rewriter, op.getLoc(), zero);
    auto fill = linalg::FillOp::create(rewriter, op.getLoc(),
                                       ValueRange(scalar), ValueRange(init));
    llvm::append_range(results, fill->getResults());
  }
  if (op->getNumResults() == 0)
    rewriter.eraseOp(op);
  else
    rewriter.replaceOp(op, results);
  return success();
}

void SweepVjpOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  patterns.add(foldSweepVjpWithoutMass);
}

static LogicalResult simplifyGlueVjp(GlueVjpOp op, PatternRewriter &rewriter) {
  if (isEmpty(op.getQueryPlan()) || isEmpty(op.getKeyPlan()) ||
      isAllAbsent(op.getQueryLogMass())) {
    replaceByZero(rewriter, op);
    return success();
  }
  if (op.getNormalization() != Normalization::row_sum &&
      op.getRowFloor().isNonZero()) {
    rewriter.modifyOpInPlace(op, [&] { op.setRowFloor(APFloat(0.0)); });
    return success();
  }
  return failure();
}

void GlueVjpOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add(simplifyGlueVjp);
}

//===----------------------------------------------------------------------===//
// lot.pivot_solve
//===----------------------------------------------------------------------===//

static LogicalResult simplifySolve(PivotSolveOp op, PatternRewriter &rewriter) {
  if (isUniform(op.getTokenLogMass())) {
    drop(rewriter, op, op.getTokenLogMassMutable());
    return success();
  }
  if (isUniform(op.getPivotLogMass())) {
    drop(rewriter, op, op.getPivotLogMassMutable());
    return success();
  }
  return failure();
}

void PivotSolveOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                               MLIRContext *context) {
  patterns.add<EraseEmpty<PivotSolveOp>>(context, /*benefit=*/2);
  patterns.add(simplifySolve);
}

//===----------------------------------------------------------------------===//
// lot.sweep
//===----------------------------------------------------------------------===//

static LogicalResult simplifySweep(SweepOp op, PatternRewriter &rewriter) {
  // No token, or none with mass: nothing is merged into the inits.
  Value mass = op.getTokenLogMass();
  if (isEmpty(op.getScores()) || isAllAbsent(mass)) {
    replaceByInits(rewriter, op);
    return success();
  }
  // Without a token step only the absence of tokens counts.
  if (isUniform(mass) || (!op.getPrev() && isAllLive(mass))) {
    drop(rewriter, op, op.getTokenLogMassMutable());
    return success();
  }
  return failure();
}

void SweepOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add(simplifySweep);
}

//===----------------------------------------------------------------------===//
// lot.plan
//===----------------------------------------------------------------------===//

static LogicalResult simplifyPlan(PlanOp op, PatternRewriter &rewriter) {
  Value tokenMass = op.getTokenLogMass(), pivotMass = op.getPivotLogMass();
  bool givenPivots = op.getConditional() == Marginal::pivots;
  if (isAllAbsent(tokenMass) || (givenPivots && isAllAbsent(pivotMass))) {
    replaceByZero(rewriter, op);
    return success();
  }
  // Where the formula does not contain the token mass, only absence counts.
  bool usesTokenMass = givenPivots && op.getPrev();
  if (isUniform(tokenMass) || (!usesTokenMass && isAllLive(tokenMass))) {
    drop(rewriter, op, op.getTokenLogMassMutable());
    return success();
  }
  // Given the tokens the formula has no pivot mass: last_j is -inf where it is.
  if (pivotMass && (!givenPivots || isUniform(pivotMass))) {
    drop(rewriter, op, op.getPivotLogMassMutable());
    return success();
  }
  return failure();
}

void PlanOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<EraseEmpty<PlanOp>>(context, /*benefit=*/2);
  patterns.add(simplifyPlan);
}

//===----------------------------------------------------------------------===//
// lot.glue
//===----------------------------------------------------------------------===//

static LogicalResult simplifyGlue(GlueOp op, PatternRewriter &rewriter) {
  // No keys: a sum of nothing.
  if (cast<ShapedType>(op.getKeyPlan().getType()).getDimSize(2) == 0) {
    replaceByZero(rewriter, op);
    return success();
  }
  bool rowSum = op.getNormalization() == Normalization::row_sum;
  if (!rowSum && op.getRowFloor().isNonZero()) {
    rewriter.modifyOpInPlace(op, [&] { op.setRowFloor(APFloat(0.0)); });
    return success();
  }
  Value mass = op.getQueryLogMass();
  bool usesMass = op.getNormalization() == Normalization::none ||
                  (rowSum && op.getRowFloor().isNonZero());
  if (mass && (!usesMass || isUniform(mass))) {
    drop(rewriter, op, op.getQueryLogMassMutable());
    return success();
  }
  if (std::optional<APFloat> ratio = getSplat(op.getGlueLogRatio());
      ratio && ratio->isZero()) {
    drop(rewriter, op, op.getGlueLogRatioMutable());
    return success();
  }
  return failure();
}

void GlueOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<EraseEmpty<GlueOp>>(context, /*benefit=*/2);
  patterns.add(simplifyGlue);
}

//===----------------------------------------------------------------------===//
// Folding
//===----------------------------------------------------------------------===//

/// Static sizes and strides of buffers reach the ops.
#define LOT_FOLD_CASTS(OP)                                                     \
  LogicalResult OP::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &) {       \
    return memref::foldMemRefCast(*this);                                      \
  }
LOT_FOLD_CASTS(AttentionOp)
LOT_FOLD_CASTS(PivotSolveOp)
LOT_FOLD_CASTS(SweepOp)
LOT_FOLD_CASTS(PlanOp)
LOT_FOLD_CASTS(GlueOp)
LOT_FOLD_CASTS(AttentionVjpOp)
LOT_FOLD_CASTS(PivotSolveVjpOp)
LOT_FOLD_CASTS(SweepVjpOp)
LOT_FOLD_CASTS(PlanVjpOp)
LOT_FOLD_CASTS(GlueVjpOp)
