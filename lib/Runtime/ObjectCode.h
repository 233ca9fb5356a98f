//===- ObjectCode.h - Machine code before it is linked -----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_OBJECTCODE_H
#define LOT_LIB_RUNTIME_OBJECTCODE_H

#include "lot/Runtime/Executable.h"

#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::lot::runtime {

/// What a compilation ends in: relocatable objects and what is needed to call
/// their functions. This is what the disk cache keeps.
struct ObjectCode {
  std::vector<Signature> functions;
  /// Whether the code calls the OpenMP runtime.
  bool openmp = false;
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> objects;
};

/// The symbol through which `function` is called (an EntryPoint).
std::string getEntrySymbol(llvm::StringRef function);

/// A processor that LLVM can generate code for and this machine can run.
llvm::Expected<llvm::orc::JITTargetMachineBuilder>
getTarget(llvm::StringRef cpu);

/// Compiles a module in the LLVM dialect, which has `_mlir_ciface_` functions
/// for `code.functions`; fills in the rest of `code`.
llvm::Error emitObjects(ModuleOp module,
                        const llvm::orc::JITTargetMachineBuilder &target,
                        unsigned optLevel, ObjectCode &code,
                        CompileTimings &timings);

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_OBJECTCODE_H
