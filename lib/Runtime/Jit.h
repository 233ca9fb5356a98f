//===- Jit.h - Machine code in this process ----------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_JIT_H
#define LOT_LIB_RUNTIME_JIT_H

#include "Hooks.h"
#include "ObjectCode.h"
#include "OpenMP.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace mlir::lot::runtime {

/// Machine code in memory.
struct Jit {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  /// In the order of the functions.
  std::vector<EntryPoint> entries;
  /// Null when the code runs in one thread.
  const OpenMP *openmp = nullptr;
  /// Something that the user should know; the first of a process may have it.
  std::string warning;

  /// Links `code`, which stays as it is, for calls in this process.
  static llvm::Expected<std::unique_ptr<Jit>>
  link(const ObjectCode &code,
       const llvm::orc::JITTargetMachineBuilder &target);
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_JIT_H
