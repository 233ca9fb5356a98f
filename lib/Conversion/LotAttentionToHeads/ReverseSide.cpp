//===- ReverseSide.cpp - The half-steps of one side, backwards ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// With D the factor, a = D prev, t = mass / a, and y the cotangent of the last
// pivot potential, x that of the token potentials:
//
//     token step last:  X = x / a, Y = prev;  y -= prev o D^T X;  x = 0
//     sweep:            gradient of log w += y;  Y = y / sums, X = t;
//                       x -= t o (D Y);  gradient of log mass += x;
//                       X = x / a, Y = prev;  y = -prev o D^T X;  x = 0
//     first pivot step: gradient of log w += y;  Y = y / sums,
//                       X = 2^(row maximum - maximum)
//
// and the gradient of the scores is E - D o (X Y^T), one product at the end.
//
// No bound is needed where the score range is at most e^60: D_ij t_i / sums_j
// and D_ij prev_j / a_i are parts of sums that make 1, so X_i Y_j is at most
// the cotangent over D_ij. Elsewhere the weights are formed in the log domain
// and taken off the adjoint step by step.
//
//===----------------------------------------------------------------------===//

#include "ReverseSide.h"
#include "lot/Conversion/HeadConventions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
class ReverseEmitter {
public:
  ReverseEmitter(PivotMath &b, const AttentionLike &op, const Workspace &w,
                 const PackedPivots &pivots, const ReverseSide &reverse)
      : b(b), op(op), w(w), pivots(pivots), r(reverse), y(r.pivotAdjoint),
        sweeps(getNumSweeps(r.first, op.halfSteps)),
        tokensLast(areTokensLast(r.first, op.halfSteps)) {}

  void emit();

private:
  bool isKeySide() const { return r.first == Marginal::pivots; }
  void emitScaled();
  void emitLog();

  Value boolean(bool value) {
    return arith::ConstantOp::create(b, b.getBoolAttr(value));
  }
  /// Whether a sweep of the loop is the first that goes backwards.
  Value isFirst(Value iteration) {
    if (tokensLast)
      return boolean(false);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, iteration,
                                 b.index(0));
  }
  void scaledSweep(Value slot, Value first, bool pivotStep);
  void logSweep(Value row, Value first, bool pivotStep, bool tokenStep);
  /// gradient of log w += y
  void addToMassGradient();
  /// y / sums of row `row` of the trace, in `over` and in a row of pivotSteps.
  void divideBySums(Value row, Value slot);
  void forSweeps(function_ref<void(Value iteration, Value row)> body);

  PivotMath &b;
  const AttentionLike &op;
  const Workspace &w;
  const PackedPivots &pivots;
  const ReverseSide &r;
  Value y;
  int64_t sweeps;
  bool tokensLast;
  Value prev, over, shift, sums;
};
} // namespace

void ReverseEmitter::scaledSweep(Value slot, Value first, bool pivotStep) {
  Value length = memref::DimOp::create(b, r.side.tokens, 0);
  HeadAdjointSweepOp::create(b, r.side.factor, prev, over, r.side.mass,
                             w.tokenSums, length, slot, first, w.tokenGradient,
                             w.steps, sums, pivotStep, r.side.partials,
                             r.side.threads, op.schedule);
}

void ReverseEmitter::logSweep(Value row, Value first, bool pivotStep,
                              bool tokenStep) {
  b.loadRow(r.trace.logPrev, row, prev);
  if (pivotStep)
    b.loadRow(r.trace.logShift, row, shift);
  HeadLogAdjointSweepOp::create(b, r.side.tokens, pivots.scores, prev, shift, y,
                                r.side.log2Mass, w.tokenSums, first,
                                w.tokenGradient, w.adjoint, sums, op.clamp,
                                pivotStep, tokenStep, r.side.maskedTokens,
                                r.side.partials, r.side.threads, op.schedule);
}

void ReverseEmitter::addToMassGradient() {
  b.forPivots([&](Value j) {
    Value sum = b.add(b.load(r.pivotMassGradient, j), b.load(y, j));
    b.store(sum, r.pivotMassGradient, j);
  });
}

