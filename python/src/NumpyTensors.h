//===- NumpyTensors.h - NumPy arrays as tensors of the runtime --*- C++ -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_PYTHON_NUMPYTENSORS_H
#define LOT_PYTHON_NUMPYTENSORS_H

#include "lot-c/Runtime.h"

#include "nanobind/nanobind.h"

#include <memory>
#include <string>
#include <vector>

namespace lot::python {

/// To be called before anything else here; throws when NumPy is missing.
void initializeNumpy();

/// The name that NumPy has for a type ("bfloat16" is ml_dtypes').
const char *getDTypeName(LotDType dtype);

/// (dtype, shape) of a type, None for a size that any call chooses.
nanobind::tuple toTuple(const LotTensorType &type);

/// The message of a failed call of the C API, which is freed.
std::string takeMessage(char *error);

/// References to NumPy arrays without copies: pointers, shapes and strides.
/// Keeps the arrays alive.
class TensorRefs {
public:
  explicit TensorRefs(size_t count);
  ~TensorRefs();
  TensorRefs(const TensorRefs &) = delete;
  TensorRefs &operator=(const TensorRefs &) = delete;

  /// Appends `array`, an argument of the type `expected`. Throws TypeError when
  /// it is no array, ValueError when memory of its kind cannot be passed.
  void push(nanobind::handle array, const LotTensorType &expected);

  const std::vector<LotTensorRef> &get() const { return refs; }

private:
  std::vector<LotTensorRef> refs;
  std::vector<std::unique_ptr<int64_t[]>> strides;
  std::vector<PyObject *> owned;
};

/// An array on the memory of `tensor`, which it owns from now on.
nanobind::object toNumpy(LotTensor tensor);

} // namespace lot::python

#endif // LOT_PYTHON_NUMPYTENSORS_H
