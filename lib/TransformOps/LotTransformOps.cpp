//===- LotTransformOps.cpp - Transform ops of the lot project ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/TransformOps/LotTransformOps.h"

#include "lot/IR/Lot.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::lot;

#define GET_OP_CLASSES
#include "lot/TransformOps/LotTransformOps.cpp.inc"

//===----------------------------------------------------------------------===//
// transform.lot.expand_solve
//===----------------------------------------------------------------------===//

DiagnosedSilenceableFailure
transform::LotExpandSolveOp::apply(transform::TransformRewriter &rewriter,
                                   transform::TransformResults &results,
                                   transform::TransformState &state) {
  auto targets = llvm::to_vector(state.getPayloadOps(getTarget()));
  // Nothing is rewritten if one of them is of another kind.
  for (Operation *target : targets)
    if (!isa<PivotSolveOp, PivotSolveVjpOp>(target)) {
      results.setRemainingToEmpty(cast<TransformOpInterface>(getOperation()));
      DiagnosedSilenceableFailure diag = emitSilenceableError()
                                         << "expected lot.pivot_solve or "
                                            "lot.pivot_solve_vjp, got "
                                         << target->getName();
      diag.attachNote(target->getLoc()) << "target op";
      return diag;
    }
  SmallVector<Operation *> loops, sweeps;
  for (Operation *target : targets) {
    Operation *before = target->getPrevNode();
    Block *block = target->getBlock();
    rewriter.setInsertionPoint(target);
    FailureOr<SmallVector<Value>> values =
        cast<linalg::AggregatedOpInterface>(target).decomposeOperation(
            rewriter);
    if (failed(values))
      return DiagnosedSilenceableFailure::definiteFailure();
    // Its formula is what stands before it now.
    auto first = before ? std::next(before->getIterator()) : block->begin();
    for (Operation &op : llvm::make_range(first, target->getIterator())) {
      if (isa<scf::ForOp>(op))
        loops.push_back(&op);
      op.walk([&](Operation *nested) {
        if (isa<SweepOp, SweepVjpOp>(nested))
          sweeps.push_back(nested);
      });
    }
    rewriter.replaceOp(target, *values);
  }
  results.set(cast<OpResult>(getLoops()), loops);
  results.set(cast<OpResult>(getSweeps()), sweeps);
  return DiagnosedSilenceableFailure::success();
}

//===----------------------------------------------------------------------===//
// transform.lot.set_schedule
//===----------------------------------------------------------------------===//

LogicalResult transform::LotSetScheduleOp::verify() {
  if (isa<LotDialect>(getSchedule().getDialect()))
    return success();
  return emitOpError("expected schedule to be an attribute of the lot dialect, "
                     "got ")
         << getSchedule();
}

void transform::LotSetScheduleOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  transform::onlyReadsHandle(getTargetMutable(), effects);
  transform::modifiesPayload(effects);
}

DiagnosedSilenceableFailure transform::LotSetScheduleOp::applyToOne(
    transform::TransformRewriter &rewriter, Operation *target,
    transform::ApplyToEachResultList &, transform::TransformState &) {
  if (!isa<AttentionOp, AttentionVjpOp>(target)) {
    DiagnosedSilenceableFailure diag = emitSilenceableError()
                                       << "expected lot.attention or "
                                          "lot.attention_vjp, got "
                                       << target->getName();
    diag.attachNote(target->getLoc()) << "target op";
    return diag;
  }
  rewriter.modifyOpInPlace(target,
                           [&] { target->setAttr("schedule", getSchedule()); });
  return DiagnosedSilenceableFailure::success();
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {
class LotTransformExtension
    : public transform::TransformDialectExtension<LotTransformExtension> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LotTransformExtension)

  void init() {
    declareGeneratedDialect<LotDialect>();
    declareGeneratedDialect<scf::SCFDialect>();
    registerTransformOps<
#define GET_OP_LIST
#include "lot/TransformOps/LotTransformOps.cpp.inc"
        >();
  }
};
} // namespace

void lot::registerTransformDialectExtension(DialectRegistry &registry) {
  registry.addExtensions<LotTransformExtension>();
}
