//===- Jit.cpp - Machine code in this process -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit.h"

#include "CudaCalls.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/Support/DynamicLibrary.h"

#include <dlfcn.h>

using namespace mlir::lot;
using namespace mlir::lot::runtime;
using llvm::orc::DynamicLibrarySearchGenerator;
using llvm::orc::ExecutorAddr;
using llvm::orc::ExecutorSymbolDef;
using llvm::orc::IRCompileLayer;
using llvm::orc::JITTargetMachineBuilder;
using llvm::orc::LLJIT;

/// Resolves what compiled code refers to: hooks, then OpenMP, then what this
/// process has (allocation, memcpy), then the mathematical functions.
static llvm::Error addSymbols(LLJIT &jit, const OpenMP *openmp) {
  llvm::orc::JITDylib &dylib = jit.getMainJITDylib();
  char prefix = jit.getDataLayout().getGlobalPrefix();
  llvm::orc::SymbolMap hooks;
  for (auto list : {getHooks(), getCudaHooks()})
    for (auto [name, address] : list)
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

/// LLJIT asks for a compiler of IR, which is never used: it gets objects.
static llvm::Expected<std::unique_ptr<IRCompileLayer::IRCompiler>>
createNoCompiler(JITTargetMachineBuilder) {
  struct NoCompiler : IRCompileLayer::IRCompiler {
    NoCompiler() : IRCompiler({}) {}
    llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
    operator()(llvm::Module &) override {
      return llvm::createStringError("expected object code, got IR");
    }
  };
  return std::make_unique<NoCompiler>();
}

llvm::Expected<std::unique_ptr<Jit>>
Jit::link(const ObjectCode &code, const JITTargetMachineBuilder &target) {
  auto result = std::make_unique<Jit>();
  if (code.openmp) {
    auto openmp = OpenMP::get(result->warning);
    if (!openmp)
      return openmp.takeError();
    result->openmp = *openmp;
  }
  std::string problems; // outlives the session that writes to it
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(target)
                 .setLinkProcessSymbolsByDefault(false)
                 .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                 .setCompileFunctionCreator(createNoCompiler)
                 .create();
  if (!jit)
    return jit.takeError();
  // By default problems go to stderr and the lookup only says "failed".
  (*jit)->getExecutionSession().setErrorReporter([&](llvm::Error error) {
    problems += llvm::toString(std::move(error)) + "\n";
  });
  if (auto error = addSymbols(**jit, result->openmp))
    return std::move(error);
  for (const auto &object : code.objects)
    if (auto error = (*jit)->addObjectFile(llvm::MemoryBuffer::getMemBuffer(
            object->getMemBufferRef(), /*RequiresNullTerminator=*/false)))
      return std::move(error);
  for (const Signature &type : code.functions) {
    auto address = (*jit)->lookup(getEntrySymbol(type.name));
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
