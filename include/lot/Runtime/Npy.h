//===- Npy.h - NumPy's file format -------------------------------*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_RUNTIME_NPY_H
#define LOT_RUNTIME_NPY_H

#include "lot/Runtime/Tensor.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <optional>

namespace mlir::lot::runtime {

/// Reads a .npy file of version 1.0, 2.0 or 3.0: floating point numbers of 16,
/// 32 and 64 bits, bfloat16 (as ml_dtypes writes it), integers and booleans, in
/// C or Fortran order, of either byte order. Errors name the file.
llvm::Expected<Tensor> readNpy(llvm::StringRef path);

/// A .npy file to come. Nobody ever sees it half-written: the data goes to a
/// temporary file in the same folder, which takes the name at the end. Without
/// a `commit` nothing stays behind.
class NpyWriter {
public:
  /// Fails at once when no file can be made there.
  static llvm::Expected<NpyWriter> create(llvm::StringRef path);
  NpyWriter(NpyWriter &&other);
  ~NpyWriter();

  /// Writes the temporary file.
  llvm::Error write(const Tensor &tensor);
  /// Gives it its name.
  llvm::Error commit();

private:
  NpyWriter(llvm::StringRef path, llvm::sys::fs::TempFile file);

  std::string path;
  std::optional<llvm::sys::fs::TempFile> file;
};

} // namespace mlir::lot::runtime

#endif // LOT_RUNTIME_NPY_H
