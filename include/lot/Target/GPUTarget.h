//===- GPUTarget.h - Numbers of the GPU pipeline ----------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TARGET_GPUTARGET_H
#define LOT_TARGET_GPUTARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSwitch.h"

namespace mlir::lot {

/// Tokens of a chunk, the work of one block, at least: four tiles of each of
/// its warps.
inline constexpr int64_t kGPUChunkTokens = 512;

/// Chunks of a pass at most: longer sequences get longer chunks.
inline constexpr int64_t kMaxGPUChunks = 64;

/// What kernels are written for.
inline constexpr int64_t kMaxGPUHeadDim = 256;
inline constexpr int64_t kMaxGPUPivots = 256;

/// Bytes of shared memory that a block of `chip` ("sm_90a") may have (CUDA C++
/// programming guide, compute capabilities).
inline int64_t getSharedMemoryLimit(llvm::StringRef chip) {
  return 1024 * llvm::StringSwitch<int64_t>(chip.rtrim("af"))
                    .Cases({"sm_90", "sm_100", "sm_101", "sm_103"}, 227)
                    .Cases({"sm_80", "sm_87"}, 163)
                    .Default(99);
}

} // namespace mlir::lot

#endif // LOT_TARGET_GPUTARGET_H
