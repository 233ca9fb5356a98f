//===- Tensor.cpp - Tensors at the border of compiled code ----------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lot/Runtime/Tensor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

llvm::StringRef runtime::getName(DType dtype) {
  switch (dtype) {
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  case DType::F32:
    return "f32";
  case DType::F64:
    return "f64";
  case DType::I1:
    return "i1";
  case DType::I8:
    return "i8";
  case DType::I16:
    return "i16";
  case DType::I32:
    return "i32";
  case DType::I64:
    return "i64";
  case DType::Index:
    return "index";
  }
  llvm_unreachable("unknown element type");
}

int64_t runtime::getSize(DType dtype) {
  switch (dtype) {
  case DType::I1:
  case DType::I8:
    return 1;
  case DType::F16:
  case DType::BF16:
  case DType::I16:
    return 2;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F64:
  case DType::I64:
  case DType::Index:
    return 8;
  }
  llvm_unreachable("unknown element type");
}

static std::string formatSize(int64_t size) {
  return size == kDynamic ? "?" : std::to_string(size);
}

std::string runtime::formatShape(llvm::ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  return llvm::join(llvm::map_range(shape, formatSize), "x");
}

std::string TensorSpec::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (scalar) {
    os << getName(dtype);
    return text;
  }
  os << (buffer ? "memref<" : "tensor<");
  for (int64_t size : shape)
    os << formatSize(size) << "x";
  os << getName(dtype);
  if (!contiguous) {
    os << ", strided<[";
    llvm::interleaveComma(strides, os,
                          [&](int64_t stride) { os << formatSize(stride); });
    os << "]>";
  }
  os << ">";
  return text;
}

int64_t Tensor::getNumElements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

Tensor::Tensor(DType dtype, llvm::ArrayRef<int64_t> shape)
    : dtype(dtype), shape(shape) {
  constexpr size_t alignment = 64;
  // aligned_alloc wants a multiple of the alignment.
  size_t bytes = (getNumBytes() + alignment) / alignment * alignment;
  data = std::aligned_alloc(alignment, bytes);
  if (!data)
    llvm::report_bad_alloc_error("out of memory for a tensor");
  block.reset(data);
}

Tensor::Tensor(DType dtype, llvm::ArrayRef<int64_t> shape, void *data,
               void *block)
    : dtype(dtype), shape(shape), data(data), block(block) {}
