//===- Target.cpp - The processor to compile for --------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObjectCode.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

#include <mutex>

using namespace mlir::lot;
using namespace mlir::lot::runtime;
using llvm::orc::JITTargetMachineBuilder;

/// Names of features that `subtarget` uses and this machine lacks.
static llvm::SmallVector<std::string>
getMissingFeatures(const llvm::MCSubtargetInfo &subtarget) {
  llvm::SmallVector<std::string> missing;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (!feature.getValue() &&
        subtarget.checkFeatures("+" + feature.getKey().str()))
      missing.push_back(feature.getKey().str());
  llvm::sort(missing);
  return missing;
}

/// Code as a shared object has it: constants and calls relative to the place of
/// the code. LLVM's default for a JIT is absolute addresses of 64 bits.
static void setCodeGeneration(JITTargetMachineBuilder &builder) {
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  builder.setRelocationModel(llvm::Reloc::PIC_);
  builder.setCodeModel(llvm::CodeModel::Small);
}

/// Whether `cpu`, a name that LLVM knows, runs code of `triple`: it knows
/// 32-bit processors, too, and ends the process when asked for 64-bit code of
/// one.
static bool canRun64Bit(const llvm::Target &target, const llvm::Triple &triple,
                        llvm::StringRef cpu) {
  if (triple.getArch() != llvm::Triple::x86_64)
    return true;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target.createMCSubtargetInfo(triple, cpu, ""));
  return info && info->checkFeatures("+64bit");
}

llvm::Expected<JITTargetMachineBuilder>
runtime::getTarget(llvm::StringRef cpu) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto host = JITTargetMachineBuilder::detectHost();
  if (!host)
    return host.takeError();
  setCodeGeneration(*host);
  if (cpu == "native")
    return host;

  JITTargetMachineBuilder builder(host->getTargetTriple());
  setCodeGeneration(builder);
  // Ask about the name before LLVM sees it: it only prints a warning and goes
  // on with a generic processor.
  auto generic = builder.createTargetMachine();
  if (!generic)
    return generic.takeError();
  if (cpu.empty() || !(*generic)->getMCSubtargetInfo()->isCPUStringValid(cpu) ||
      !canRun64Bit((*generic)->getTarget(), host->getTargetTriple(), cpu))
    return llvm::createStringError(
        "expected a processor name that LLVM knows for %s, or native, got '%s'",
        host->getTargetTriple().str().c_str(), cpu.str().c_str());
  builder.setCPU(cpu.str());
  auto machine = builder.createTargetMachine();
  if (!machine)
    return machine.takeError();
  auto missing = getMissingFeatures(*(*machine)->getMCSubtargetInfo());
  if (!missing.empty())
    return llvm::createStringError(
        "code for processor '%s' cannot run here: this machine ('%s') lacks %s",
        cpu.str().c_str(), llvm::sys::getHostCPUName().str().c_str(),
        llvm::join(missing, ", ").c_str());
  return builder;
}
