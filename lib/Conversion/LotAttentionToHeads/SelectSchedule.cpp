//===- SelectSchedule.cpp - Puts a CPU schedule on each lot.attention -----===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"
#include "lot/Target/CPUTarget.h"

#include "llvm/ADT/TypeSwitch.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTSELECTSCHEDULE
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;
using namespace mlir::lot;

namespace {
struct SelectSchedule
    : public lot::impl::LotSelectScheduleBase<SelectSchedule> {
  using LotSelectScheduleBase::LotSelectScheduleBase;

  void runOnOperation() override {
    llvm::Expected<CPUTarget> target = getCPUTarget(mcpu, mtriple);
    if (!target) {
      getOperation().emitError(llvm::toString(target.takeError()));
      return signalPassFailure();
    }
    auto select = [&](auto op) {
      Attribute existing = op.getScheduleAttr();
      if (!existing) {
        op.setScheduleAttr(chooseCPUSchedule(op.getStateType(), *target));
        return WalkResult::advance();
      }
      auto schedule = dyn_cast<CPUScheduleAttr>(existing);
      if (!schedule) {
        op.emitOpError("expected schedule to be a #lot.cpu_schedule, got ")
            << existing;
        return WalkResult::interrupt();
      }
      return WalkResult(
          verifyCPUSchedule(op, op.getStateType(), schedule, *target));
    };
    WalkResult result = getOperation().walk([&](Operation *op) {
      return TypeSwitch<Operation *, WalkResult>(op)
          .Case<AttentionOp, AttentionVjpOp>(select)
          .Default(WalkResult::advance());
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
