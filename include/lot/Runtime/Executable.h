//===- Executable.h - Compiled code, ready to be called ----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_RUNTIME_EXECUTABLE_H
#define LOT_RUNTIME_EXECUTABLE_H

#include "lot/Runtime/Cuda.h"
#include "lot/Runtime/Tensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <optional>

namespace mlir {
class DialectRegistry;
}

namespace mlir::lot::runtime {

struct CompileOptions {
  /// "cpu", or "cuda": tensors and memrefs are memory of a GPU, and the host
  /// code launches kernels.
  std::string target = "cpu";
  /// GPU to compile kernels for, as LLVM names it (sm_90a); empty: the first
  /// one of this machine.
  std::string chip;
  /// Processor to compile for, as clang names it; "native": this one.
  std::string cpu = "native";
  /// Spread work over OpenMP threads.
  bool openmp = true;
  /// Check dynamic shapes at run time (RuntimeVerifiableOpInterface).
  bool verify = true;
  /// LLVM's optimisation level of the IR, 0 to 3.
  unsigned optLevel = 1;
  /// Take code that an earlier process compiled from the cache folder, and keep
  /// new code there. The environment names the folder: LOT_CACHE_DIR ("off":
  /// none), else lot in XDG_CACHE_HOME, else ~/.cache/lot.
  bool cache = true;
};

/// Seconds each phase of a compilation took.
struct CompileTimings {
  double lower =
      0; ///< parsing of text, checks, runtime verification, lot-to-cpu
  double translate = 0; ///< LLVM dialect to LLVM IR
  double optimize = 0;  ///< LLVM's passes
  double codegen = 0;   ///< machine code
  double load = 0;      ///< search of the cache folder, linking
  double total() const { return lower + translate + optimize + codegen + load; }
};

/// The machine code of a module and the signatures of its public functions.
/// Several threads may call `invoke` on one object at once.
class Executable {
public:
  /// Compiles every public function of `module` (which stays as it is) that has
  /// a body. The error names the function, argument and type at fault, or holds
  /// the diagnostics of the pipeline.
  static llvm::Expected<std::unique_ptr<Executable>>
  compile(ModuleOp module, const CompileOptions &options = {});
  /// The same from IR text or bytecode, in a context of its own. `file` is what
  /// diagnostics call it. May be called by several threads at once.
  static llvm::Expected<std::unique_ptr<Executable>>
  compileText(llvm::StringRef text, llvm::StringRef file,
              const CompileOptions &options = {});
  ~Executable();

  llvm::ArrayRef<Signature> getFunctions() const { return functions; }
  /// Null when there is no such function.
  const Signature *find(llvm::StringRef name) const;

  /// Calls `entry`. Arguments are checked first: number, element type, rank,
  /// sizes, strides, alignment; then the function runs, with `threads` threads
  /// (none: OpenMP's default). memref arguments are written in place; results
  /// belong to the caller. A failed runtime check (cf.assert) is an error, too.
  llvm::Expected<std::vector<Tensor>>
  invoke(llvm::StringRef entry, llvm::ArrayRef<TensorRef> args,
         std::optional<int> threads = std::nullopt) const;
  /// The same, with one of getFunctions().
  llvm::Expected<std::vector<Tensor>>
  invoke(const Signature &function, llvm::ArrayRef<TensorRef> args,
         std::optional<int> threads = std::nullopt) const;

  /// Whether this is code for a GPU, which the following two call.
  bool isCuda() const { return cuda; }
  /// The bytes of device memory that a call with these arguments allocates.
  /// Only sizes and strides are looked at.
  llvm::Expected<int64_t>
  getWorkspaceBytes(const Signature &function,
                    llvm::ArrayRef<TensorRef> args) const;
  /// Puts a call into a stream and does not wait for it. Arguments are in
  /// device memory (numbers in host memory), checked as those of `invoke`, and
  /// for rows that are 0 to 2^31 - 1 elements apart; results lie in the
  /// workspace.
  llvm::Expected<std::vector<CudaResult>>
  invokeOnCuda(const Signature &function, llvm::ArrayRef<TensorRef> args,
               const CudaCall &call) const;

  /// The check that `invoke` begins with, on its own.
  llvm::Error checkArguments(const Signature &function,
                             llvm::ArrayRef<TensorRef> args) const;

  const CompileTimings &getTimings() const { return timings; }
  /// Whether the code came from the cache folder.
  bool isCached() const { return cached; }
  /// A warning for the user: what kept the cache folder from working, an
  /// OMP_NUM_THREADS that had to be ignored. Mostly empty: a process hears of
  /// each once. The code is right regardless.
  llvm::StringRef getWarning() const { return warning; }

private:
  struct Impl;
  struct Compilation;
  Executable();
  static llvm::Expected<std::unique_ptr<Executable>>
  compile(const Compilation &compilation, const CompileOptions &options);
  llvm::Error checkOnCuda(const Signature &function,
                          llvm::ArrayRef<TensorRef> args) const;

  std::vector<Signature> functions;
  CompileTimings timings;
  bool cached = false;
  bool cuda = false;
  std::string warning;
  std::unique_ptr<Impl> impl;
};

/// Dialects, external models and translations that `compile` needs. It adds
/// them to the module's context itself; a tool that parses IR wants them
/// before.
void registerCompileDialects(DialectRegistry &registry);

} // namespace mlir::lot::runtime

#endif // LOT_RUNTIME_EXECUTABLE_H
