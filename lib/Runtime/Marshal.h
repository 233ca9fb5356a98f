//===- Marshal.h - Arguments and results as compiled code has them -*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_MARSHAL_H
#define LOT_LIB_RUNTIME_MARSHAL_H

#include "lot/Runtime/Cuda.h"

#include <vector>

namespace mlir::lot::runtime {

/// The memory of one call: memref descriptors of the arguments, room for the
/// results, and the pointers to both that the entry reads.
class CallFrame {
public:
  /// The arguments have been checked.
  CallFrame(const Signature &function, llvm::ArrayRef<TensorRef> args);

  void **getSlots() { return slots.data(); }

  /// The results, after the call; once.
  std::vector<Tensor> takeResults();
  /// The results of code for CUDA: they stay where they are.
  std::vector<CudaResult> getCudaResults() const;

private:
  const Signature &function;
  /// Memref descriptors: allocated and aligned pointer, offset, sizes, strides,
  /// all of 64 bits.
  std::vector<std::vector<int64_t>> descriptors;
  std::vector<int64_t> results;
  std::vector<size_t> resultOffsets;
  std::vector<void *> slots;
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_MARSHAL_H
