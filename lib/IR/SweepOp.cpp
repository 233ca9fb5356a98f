//===- SweepOp.cpp - lot.sweep --------------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

using namespace mlir;
using namespace mlir::lot;

static constexpr StringLiteral kLogInits[] = {"the init of max",
                                              "the init of sum"};
static constexpr StringLiteral kScalingInits[] = {"the init of sum"};

/// The inits with their names, once C42 and C43 hold.
static SmallVector<Named> getNamedInits(SweepOp op) {
  SmallVector<Named> named;
  ArrayRef<StringLiteral> names = kLogInits;
  if (op.getDomain() == Domain::scaling)
    names = kScalingInits;
  for (auto [init, name] : llvm::zip_equal(op.getInits(), names))
    named.push_back({init, name});
  return named;
}

DimGroups SweepOp::getDimGroups() {
  SmallVector<Named> vectors = getNamedInits(*this);
  vectors.insert(vectors.begin(), {getPrev(), "prev"});
  return getScoreDimGroups("C45", {getScores(), "scores"},
                           {{getTokenLogMass(), "token_log_mass"}}, vectors);
}

/// C20 and C40 to C46 of docs/spec.md.
LogicalResult SweepOp::verify() {
  size_t inits = getInits().size();
  if (getDomain() == Domain::log && inits != 2)
    return emitOpError("C42: expected two inits (max and sum) in the log "
                       "domain, got ")
           << inits;
  if (getDomain() == Domain::scaling && inits != 1)
    return emitOpError("C43: expected one init (sum) in the scaling domain, "
                       "got ")
           << inits;
  if (getDomain() == Domain::scaling && !getPrev())
    return emitOpError("C44: expected prev in the scaling domain, got none");

  SmallVector<Named> vectors = getNamedInits(*this);
  vectors.insert(vectors.begin(),
                 {{getPrev(), "prev"}, {getTokenLogMass(), "token_log_mass"}});
  if (failed(verifyScores(*this, {"C40", "C41", "C45", "C46"},
                          {getScores(), "scores"}, vectors)) ||
      failed(verifyDimGroups(*this, getDimGroups())))
    return failure();
  return verifyDestinationStyle(*this, "C20");
}

LOT_DESTINATION_STYLE_METHODS(SweepOp)
