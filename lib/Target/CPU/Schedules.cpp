//===- Schedules.cpp - CPU schedules: the place with tile sizes -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Target/CPUTarget.h"

using namespace mlir;
using namespace mlir::lot;

/// A tile is four vectors: a sweep keeps the scalings of one tile and the sums
/// of the next in registers.
static constexpr int64_t kVectorsPerTile = 4;

CPUScheduleAttr lot::chooseCPUSchedule(FloatType state,
                                       const CPUTarget &target) {
  int64_t lanes = target.vectorBits / state.getWidth();
  // Accumulators of the register block: half of the registers, so that the
  // operands of the product have the rest.
  int64_t rowBlock = 4, vectorBlock = target.registers >= 32 ? 4 : 2;
  return CPUScheduleAttr::get(state.getContext(), kVectorsPerTile * lanes,
                              lanes, rowBlock, vectorBlock,
                              FactorStorage::stored);
}

LogicalResult lot::verifyCPUSchedule(Operation *op, FloatType state,
                                     CPUScheduleAttr schedule,
                                     const CPUTarget &target) {
  int64_t lanes = schedule.getLanes();
  if (schedule.getTokenTile() != kVectorsPerTile * lanes)
    return op->emitOpError("illegal schedule: expected a token_tile of ")
           << kVectorsPerTile << " x lanes = " << kVectorsPerTile * lanes
           << ", got " << schedule.getTokenTile();
  int64_t bits = lanes * state.getWidth();
  if (bits > target.vectorBits)
    return op->emitOpError("illegal schedule for ")
           << target.name << ": expected vectors of at most "
           << target.vectorBits << " bits, got " << lanes << " lanes of "
           << state;
  return success();
}
