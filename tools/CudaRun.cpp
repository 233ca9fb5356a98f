//===- CudaRun.cpp - A call of a function on a GPU ------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaRun.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

llvm::Expected<CudaRun> CudaRun::create(const Executable &executable,
                                        const Signature &function,
                                        llvm::ArrayRef<Tensor> args,
                                        int device) {
  CudaRun run(executable, function);
  run.call.device = device;
  for (auto [type, tensor] : llvm::zip(function.arguments, args)) {
    TensorRef ref = tensor.ref();
    // Plain numbers are read by the host.
    if (!type.scalar) {
      auto buffer = CudaBuffer::allocate(device, tensor.getNumBytes());
      if (!buffer)
        return buffer.takeError();
      if (auto error = buffer->copyFrom(tensor.getData()))
        return std::move(error);
      ref.data = buffer->getData();
      run.buffers.push_back(std::move(*buffer));
    }
    run.args.push_back(ref);
  }
  auto bytes = executable.getWorkspaceBytes(function, run.args);
  if (!bytes)
    return bytes.takeError();
  auto workspace = CudaBuffer::allocate(device, *bytes);
  if (!workspace)
    return workspace.takeError();
  run.workspace = std::move(*workspace);
  run.call.workspace = run.workspace.getData();
  run.call.workspaceBytes = *bytes;
  return run;
}

llvm::Expected<std::vector<Tensor>> CudaRun::invoke() {
  auto results = executable->invokeOnCuda(*function, args, call);
  if (!results)
    return results.takeError();
  // Also where there is no result to wait for: a kernel may have failed.
  if (auto error = synchronize(call))
    return std::move(error);
  std::vector<Tensor> tensors;
  for (const CudaResult &result : *results) {
    auto tensor = copyToHost(call, result);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

llvm::Expected<CudaRun::Times> CudaRun::measure() {
  auto now = [] {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
  };
  auto timer = CudaTimer::create(call);
  if (!timer)
    return timer.takeError();
  Times times = {};
  double start = now();
  auto results = executable->invokeOnCuda(*function, args, call);
  times.host = now() - start;
  if (!results)
    return results.takeError();
  auto seconds = timer->stop();
  if (!seconds)
    return seconds.takeError();
  times.device = *seconds;
  return times;
}
