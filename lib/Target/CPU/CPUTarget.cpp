//===- CPUTarget.cpp - What a processor offers the CPU pipeline -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Target/CPUTarget.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

using namespace mlir;
using namespace mlir::lot;

static std::string getHostFeatures() {
  SmallVector<std::string> features;
  for (const auto &[name, on] : llvm::sys::getHostCPUFeatures())
    features.push_back((on ? "+" : "-") + name.str());
  llvm::sort(features); // a StringMap has no order; cache keys need one
  return llvm::join(features, ",");
}

/// Descriptions of processors: this machine's, or those of every architecture
/// that LLVM was built with.
static void initializeTargets(bool all) {
  static std::once_flag host, others;
  if (!all)
    return std::call_once(host, [] { llvm::InitializeNativeTarget(); });
  std::call_once(others, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargetMCs();
  });
}

llvm::Expected<CPUTarget> lot::getCPUTarget(StringRef mcpu, StringRef mtriple) {
  llvm::Triple host(llvm::sys::getDefaultTargetTriple());
  llvm::Triple triple = host;
  if (!mtriple.empty())
    triple = llvm::Triple(llvm::Triple::normalize(mtriple));
  initializeTargets(/*all=*/triple.getArch() != host.getArch());

  bool native = mcpu.empty() || mcpu == "native";
  bool here = native && triple.getArch() == host.getArch();
  CPUTarget result;
  if (!native)
    result.name = mcpu.str();
  else
    result.name = here ? llvm::sys::getHostCPUName().str() : "generic";
  result.features = here ? getHostFeatures() : "";

  std::string error; // lists what command line tools could do about it
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError(
        "expected mtriple to be a target of this LLVM, got '" + triple.str() +
        "'");
  // Asked without a name first: LLVM prints its own complaint about one that
  // it does not know.
  std::unique_ptr<llvm::MCSubtargetInfo> generic(
      target->createMCSubtargetInfo(triple, "", ""));
  std::unique_ptr<llvm::MCSubtargetInfo> info;
  if (generic && generic->isCPUStringValid(result.name))
    info.reset(
        target->createMCSubtargetInfo(triple, result.name, result.features));
  auto has = [&](const char *feature) { return info->checkFeatures(feature); };
  // LLVM knows 32-bit processors by name, too, and ends the process when it is
  // to write 64-bit code for one.
  bool needs64 = triple.getArch() == llvm::Triple::x86_64 && !native;
  if (!info || (needs64 && !has("+64bit")))
    return llvm::createStringError("expected mcpu to be a processor of " +
                                   triple.getArchName() + ", got '" +
                                   result.name + "'");

  // AArch64: NEON, also where there is SVE: the length of its vectors is known
  // at run time only, that of a schedule at compile time.
  result.vectorBits = 128;
  result.registers = 16;
  if (triple.isX86()) {
    if (has("+avx512f")) {
      result.vectorBits = 512;
      result.registers = 32;
    } else if (has("+avx")) {
      result.vectorBits = 256;
    }
  } else if (triple.isAArch64()) {
    result.registers = 32;
  }
  return result;
}
