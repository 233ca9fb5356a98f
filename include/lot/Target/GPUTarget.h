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
#include "llvm/Support/MathExtras.h"

namespace mlir::lot {

/// Tokens of a chunk, the work of one block, at least: eight tiles of each of
/// its warps.
inline constexpr int64_t kGPUChunkTokens = 1024;

/// Chunks of a pass at most: longer sequences get longer chunks.
inline constexpr int64_t kMaxGPUChunks = 64;

/// What kernels are written for.
inline constexpr int64_t kMaxGPUHeadDim = 256;
inline constexpr int64_t kMaxGPUPivots = 256;

/// Unit attributes of a gpu.launch_func: a cooperative launch; one that may
/// begin before the kernels before it in the stream have ended.
inline constexpr llvm::StringLiteral kCooperativeAttrName = "lot.cooperative";
inline constexpr llvm::StringLiteral kOverlapAttrName = "lot.overlap";

/// A GPU as far as kernels depend on it.
struct GPUTarget {
  /// `chip` as nvcc names it: "sm_90a".
  explicit GPUTarget(llvm::StringRef chip) : warpgroups(chip == "sm_90a") {
    chip = chip.rtrim("af");
    // CUDA C++ programming guide, compute capabilities.
    sharedMemory = 1024 * llvm::StringSwitch<int64_t>(chip)
                              .Cases({"sm_90", "sm_100", "sm_103"}, 227)
                              .Cases({"sm_80", "sm_87"}, 163)
                              .Default(99);
    overlaps = clusters =
        chip == "sm_90" || chip == "sm_100" || chip == "sm_103";
  }

  int64_t sharedMemory; ///< bytes that a block may have
  bool clusters;        ///< launches clusters of up to 16 blocks
  bool overlaps;        ///< has griddepcontrol
  bool warpgroups;      ///< has wgmma
};

/// How many values the residuals of lot.attention have: a multiple of the query
/// heads and one of the pivot heads of all batch entries. A function of the
/// operands' sizes, whatever the GPU.
struct GPUResiduals {
  GPUResiduals(int64_t numPivots, int64_t valueDim, int64_t halfSteps,
               bool rowSum)
      : pivots(llvm::alignTo(numPivots, 16)),
        columns(llvm::alignTo(valueDim, 32)), states((halfSteps + 1) / 2 + 1),
        rowSum(rowSum) {}

  int64_t pivots, columns; ///< of R2 V, rounded up
  int64_t states; ///< pivot potentials of a side: the start, then each sweep
  bool rowSum;    ///< R2 1, too

  int64_t perQueryHead() const { return states * pivots; }
  int64_t perPivotHead() const {
    return (states + columns + (rowSum ? 1 : 0)) * pivots;
  }
};

} // namespace mlir::lot

#endif // LOT_TARGET_GPUTARGET_H
