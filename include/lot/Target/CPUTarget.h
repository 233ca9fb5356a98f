//===- CPUTarget.h - What a processor offers the CPU pipeline ---*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TARGET_CPUTARGET_H
#define LOT_TARGET_CPUTARGET_H

#include "lot/IR/Lot.h"

#include "llvm/Support/Error.h"

namespace mlir::lot {

/// A processor as far as schedules depend on it.
struct CPUTarget {
  std::string name;     ///< as clang's -mcpu names it, never "native"
  std::string features; ///< as LLVM takes them, e.g. "+avx2,+fma"
  int64_t vectorBits;   ///< widest vector of floats
  int64_t registers;    ///< vector registers
};

/// The processor `mcpu` of the architecture of `mtriple`, which is this
/// machine's where it is empty. "native" or empty is this machine, for another
/// architecture what all its processors have. An unknown name is an error that
/// says so.
llvm::Expected<CPUTarget> getCPUTarget(StringRef mcpu, StringRef mtriple = "");

/// The schedule on `target` for lot.attention or lot.attention_vjp that
/// computes in `state`.
CPUScheduleAttr chooseCPUSchedule(FloatType state, const CPUTarget &target);

/// Fails, naming the limit, where `schedule` cannot be emitted for `op`.
LogicalResult verifyCPUSchedule(Operation *op, FloatType state,
                                CPUScheduleAttr schedule,
                                const CPUTarget &target);

} // namespace mlir::lot

#endif // LOT_TARGET_CPUTARGET_H
