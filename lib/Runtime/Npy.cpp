//===- Npy.cpp - NumPy's file format --------------------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format: numpy.lib.format. "\x93NUMPY", two bytes of version, the length
// of the header (2 bytes little-endian in version 1, 4 later), a Python dict
// literal, the elements.
//
//===----------------------------------------------------------------------===//

#include "lot/Runtime/Npy.h"

#include "NpyHeader.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>

using namespace mlir::lot;
using namespace mlir::lot::runtime;

static llvm::Error makeError(llvm::StringRef path, const llvm::Twine &what) {
  return llvm::createStringError("'" + path + "': " + what);
}

/// Copies Fortran-ordered elements (first index fastest) to row-major order.
static void transposeFromFortran(const char *from, Tensor &tensor) {
  int64_t size = getSize(tensor.getDType());
  llvm::ArrayRef<int64_t> shape = tensor.getShape();
  int64_t rank = shape.size();
  llvm::SmallVector<int64_t, 4> strides(rank), index(rank, 0);
  int64_t stride = size;
  for (int64_t dim = 0; dim < rank; ++dim) {
    strides[dim] = stride;
    stride *= shape[dim];
  }
  auto *to = static_cast<char *>(tensor.getData());
  for (int64_t count = tensor.getNumElements(); count > 0; --count) {
    std::memcpy(to, from, size);
    to += size;
    for (int64_t dim = rank - 1; dim >= 0; --dim) {
      from += strides[dim];
      if (++index[dim] < shape[dim])
        break;
      from -= strides[dim] * shape[dim];
      index[dim] = 0;
    }
  }
}

static void swapBytes(Tensor &tensor) {
  int64_t size = getSize(tensor.getDType());
  auto *bytes = static_cast<char *>(tensor.getData());
  for (int64_t i = 0, e = tensor.getNumBytes(); i < e; i += size)
    std::reverse(bytes + i, bytes + i + size);
}

llvm::Expected<Tensor> runtime::readNpy(llvm::StringRef path) {
  if (llvm::sys::fs::is_directory(path))
    return makeError(path, "expected a .npy file, got a folder");
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError(path, "cannot read: " + buffer.getError().message());
  llvm::StringRef content = (*buffer)->getBuffer();
  auto header = NpyHeader::parse(content);
  if (!header)
    return makeError(path, llvm::toString(header.takeError()));

  llvm::StringRef data = content.drop_front(header->length);
  int64_t bytes = getSize(header->dtype);
  for (int64_t size : header->shape)
    if (llvm::MulOverflow(bytes, size, bytes))
      return makeError(path, "expected fewer than 2^63 bytes, got shape " +
                                 formatShape(header->shape));
  if (static_cast<int64_t>(data.size()) < bytes)
    return makeError(path, "truncated: expected " + llvm::Twine(bytes) +
                               " bytes of data for shape " +
                               formatShape(header->shape) + ", got " +
                               llvm::Twine(data.size()));
  if (static_cast<int64_t>(data.size()) > bytes)
    return makeError(path, "expected " + llvm::Twine(bytes) +
                               " bytes of data for shape " +
                               formatShape(header->shape) + ", got " +
                               llvm::Twine(data.size()));

  Tensor tensor(header->dtype, header->shape);
  if (header->fortran && header->shape.size() > 1)
    transposeFromFortran(data.data(), tensor);
  else if (bytes > 0)
    std::memcpy(tensor.getData(), data.data(), bytes);
  if (header->bigEndian)
    swapBytes(tensor);
  return tensor;
}

NpyWriter::NpyWriter(llvm::StringRef path, llvm::sys::fs::TempFile file)
    : path(path), file(std::move(file)) {}

NpyWriter::NpyWriter(NpyWriter &&other)
    : path(std::move(other.path)), file(std::move(other.file)) {
  other.file.reset();
}

NpyWriter::~NpyWriter() {
  if (file)
    llvm::consumeError(file->discard());
}

llvm::Expected<NpyWriter> NpyWriter::create(llvm::StringRef path) {
  llvm::sys::fs::file_status status;
  bool exists = !llvm::sys::fs::status(path, status);
  if (exists && !llvm::sys::fs::is_regular_file(status))
    return makeError(path, "cannot write: expected a regular file or none");
  // The rename would not mind, but a protected file is meant to stay.
  if (exists && llvm::sys::fs::access(path, llvm::sys::fs::AccessMode::Write))
    return makeError(path, "cannot write: the file is write-protected");
  auto file = llvm::sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!file)
    return makeError(path, "cannot write: " + llvm::toString(file.takeError()));
  return NpyWriter(path, std::move(*file));
}

llvm::Error NpyWriter::write(const Tensor &tensor) {
  llvm::raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << NpyHeader::format(tensor.getDType(), tensor.getShape());
  os.write(static_cast<const char *>(tensor.getData()), tensor.getNumBytes());
  os.flush();
  if (std::error_code code = os.error()) {
    os.clear_error();
    return makeError(path, "cannot write: " + code.message());
  }
  return llvm::Error::success();
}

llvm::Error NpyWriter::commit() {
  llvm::Error error = file->keep(path);
  file.reset();
  if (error)
    return makeError(path, "cannot write: " + llvm::toString(std::move(error)));
  return llvm::Error::success();
}
