//===- Cuda.h - Devices, memory and calls of code for CUDA -------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CUDA driver is loaded when it is first needed: all of this builds and
// everything else works on a machine without one, where these functions return
// an error.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_RUNTIME_CUDA_H
#define LOT_RUNTIME_CUDA_H

#include "lot/Runtime/Tensor.h"

#include "llvm/Support/Error.h"

#include <utility>

namespace mlir::lot::runtime {

/// Where and with what memory a call of code for CUDA runs.
struct CudaCall {
  /// The driver's number of the GPU. Its primary context is used, which is the
  /// one of the CUDA runtime and so of every framework.
  int device = 0;
  /// A CUstream; null: the default stream.
  void *stream = nullptr;
  /// Device memory for what the function allocates, aligned to 256 bytes.
  void *workspace = nullptr;
  int64_t workspaceBytes = 0;
};

/// A result of a call: device memory in the workspace or of an argument, or a
/// number in `scalar`.
struct CudaResult {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape, strides;
  void *data = nullptr;
  bool isScalar = false;
  int64_t scalar = 0;
};

/// The architecture of a GPU as LLVM names it: sm_90a for compute capability
/// 9.0, else sm_XX. GPUs before sm_80 are an error.
llvm::Expected<std::string> getCudaChip(int device);

/// Whether `chip` is a name that LLVM has code for and this project supports.
llvm::Error checkCudaChip(llvm::StringRef chip);

/// The name of a GPU: "NVIDIA H100 80GB HBM3".
llvm::Expected<std::string> getCudaName(int device);

/// Memory of a GPU, freed with the object.
class CudaBuffer {
public:
  CudaBuffer() = default;
  static llvm::Expected<CudaBuffer> allocate(int device, int64_t bytes);
  CudaBuffer(CudaBuffer &&other) { *this = std::move(other); }
  CudaBuffer &operator=(CudaBuffer &&other);
  ~CudaBuffer();

  void *getData() const { return data; }
  int64_t getNumBytes() const { return bytes; }
  llvm::Error copyFrom(const void *host);

private:
  int device = 0;
  void *data = nullptr;
  int64_t bytes = 0;
};

/// Copies a result to the host, after everything before it in the stream.
llvm::Expected<Tensor> copyToHost(const CudaCall &call,
                                  const CudaResult &result);

/// Waits for everything in the stream of `call`; errors of kernels come out.
llvm::Error synchronize(const CudaCall &call);

/// The time that a stream takes from here to `stop`.
class CudaTimer {
public:
  static llvm::Expected<CudaTimer> create(const CudaCall &call);
  CudaTimer(CudaTimer &&other)
      : call(other.call), begin(std::exchange(other.begin, nullptr)),
        end(std::exchange(other.end, nullptr)) {}
  CudaTimer &operator=(CudaTimer &&) = delete;
  ~CudaTimer();

  /// Seconds, once the stream has got here.
  llvm::Expected<double> stop();

private:
  explicit CudaTimer(const CudaCall &call) : call(call) {}

  CudaCall call;
  void *begin = nullptr, *end = nullptr;
};

} // namespace mlir::lot::runtime

#endif // LOT_RUNTIME_CUDA_H
