//===- VjpTiling.cpp - Tiling of the vjps ---------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gradients of pivots and of potentials are sums over all tokens, so tokens are
// not tiled: the loops are over what every operand has, the batch, and for
// lot.attention_vjp over heads where no two share an operand.
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"
#include "Tile.h"

#include "lot/IR/Lot.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The loops of an op and the letters of its operands; those that are not
/// among the loops are never cut.
struct Letters {
  std::string domain;
  SmallVector<std::string> operands;
};
} // namespace

static int64_t rankOf(Value value) {
  return cast<ShapedType>(value.getType()).getRank();
}

/// All operands begin with the same `batch` dims.
static Letters batchLettersOf(Operation *op, int64_t batch) {
  Letters letters{batchLetters(batch), {}};
  for (Value operand : op->getOperands())
    letters.operands.push_back(letters.domain +
                               std::string(rankOf(operand) - batch, '.'));
  return letters;
}

static Letters lettersOf(PivotSolveVjpOp op) {
  return batchLettersOf(op, rankOf(op.getScores()) - 2);
}
static Letters lettersOf(SweepVjpOp op) {
  return batchLettersOf(op, rankOf(op.getScores()) - 2);
}
static Letters lettersOf(PlanVjpOp op) {
  return batchLettersOf(op, rankOf(op.getScores()) - 2);
}
static Letters lettersOf(GlueVjpOp op) { return batchLettersOf(op, 1); }

/// b where every operand has a batch, h where every operand has heads and they
/// are known to be the same. Residuals are those of all: with them there are no
/// loops.
static Letters lettersOf(AttentionVjpOp op) {
  int64_t heads = op.getShapedType(op.getQuery()).getDimSize(1);
  bool sameHeads = !ShapedType::isDynamic(heads) &&
                   heads == op.getShapedType(op.getKey()).getDimSize(1) &&
                   heads == op.getShapedType(op.getPivots())
                                .getDimSize(rankOf(op.getPivots()) - 3);
  bool ownBatch = rankOf(op.getPivots()) == 4;
  for (Value mass : {op.getPivotLogMass(), op.getGlueLogMass()})
    ownBatch &= !mass || rankOf(mass) == 3;
  bool ownHeads = sameHeads;
  for (Value mass : {op.getQueryLogMass(), op.getKeyLogMass()})
    ownHeads &= !mass || rankOf(mass) == 3;

  Letters letters;
  if (ownBatch && !op.getResiduals())
    letters.domain += 'b';
  if (ownHeads && !op.getResiduals())
    letters.domain += 'h';
  auto add = [&](Value operand, bool batch, bool perHead, int64_t rest) {
    if (operand)
      letters.operands.push_back((batch ? "b" : "") +
                                 std::string(perHead ? "h" : "") +
                                 std::string(rest, '.'));
  };
  auto addAll = [&](bool masses) {
    for (Value operand : {op.getQuery(), op.getKey(), op.getValue()})
      add(operand, true, true, 2);
    add(op.getPivots(), rankOf(op.getPivots()) == 4, true, 2);
    if (!masses)
      return;
    for (Value mass : {op.getQueryLogMass(), op.getKeyLogMass()})
      add(mass, true, mass && rankOf(mass) == 3, 1);
    for (Value mass : {op.getPivotLogMass(), op.getGlueLogMass()})
      add(mass, mass && rankOf(mass) == 3, true, 1);
  };
  add(op.getCotangent(), true, true, 2);
  addAll(/*masses=*/true);
  add(op.getResiduals(), false, false, 1);
  addAll(op.hasMassGradients()); // the inits
  return letters;
}

template <typename OpTy>
static FailureOr<TilingResult> tileByLetters(OpTy op, OpBuilder &b,
                                             ArrayRef<OpFoldResult> offsets,
                                             ArrayRef<OpFoldResult> sizes) {
  Letters letters = lettersOf(op);
  Tile tile(b, op.getLoc());
  tile.set(letters.domain, offsets, sizes);
  SmallVector<Value> operands;
  for (auto [operand, dims] :
       llvm::zip_equal(op->getOperands(), letters.operands))
    operands.push_back(tile.slice(operand, dims));
  return tile.cloneOn(op, operands);
}

#define LOT_LETTER_TILING_METHODS(OP)                                          \
  SmallVector<utils::IteratorType> OP::getLoopIteratorTypes() {                \
    return SmallVector<utils::IteratorType>(lettersOf(*this).domain.size(),    \
                                            utils::IteratorType::parallel);    \
  }                                                                            \
  SmallVector<Range> OP::getIterationDomain(OpBuilder &b) {                    \
    Letters letters = lettersOf(*this);                                        \
    return domainOf(b, getLoc(), getOperand(0), letters.operands[0],           \
                    letters.domain);                                           \
  }                                                                            \
  LogicalResult OP::getResultTilePosition(                                     \
      OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,     \
      ArrayRef<OpFoldResult> sizes, SmallVector<OpFoldResult> &resultOffsets,  \
      SmallVector<OpFoldResult> &resultSizes) {                                \
    Letters letters = lettersOf(*this);                                        \
    unsigned operand = getInits().getBeginOperandIndex() + resultNumber;       \
    Tile tile(b, getLoc());                                                    \
    tile.set(letters.domain, offsets, sizes);                                  \
    tile.position(getOperand(operand), letters.operands[operand],              \
                  resultOffsets, resultSizes);                                 \
    return success();                                                          \
  }                                                                            \
  FailureOr<TilingResult> OP::getTiledImplementation(                          \
      OpBuilder &b, ArrayRef<OpFoldResult> offsets,                            \
      ArrayRef<OpFoldResult> sizes) {                                          \
    return tileByLetters(*this, b, offsets, sizes);                            \
  }                                                                            \
  FailureOr<TilingResult> OP::generateResultTileValue(                         \
      OpBuilder &b, unsigned resultNumber, ArrayRef<OpFoldResult> offsets,     \
      ArrayRef<OpFoldResult> sizes) {                                          \
    Letters letters = lettersOf(*this);                                        \
    unsigned operand = getInits().getBeginOperandIndex() + resultNumber;       \
    SmallVector<OpFoldResult> tileOffsets, tileSizes;                          \
    if (failed(domainTileOfResult(b, getOperand(operand),                      \
                                  letters.operands[operand],                   \
                                  getIterationDomain(b), letters.domain,       \
                                  offsets, sizes, tileOffsets, tileSizes)))    \
      return failure();                                                        \
    FailureOr<TilingResult> tiled =                                            \
        tileByLetters(*this, b, tileOffsets, tileSizes);                       \
    if (failed(tiled))                                                         \
      return failure();                                                        \
    tiled->tiledValues = {tiled->tiledValues[resultNumber]};                   \
    return tiled;                                                              \
  }
LOT_LETTER_TILING_METHODS(AttentionVjpOp)
LOT_LETTER_TILING_METHODS(PivotSolveVjpOp)
LOT_LETTER_TILING_METHODS(SweepVjpOp)
LOT_LETTER_TILING_METHODS(PlanVjpOp)
LOT_LETTER_TILING_METHODS(GlueVjpOp)
