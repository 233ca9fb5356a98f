//===- SolveSide.cpp - The half-steps of one side of one head -------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The state between half-steps is r-sized. In the scaled form the factor is
// D = 2^(L + base - row maximum) for some potentials `base`, and `last` is the
// pivot scaling relative to them; in the log form `logLast` is the potential.
//
// Path A (range <= limit): base = 0 and every sweep is scaled.
// Path B (range > limit): a sweep in the log domain, D rebuilt around its
// result, scaled sweeps while the scalings stay within a bound; a sweep that
// leaves it is discarded and redone in the log domain.
// Path C (range not finite): every sweep in the log domain.
//
// A schedule with `factor = recomputed` has no D and takes path C always.
//
// Two departures from docs/semantics.md section 7, both for one code on both
// sides: D is divided by the maximum of a token's row on the key side too, and
// `prev` is divided by its largest entry before each sweep. With that, every
// token sum lies in [e^-60, r] and every pivot sum in [e^-60 mass/r, n e^60] on
// path A, and a common factor of `prev` cancels in the plan.
//
//===----------------------------------------------------------------------===//

#include "SolveSide.h"
#include "lot/Conversion/HeadConventions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace mlir::lot;

namespace {
/// Emits one side; members are the r-sized buffers it works on.
class SideEmitter {
public:
  SideEmitter(PivotMath &b, const PackedPivots &pivots, const SideTokens &side,
              Value glueLog2Mass, Marginal first, FloatAttr clamp,
              CPUScheduleAttr schedule, SideTrace &trace)
      : b(b), pivots(pivots), side(side), glueLog2Mass(glueLog2Mass),
        first(first), clamp(clamp), schedule(schedule), trace(trace) {}

  SolvedSide emit(int64_t halfSteps);

private:
  bool isKeySide() const { return first == Marginal::pivots; }
  bool isDouble() const { return isa<Float64Type>(b.getStateType()); }

  // Passes over the tokens.
  Value buildFactor(Value bias);
  void sweep();
  void logSweep(Value from, bool tokenStep);

  // r-sized steps.
  void acceptSums();     ///< inverse and last from sums
  Value normalisePrev(); ///< prev = last / max; returns the factor
  Value sumsAreSafe(Value threshold);
  void acceptLogSums(); ///< logLast from the sums of a log sweep
  void setAll(Value buffer, double value);

  void emitIterations(Value from, int64_t sweeps, Value ready, Value threshold,
                      Value mayScale);
  SolvedSide emitLogDomain(int64_t halfSteps, int64_t sweeps);
  SolvedSide emitPlan(int64_t halfSteps, Value scaled);

  // For reverse mode, if asked for.
  void traceScaled(Value row);          ///< a scaled sweep
  void traceLog(Value row, Value from); ///< a log sweep from potentials
  void traceTokenStep(bool scaled);     ///< a token step after the sweeps
  void unlessSafe(function_ref<void()> body);
  Value relativePrev(Value j); ///< the potential: log2 of prev on base

  PivotMath &b;
  const PackedPivots &pivots;
  const SideTokens &side;
  Value glueLog2Mass;
  Marginal first;
  FloatAttr clamp;
  CPUScheduleAttr schedule;
  SideTrace &trace;
  Value safe; ///< path A

  Value prev, last, inverse, sums, base, logPrev, logLast;
  Value scaledResult; ///< whether the last sweep was scaled
};
} // namespace

//===----------------------------------------------------------------------===//
// Passes over the tokens
//===----------------------------------------------------------------------===//

Value SideEmitter::buildFactor(Value bias) {
  return HeadFactorOp::create(
      b, b.getStateType(), side.tokens, pivots.scores, bias, side.log2Mass,
      side.mass, side.factor, sums, first, clamp, side.maskedTokens,
      side.maskedPivots, side.partials, trace.tops, side.threads, schedule);
}

void SideEmitter::sweep() {
  Value length = memref::DimOp::create(b, side.tokens, 0);
  HeadSweepOp::create(b, side.factor, prev, side.mass, length, sums,
                      side.partials, side.threads, schedule);
}

