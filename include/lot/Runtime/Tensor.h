//===- Tensor.h - Tensors at the border of compiled code ---------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What goes into a compiled function and comes out of it, in plain C++: no MLIR
// header is needed to use it.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_RUNTIME_TENSOR_H
#define LOT_RUNTIME_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace mlir::lot::runtime {

/// Element types of tensors. Integers are signless, I1 takes one byte.
enum class DType : uint8_t {
  F16,
  BF16,
  F32,
  F64,
  I1,
  I8,
  I16,
  I32,
  I64,
  Index
};

/// The name MLIR has for it: f32, i8, index, ...
llvm::StringRef getName(DType dtype);
/// Bytes of one element.
int64_t getSize(DType dtype);

/// Stands for a size or a stride that is known only when the function is
/// called.
constexpr int64_t kDynamic = INT64_MIN;

/// What a function expects of one argument, or promises of one result.
struct TensorSpec {
  DType dtype = DType::F32;
  /// Sizes, kDynamic where any size is taken.
  llvm::SmallVector<int64_t, 4> shape;
  /// Strides in elements, kDynamic where any stride is taken. Without a value:
  /// row-major without gaps.
  bool contiguous = true;
  llvm::SmallVector<int64_t, 4> strides;
  /// Elements between the base pointer and the first element (static, or 0).
  int64_t offset = 0;
  /// A plain number (`f32` and not `tensor<f32>`); passed as a rank-0 tensor.
  bool scalar = false;
  /// A memref and not a tensor.
  bool buffer = false;
  /// A memref that the function may write to.
  bool writable = false;

  int64_t getRank() const { return shape.size(); }
  /// As it reads in IR: tensor<?x64xf32>, memref<4xf32, strided<[?]>>, f32.
  std::string str() const;
};

/// The arguments and results of a function.
struct Signature {
  std::string name;
  std::vector<TensorSpec> arguments;
  std::vector<TensorSpec> results;
};

/// Memory that belongs to the caller. Strides count elements; none means
/// row-major without gaps.
struct TensorRef {
  void *data = nullptr;
  DType dtype = DType::F32;
  llvm::ArrayRef<int64_t> shape;
  llvm::ArrayRef<int64_t> strides;
};

/// A row-major tensor that owns its memory.
class Tensor {
public:
  Tensor() = default;
  /// Uninitialised memory, aligned to 64 bytes. Aborts when there is none.
  Tensor(DType dtype, llvm::ArrayRef<int64_t> shape);
  /// Takes over `data`, which lies in the malloc block `block`.
  Tensor(DType dtype, llvm::ArrayRef<int64_t> shape, void *data, void *block);

  DType getDType() const { return dtype; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getNumElements() const;
  int64_t getNumBytes() const { return getNumElements() * getSize(dtype); }
  void *getData() const { return data; }
  TensorRef ref() const { return {data, dtype, shape, {}}; }

private:
  struct Free {
    void operator()(void *block) const { free(block); }
  };
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  void *data = nullptr;
  std::unique_ptr<void, Free> block;
};

/// `shape` as 2x3x4, ? where dynamic, "scalar" for rank 0.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

} // namespace mlir::lot::runtime

#endif // LOT_RUNTIME_TENSOR_H
