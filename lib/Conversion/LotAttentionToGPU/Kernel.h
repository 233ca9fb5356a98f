//===- Kernel.h - One kernel and its launch ---------------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNEL_H
#define LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNEL_H

#include "KernelBuilder.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::lot {

/// How a kernel runs beside those before and after it in its stream. `Later`
/// waits for those before where the kernel says so (waitForEarlier), which has
/// to be before it looks at what they write, and before it writes anything.
enum class Overlap { None, WithNext, WithBoth, WithBothLater };

/// Builds a gpu.func. Values of the host come in by `use`, which makes them
/// arguments; `launch` ends the function and calls it.
class Kernel : public KernelBuilder {
public:
  Kernel(gpu::GPUModuleOp module, StringRef name, Location loc, int64_t threads,
         int64_t sharedLimit, Overlap overlap = Overlap::None);

  /// The argument that stands for a value of the host.
  Value use(Value host);
  /// Launches `blocks` blocks. Once, at the end.
  void launch(ImplicitLocOpBuilder &host, Value blocks);
  /// Launches teams of `size` blocks for so many problems.
  void launchTeams(ImplicitLocOpBuilder &host, Value problems, Value size);
  /// Where the host's `condition` is true, blocks have half as many threads.
  void halveIf(Value condition);
  /// Where teams of blocks as clusters would take more rounds, for those need
  /// neighbours, a cooperative launch has as many teams as the GPU has room
  /// for, each of which takes one problem after the other. `problems`: all,
  /// `size`: blocks of a team, `multiprocessors`: of the GPU.
  void spreadTeams(ImplicitLocOpBuilder &host, Value problems, Value size,
                   Value multiprocessors);
  /// The most blocks of a launch that is spread.
  static constexpr int64_t kMostSpread = 1024;
  /// Emits `body` for the team's problems; `carried` goes from one to the next.
  void forProblems(Value problems, Value carried,
                   function_ref<Value(Value problem, Value carried)> body);
  /// Bounds registers so that so many blocks fit on a multiprocessor.
  void setBlocksPerMultiprocessor(int64_t count);

  /// [count] of each thread's own memory, for what is indexed by values.
  Value allocateLocal(int64_t count, Type element);

  /// The most that a block has.
  int64_t getThreads() const { return threads; }
  int64_t getWarps() const { return threads / kWarp; }
  int64_t getLeastThreads() const { return half ? threads / 2 : threads; }
  /// What it has.
  Value threadCount();
  Value warpCount();
  /// Whether teams are spread; null: never.
  Value isSpread() { return use(spread); }
  /// The team of the block, a cluster if it is not spread; the block's place
  /// in it, and its size.
  Value team();
  Value teamRank();
  Value teamSize();
  /// part(0) + part(1) + ... of all warps, always in the same order.
  Value sumWarps(function_ref<Value(int64_t warp)> part);

  SharedMemory shared;

private:
  void launch(ImplicitLocOpBuilder &host, gpu::KernelDim3 grid,
              std::optional<gpu::KernelDim3> cluster, bool cooperative);
  void finish();

  gpu::GPUFuncOp func;
  int64_t threads;
  Overlap overlap;
  Value half, spread; ///< of the host
  Value spreadCount;  ///< teams of a spread launch
  int64_t blocksPerMultiprocessor = 1;
  /// Blocks of all threads and of half of them that a multiprocessor has.
  arith::ConstantOp wholeFit, halfFit;
  llvm::MapVector<Value, Value> arguments;
};

} // namespace mlir::lot

#endif // LOT_LIB_CONVERSION_LOTATTENTIONTOGPU_KERNEL_H
