//===- Executable.cpp - Compiled code, ready to be called -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Runtime/Executable.h"

#include "CudaCalls.h"
#include "DiskCache.h"
#include "Jit.h"
#include "Lowering.h"
#include "Marshal.h"
#include "Signature.h"
#include "Timer.h"

#include "lot/InitAll.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

struct Executable::Impl {
  std::unique_ptr<Jit> code;
  /// What has been launched.
  cuda::Kernels kernels;
};

Executable::Executable() : impl(std::make_unique<Impl>()) {}
Executable::~Executable() = default;

void runtime::registerCompileDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  lot::registerAllDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerOpenMPDialectTranslation(registry);
  registerAllGPUToLLVMIRTranslations(registry);
}

/// Where a module comes from.
struct Executable::Compilation {
  /// What the module is made of, and the name it has in messages.
  StringRef source, file;
  /// Compiles it; called only when its code is not in the cache.
  llvm::function_ref<llvm::Error(const CompileOptions &,
                                 const llvm::orc::JITTargetMachineBuilder &,
                                 ObjectCode &, CompileTimings &)>
      run;
};

/// `options` with the GPU filled in, known to be ones that can be compiled for.
static llvm::Expected<CompileOptions> resolve(CompileOptions options) {
  if (options.optLevel > 3)
    return llvm::createStringError(
        "expected an optimization level of 0 to 3, got %u", options.optLevel);
  if (options.target == "cpu") {
    if (!options.chip.empty())
      return llvm::createStringError(
          "chip: expected none for the target cpu, got '%s'",
          options.chip.c_str());
    return options;
  }
  if (options.target != "cuda")
    return llvm::createStringError("expected the target cpu or cuda, got '%s'",
                                   options.target.c_str());
  if (options.chip.empty()) {
    auto chip = getCudaChip(/*device=*/0);
    if (!chip)
      return llvm::createStringError(
          "no chip is named, and this machine's GPU cannot be asked: " +
          llvm::toString(chip.takeError()));
    options.chip = *chip;
  }
  if (auto error = checkCudaChip(options.chip))
    return std::move(error);
  return options;
}

llvm::Expected<std::unique_ptr<Executable>>
Executable::compile(const Compilation &compilation,
                    const CompileOptions &given) {
  auto resolved = resolve(given);
  if (!resolved)
    return resolved.takeError();
  const CompileOptions &options = *resolved;
  auto target = getTarget(options.cpu);
  if (!target)
    return target.takeError();

  std::unique_ptr<Executable> executable(new Executable());
  executable->cuda = options.target == "cuda";
  CompileTimings &timings = executable->timings;
  std::optional<DiskCache> cache;
  std::optional<CacheKey> key;
  if (options.cache && (cache = DiskCache::get())) {
    PhaseTimer timer(timings.load);
    key = getCacheKey(compilation.source, compilation.file, options, *target);
    if (auto code = key ? cache->load(*key) : nullptr) {
      if (auto linked = Jit::link(*code, *target)) {
        executable->impl->code = std::move(*linked);
        executable->functions = std::move(code->functions);
        executable->cached = true;
      } else {
        cache->reject(*key, "cannot be linked: " +
                                llvm::toString(linked.takeError()));
      }
    }
  }
  if (!executable->cached) {
    ObjectCode code;
    if (auto error = compilation.run(options, *target, code, timings))
      return std::move(error);
    PhaseTimer timer(timings.load);
    auto linked = Jit::link(code, *target);
    if (!linked)
      return linked.takeError();
    executable->impl->code = std::move(*linked);
    if (key)
      cache->store(*key, code);
    executable->functions = std::move(code.functions);
  }
  // The user hears of each once in a process, so of both at once hardly ever.
  executable->warning = std::move(executable->impl->code->warning);
  if (std::string problem = cache ? cache->takeProblem() : "";
      !problem.empty()) {
    std::string &warning = executable->warning;
    warning += (warning.empty() ? "" : "; ") + problem;
  }
  return executable;
}

llvm::Expected<std::unique_ptr<Executable>>
Executable::compile(ModuleOp module, const CompileOptions &options) {
  std::string source; // with locations, which messages of checks quote
  if (options.cache) {
    llvm::raw_string_ostream os(source);
    if (failed(writeBytecodeToFile(module, os)))
      return llvm::createStringError("expected a module that can be written");
  }
  auto run = [&](const CompileOptions &options, const auto &target,
                 ObjectCode &code, CompileTimings &timings) -> llvm::Error {
    DialectRegistry registry;
    registerCompileDialects(registry);
    module.getContext()->appendDialectRegistry(registry);
    OwningOpRef<ModuleOp> copy = module.clone();
    return compileModule(*copy, options, target, code, timings);
  };
  return compile(Compilation{source, "", run}, options);
}

