//===- Times.h - How long calls take -----------------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TOOLS_TIMES_H
#define LOT_TOOLS_TIMES_H

#include "Progress.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace mlir::lot {

/// Seconds since some moment.
double now();

/// Calls again and again, for half a second or five times.
llvm::Error repeat(Progress &progress, llvm::function_ref<llvm::Error()> call);

/// A line with the least and the median of `times`, which are in seconds.
void printTimes(llvm::StringRef what, std::vector<double> times);

} // namespace mlir::lot

#endif // LOT_TOOLS_TIMES_H
