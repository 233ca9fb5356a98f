//===- ModulesToBinary.cpp - PTX of all gpu.modules at a time -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Threading.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTGPUMODULESTOBINARY
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

namespace {
struct ModulesToBinary
    : public lot::impl::LotGPUModulesToBinaryBase<ModulesToBinary> {
  void runOnOperation() override;
};
} // namespace

void ModulesToBinary::runOnOperation() {
  ModuleOp module = getOperation();
  // Upstream's function takes all that are in one operation: each gets its own,
  // with what holds for the whole (the data layout).
  std::vector<OwningOpRef<ModuleOp>> alone;
  for (auto kernels :
       llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>())) {
    alone.push_back(ModuleOp::create(kernels.getLoc()));
    alone.back().get()->setAttrs(module->getAttrDictionary());
    kernels->moveBefore(alone.back()->getBody(),
                        alone.back()->getBody()->end());
  }
  gpu::TargetOptions options({}, {}, {}, {}, gpu::CompilationTarget::Assembly);
  LogicalResult result = failableParallelForEach(
      &getContext(), alone, [&](OwningOpRef<ModuleOp> &one) {
        return gpu::transformGpuModulesToBinaries(*one, nullptr, options);
      });
  for (OwningOpRef<ModuleOp> &one : alone)
    module.getBody()->getOperations().splice(module.getBody()->end(),
                                             one->getBody()->getOperations());
  if (failed(result))
    signalPassFailure();
}
