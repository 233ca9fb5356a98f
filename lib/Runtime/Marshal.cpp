//===- Marshal.cpp - Arguments and results as compiled code has them ------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Marshal.h"

#include "Signature.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/MathExtras.h"

#include <cstdlib>
#include <cstring>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

static int64_t asInteger(void *pointer) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(pointer));
}
static char *asPointer(int64_t integer) {
  return reinterpret_cast<char *>(static_cast<uintptr_t>(integer));
}

static std::vector<int64_t> makeDescriptor(const TensorSpec &type,
                                           const TensorRef &arg) {
  llvm::SmallVector<int64_t, 4> strides(arg.strides);
  if (strides.empty())
    strides = getRowMajorStrides(arg.shape);
  // A size of 1 (or no element at all) allows any stride, and NumPy has any;
  // code reads what the type promises.
  if (type.contiguous)
    strides = getRowMajorStrides(arg.shape);
  else
    for (auto [stride, expected] : llvm::zip(strides, type.strides))
      if (expected != kDynamic)
        stride = expected;
  void *base = static_cast<char *>(arg.data) - type.offset * getSize(arg.dtype);
  std::vector<int64_t> words = {asInteger(base), asInteger(base), type.offset};
  llvm::append_range(words, arg.shape);
  llvm::append_range(words, strides);
  return words;
}

CallFrame::CallFrame(const Signature &function, llvm::ArrayRef<TensorRef> args)
    : function(function) {
  for (auto [type, arg] : llvm::zip(function.arguments, args)) {
    if (type.scalar) {
      slots.push_back(arg.data);
      continue;
    }
    descriptors.push_back(makeDescriptor(type, arg));
    slots.push_back(descriptors.back().data());
  }
  // The results are one C struct (or one plain value, which is the same).
  size_t bytes = 0;
  for (const TensorSpec &type : function.results) {
    size_t alignment = type.scalar ? getSize(type.dtype) : sizeof(int64_t);
    size_t size = type.scalar ? getSize(type.dtype)
                              : (3 + 2 * type.getRank()) * sizeof(int64_t);
    bytes = llvm::alignTo(bytes, alignment);
    resultOffsets.push_back(bytes);
    bytes += size;
  }
  results.assign(bytes / sizeof(int64_t) + 1, 0);
  slots.push_back(results.data());
}

/// Copies a strided tensor to row-major memory.
static void gather(const char *from, llvm::ArrayRef<int64_t> shape,
                   llvm::ArrayRef<int64_t> strides, int64_t size, char *&to) {
  if (shape.empty()) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  for (int64_t i = 0; i < shape[0]; ++i)
    gather(from + i * strides[0] * size, shape.drop_front(),
           strides.drop_front(), size, to);
}

std::vector<Tensor> CallFrame::takeResults() {
  // Blocks that are not ours to keep: the arguments', and those that a result
  // has taken already. MLIR marks a global constant by 0xdeadbeef.
  llvm::SmallPtrSet<void *, 8> taken;
  taken.insert(asPointer(0xdeadbeef));
  for (const std::vector<int64_t> &descriptor : descriptors)
    taken.insert(asPointer(descriptor[0]));

  std::vector<Tensor> tensors;
  llvm::SmallPtrSet<void *, 8> copied;
  for (auto [type, offset] : llvm::zip(function.results, resultOffsets)) {
    const char *place = reinterpret_cast<const char *>(results.data()) + offset;
    int64_t size = getSize(type.dtype);
    if (type.scalar) {
      Tensor tensor(type.dtype, {});
      std::memcpy(tensor.getData(), place, size);
      tensors.push_back(std::move(tensor));
      continue;
    }
    auto *words = reinterpret_cast<const int64_t *>(place);
    llvm::ArrayRef<int64_t> shape(words + 3, type.getRank());
    llvm::ArrayRef<int64_t> strides(words + 3 + type.getRank(), type.getRank());
    char *block = asPointer(words[0]);
    char *data = asPointer(words[1]) + words[2] * size;
    if (isRowMajor(shape, strides) && taken.insert(block).second) {
      tensors.emplace_back(type.dtype, shape, data, block);
      continue;
    }
    Tensor tensor(type.dtype, shape);
    auto *to = static_cast<char *>(tensor.getData());
    if (!llvm::is_contained(shape, 0))
      gather(data, shape, strides, size, to);
    tensors.push_back(std::move(tensor));
    copied.insert(block);
  }
  for (void *block : copied)
    if (!taken.contains(block))
      free(block);
  return tensors;
}

std::vector<CudaResult> CallFrame::getCudaResults() const {
  std::vector<CudaResult> list;
  for (auto [type, offset] : llvm::zip(function.results, resultOffsets)) {
    const char *place = reinterpret_cast<const char *>(results.data()) + offset;
    CudaResult &result = list.emplace_back();
    result.dtype = type.dtype;
    result.isScalar = type.scalar;
    if (type.scalar) {
      std::memcpy(&result.scalar, place, getSize(type.dtype));
      continue;
    }
    auto *words = reinterpret_cast<const int64_t *>(place);
    result.shape.assign(words + 3, words + 3 + type.getRank());
    result.strides.assign(words + 3 + type.getRank(),
                          words + 3 + 2 * type.getRank());
    result.data = asPointer(words[1]) + words[2] * getSize(type.dtype);
  }
  return list;
}
