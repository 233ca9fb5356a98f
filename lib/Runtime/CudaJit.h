//===- CudaJit.h - PTX to machine code by the driver -------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_CUDAJIT_H
#define LOT_LIB_RUNTIME_CUDAJIT_H

#include "CudaDriver.h"

namespace mlir::lot::runtime::cuda {

/// Whether device code is PTX and not a cubin.
bool isPTX(llvm::StringRef image);

/// Loads machine code into the current context.
llvm::Expected<Module> loadCubin(const Driver &driver, llvm::StringRef cubin);

/// Compiles PTX for `gpu` and loads it into the current context. The machine
/// code comes from the cache folder when an earlier process has made it.
llvm::Expected<Module> loadPTX(const Driver &driver, const GPU &gpu,
                               llvm::StringRef ptx);

} // namespace mlir::lot::runtime::cuda

#endif // LOT_LIB_RUNTIME_CUDAJIT_H
