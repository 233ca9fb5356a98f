//===- Jit.h - LLVM dialect to code in this process --------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_JIT_H
#define LOT_LIB_RUNTIME_JIT_H

#include "Hooks.h"
#include "OpenMP.h"

#include "lot/Runtime/Executable.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace mlir::lot::runtime {

/// A processor that LLVM can generate code for and this machine can run.
llvm::Expected<llvm::orc::JITTargetMachineBuilder>
getTarget(llvm::StringRef cpu);

/// Machine code in memory.
struct Jit {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  /// In the order of the functions.
  std::vector<EntryPoint> entries;
  /// Null when the code runs in one thread.
  const OpenMP *openmp = nullptr;

  /// Compiles a module in the LLVM dialect. It has `_mlir_ciface_` functions
  /// for `functions`.
  static llvm::Expected<std::unique_ptr<Jit>>
  compile(ModuleOp module, llvm::ArrayRef<Signature> functions,
          llvm::orc::JITTargetMachineBuilder target, unsigned optLevel,
          CompileTimings &timings);
};

/// Adds the time from its creation to its end.
class PhaseTimer {
public:
  explicit PhaseTimer(double &seconds);
  ~PhaseTimer();

private:
  double &seconds;
  double start;
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_JIT_H
