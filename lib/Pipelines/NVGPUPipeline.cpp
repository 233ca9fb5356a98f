//===- NVGPUPipeline.cpp - lot-to-nvgpu -----------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"
#include "lot/Pipelines/Pipelines.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::lot;

void lot::buildGPUFrontEnd(OpPassManager &pm,
                           const LotToNVGPUOptions &options) {
  // Work without mass becomes a fill and default operands are dropped before
  // anything is specialised on them.
  pm.addPass(createCanonicalizerPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  // No deallocation pipeline: what is allocated lies in the workspace of the
  // call and ends with it (and that pipeline refuses launches).
  pm.addPass(createConvertBufferizationToMemRefPass());
  ConvertLotAttentionToGPUOptions kernels;
  kernels.chip = options.chip;
  kernels.features = options.features;
  kernels.optLevel = options.optLevel;
  pm.addPass(createConvertLotAttentionToGPU(kernels));
  LotCheckLoweredOptions check;
  check.pipeline = "lot-to-nvgpu";
  pm.addPass(createLotCheckLowered(check));
}

/// gpu, nvgpu, vector, scf, arith, math and memref of a kernel to PTX.
static void addKernelsToBinary(OpPassManager &pm) {
  pm.addPass(createLotGPUSplitKernels());
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createConvertNVGPUToNVVMPass());
  kernels.addPass(createLotGPUExpandMath());
  kernels.addPass(createSCFToControlFlowPass());
  // Before the gpu dialect's own conversion, which calls libdevice for fma and
  // maxnumf.
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createConvertMathToLLVMPass());
  kernels.addPass(createConvertGpuOpsToNVVMOps());
  kernels.addPass(createConvertIndexToLLVMPass());
  kernels.addPass(createConvertNVVMToLLVMPass());
  kernels.addPass(createLotGPUExternSharedMemory());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  // The driver compiles PTX for the very GPU it runs on.
  pm.addPass(createLotGPUModulesToBinary());
}

void lot::buildGPUBackend(OpPassManager &pm, const LotToNVGPUOptions &) {
  addKernelsToBinary(pm);
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createLotExpandArith());
  pm.addPass(createLotGPUHostToLLVM());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void lot::buildLotToNVGPUPipeline(OpPassManager &pm,
                                  const LotToNVGPUOptions &options) {
  buildGPUFrontEnd(pm, options);
  buildGPUBackend(pm, options);
}
