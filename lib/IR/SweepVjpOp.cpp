//===- SweepVjpOp.cpp - lot.sweep_vjp -------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"
#include "SweepAdjoint.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::lot;

namespace {
/// The operands by name; prev and the mass may be null.
struct Operands {
  Named cotangent, scores, logSum, prev, tokenMass;

  explicit Operands(SweepVjpOp op)
      : cotangent{op.getCotangent(), "cotangent"},
        scores{op.getScores(), "scores"}, logSum{op.getLogSum(), "log_sum"},
        prev{op.getPrev(), "prev"},
        tokenMass{op.getTokenLogMass(), "token_log_mass"} {}
};
} // namespace

SmallVector<Named> SweepVjpOp::getDifferentiated() {
  Operands all(*this);
  return givenOperands({all.scores, all.prev, all.tokenMass});
}

DimGroups SweepVjpOp::getDimGroups() {
  Operands all(*this);
  DimGroups groups = getScoreDimGroups("C45", all.scores, {all.tokenMass},
                                       {all.prev, all.cotangent, all.logSum});
  addGradientDims(groups, getDifferentiated(), getInits());
  return groups;
}

/// C20, C40, C41, C45, C46, C90 and C91 of docs/spec.md.
LogicalResult SweepVjpOp::verify() {
  Operands all(*this);
  if (failed(
          verifyScores(*this, {"C40", "C41", "C45", "C46"}, all.scores,
                       {all.prev, all.cotangent, all.logSum, all.tokenMass})) ||
      failed(verifyGradients(*this, getDifferentiated(), getInits())) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(SweepVjpOp)

FailureOr<SmallVector<Value>> SweepVjpOp::decomposeOperation(OpBuilder &b) {
  if (failed(expectTensors(*this)))
    return failure();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(*this);
  IndexedBuilder t(getLoc(), b);
  SweepAdjoint sweep(t, getScores(), getTokenLogMass());
  t.bind(getScores(), sweep.dims.all);
  t.bind(getCotangent(), sweep.dims.pivot);

  Value x, minusT, tokenCotangent;
  Value minusLogSum = sweep.negated(getLogSum());
  if (getPrev()) {
    std::tie(x, minusT) = sweep.tokenStep(getPrev());
    tokenCotangent = sweep.tokenCotangent(x, minusLogSum, getCotangent());
  } else {
    x = sweep.start();
  }
  Value scores = sweep.addV(x, minusLogSum, getCotangent(),
                            t.fill(0.0, sweep.dims.all, sweep.type));
  auto inits = getInits();
  SmallVector<Value> results;
  auto push = [&](Value value) {
    results.push_back(t.castTo(value, inits[results.size()].getType()));
  };
  if (getPrev())
    scores = sweep.subtractU(minusT, getPrev(), tokenCotangent, scores);
  push(scores);
  if (getPrev()) {
    // The sum over the tokens starts from a fill and what the init holds is
    // added after it: a reduction into a slice of another tensor is more than
    // some compilers take.
    Value sum = sweep.prevCotangent(minusT, getPrev(), tokenCotangent,
                                    t.fill(0.0, sweep.dims.pivot, sweep.type));
    push(t.map({{inits[1], sweep.dims.pivot}, {sum, sweep.dims.pivot}},
               sweep.dims.pivot, sweep.type,
               [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                 return arith::AddFOp::create(b, args[0], args[1]);
               }));
  }
  // Without a token step the masses of the tokens are not read.
  if (getTokenLogMass())
    push(getPrev() ? tokenCotangent
                   : t.fill(0.0, sweep.dims.token, sweep.type));
  return results;
}
