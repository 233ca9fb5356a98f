//===- Models.h - External interface models of the lot ops --------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces that the ops meet through external models, so that the dialect
// itself does not depend on them.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_MODELS_MODELS_H
#define LOT_MODELS_MODELS_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mlir::lot {

/// bufferization::BufferizableOpInterface: inits become the results' buffers.
void registerBufferizationModels(DialectRegistry &registry);

/// ValueBoundsOpInterface: dims that the verifier wants equal are equal.
void registerValueBoundsModels(DialectRegistry &registry);

/// RuntimeVerifiableOpInterface: the verifier's checks on dynamic dims.
void registerRuntimeVerificationModels(DialectRegistry &registry);

/// shard::ShardingInterface: batch and heads apart, tokens with an all-reduce
/// of r-sized pairs per sweep and one of r x dv for the glue.
void registerShardingModels(DialectRegistry &registry);

/// MemoryEffectOpInterface of mpi.allreduce, which lot-shard-to-mpi makes.
void registerMPIEffectModels(DialectRegistry &registry);

/// All of them.
inline void registerAllModels(DialectRegistry &registry) {
  registerBufferizationModels(registry);
  registerValueBoundsModels(registry);
  registerRuntimeVerificationModels(registry);
  registerShardingModels(registry);
  registerMPIEffectModels(registry);
}

} // namespace mlir::lot

#endif // LOT_MODELS_MODELS_H
