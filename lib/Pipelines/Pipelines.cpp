//===- Pipelines.cpp - Registration of the pipelines ----------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Pipelines/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace mlir::lot;

void lot::registerLotPipelines() {
  PassPipelineRegistration<LotToLinalgOptions>(
      "lot-to-linalg",
      "lot ops on tensors to portable linalg, tensor, arith, math and scf",
      buildLotToLinalgPipeline);
  PassPipelineRegistration<LotToCPUOptions>(
      "lot-to-cpu", "lot ops to vectorised, threaded code in the LLVM dialect",
      buildLotToCPUPipeline);
  PassPipelineRegistration<LotToNVGPUOptions>(
      "lot-to-nvgpu",
      "lot ops to GPU kernels (PTX) and host code that runs "
      "them, in the LLVM dialect",
      buildLotToNVGPUPipeline);
  PassPipelineRegistration<LotToNVGPUOptions>(
      "lot-gpu-backend",
      "the second half of lot-to-nvgpu: gpu.module to PTX, launches to calls",
      buildGPUBackend);
}
