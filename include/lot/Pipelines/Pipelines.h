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

/// lot ops on tensors to linalg, tensor, arith, math and scf: portable, without
/// an n x m tensor, r-vectors the only loop-carried tensors.
void buildLotToLinalgPipeline(OpPassManager &pm,
                              const LotToLinalgOptions &options);

/// A module with lot ops, on tensors or memrefs, to the LLVM dialect.
void buildLotToCPUPipeline(OpPassManager &pm, const LotToCPUOptions &options);

/// Makes both known to pass pipelines by name.
void registerLotPipelines();

} // namespace mlir::lot

#endif // LOT_PIPELINES_PIPELINES_H
