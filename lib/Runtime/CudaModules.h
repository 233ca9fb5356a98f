//===- CudaModules.h - Device code, loaded into contexts ---------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CUDAMODULES_H
#define LOT_LIB_RUNTIME_CUDAMODULES_H

#include "CudaDriver.h"

#include "llvm/ADT/DenseMap.h"

#include <shared_mutex>

namespace mlir::lot::runtime::cuda {

/// The device code of one piece of host code, as lot-gpu-host-to-llvm lays it
/// out: PTX or cubins, with a null address behind the last one.
struct Image {
  const char *data;
  int64_t bytes;

  llvm::StringRef getCode() const { return {data, static_cast<size_t>(bytes)}; }
};

/// The kernels that one executable has launched. They are known by the
/// addresses of their image and name in the executable's own memory, so a
/// launch costs one look into a table.
class Kernels {
public:
  /// The kernel of the `which`-th image, able to run with `sharedBytes` of
  /// dynamic shared memory. What is compiled is compiled now: with one image
  /// the others are loaded, too, all at the same time. May be called by several
  /// threads at once.
  llvm::Expected<Function> get(const Driver &driver, const GPU &gpu,
                               const Image *images, int64_t which,
                               const char *name, unsigned sharedBytes);

private:
  struct Kernel {
    Function function;
    unsigned sharedBytes;
  };
  using Key = std::pair<Context, std::pair<const void *, const void *>>;

  llvm::Expected<Kernel> load(const Driver &driver, const GPU &gpu,
                              const Image *images, int64_t which,
                              const char *name);

  std::shared_mutex mutex;
  llvm::DenseMap<Key, Kernel> table;
};

} // namespace mlir::lot::runtime::cuda

#endif // LOT_LIB_RUNTIME_CUDAMODULES_H