llvm::Expected<std::unique_ptr<Executable>>
Executable::compileText(StringRef text, StringRef file,
                        const CompileOptions &options) {
  auto run = [&](const CompileOptions &options, const auto &target,
                 ObjectCode &code, CompileTimings &timings) -> llvm::Error {
    // Threads inside one compilation cost more than they bring, but for
    // kernels, which are large and many.
    auto threads = options.target == "cuda" ? MLIRContext::Threading::ENABLED
                                            : MLIRContext::Threading::DISABLED;
    std::unique_ptr<MLIRContext> context;
    OwningOpRef<ModuleOp> module;
    {
      PhaseTimer timer(timings.lower);
      DialectRegistry registry;
      registerCompileDialects(registry);
      context = std::make_unique<MLIRContext>(registry, threads);
      DiagnosticText diagnostics(context.get());
      module = parseSourceString<ModuleOp>(text, context.get(), file);
      if (!module)
        return diagnostics.error("expected a module");
    }
    return compileModule(*module, options, target, code, timings);
  };
  return compile(Compilation{text, file, run}, options);
}

const Signature *Executable::find(StringRef name) const {
  for (const Signature &function : functions)
    if (function.name == name)
      return &function;
  return nullptr;
}

llvm::Error Executable::checkArguments(const Signature &function,
                                       ArrayRef<TensorRef> args) const {
  return runtime::checkArguments(function, args);
}

llvm::Expected<std::vector<Tensor>>
Executable::invoke(StringRef entry, ArrayRef<TensorRef> args,
                   std::optional<int> threads) const {
  if (const Signature *function = find(entry))
    return invoke(*function, args, threads);
  std::string names = llvm::join(
      llvm::map_range(functions, [](const auto &f) { return f.name; }), ", ");
  return llvm::createStringError("no function '%s', expected one of: %s",
                                 entry.str().c_str(), names.c_str());
}

llvm::Expected<std::vector<Tensor>>
Executable::invoke(const Signature &function, ArrayRef<TensorRef> args,
                   std::optional<int> threads) const {
  if (threads && *threads < 1)
    return llvm::createStringError("expected at least 1 thread, got %d",
                                   *threads);
  if (cuda)
    return llvm::createStringError(
        "function '%s' is compiled for the target cuda: expected a call on a "
        "device (invokeOnCuda)",
        function.name.c_str());
  if (auto error = runtime::checkArguments(function, args))
    return std::move(error);

  const Jit &code = *impl->code;
  CallFrame frame(function, args);
  std::string message;
  bool completed;
  {
    ThreadCountScope scope(code.openmp, threads);
    completed = callGuarded(code.entries[&function - functions.data()],
                            frame.getSlots(), message);
  }
  if (!completed)
    return llvm::createStringError("function '%s': %s", function.name.c_str(),
                                   message.c_str());
  return frame.takeResults();
}

/// The error of a call, with the function's name.
static llvm::Error inFunction(const Signature &function, llvm::Error error) {
  return llvm::createStringError("function '" + function.name +
                                 "': " + llvm::toString(std::move(error)));
}

llvm::Error Executable::checkOnCuda(const Signature &function,
                                    ArrayRef<TensorRef> args) const {
  if (!cuda)
    return llvm::createStringError("function '%s' is compiled for the CPU, "
                                   "expected code for the target cuda",
                                   function.name.c_str());
  if (auto error = runtime::checkArguments(function, args))
    return error;
  // Kernels have 31 bits for the way from row to row.
  for (auto [position, arg] : llvm::enumerate(args)) {
    size_t rank = arg.shape.size();
    if (arg.strides.size() < 2 || arg.shape[rank - 2] <= 1)
      continue;
    int64_t stride = arg.strides[rank - 2];
    if (stride < 0 || stride >> 31)
      return llvm::createStringError(
          "function '%s', argument #%zu: expected rows that are 0 to 2^31 - 1 "
          "elements apart on a CUDA device, got %lld",
          function.name.c_str(), position, static_cast<long long>(stride));
  }
  return llvm::Error::success();
}

llvm::Expected<int64_t>
Executable::getWorkspaceBytes(const Signature &function,
                              ArrayRef<TensorRef> args) const {
  if (auto error = checkOnCuda(function, args))
    return std::move(error);
  CallFrame frame(function, args);
  auto bytes = measureWorkspace(
      impl->code->entries[&function - functions.data()], frame.getSlots());
  if (!bytes)
    return inFunction(function, bytes.takeError());
  return bytes;
}

llvm::Expected<std::vector<CudaResult>>
Executable::invokeOnCuda(const Signature &function, ArrayRef<TensorRef> args,
                         const CudaCall &call) const {
  if (auto error = checkOnCuda(function, args))
    return std::move(error);
  CallFrame frame(function, args);
  if (auto error =
          callOnDevice(impl->code->entries[&function - functions.data()],
                       frame.getSlots(), impl->kernels, call))
    return inFunction(function, std::move(error));
  return frame.getCudaResults();
}
