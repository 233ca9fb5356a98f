//===- Jit.cpp - LLVM dialect to code in this process ---------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit.h"
#include "Optimize.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/DynamicLibrary.h"
#include "llvm/Target/TargetMachine.h"

#include <chrono>
#include <dlfcn.h>
#include <mutex>

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;
using llvm::orc::DynamicLibrarySearchGenerator;
using llvm::orc::ExecutorAddr;
using llvm::orc::ExecutorSymbolDef;
using llvm::orc::JITTargetMachineBuilder;
using llvm::orc::LLJIT;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

PhaseTimer::PhaseTimer(double &seconds) : seconds(seconds), start(now()) {}
PhaseTimer::~PhaseTimer() { seconds += now() - start; }

static std::string getWrapperName(StringRef function) {
  return ("_lot_entry_" + function).str();
}

/// Adds `void _lot_entry_NAME(void **args)`, which loads the arguments of
/// `_mlir_ciface_NAME` through the pointers of `args`. A plain result goes
/// where the last one points to; memory for a struct is an argument anyway.
static llvm::Error addWrapper(llvm::Module &module, const Signature &type) {
  llvm::Function *function = module.getFunction("_mlir_ciface_" + type.name);
  bool plainResult = type.results.size() == 1 && type.results.front().scalar;
  bool structResult = !type.results.empty() && !plainResult;
  if (!function || function->isDeclaration() ||
      function->arg_size() != type.arguments.size() + structResult ||
      function->getReturnType()->isVoidTy() == plainResult)
    return llvm::createStringError(
        "function '%s': the pipeline changed the number of its arguments or "
        "results",
        type.name.c_str());

  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> builder(context);
  auto *wrapper = llvm::Function::Create(
      llvm::FunctionType::get(builder.getVoidTy(), builder.getPtrTy(), false),
      llvm::GlobalValue::ExternalLinkage, getWrapperName(type.name), module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", wrapper));
  auto loadPointer = [&](unsigned position) {
    llvm::Value *slot = builder.CreateConstGEP1_64(
        builder.getPtrTy(), wrapper->getArg(0), position);
    return builder.CreateLoad(builder.getPtrTy(), slot);
  };
  llvm::SmallVector<llvm::Value *> operands;
  unsigned numArguments = type.arguments.size();
  if (structResult)
    operands.push_back(loadPointer(numArguments));
  for (unsigned i = 0; i < numArguments; ++i) {
    llvm::Value *pointer = loadPointer(i);
    // Memrefs: the pointer to the descriptor is what the function takes.
    if (type.arguments[i].scalar)
      pointer = builder.CreateLoad(
          function->getArg(i + structResult)->getType(), pointer);
    operands.push_back(pointer);
  }
  llvm::Value *result = builder.CreateCall(function, operands);
  if (plainResult)
    builder.CreateStore(result, loadPointer(numArguments));
  builder.CreateRetVoid();
  return llvm::Error::success();
}

/// Whether the module calls the OpenMP runtime.
static bool usesOpenMP(const llvm::Module &module) {
  return llvm::any_of(module, [](const llvm::Function &function) {
    return function.isDeclaration() &&
           (function.getName().starts_with("__kmpc_") ||
            function.getName().starts_with("omp_"));
  });
}

/// Resolves what compiled code refers to: hooks, then OpenMP, then what this
/// process has (allocation, memcpy), then the mathematical functions.
static llvm::Error addSymbols(LLJIT &jit, const OpenMP *openmp) {
  llvm::orc::JITDylib &dylib = jit.getMainJITDylib();
  char prefix = jit.getDataLayout().getGlobalPrefix();
  llvm::orc::SymbolMap hooks;
  for (auto [name, address] : getHooks())
    hooks[jit.mangleAndIntern(name)] = ExecutorSymbolDef(
        ExecutorAddr::fromPtr(address),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable);
  if (auto error = dylib.define(llvm::orc::absoluteSymbols(std::move(hooks))))
    return error;
  llvm::SmallVector<void *> libraries;
  if (openmp)
    libraries.push_back(openmp->handle);
  for (const char *name :
       {static_cast<const char *>(nullptr), "libm.so.6", "libgcc_s.so.1"})
    if (void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL))
      libraries.push_back(handle);
  for (void *handle : libraries)
    dylib.addGenerator(std::make_unique<DynamicLibrarySearchGenerator>(
        llvm::sys::DynamicLibrary(handle), prefix));
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<Jit>>
Jit::compile(ModuleOp module, ArrayRef<Signature> functions,
             JITTargetMachineBuilder target, unsigned optLevel,
             CompileTimings &timings) {
  auto machine = target.createTargetMachine();
  if (!machine)
    return machine.takeError();

  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> ir;
  {
    PhaseTimer timer(timings.translate);
    ir = translateModuleToLLVMIR(module, *context, "lot");
    if (!ir)
      return llvm::createStringError("translation to LLVM IR failed");
    ir->setDataLayout((*machine)->createDataLayout());
    ir->setTargetTriple((*machine)->getTargetTriple());
    for (const Signature &type : functions)
      if (auto error = addWrapper(*ir, type))
        return std::move(error);
    // The wrappers are the only way in.
    for (llvm::Function &function : *ir)
      if (!function.isDeclaration() &&
          !function.getName().starts_with("_lot_entry_"))
        function.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
  {
    PhaseTimer timer(timings.optimize);
    optimize(*ir, **machine, optLevel);
  }

  PhaseTimer timer(timings.codegen);
  auto result = std::make_unique<Jit>();
  if (usesOpenMP(*ir)) {
    auto openmp = OpenMP::get();
    if (!openmp)
      return openmp.takeError();
    result->openmp = *openmp;
  }
  auto jit =
      llvm::orc::LLJITBuilder()
          .setJITTargetMachineBuilder(target)
          .setLinkProcessSymbolsByDefault(false)
          .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
          .setCompileFunctionCreator(
              [&](JITTargetMachineBuilder)
                  -> llvm::Expected<
                      std::unique_ptr<llvm::orc::IRCompileLayer::IRCompiler>> {
                return std::make_unique<llvm::orc::TMOwningSimpleCompiler>(
                    std::move(*machine));
              })
          .create();
  if (!jit)
    return jit.takeError();
  // By default problems go to stderr and the lookup only says "failed".
  std::string problems;
  (*jit)->getExecutionSession().setErrorReporter([&](llvm::Error error) {
    problems += llvm::toString(std::move(error)) + "\n";
  });
  if (auto error = addSymbols(**jit, result->openmp))
    return std::move(error);
  if (auto error = (*jit)->addIRModule(
          llvm::orc::ThreadSafeModule(std::move(ir), std::move(context))))
    return std::move(error);
  for (const Signature &type : functions) {
    auto address = (*jit)->lookup(getWrapperName(type.name));
    if (!address)
      return llvm::createStringError("linking failed: " + problems +
                                     llvm::toString(address.takeError()));
    result->entries.push_back(address->toPtr<EntryPoint>());
  }
  (*jit)->getExecutionSession().setErrorReporter(
      [](llvm::Error error) { llvm::consumeError(std::move(error)); });
  result->jit = std::move(*jit);
  return result;
}
