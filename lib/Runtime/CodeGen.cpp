//===- CodeGen.cpp - LLVM dialect to machine code -------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectCode.h"
#include "Optimize.h"
#include "Timer.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/SplitModule.h"

#include <deque>
#include <optional>

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

std::string runtime::getEntrySymbol(StringRef function) {
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
      llvm::GlobalValue::ExternalLinkage, getEntrySymbol(type.name), module);
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

/// Beyond this, copying the module costs more than another thread gains.
static constexpr unsigned kMaxParts = 4;

namespace {
/// Functions of the module that one thread compiles. Threads cannot share an
/// LLVMContext, so they get bitcode.
struct Part {
  llvm::SmallString<0> bitcode;
  std::unique_ptr<llvm::MemoryBuffer> object;
  CompileTimings timings;
  std::optional<std::string> error;

  void compile(const llvm::orc::JITTargetMachineBuilder &target,
               unsigned optLevel);

private:
  llvm::Error tryCompile(llvm::orc::JITTargetMachineBuilder target,
                         unsigned optLevel);
};
} // namespace

static llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
compileModule(llvm::Module &ir, llvm::TargetMachine &machine, unsigned optLevel,
              CompileTimings &timings) {
  {
    PhaseTimer timer(timings.optimize);
    optimize(ir, machine, optLevel);
  }
  PhaseTimer timer(timings.codegen);
  return llvm::orc::SimpleCompiler(machine)(ir);
}

llvm::Error Part::tryCompile(llvm::orc::JITTargetMachineBuilder target,
                             unsigned optLevel) {
  llvm::LLVMContext context;
  auto ir =
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(bitcode, "lot"), context);
  if (!ir)
    return ir.takeError();
  auto machine = target.createTargetMachine();
  if (!machine)
    return machine.takeError();
  auto result = compileModule(**ir, **machine, optLevel, timings);
  if (!result)
    return result.takeError();
  object = std::move(*result);
  return llvm::Error::success();
}

void Part::compile(const llvm::orc::JITTargetMachineBuilder &target,
                   unsigned optLevel) {
  if (llvm::Error failure = tryCompile(target, optLevel))
    error = llvm::toString(std::move(failure));
}

/// Compiles the functions of `ir` in `numParts` threads.
static llvm::Error
compileInParts(llvm::Module &ir,
               const llvm::orc::JITTargetMachineBuilder &target,
               unsigned optLevel, unsigned numParts, ObjectCode &code,
               CompileTimings &timings) {
  std::deque<Part> parts;
  {
    PhaseTimer timer(timings.translate);
    llvm::SplitModule(
        ir, numParts,
        [&](std::unique_ptr<llvm::Module> module) {
          llvm::raw_svector_ostream stream(parts.emplace_back().bitcode);
          llvm::WriteBitcodeToFile(*module, stream);
        },
        /*PreserveLocals=*/false, /*RoundRobin=*/true);
  }
  {
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency(numParts));
    for (Part &part : parts)
      pool.async([&] { part.compile(target, optLevel); });
    pool.wait();
  }
  // What the slowest one took is what the caller waited for.
  const Part *slowest = &parts.front();
  for (Part &part : parts) {
    if (part.error)
      return llvm::createStringError(*part.error);
    if (part.timings.total() > slowest->timings.total())
      slowest = &part;
    code.objects.push_back(std::move(part.object));
  }
  timings.optimize += slowest->timings.optimize;
  timings.codegen += slowest->timings.codegen;
  return llvm::Error::success();
}

llvm::Error runtime::emitObjects(
    ModuleOp module, const llvm::orc::JITTargetMachineBuilder &target,
    unsigned optLevel, ObjectCode &code, CompileTimings &timings) {
  auto machine =
      llvm::orc::JITTargetMachineBuilder(target).createTargetMachine();
  if (!machine)
    return machine.takeError();

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> ir;
  {
    PhaseTimer timer(timings.translate);
    ir = translateModuleToLLVMIR(module, context, "lot");
    if (!ir)
      return llvm::createStringError("translation to LLVM IR failed");
    ir->setDataLayout((*machine)->createDataLayout());
    ir->setTargetTriple((*machine)->getTargetTriple());
    for (const Signature &type : code.functions)
      if (auto error = addWrapper(*ir, type))
        return error;
    // The wrappers are the only way in.
    for (llvm::Function &function : *ir)
      if (!function.isDeclaration() &&
          !function.getName().starts_with("_lot_entry_"))
        function.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
  code.openmp = usesOpenMP(*ir);
  // Host code of kernels is a few calls, and a part more copies their image.
  unsigned numFunctions = llvm::count_if(
      *ir, [](const llvm::Function &f) { return !f.isDeclaration(); });
  unsigned numParts =
      std::min({llvm::hardware_concurrency().compute_thread_count(), kMaxParts,
                std::max(numFunctions / 2, 1u)});
  if (numParts > 1)
    return compileInParts(*ir, target, optLevel, numParts, code, timings);
  auto object = compileModule(*ir, **machine, optLevel, timings);
  if (!object)
    return object.takeError();
  code.objects.push_back(std::move(*object));
  return llvm::Error::success();
}
