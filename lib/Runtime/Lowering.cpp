//===- Lowering.cpp - A module to object code -----------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "Checks.h"
#include "Signature.h"
#include "Timer.h"

#include "lot/Pipelines/Pipelines.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mlir::lot;
using namespace mlir::lot::runtime;

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

/// The pipeline that `options` ask for, with its name.
static StringRef addPipeline(PassManager &passes,
                             const CompileOptions &options) {
  if (options.target == "cuda") {
    LotToNVGPUOptions pipeline;
    pipeline.chip = options.chip;
    buildLotToNVGPUPipeline(passes, pipeline);
    return "lot-to-nvgpu";
  }
  LotToCPUOptions pipeline;
  pipeline.cpu = options.cpu;
  pipeline.openmp = options.openmp;
  buildLotToCPUPipeline(passes, pipeline);
  return "lot-to-cpu";
}

llvm::Error
runtime::compileModule(ModuleOp module, const CompileOptions &options,
                       const llvm::orc::JITTargetMachineBuilder &target,
                       ObjectCode &code, CompileTimings &timings) {
  MLIRContext *context = module.getContext();
  DiagnosticText diagnostics(context);
  {
    PhaseTimer timer(timings.lower);
    if (auto error = prepareFunctions(module, code.functions))
      return error;
    PassManager passes(context);
    StringRef pipeline = addPipeline(passes, options);
    if (options.verify)
      addRuntimeChecks(module);
    if (failed(refuseParallelAssertions(module)) || failed(passes.run(module)))
      return diagnostics.error(pipeline + " failed");
  }
  if (auto error = emitObjects(module, target, options.optLevel, code, timings))
    return diagnostics.error(llvm::toString(std::move(error)));
  return llvm::Error::success();
}
