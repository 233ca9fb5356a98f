//===- CudaCalls.cpp - Calls of host code that launches kernels -----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions that host code calls find their device, stream and workspace in
// a variable of the thread. A failure leaves the host code as a failed check
// does (Hooks.cpp): what such a function has on its stack must be gone by then.
//
//===----------------------------------------------------------------------===//

#include "CudaCalls.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir::lot;
using namespace mlir::lot::runtime;
using namespace mlir::lot::runtime::cuda;

/// What every allocation is aligned to; cuMemAlloc does the same.
static constexpr int64_t kAlignment = 256;

namespace {
/// One call of host code.
struct Call {
  const Driver *driver = nullptr; ///< null: only measures the workspace
  const GPU *gpu = nullptr;
  Kernels *kernels = nullptr;
  Stream stream = nullptr;
  char *base = nullptr;
  int64_t size = std::numeric_limits<int64_t>::max();
  int64_t used = 0, peak = 0;
  bool exhausted = false;
  /// Where the blocks that lie there begin, and whether they are freed.
  llvm::SmallVector<std::pair<int64_t, bool>, 16> blocks;
};

/// The arguments of lotCudaLaunch.
struct Launch {
  const Image *images;
  int64_t which; ///< of the images
  const char *name;
  int64_t grid[3], block[3], cluster[3];
  int64_t sharedBytes;
  bool cooperative, overlap;
  void **arguments;
};
} // namespace

static thread_local Call *currentCall = nullptr;

/// Takes the next bytes of the workspace; null when it is too small.
static void *takeBytes(Call &call, int64_t bytes) {
  int64_t end;
  if (bytes < 0 || llvm::AddOverflow(call.used, bytes, end) ||
      end > std::numeric_limits<int64_t>::max() - kAlignment)
    end = std::numeric_limits<int64_t>::max() - kAlignment;
  void *block = call.base + call.used;
  call.blocks.emplace_back(call.used, false);
  call.used = llvm::alignTo(end, kAlignment);
  call.peak = std::max(call.peak, call.used);
  // Without the padding behind the last block.
  call.exhausted |= end > call.size;
  return call.exhausted ? nullptr : block;
}

static std::string checkSizes(const Launch &launch) {
  constexpr int64_t limits[] = {std::numeric_limits<int32_t>::max(), 65535,
                                65535};
  for (int i = 0; i < 3; ++i)
    if (launch.grid[i] < 0 || launch.grid[i] > limits[i])
      return "expected at most " + std::to_string(limits[i]) +
             " blocks in dimension " + std::to_string(i) + ", got " +
             std::to_string(launch.grid[i]);
  for (int64_t size : launch.block)
    if (size < 1 || size > 1024)
      return "expected 1 to 1024 threads in each dimension, got " +
             std::to_string(size);
  if (launch.sharedBytes < 0 ||
      launch.sharedBytes > std::numeric_limits<int32_t>::max())
    return "expected less than 2^31 bytes of shared memory, got " +
           std::to_string(launch.sharedBytes);
  return "";
}

/// Puts a kernel into the stream; returns what went wrong.
static std::string launch(const Call &call, const Launch &launch) {
  std::string where = "launch of kernel '" + std::string(launch.name) + "': ";
  if (std::string problem = checkSizes(launch); !problem.empty())
    return where + problem;
  auto function =
      call.kernels->get(*call.driver, *call.gpu, launch.images, launch.which,
                        launch.name, static_cast<unsigned>(launch.sharedBytes));
  if (!function)
    return llvm::toString(function.takeError());
  LaunchConfig config = {};
  LaunchAttribute attributes[3] = {};
  for (int i = 0; i < 3; ++i) {
    config.grid[i] = static_cast<unsigned>(launch.grid[i]);
    config.block[i] = static_cast<unsigned>(launch.block[i]);
  }
  config.sharedBytes = static_cast<unsigned>(launch.sharedBytes);
  config.stream = call.stream;
  config.attributes = attributes;
  if (launch.cluster[0] > 0) {
    LaunchAttribute &attribute = attributes[config.numAttributes++];
    attribute.id = kClusterDimension;
    for (int i = 0; i < 3; ++i)
      attribute.cluster[i] = static_cast<unsigned>(launch.cluster[i]);
  }
  if (launch.cooperative) {
    LaunchAttribute &attribute = attributes[config.numAttributes++];
    attribute.id = kCooperative;
    attribute.cooperative = 1;
  }
  // Older GPUs start a kernel when those before it have ended.
  if (launch.overlap && call.gpu->major >= 9) {
    LaunchAttribute &attribute = attributes[config.numAttributes++];
    attribute.id = kProgrammaticStreamSerialization;
    attribute.programmatic = 1;
  }
  if (Result result = call.driver->launchKernelEx(&config, *function,
                                                  launch.arguments, nullptr))
    return where + call.driver->describe(result, "cuLaunchKernelEx");
  return "";
}

//===----------------------------------------------------------------------===//
// What host code calls
//===----------------------------------------------------------------------===//

