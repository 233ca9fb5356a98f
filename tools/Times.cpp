//===- Times.cpp - How long calls take ------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Times.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>

double mlir::lot::now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

llvm::Error mlir::lot::repeat(Progress &progress,
                              llvm::function_ref<llvm::Error()> call) {
  double begin = now();
  for (int i = 0; i < 5 || (now() - begin < 0.5 && i < 100000); ++i) {
    progress.set("run " + std::to_string(i + 1));
    if (auto error = call())
      return error;
  }
  progress.clear();
  return llvm::Error::success();
}

void mlir::lot::printTimes(llvm::StringRef what, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  llvm::outs() << what << ": "
               << llvm::format("min %.4f ms, median %.4f ms, %zu runs\n",
                               times.front() * 1e3,
                               times[times.size() / 2] * 1e3, times.size());
}