void ReverseEmitter::divideBySums(Value row, Value slot) {
  b.forPivots([&](Value j) {
    Value zero = b.scalar(0.0);
    Value sum = memref::LoadOp::create(b, r.trace.sums, ValueRange{row, j});
    Value counts = arith::AndIOp::create(
        b, b.greater(sum, zero), b.greater(b.load(pivots.present, j), zero));
    Value quotient = b.select(counts, b.div(b.load(y, j), sum), zero);
    b.store(quotient, over, j);
    memref::StoreOp::create(b, quotient, w.pivotSteps, ValueRange{slot, j});
  });
}

/// From the last sweep to the first.
void ReverseEmitter::forSweeps(
    function_ref<void(Value iteration, Value row)> body) {
  if (sweeps == 0)
    return;
  auto loop = scf::ForOp::create(b, b.index(0), b.index(sweeps), b.index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value iteration = loop.getInductionVar();
  body(iteration, arith::SubIOp::create(b, b.index(sweeps - 1), iteration));
}

void ReverseEmitter::emitScaled() {
  int64_t slots = 0;
  if (tokensLast) {
    b.copy(r.plan.prev, prev);
    b.storeRow(prev, w.pivotSteps, b.index(0));
    scaledSweep(b.index(0), boolean(true), /*pivotStep=*/false);
    b.forPivots([&](Value j) {
      Value part = b.mul(b.load(prev, j), b.load(sums, j));
      b.store(b.sub(b.load(y, j), part), y, j);
    });
    slots = 1;
  }
  forSweeps([&](Value iteration, Value row) {
    Value slot = arith::AddIOp::create(
        b, b.index(slots), arith::MulIOp::create(b, iteration, b.index(2)));
    addToMassGradient();
    divideBySums(row, slot);
    b.loadRow(r.trace.prev, row, prev);
    b.storeRow(prev, w.pivotSteps, arith::AddIOp::create(b, slot, b.index(1)));
    scaledSweep(slot, isFirst(iteration), /*pivotStep=*/true);
    b.forPivots([&](Value j) {
      Value part = b.mul(b.load(prev, j), b.load(sums, j));
      b.store(b.sub(b.scalar(0.0), part), y, j);
    });
  });
  slots += 2 * sweeps;
  if (!isKeySide())
    return;
  addToMassGradient();
  divideBySums(b.index(sweeps), b.index(slots));
  Value length = memref::DimOp::create(b, r.side.tokens, 0);
  HeadFirstStepOp::create(b, r.trace.tops, r.side.log2Mass, length,
                          b.index(slots), w.steps, op.schedule);
}

void ReverseEmitter::emitLog() {
  auto subtractSums = [&](bool onto) {
    b.forPivots([&](Value j) {
      Value from = onto ? b.load(y, j) : b.scalar(0.0);
      b.store(b.sub(from, b.load(sums, j)), y, j);
    });
  };
  if (tokensLast) {
    auto rows = cast<MemRefType>(r.trace.logPrev.getType());
    logSweep(b.index(rows.getDimSize(0) - 1), boolean(true),
             /*pivotStep=*/false, /*tokenStep=*/true);
    subtractSums(/*onto=*/true);
  }
  forSweeps([&](Value iteration, Value row) {
    addToMassGradient();
    logSweep(row, isFirst(iteration), /*pivotStep=*/true, /*tokenStep=*/true);
    subtractSums(/*onto=*/false);
  });
  if (!isKeySide())
    return;
  addToMassGradient();
  logSweep(b.index(sweeps), boolean(false), /*pivotStep=*/true,
           /*tokenStep=*/false);
}

void ReverseEmitter::emit() {
  for (Value *buffer : {&prev, &over, &shift, &sums})
    *buffer = b.buffer();
  if ((isKeySide() && op.halfSteps == 1) ||
      op.schedule.getFactor() == FactorStorage::recomputed)
    return emitLog(); // no factor
  if (!isKeySide() && sweeps == 0)
    return emitScaled(); // right at any range
  auto form = scf::IfOp::create(b, r.trace.safe, true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(form.thenBlock()->getTerminator());
  emitScaled();
  b.setInsertionPoint(form.elseBlock()->getTerminator());
  emitLog();
}

void lot::emitReverseSide(PivotMath &b, const AttentionLike &op,
                          const Workspace &workspace,
                          const PackedPivots &pivots, ReverseSide reverse) {
  ReverseEmitter(b, op, workspace, pivots, reverse).emit();
}
