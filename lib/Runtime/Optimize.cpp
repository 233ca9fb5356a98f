//===- Optimize.cpp - LLVM passes between translation and code ------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Optimize.h"

#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/GVN.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"

using namespace llvm;

/// For code that is vectorised already.
static FunctionPassManager buildCleanup() {
  FunctionPassManager passes;
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(InstCombinePass());
  passes.addPass(SimplifyCFGPass());
  passes.addPass(createFunctionToLoopPassAdaptor(LICMPass(LICMOptions()),
                                                 /*UseMemorySSA=*/true));
  passes.addPass(GVNPass());
  passes.addPass(SimplifyCFGPass());
  passes.addPass(InstCombinePass());
  return passes;
}

void mlir::lot::runtime::optimize(Module &module, TargetMachine &machine,
                                  unsigned level) {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  if (level == 0) {
    builder.buildO0DefaultPipeline(OptimizationLevel::O0).run(module, modules);
    return;
  }

  const OptimizationLevel levels[] = {
      OptimizationLevel::O1, OptimizationLevel::O2, OptimizationLevel::O3};
  FunctionPassManager cleanup = buildCleanup();
  FunctionPassManager general = builder.buildFunctionSimplificationPipeline(
      levels[std::min(level, 3u) - 1], ThinOrFullLTOPhase::None);
  general.addPass(LoopVectorizePass());
  general.addPass(InstCombinePass());
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    bool vectorised = function.getName().starts_with("lot_");
    (vectorised ? cleanup : general).run(function, functions);
  }
}
