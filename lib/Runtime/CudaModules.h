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

/// Loads device code (PTX or a cubin) into the context of `gpu`, the current
/// one. Code that is there already is not loaded again, and none is ever
/// unloaded: a captured graph may hold its kernels for as long as it likes.
/// What the driver makes of PTX is kept in the cache folder.
llvm::Expected<Module> loadModule(const Driver &driver, const GPU &gpu,
                                  llvm::StringRef image);

/// The kernels that one executable has launched. They are known by the
/// addresses of their image and name in the executable's own memory, so a
/// launch costs one look into a table.
class Kernels {
public:
  /// The kernel, able to run with `sharedBytes` of dynamic shared memory. May
  /// be called by several threads at once.
  llvm::Expected<Function> get(const Driver &driver, const GPU &gpu,
                               llvm::StringRef image, const char *name,
                               unsigned sharedBytes);

private:
  struct Kernel {
    Function function;
    unsigned sharedBytes;
  };
  using Key = std::pair<Context, std::pair<const void *, const void *>>;

  llvm::Expected<Kernel> load(const Driver &driver, const GPU &gpu,
                              llvm::StringRef image, const char *name);

  std::shared_mutex mutex;
  llvm::DenseMap<Key, Kernel> table;
};

} // namespace mlir::lot::runtime::cuda

#endif // LOT_LIB_RUNTIME_CUDAMODULES_H
