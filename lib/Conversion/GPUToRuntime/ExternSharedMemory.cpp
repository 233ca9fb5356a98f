//===- ExternSharedMemory.cpp - Where dynamic shared memory begins --------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::lot {
#define GEN_PASS_DEF_LOTGPUEXTERNSHAREDMEMORY
#include "lot/Conversion/Passes.h.inc"
} // namespace mlir::lot

using namespace mlir;

/// What rows of 128 bytes that are swizzled need.
static constexpr uint64_t kAlignment = 1024;

namespace {
struct ExternSharedMemory
    : public lot::impl::LotGPUExternSharedMemoryBase<ExternSharedMemory> {
  void runOnOperation() override {
    auto shared = static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared);
    for (auto global : getOperation().getOps<LLVM::GlobalOp>()) {
      auto array = dyn_cast<LLVM::LLVMArrayType>(global.getGlobalType());
      if (!array || array.getNumElements() != 0 ||
          global.getAddrSpace() != shared)
        continue;
      global.setLinkage(LLVM::Linkage::External);
      global.setAlignment(kAlignment);
    }
  }
};
} // namespace
