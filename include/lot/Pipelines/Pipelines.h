//===- Pipelines.h - The pipelines of the lot project -------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_PIPELINES_PIPELINES_H
#define LOT_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::lot {

/// Options of `lot-to-linalg`.
struct LotToLinalgOptions : public PassPipelineOptions<LotToLinalgOptions> {
  Option<bool> unroll{
      *this, "unroll", llvm::cl::init(false),
      llvm::cl::desc("unroll the half-steps: for compilers that cannot carry a "
                     "tensor of dynamic batch through a loop")};
};

/// Options of `lot-to-cpu`.
struct LotToCPUOptions : public PassPipelineOptions<LotToCPUOptions> {
  Option<std::string> cpu{
      *this, "mcpu", llvm::cl::init("native"),
      llvm::cl::desc("target processor, as clang names it (native: this one)")};
  Option<std::string> triple{
      *this, "mtriple", llvm::cl::init(""),
      llvm::cl::desc(
          "target triple, as clang has it (default: this machine's)")};
  Option<bool> openmp{
      *this, "openmp", llvm::cl::init(true),
      llvm::cl::desc("spread batch x heads over OpenMP threads")};
};

/// Options of `lot-to-nvgpu`.
struct LotToNVGPUOptions : public PassPipelineOptions<LotToNVGPUOptions> {
  Option<std::string> chip{
      *this, "chip", llvm::cl::init("sm_90a"),
      llvm::cl::desc("GPU to compile for, as LLVM names it")};
  Option<std::string> features{
      *this, "features", llvm::cl::init("+ptx86"),
      llvm::cl::desc("features of the target, above all the version of PTX")};
  Option<int> optLevel{
      *this, "opt-level", llvm::cl::init(1),
      llvm::cl::desc("LLVM's optimisation level for kernels, 0 to 3")};
};

/// lot ops on tensors to linalg, tensor, arith, math and scf: portable, without
/// an n x m tensor, r-vectors the only loop-carried tensors.
void buildLotToLinalgPipeline(OpPassManager &pm,
                              const LotToLinalgOptions &options);

/// A module with lot ops, on tensors or memrefs, to the LLVM dialect.
void buildLotToCPUPipeline(OpPassManager &pm, const LotToCPUOptions &options);

/// A module with lot ops, on tensors or memrefs that are memory of a GPU, to
/// host code in the LLVM dialect with PTX in it, which calls lotCudaLaunch.
void buildLotToNVGPUPipeline(OpPassManager &pm,
                             const LotToNVGPUOptions &options);

/// Its two halves. The first ends in buffers, gpu.launch_func and a gpu.module
/// that has a target; the second makes PTX of kernels and runtime calls of
/// launches.
void buildGPUFrontEnd(OpPassManager &pm, const LotToNVGPUOptions &options);
void buildGPUBackend(OpPassManager &pm, const LotToNVGPUOptions &options);

/// Makes all known to pass pipelines by name.
void registerLotPipelines();

} // namespace mlir::lot

#endif // LOT_PIPELINES_PIPELINES_H
