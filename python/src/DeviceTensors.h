//===- DeviceTensors.h - Device memory as tensors of the runtime -*- C++
//-*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_PYTHON_DEVICETENSORS_H
#define LOT_PYTHON_DEVICETENSORS_H

#include "lot-c/Runtime.h"

#include "nanobind/nanobind.h"

#include <deque>
#include <vector>

namespace lot::python {

/// References to memory of a GPU that Python describes by tuples (address,
/// dtype name, shape, strides in elements). The memory is the caller's.
class DeviceTensors {
public:
  /// Throws TypeError or ValueError for what is no such tuple.
  explicit DeviceTensors(nanobind::handle tensors);

  const std::vector<LotTensorRef> &get() const { return refs; }

private:
  void push(nanobind::handle tensor);
  const int64_t *keep(nanobind::handle numbers, size_t &count);

  std::vector<LotTensorRef> refs;
  std::deque<std::vector<int64_t>> numbers;
};

/// Calls a function of code for CUDA. `allocate(bytes)` returns the address of
/// device memory; what it raises comes out.
void invokeOnCuda(LotExecutable executable, intptr_t function,
                  nanobind::handle tensors, int device, uintptr_t stream,
                  nanobind::handle allocate);

/// The bytes that such a call asks `allocate` for.
int64_t getWorkspaceBytes(LotExecutable executable, intptr_t function,
                          nanobind::handle tensors);

/// Adds what there is to ask of GPUs to the module.
void bindCuda(nanobind::module_ &m);

} // namespace lot::python

#endif // LOT_PYTHON_DEVICETENSORS_H
