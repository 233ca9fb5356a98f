//===- NpyHeader.h - The header of a .npy file ----------------*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_LIB_RUNTIME_NPYHEADER_H
#define LOT_LIB_RUNTIME_NPYHEADER_H

#include "lot/Runtime/Tensor.h"

#include "llvm/Support/Error.h"

namespace mlir::lot::runtime {

struct NpyHeader {
  DType dtype = DType::F32;
  bool bigEndian = false;
  bool fortran = false;
  llvm::SmallVector<int64_t, 4> shape;
  /// Bytes up to the first element.
  size_t length = 0;

  /// Reads it from the beginning of a file.
  static llvm::Expected<NpyHeader> parse(llvm::StringRef file);

  /// The header of a little-endian, row-major array.
  static std::string format(DType dtype, llvm::ArrayRef<int64_t> shape);
};

} // namespace mlir::lot::runtime

#endif // LOT_LIB_RUNTIME_NPYHEADER_H
