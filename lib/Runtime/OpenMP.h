//===- OpenMP.h - The OpenMP runtime, loaded on demand -----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_OPENMP_H
#define LOT_LIB_RUNTIME_OPENMP_H

#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace mlir::lot::runtime {

/// LLVM's OpenMP runtime. Code that was compiled with threads calls it.
struct OpenMP {
  void *handle = nullptr;
  void (*setNumThreads)(int) = nullptr;
  int (*getMaxThreads)() = nullptr;
  /// A call gets no more threads than this: each has a workspace, and more than
  /// there are processors only wait for each other.
  int mostThreads = 1;

  /// The one of this process, loaded at the first call. A runtime that is there
  /// already (a framework's) is taken: two in one process abort each other.
  /// The first call may have something to say about the environment.
  static llvm::Expected<const OpenMP *> get(std::string &warning);
};

/// Sets the calling thread's number of threads for as long as it lives; none:
/// leaves it at OpenMP's default. Both are bounded by `mostThreads`.
class ThreadCountScope {
public:
  ThreadCountScope(const OpenMP *openmp, std::optional<int> threads);
  ~ThreadCountScope();
  ThreadCountScope(const ThreadCountScope &) = delete;

private:
  const OpenMP *openmp;
  int previous = 0;
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_OPENMP_H
