//===- Executable.cpp - Compiled code, ready to be called -----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Runtime/Executable.h"

#include "Checks.h"
#include "DiskCache.h"
#include "Jit.h"
#include "Marshal.h"
#include "Signature.h"
#include "Timer.h"

#include "lot/InitAll.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

struct Executable::Impl {
  std::unique_ptr<Jit> code;
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
}

/// Collects the diagnostics of this thread's work as text.
namespace {
class DiagnosticText {
public:
  explicit DiagnosticText(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            add(diagnostic);
          return success();
        }) {}

  llvm::Error error(const Twine &what) {
    std::string message = what.str();
    if (!text.empty())
      message += ": " + text;
    return llvm::createStringError(message);
  }

private:
  void add(Diagnostic &diagnostic) {
    llvm::raw_string_ostream os(text);
    if (!text.empty())
      os << "\n";
    if (auto location =
            diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      os << location.getFilename().getValue() << ":" << location.getLine()
         << ":" << location.getColumn() << ": ";
    os << diagnostic;
    for (Diagnostic &note : diagnostic.getNotes())
      os << "\n  note: " << note;
  }

  std::string text;
  ScopedDiagnosticHandler handler;
};
} // namespace

/// Notes the signatures and makes the functions callable from C.
static llvm::Error prepareFunctions(ModuleOp module,
                                    std::vector<Signature> &list) {
  auto unit = UnitAttr::get(module.getContext());
  auto no = BoolAttr::get(module.getContext(), false);
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!func.isPublic() || func.isExternal())
      continue;
    auto signature = getSignature(func);
    if (!signature)
      return signature.takeError();
    list.push_back(std::move(*signature));
    func->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(), unit);
    // The caller's tensors are values: they keep what is in them.
    StringRef writable = bufferization::BufferizationDialect::kWritableAttrName;
    for (auto [position, type] : llvm::enumerate(func.getArgumentTypes()))
      if (isa<mlir::TensorType>(type) && !func.getArgAttr(position, writable))
        func.setArgAttr(position, writable, no);
  }
  if (list.empty())
    return llvm::createStringError(
        "expected a public function with a body, the module has none");
  return llvm::Error::success();
}

/// Runs lot-to-cpu on `module` and makes machine code of it.
static llvm::Error
compileModule(ModuleOp module, const CompileOptions &options,
              const llvm::orc::JITTargetMachineBuilder &target,
              ObjectCode &code, CompileTimings &timings) {
  MLIRContext *context = module.getContext();
  DiagnosticText diagnostics(context);
  {
    PhaseTimer timer(timings.lower);
    if (auto error = prepareFunctions(module, code.functions))
      return error;
    if (options.verify)
      addRuntimeChecks(module);
    if (failed(refuseParallelAssertions(module)))
      return diagnostics.error("lot-to-cpu failed");
    PassManager passes(context);
    LotToCPUOptions pipeline;
    pipeline.cpu = options.cpu;
    pipeline.openmp = options.openmp;
    buildLotToCPUPipeline(passes, pipeline);
    if (failed(passes.run(module)))
      return diagnostics.error("lot-to-cpu failed");
  }
  if (auto error = emitObjects(module, target, options.optLevel, code, timings))
    return diagnostics.error(llvm::toString(std::move(error)));
  return llvm::Error::success();
}

/// Where a module comes from.
struct Executable::Compilation {
  /// What the module is made of, and the name it has in messages.
  StringRef source, file;
  /// Compiles it; called only when its code is not in the cache.
  llvm::function_ref<llvm::Error(const llvm::orc::JITTargetMachineBuilder &,
                                 ObjectCode &, CompileTimings &)>
      run;
};

llvm::Expected<std::unique_ptr<Executable>>
Executable::compile(const Compilation &compilation,
                    const CompileOptions &options) {
  if (options.optLevel > 3)
    return llvm::createStringError(
        "expected an optimization level of 0 to 3, got %u", options.optLevel);
  auto target = getTarget(options.cpu);
  if (!target)
    return target.takeError();

  std::unique_ptr<Executable> executable(new Executable());
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
    if (auto error = compilation.run(*target, code, timings))
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
  auto run = [&](const auto &target, ObjectCode &code,
                 CompileTimings &timings) -> llvm::Error {
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
  auto run = [&](const auto &target, ObjectCode &code,
                 CompileTimings &timings) -> llvm::Error {
    // Threads inside one compilation cost more than they bring.
    std::unique_ptr<MLIRContext> context;
    OwningOpRef<ModuleOp> module;
    {
      PhaseTimer timer(timings.lower);
      DialectRegistry registry;
      registerCompileDialects(registry);
      context = std::make_unique<MLIRContext>(registry,
                                              MLIRContext::Threading::DISABLED);
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