/// Leaves the host code when there is a message to give.
static void leaveOn(std::string &&problem) {
  if (problem.empty())
    return;
  keepMessage(problem.c_str());
  std::string().swap(problem); // nothing that the jump would lose
  leaveCall();
}

static void *allocateOnDevice(int64_t bytes) {
  void *block = takeBytes(*currentCall, bytes);
  if (!block)
    leaveOn(std::string("no room")); // callOnDevice says how much is missing
  return block;
}

static void freeOnDevice(void *block) {
  // Work in a stream is done in order, so what comes next may use the memory of
  // the last block; others wait for those behind them.
  Call &call = *currentCall;
  int64_t begin = static_cast<char *>(block) - call.base;
  for (auto &[start, freed] : llvm::reverse(call.blocks))
    if (start == begin && !freed) {
      freed = true;
      break;
    }
  while (!call.blocks.empty() && call.blocks.back().second)
    call.used = call.blocks.pop_back_val().first;
}

/// 0 where only the workspace is measured: its size does not depend on it.
static int64_t countMultiprocessorsOfDevice() {
  return currentCall->gpu ? currentCall->gpu->multiprocessors : 0;
}

static void copyOnDevice(void *target, void *source, int64_t bytes) {
  Call &call = *currentCall;
  if (!call.driver || bytes == 0 || target == source)
    return;
  if (Result result = call.driver->memcpyDtoDAsync(
          reinterpret_cast<Pointer>(target), reinterpret_cast<Pointer>(source),
          bytes, call.stream))
    leaveOn(call.driver->describe(result, "cuMemcpyDtoDAsync"));
}

static void launchOnDevice(const Image *images, int64_t which, const char *name,
                           int64_t gridX, int64_t gridY, int64_t gridZ,
                           int64_t blockX, int64_t blockY, int64_t blockZ,
                           int64_t clusterX, int64_t clusterY, int64_t clusterZ,
                           int64_t sharedBytes, int64_t flags, void **arguments,
                           int64_t) {
  const Call &call = *currentCall;
  // Nothing to do is no error, as it is for a loop.
  if (!call.driver || gridX == 0 || gridY == 0 || gridZ == 0)
    return;
  leaveOn(launch(call, {images,
                        which,
                        name,
                        {gridX, gridY, gridZ},
                        {blockX, blockY, blockZ},
                        {clusterX, clusterY, clusterZ},
                        sharedBytes,
                        (flags & 1) != 0,
                        (flags & 2) != 0,
                        arguments}));
}

llvm::ArrayRef<std::pair<const char *, void *>> runtime::getCudaHooks() {
  static const std::pair<const char *, void *> hooks[] = {
      {"lotCudaAlloc", reinterpret_cast<void *>(&allocateOnDevice)},
      {"lotCudaFree", reinterpret_cast<void *>(&freeOnDevice)},
      {"lotCudaCountMultiprocessors",
       reinterpret_cast<void *>(&countMultiprocessorsOfDevice)},
      {"lotCudaCopy", reinterpret_cast<void *>(&copyOnDevice)},
      {"lotCudaLaunch", reinterpret_cast<void *>(&launchOnDevice)},
  };
  return hooks;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Runs host code within `call`; false leaves what failed in `message`.
static bool runWithin(Call &call, EntryPoint entry, void **args,
                      std::string &message) {
  Call *outer = std::exchange(currentCall, &call);
  bool completed = callGuarded(entry, args, message);
  currentCall = outer;
  return completed;
}

llvm::Expected<int64_t> runtime::measureWorkspace(EntryPoint entry,
                                                  void **args) {
  Call call;
  // Never looked at; a pointer that passes checks of alignment.
  call.base = reinterpret_cast<char *>(kAlignment * 4096);
  std::string message;
  if (!runWithin(call, entry, args, message))
    return llvm::createStringError(message);
  return call.peak;
}

llvm::Error runtime::callOnDevice(EntryPoint entry, void **args,
                                  Kernels &kernels, const CudaCall &options) {
  auto driver = Driver::get();
  if (!driver)
    return driver.takeError();
  auto gpu = GPU::get(options.device);
  if (!gpu)
    return gpu.takeError();
  if (reinterpret_cast<uintptr_t>(options.workspace) % kAlignment)
    return llvm::createStringError(
        "workspace: expected an address aligned to %d bytes, got one that is "
        "%d bytes off",
        int(kAlignment),
        int(reinterpret_cast<uintptr_t>(options.workspace) % kAlignment));
  Call call;
  call.driver = *driver;
  call.gpu = *gpu;
  call.kernels = &kernels;
  call.stream = static_cast<Stream>(options.stream);
  call.base = static_cast<char *>(options.workspace);
  call.size = options.workspace ? options.workspaceBytes : 0;
  ContextScope scope(**driver, (*gpu)->context);
  std::string message;
  if (runWithin(call, entry, args, message))
    return llvm::Error::success();
  if (!call.exhausted)
    return llvm::createStringError(message);
  auto needed = measureWorkspace(entry, args);
  if (!needed)
    return needed.takeError();
  return llvm::createStringError(
      "workspace: expected at least %lld bytes, got %lld",
      static_cast<long long>(*needed), static_cast<long long>(call.size));
}
