//===- CPUPipeline.cpp - lot-to-cpu ---------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Conversion/Passes.h"
#include "lot/Pipelines/Pipelines.h"
#include "lot/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::lot;

/// Tensors to buffers. lot.attention stays whole: its form on buffers is what
/// the head passes take.
static void addBufferization(OpPassManager &pm) {
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  bufferization::BufferDeallocationPipelineOptions deallocate;
  bufferization::buildBufferDeallocationPipeline(pm, deallocate);
  pm.addPass(createConvertBufferizationToMemRefPass());
}

/// scf, vector, arith, math, memref and func to the LLVM dialect.
static void addLoweringToLLVM(OpPassManager &pm, bool openmp) {
  pm.addPass(createLotExpandCopies());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (openmp) {
    pm.addPass(createConvertSCFToOpenMPPass());
    // Folds the alloca scopes that the conversion leaves.
    pm.addPass(createCanonicalizerPass());
  } else {
    // Without threads a parallel loop is a sequential one.
    pm.addPass(createSCFToControlFlowPass());
  }
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createLotExpandArith());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertToLLVMPass());
  if (openmp)
    pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void lot::buildLotToCPUPipeline(OpPassManager &pm,
                                const LotToCPUOptions &options) {
  // Work without mass becomes a fill and default operands are dropped before
  // anything is specialised on them.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createLotSelectSchedule({options.cpu, options.triple}));
  // The formulas on score tensors go through linalg; lot.attention stays whole.
  LotDecomposeOpsOptions formulas;
  for (const char *name :
       {"pivot_solve", "sweep", "plan", "glue", "pivot_solve_vjp", "sweep_vjp",
        "plan_vjp", "glue_vjp"})
    formulas.ops.push_back(name);
  pm.addPass(createLotExpandSolve());
  pm.addPass(createLotDecomposeOps(formulas));
  // Gradients that nobody asks for, of the sweeps in a solve's loop.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  addBufferization(pm);
  pm.addPass(createLotExpandHeads({options.openmp}));
  pm.addPass(createConvertLotHeadToVector());
  LotCheckLoweredOptions check;
  check.pipeline = "lot-to-cpu";
  pm.addPass(createLotCheckLowered(check));
  pm.addPass(createLotExpandExp2());
  addLoweringToLLVM(pm, options.openmp);
}
