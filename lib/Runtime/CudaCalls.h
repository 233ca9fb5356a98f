//===- CudaCalls.h - Calls of host code that launches kernels ----*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CUDACALLS_H
#define LOT_LIB_RUNTIME_CUDACALLS_H

#include "CudaModules.h"
#include "Hooks.h"

#include "lot/Runtime/Cuda.h"

namespace mlir::lot::runtime {

/// Calls host code whose launches, allocations and copies go to the driver.
/// What it allocates lies in the workspace of `call`. The error is the message
/// of a failed check, or of the driver.
llvm::Error callOnDevice(EntryPoint entry, void **args, cuda::Kernels &kernels,
                         const CudaCall &call);

/// The same without a device: nothing is launched or copied. Returns the bytes
/// that the workspace of a call with these arguments needs.
llvm::Expected<int64_t> measureWorkspace(EntryPoint entry, void **args);

/// Symbols of the runtime for host code.
llvm::ArrayRef<std::pair<const char *, void *>> getCudaHooks();

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_CUDACALLS_H