void SideEmitter::logSweep(Value from, bool tokenStep) {
  HeadLogSweepOp::create(b, side.tokens, pivots.scores, from, side.log2Mass,
                         sums, clamp, tokenStep, side.maskedTokens,
                         side.partials, side.threads, schedule);
}

//===----------------------------------------------------------------------===//
// r-sized steps
//===----------------------------------------------------------------------===//

void SideEmitter::setAll(Value buffer, double value) {
  b.forPivots([&](Value j) { b.store(b.scalar(value), buffer, j); });
}

void SideEmitter::acceptSums() {
  b.forPivots([&](Value j) {
    Value sum = b.load(sums, j), zero = b.scalar(0.0);
    // A sum of 0 is a side without mass; an absent pivot has no scaling.
    // A select: the sum of an absent pivot may be so small that 1 / sum is inf.
    Value counts = arith::AndIOp::create(
        b, b.greater(sum, zero), b.greater(b.load(pivots.present, j), zero));
    Value inv = b.select(counts, b.div(b.scalar(1.0), sum), zero);
    b.store(inv, inverse, j);
    b.store(b.mul(b.load(pivots.mass, j), inv), last, j);
  });
}

Value SideEmitter::normalisePrev() {
  Value zero = b.scalar(0.0), one = b.scalar(1.0);
  Value top = b.foldPivots(
      zero, [&](Value j, Value acc) { return b.max(acc, b.load(last, j)); });
  Value factor = b.select(b.greater(top, zero), b.div(one, top), one);
  b.forPivots(
      [&](Value j) { b.store(b.mul(b.load(last, j), factor), prev, j); });
  return factor;
}

/// Whether the scalings that `sums` give span less than 1 / threshold.
Value SideEmitter::sumsAreSafe(Value threshold) {
  double inf = std::numeric_limits<double>::infinity();
  Value zero = b.scalar(0.0), big = b.scalar(inf);
  // A sum of 0 counts as a scaling of 0: unsafe beside others, but a side
  // without tokens (all sums 0) has nothing to lose.
  auto scaling = [&](Value j) {
    Value sum = b.load(sums, j);
    return b.select(b.greater(sum, zero), b.div(b.load(pivots.mass, j), sum),
                    zero);
  };
  auto fold = [&](Value init, auto combine) {
    return b.foldPivots(init, [&](Value j, Value acc) {
      Value counts = b.greater(b.load(pivots.mass, j), zero);
      return b.select(counts, combine(acc, scaling(j)), acc);
    });
  };
  Value top = fold(zero, [&](Value x, Value y) -> Value {
    return arith::MaximumFOp::create(b, x, y);
  });
  Value bottom = fold(big, [&](Value x, Value y) -> Value {
    return arith::MinimumFOp::create(b, x, y);
  });
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, bottom,
                               b.mul(threshold, top));
}

/// logLast = log mass - log sums; absent where a pivot is, or no token has
/// mass.
void SideEmitter::acceptLogSums() {
  b.forPivots([&](Value j) {
    Value sum = b.load(sums, j);
    Value y = b.sub(b.load(pivots.log2Mass, j), sum);
    Value present = arith::AndIOp::create(
        b, b.greater(b.load(pivots.present, j), b.scalar(0.0)),
        b.greater(sum, b.scalar(kAbsentBound)));
    b.store(b.select(present, y, b.scalar(kAbsent)), logLast, j);
  });
}

//===----------------------------------------------------------------------===//
// What reverse mode needs
//===----------------------------------------------------------------------===//

Value SideEmitter::relativePrev(Value j) {
  // log2(0) of a pivot that weighs nothing.
  return b.max(b.add(b.load(base, j), b.log2(b.load(prev, j))),
               b.scalar(kAbsent));
}

