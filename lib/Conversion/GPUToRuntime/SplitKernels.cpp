//===- SplitKernels.cpp - A gpu.module for each kernel ------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTGPUSPLITKERNELS
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

namespace {
struct SplitKernels : public lot::impl::LotGPUSplitKernelsBase<SplitKernels> {
  void runOnOperation() override;
};
} // namespace

/// The kernels of a module of several of them and of nothing else; else none.
static SmallVector<gpu::GPUFuncOp> getKernels(gpu::GPUModuleOp module) {
  auto isKernel = [](Operation &op) {
    auto func = dyn_cast<gpu::GPUFuncOp>(op);
    return func && func.isKernel();
  };
  if (!llvm::all_of(*module.getBody(), isKernel))
    return {};
  auto kernels = llvm::to_vector(module.getOps<gpu::GPUFuncOp>());
  return kernels.size() > 1 ? kernels : SmallVector<gpu::GPUFuncOp>();
}

void SplitKernels::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  DenseMap<SymbolRefAttr, SymbolRefAttr> moved;
  for (auto together :
       llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>())) {
    SmallVector<gpu::GPUFuncOp> kernels = getKernels(together);
    for (gpu::GPUFuncOp kernel : kernels) {
      auto name = FlatSymbolRefAttr::get(kernel.getNameAttr());
      auto before = SymbolRefAttr::get(together.getNameAttr(), name);
      auto own = cast<gpu::GPUModuleOp>(together->cloneWithoutRegions());
      own.getBodyRegion().emplaceBlock();
      own.setName((together.getName() + "_" + kernel.getName()).str());
      symbols.insert(own, together->getIterator());
      kernel->moveBefore(own.getBody(), own.getBody()->end());
      moved[before] = SymbolRefAttr::get(own.getNameAttr(), name);
    }
    if (!kernels.empty())
      symbols.erase(together);
  }
  module.walk([&](gpu::LaunchFuncOp launch) {
    if (SymbolRefAttr now = moved.lookup(launch.getKernelAttr()))
      launch.setKernelAttr(now);
  });
}
