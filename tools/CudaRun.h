//===- CudaRun.h - A call of a function on a GPU -----------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TOOLS_CUDARUN_H
#define LOT_TOOLS_CUDARUN_H

#include "lot/Runtime/Executable.h"

namespace mlir::lot {

/// The device memory of a function's arguments and of what it allocates.
class CudaRun {
public:
  /// Copies the arguments to the device.
  static llvm::Expected<CudaRun> create(const runtime::Executable &executable,
                                        const runtime::Signature &function,
                                        llvm::ArrayRef<runtime::Tensor> args,
                                        int device);

  /// Calls the function and copies its results to the host.
  llvm::Expected<std::vector<runtime::Tensor>> invoke();

  /// Seconds of one call: on the device, and of the host to get it there.
  struct Times {
    double device, host;
  };
  llvm::Expected<Times> measure();

private:
  CudaRun(const runtime::Executable &executable,
          const runtime::Signature &function)
      : executable(&executable), function(&function) {}

  const runtime::Executable *executable;
  const runtime::Signature *function;
  std::vector<runtime::CudaBuffer> buffers;
  std::vector<runtime::TensorRef> args;
  runtime::CudaBuffer workspace;
  runtime::CudaCall call;
};

} // namespace mlir::lot

#endif // LOT_TOOLS_CUDARUN_H