void SideEmitter::unlessSafe(function_ref<void()> body) {
  Value yes = arith::ConstantOp::create(b, b.getBoolAttr(true));
  auto branch =
      scf::IfOp::create(b, arith::XOrIOp::create(b, safe, yes), false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

void SideEmitter::traceScaled(Value row) {
  if (!trace)
    return;
  b.storeRow(prev, trace.prev, row);
  b.storeRow(sums, trace.sums, row);
  unlessSafe([&] {
    b.forPivots([&](Value j) {
      Value sum = b.load(sums, j), absent = b.scalar(kAbsent);
      Value counts = arith::AndIOp::create(
          b, b.greater(sum, b.scalar(0.0)),
          b.greater(b.load(pivots.present, j), b.scalar(0.0)));
      Value shift = b.sub(b.load(base, j), b.log2(sum));
      SmallVector<Value, 2> at{row, j};
      memref::StoreOp::create(b, relativePrev(j), trace.logPrev, at);
      memref::StoreOp::create(b, b.select(counts, shift, absent),
                              trace.logShift, at);
    });
  });
}

void SideEmitter::traceLog(Value row, Value from) {
  if (!trace)
    return;
  b.storeRow(from, trace.logPrev, row);
  b.forPivots([&](Value j) {
    Value sum = b.load(sums, j), absent = b.scalar(kAbsent);
    Value counts = arith::AndIOp::create(
        b, b.greater(sum, b.scalar(kAbsentBound)),
        b.greater(b.load(pivots.present, j), b.scalar(0.0)));
    Value shift = b.select(counts, b.sub(b.scalar(0.0), sum), absent);
    memref::StoreOp::create(b, shift, trace.logShift, ValueRange{row, j});
  });
}

void SideEmitter::traceTokenStep(bool scaled) {
  if (!trace)
    return;
  Value row = b.index(cast<MemRefType>(trace.prev.getType()).getDimSize(0) - 1);
  if (!scaled)
    return b.storeRow(logLast, trace.logPrev, row);
  unlessSafe([&] {
    b.forPivots([&](Value j) {
      memref::StoreOp::create(b, relativePrev(j), trace.logPrev,
                              ValueRange{row, j});
    });
  });
}

//===----------------------------------------------------------------------===//
// The half-steps
//===----------------------------------------------------------------------===//

/// Sweeps [from, sweeps), each scaled if `ready` and safe, else in the log
/// domain. `ready`: the factor and `last` hold the current state; otherwise
/// `logLast` does.
void SideEmitter::emitIterations(Value from, int64_t sweeps, Value ready,
                                 Value threshold, Value mayScale) {
  Value scaled = ready;
  auto loop = scf::ForOp::create(b, from, b.index(sweeps), b.index(1),
                                 ValueRange{ready, scaled});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value isReady = loop.getRegionIterArg(0);
  Type i1 = b.getI1Type();

  auto attempt = scf::IfOp::create(b, TypeRange{i1}, isReady, true);
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPointToStart(attempt.thenBlock());
    normalisePrev();
    sweep();
    scf::YieldOp::create(b, sumsAreSafe(threshold));
    b.setInsertionPointToStart(attempt.elseBlock());
    Value no = arith::ConstantOp::create(b, b.getBoolAttr(false));
    scf::YieldOp::create(b, no);
  }
  Value ok = attempt.getResult(0);

  auto outcome = scf::IfOp::create(b, ok, true);
  {
    OpBuilder::InsertionGuard inner(b);
    b.setInsertionPoint(outcome.thenBlock()->getTerminator());
    acceptSums();
    traceScaled(loop.getInductionVar());

    b.setInsertionPoint(outcome.elseBlock()->getTerminator());
    // The state before this sweep, as potentials.
    b.forPivots([&](Value j) {
      Value y = b.select(isReady, relativePrev(j), b.load(logLast, j));
      b.store(y, logPrev, j);
    });
    logSweep(logPrev, /*tokenStep=*/true);
    traceLog(loop.getInductionVar(), logPrev);
    acceptLogSums();
    Value left = arith::CmpIOp::create(
        b, arith::CmpIPredicate::slt,
        arith::AddIOp::create(b, loop.getInductionVar(), b.index(1)),
        b.index(sweeps));
    auto rebuild =
        scf::IfOp::create(b, arith::AndIOp::create(b, left, mayScale), false);
    b.setInsertionPoint(rebuild.thenBlock()->getTerminator());
    b.copy(logLast, base);
    buildFactor(base);
    b.copy(pivots.present, last);
  }
  // After a log sweep the factor was rebuilt, if scaling is allowed at all.
  Value nextReady = arith::OrIOp::create(b, ok, mayScale);
  scf::YieldOp::create(b, ValueRange{nextReady, ok});
  scaledResult = loop.getResult(1);
}

/// All sweeps without a factor.
SolvedSide SideEmitter::emitLogDomain(int64_t halfSteps, int64_t sweeps) {
  setAll(prev, 0.0);
  setAll(inverse, 0.0);
  b.copy(pivots.bias, logPrev);
  b.copy(pivots.bias, logLast);
  if (isKeySide()) {
    logSweep(pivots.bias, /*tokenStep=*/false);
    traceLog(b.index(sweeps), pivots.bias);
    acceptLogSums();
  }
  {
    auto loop = scf::ForOp::create(b, b.index(0), b.index(sweeps), b.index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    b.copy(logLast, logPrev);
    logSweep(logPrev, /*tokenStep=*/true);
    traceLog(loop.getInductionVar(), logPrev);
    acceptLogSums();
  }
  safe = arith::ConstantOp::create(b, b.getBoolAttr(false));
  return emitPlan(halfSteps, safe);
}

SolvedSide SideEmitter::emit(int64_t halfSteps) {
  for (Value *buffer :
       {&prev, &last, &inverse, &sums, &base, &logPrev, &logLast})
    *buffer = b.buffer();
  Value yes = arith::ConstantOp::create(b, b.getBoolAttr(true));
  Value no = arith::ConstantOp::create(b, b.getBoolAttr(false));

  if (isKeySide() && halfSteps == 1) {
    // R2_j is a softmax over the keys: no token step, no factor.
    logSweep(pivots.bias, /*tokenStep=*/false);
    safe = no;
    traceLog(b.index(0), pivots.bias);
    b.copy(pivots.bias, logPrev);
    b.copy(sums, logLast);
    setAll(prev, 0.0);
    setAll(inverse, 0.0);
    return emitPlan(halfSteps, no);
  }

  int64_t sweeps = getNumSweeps(first, halfSteps);
  if (schedule.getFactor() == FactorStorage::recomputed)
    return emitLogDomain(halfSteps, sweeps);
  // Base 2: e^60 and, for the spread of the scalings, e^40; in double the
  // exponent reaches ten times as far.
  double unit = (isDouble() ? 10.0 : 1.0) / llvm::numbers::ln2;
  Value range = buildFactor(pivots.bias);
  safe = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, range,
                               b.scalar(60.0 * unit));
  Value mayScale =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, range,
                            b.scalar(std::numeric_limits<double>::infinity()));
  Value threshold =
      b.select(safe, b.scalar(0.0), b.scalar(std::exp2(-40.0 * unit)));
  b.copy(pivots.bias, base);
  b.copy(pivots.bias, logLast);
  b.copy(pivots.bias, logPrev);

  if (!isKeySide()) {
    b.copy(pivots.present, prev);
    if (sweeps == 0) {
      // One token step: rows of D over their sums, right at any range.
      safe = yes;
      b.copy(pivots.present, last);
      return emitPlan(halfSteps, yes);
    }
    // The factor came with the sums of the first sweep.
    acceptSums();
    if (trace) {
      b.storeRow(prev, trace.prev, b.index(0));
      b.storeRow(sums, trace.sums, b.index(0));
    }
    Value from = b.select(safe, b.index(1), b.index(0));
    emitIterations(from, sweeps, safe, threshold, mayScale);
    return emitPlan(halfSteps, scaledResult);
  }

  auto start = scf::IfOp::create(b, safe, true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(start.thenBlock()->getTerminator());
    acceptSums();
    if (trace)
      b.storeRow(sums, trace.sums, b.index(sweeps));
    b.setInsertionPoint(start.elseBlock()->getTerminator());
    logSweep(pivots.bias, /*tokenStep=*/false);
    traceLog(b.index(sweeps), pivots.bias);
    acceptLogSums();
    if (sweeps > 0) {
      auto rebuild = scf::IfOp::create(b, mayScale, false);
      b.setInsertionPoint(rebuild.thenBlock()->getTerminator());
      b.copy(logLast, base);
      buildFactor(base);
      b.copy(pivots.present, last);
    }
  }
  if (sweeps == 0)
    return emitPlan(halfSteps, safe);
  emitIterations(b.index(0), sweeps, mayScale, threshold, mayScale);
  return emitPlan(halfSteps, scaledResult);
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

SolvedSide SideEmitter::emitPlan(int64_t halfSteps, Value scaled) {
  bool tokensLast = areTokensLast(first, halfSteps);
  SolvedSide plan{scaled, prev, b.buffer(), b.buffer(), b.buffer()};
  trace.safe = safe;
  auto emitScaled = [&] {
    // A last token step reads the last scaling: prev = last, up to a factor
    // that the pivot entries make up for.
    Value factor = b.scalar(1.0);
    if (tokensLast) {
      factor = normalisePrev();
      traceTokenStep(/*scaled=*/true);
    }
    b.forPivots([&](Value j) {
      Value post;
      if (isKeySide()) {
        post = b.mul(b.load(inverse, j), factor);
        if (glueLog2Mass) {
          Value ratio =
              b.sub(b.load(pivots.log2Mass, j), b.load(glueLog2Mass, j));
          Value present =
              b.greater(b.load(glueLog2Mass, j), b.scalar(kAbsentBound));
          post = b.mul(post, b.select(present, b.exp2(ratio), b.scalar(0.0)));
        }
      } else {
        post = b.mul(b.load(last, j), factor);
      }
      b.store(post, plan.post, j);
    });
  };
  auto emitLog = [&] {
    if (tokensLast)
      traceTokenStep(/*scaled=*/false);
    b.forPivots([&](Value j) {
      Value from = b.load(tokensLast ? logLast : logPrev, j);
      Value to = b.load(logLast, j), shift;
      bool noTokenStep = isKeySide() && halfSteps == 1;
      if (noTokenStep) // logLast holds the log sums: last - log mass = -sums
        shift = b.sub(b.scalar(0.0), to);
      else
        shift = b.sub(to, from);
      Value present = b.load(pivots.present, j);
      if (isKeySide()) {
        Value lw = b.load(pivots.log2Mass, j);
        Value divisor = glueLog2Mass ? b.load(glueLog2Mass, j) : lw;
        if (!noTokenStep)
          shift = b.sub(shift, divisor);
        else if (glueLog2Mass)
          shift = b.add(shift, b.sub(lw, divisor));
        if (glueLog2Mass) {
          Value glued = b.greater(divisor, b.scalar(kAbsentBound));
          present = b.select(glued, present, b.scalar(0.0));
        }
      }
      Value live = b.greater(present, b.scalar(0.0));
      b.store(from, plan.logPrev, j);
      b.store(b.select(live, shift, b.scalar(kAbsent)), plan.logShift, j);
    });
  };
  // Only one form is read; the other must still hold numbers.
  auto form = scf::IfOp::create(b, scaled, true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(form.thenBlock()->getTerminator());
  emitScaled();
  b.setInsertionPoint(form.elseBlock()->getTerminator());
  emitLog();
  return plan;
}

SolvedSide lot::emitSolveSide(PivotMath &b, const PackedPivots &pivots,
                              const SideTokens &side, Value glueLog2Mass,
                              Marginal first, int64_t halfSteps,
                              FloatAttr clamp, CPUScheduleAttr schedule,
                              SideTrace &trace) {
  return SideEmitter(b, pivots, side, glueLog2Mass, first, clamp, schedule,
                     trace)
      .emit(halfSteps);
}
