//===- GPUTarget.h - Numbers of the GPU pipeline ----------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TARGET_GPUTARGET_H
#define LOT_TARGET_GPUTARGET_H

#include <cstdint>

namespace mlir::lot {

/// Tokens of a chunk, the work of one block, at least: four tiles of each of
/// its warps.
inline constexpr int64_t kGPUChunkTokens = 512;

/// Chunks of a pass at most: longer sequences get longer chunks.
inline constexpr int64_t kMaxGPUChunks = 64;

/// What kernels are written for.
inline constexpr int64_t kMaxGPUHeadDim = 256;
inline constexpr int64_t kMaxGPUPivots = 256;

} // namespace mlir::lot

#endif // LOT_TARGET_GPUTARGET_H
