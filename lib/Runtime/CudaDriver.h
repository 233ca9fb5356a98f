//===- CudaDriver.h - The CUDA driver, loaded on demand ----------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of NVIDIA's cuda.h that is used, declared here so that no CUDA
// toolkit is needed to build. Numbers and layouts are those of the driver's
// ABI, which does not change.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CUDADRIVER_H
#define LOT_LIB_RUNTIME_CUDADRIVER_H

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace mlir::lot::runtime::cuda {

using Result = int;
using Device = int;
using Pointer = uint64_t;
using Context = struct ContextImpl *;
using Module = struct ModuleImpl *;
using Function = struct FunctionImpl *;
using Stream = struct StreamImpl *;
using Event = struct EventImpl *;
using LinkState = struct LinkStateImpl *;

enum : Result {
  kSuccess = 0,
  kOutOfMemory = 2,
  kDeinitialized = 4,
  kNoDevice = 100,
  kUnsupportedPTXVersion = 222,
};

enum DeviceAttribute : int { kMultiprocessors = 16, kMajor = 75, kMinor = 76 };

enum FunctionAttribute : int {
  kSharedBytes = 1,
  kLocalBytes = 3,
  kNumRegisters = 4,
  kMaxDynamicSharedBytes = 8,
  kNonPortableClusterSize = 14,
};

enum JitOption : int {
  kErrorLog = 5,
  kErrorLogBytes = 6,
  kOptimizationLevel = 7,
};

enum JitInput : int { kPTX = 1 };

enum LaunchAttributeID : int {
  kCooperative = 2,
  kClusterDimension = 4,
  kProgrammaticStreamSerialization = 6,
};

struct LaunchAttribute {
  LaunchAttributeID id;
  char padding[4];
  union {
    char bytes[64];
    unsigned cluster[3];
    int cooperative;
    int programmatic;
  };
};

struct LaunchConfig {
  unsigned grid[3], block[3];
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned numAttributes;
};

/// The functions of the driver. Names are the driver's; the ones of a later
/// version of the ABI have its suffix in CudaDriver.cpp.
struct Driver {
#define LOT_CUDA_FUNCTION(name, symbol, ...) Result (*name)(__VA_ARGS__);
#include "CudaFunctions.def"

  /// The CUDA version that the driver supports, 1000 * major + 10 * minor.
  int version = 0;

  /// The driver of this process, loaded and initialised at the first call. The
  /// error says what is missing.
  static llvm::Expected<const Driver *> get();

  /// An error that names the function, the code and what the driver says about
  /// it; `what` is put before it.
  llvm::Error error(Result result, llvm::StringRef function,
                    const llvm::Twine &what = "") const;
  std::string describe(Result result, llvm::StringRef function) const;
};

/// A GPU of this machine.
struct GPU {
  Device device = 0;
  /// Its primary context, kept for as long as the process lives.
  Context context = nullptr;
  int major = 0, minor = 0;
  int multiprocessors = 0;

  /// GPU number `ordinal`; one that is too old is an error.
  static llvm::Expected<const GPU *> get(int ordinal);
};

/// Makes a context the current one of this thread for as long as it lives.
class ContextScope {
public:
  ContextScope(const Driver &driver, Context context);
  ~ContextScope();
  ContextScope(const ContextScope &) = delete;

private:
  const Driver &driver;
  bool pushed = false;
};

} // namespace mlir::lot::runtime::cuda

#endif // LOT_LIB_RUNTIME_CUDADRIVER_H
