//===- DeviceTensors.cpp - Device memory as tensors of the runtime --------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTensors.h"

#include "NumpyTensors.h"

#include "nanobind/stl/pair.h"
#include "nanobind/stl/string.h"

#include <cstring>
#include <optional>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;
using namespace lot::python;

namespace {

[[noreturn]] void refuse(size_t position, const std::string &why) {
  throw nb::value_error(
      ("argument #" + std::to_string(position) + ": " + why).c_str());
}

std::optional<LotDType> getDType(const char *name) {
  static const std::pair<const char *, LotDType> types[] = {
      {"float32", LotDTypeF32},   {"float16", LotDTypeF16},
      {"bfloat16", LotDTypeBF16}, {"float64", LotDTypeF64},
      {"bool", LotDTypeI1},       {"int8", LotDTypeI8},
      {"int16", LotDTypeI16},     {"int32", LotDTypeI32},
      {"int64", LotDTypeI64}};
  for (auto [known, dtype] : types)
    if (std::strcmp(name, known) == 0)
      return dtype;
  return std::nullopt;
}

/// Python's memory for one call.
struct Allocator {
  nb::handle function;
  std::optional<nb::python_error> error;

  static void *allocate(int64_t bytes, void *user) {
    auto &self = *static_cast<Allocator *>(user);
    nb::gil_scoped_acquire locked;
    try {
      nb::object address = self.function(bytes);
      void *pointer = PyLong_AsVoidPtr(address.ptr());
      if (!pointer && PyErr_Occurred())
        throw nb::python_error();
      return pointer;
    } catch (nb::python_error &raised) {
      self.error.emplace(raised);
      return nullptr;
    }
  }
};

} // namespace

const int64_t *DeviceTensors::keep(nb::handle sequence, size_t &count) {
  nb::object list = nb::steal(
      PySequence_Fast(sequence.ptr(), "expected a sequence of integers"));
  if (!list.is_valid())
    throw nb::python_error();
  std::vector<int64_t> &values = numbers.emplace_back();
  count = PySequence_Fast_GET_SIZE(list.ptr());
  values.reserve(count + 1); // an address also where there is none
  for (size_t i = 0; i < count; ++i) {
    values.push_back(
        PyLong_AsLongLong(PySequence_Fast_GET_ITEM(list.ptr(), i)));
    if (values.back() == -1 && PyErr_Occurred())
      throw nb::python_error();
  }
  return values.data();
}

void DeviceTensors::push(nb::handle tensor) {
  if (!PyTuple_Check(tensor.ptr()) || PyTuple_GET_SIZE(tensor.ptr()) != 4)
    refuse(refs.size(), "expected (address, dtype, shape, strides)");
  LotTensorRef ref;
  ref.data = PyLong_AsVoidPtr(PyTuple_GET_ITEM(tensor.ptr(), 0));
  if (!ref.data && PyErr_Occurred())
    throw nb::python_error();
  const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tensor.ptr(), 1));
  if (!name)
    throw nb::python_error();
  auto dtype = getDType(name);
  if (!dtype)
    refuse(refs.size(), std::string("expected a dtype, got '") + name + "'");
  ref.dtype = *dtype;
  size_t rank, numStrides;
  ref.shape = keep(PyTuple_GET_ITEM(tensor.ptr(), 2), rank);
  ref.strides = keep(PyTuple_GET_ITEM(tensor.ptr(), 3), numStrides);
  ref.rank = static_cast<intptr_t>(rank);
  if (rank != numStrides)
    refuse(refs.size(), "expected " + std::to_string(rank) + " strides, got " +
                            std::to_string(numStrides));
  refs.push_back(ref);
}

DeviceTensors::DeviceTensors(nb::handle tensors) {
  nb::object list = nb::steal(
      PySequence_Fast(tensors.ptr(), "expected a sequence of tensors"));
  if (!list.is_valid())
    throw nb::python_error();
  Py_ssize_t count = PySequence_Fast_GET_SIZE(list.ptr());
  refs.reserve(count);
  for (Py_ssize_t i = 0; i < count; ++i)
    push(PySequence_Fast_GET_ITEM(list.ptr(), i));
}

void lot::python::invokeOnCuda(LotExecutable executable, intptr_t function,
                               nb::handle tensors, int device, uintptr_t stream,
                               nb::handle allocate) {
  DeviceTensors arguments(tensors);
  Allocator allocator{allocate, std::nullopt};
  LotCudaCall call = {device, reinterpret_cast<void *>(stream),
                      &Allocator::allocate, &allocator};
  char *error = nullptr;
  bool succeeded;
  {
    nb::gil_scoped_release unlocked;
    succeeded =
        lotExecutableInvokeOnCuda(executable, function, arguments.get().size(),
                                  arguments.get().data(), &call, &error);
  }
  if (succeeded)
    return;
  std::string message = takeMessage(error);
  if (allocator.error)
    throw std::move(*allocator.error);
  throw std::runtime_error(message);
}

int64_t lot::python::getWorkspaceBytes(LotExecutable executable,
                                       intptr_t function, nb::handle tensors) {
  DeviceTensors arguments(tensors);
  char *error = nullptr;
  int64_t bytes = lotExecutableGetWorkspaceBytes(
      executable, function, arguments.get().size(), arguments.get().data(),
      &error);
  if (bytes < 0)
    throw std::runtime_error(takeMessage(error));
  return bytes;
}

void lot::python::bindCuda(nb::module_ &m) {
  m.def(
      "cuda_chip",
      [](int device) {
        char *error = nullptr;
        char *chip = lotCudaGetChip(device, &error);
        if (!chip)
          throw std::runtime_error(takeMessage(error));
        std::string name = chip;
        lotStringDestroy(chip);
        return name;
      },
      "device"_a,
      R"(The architecture of a GPU as LLVM names it, "sm_90a" for instance.

Raises:
  RuntimeError: there is no driver or no such GPU, or it is older than sm_80.)");
  m.def(
      "cuda_residuals",
      [](int64_t pivots, int64_t valueDim, int64_t halfSteps, bool rowSum) {
        LotCudaResiduals residuals =
            lotCudaGetResiduals(pivots, valueDim, halfSteps, rowSum);
        return std::pair(residuals.perQueryHead, residuals.perPivotHead);
      },
      "pivots"_a, "value_dim"_a, "half_steps"_a, "row_sum"_a,
      R"(How many float32 values the residuals of a lot.attention on a GPU have:
for each query head and for each head of the pivots, of every batch entry.)");
}
