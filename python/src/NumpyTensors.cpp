//===- NumpyTensors.cpp - NumPy arrays as tensors of the runtime ----------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's C API reads an array in some 10 ns and, unlike the buffer protocol
// and DLPack, knows the bfloat16 of ml_dtypes.
//
//===----------------------------------------------------------------------===//

#include "NumpyTensors.h"

#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include "numpy/arrayobject.h"

namespace nb = nanobind;
using namespace lot::python;

namespace {

/// The dtype of ml_dtypes.bfloat16; imported at the first use, never released.
PyArray_Descr *getBFloat16() {
  static PyArray_Descr *descr = [] {
    nb::object type = nb::module_::import_("ml_dtypes").attr("bfloat16");
    PyArray_Descr *result = nullptr;
    if (!PyArray_DescrConverter(type.ptr(), &result))
      throw nb::python_error();
    return result;
  }();
  return descr;
}

std::string describe(PyArray_Descr *descr) {
  return nb::cast<std::string>(nb::str(nb::handle((PyObject *)descr)));
}

/// The type of an array's elements; false when the runtime has none of it.
bool getDType(PyArray_Descr *descr, LotDType expected, LotDType &dtype) {
  switch (descr->type_num) {
  case NPY_HALF:
    dtype = LotDTypeF16;
    return true;
  case NPY_FLOAT:
    dtype = LotDTypeF32;
    return true;
  case NPY_DOUBLE:
    dtype = LotDTypeF64;
    return true;
  case NPY_BOOL:
    dtype = LotDTypeI1;
    return true;
  default:
    break;
  }
  if (PyTypeNum_ISSIGNED(descr->type_num)) {
    switch (PyDataType_ELSIZE(descr)) {
    case 1:
      dtype = LotDTypeI8;
      return true;
    case 2:
      dtype = LotDTypeI16;
      return true;
    case 4:
      dtype = LotDTypeI32;
      return true;
    case 8:
      // NumPy has no type of its own for indices.
      dtype = expected == LotDTypeIndex ? LotDTypeIndex : LotDTypeI64;
      return true;
    default:
      return false;
    }
  }
  if (descr->type_num >= NPY_USERDEF &&
      descr->type_num == getBFloat16()->type_num) {
    dtype = LotDTypeBF16;
    return true;
  }
  return false;
}

PyArray_Descr *getDescr(LotDType dtype) {
  switch (dtype) {
  case LotDTypeF16:
    return PyArray_DescrFromType(NPY_HALF);
  case LotDTypeBF16:
    Py_INCREF(getBFloat16());
    return getBFloat16();
  case LotDTypeF32:
    return PyArray_DescrFromType(NPY_FLOAT);
  case LotDTypeF64:
    return PyArray_DescrFromType(NPY_DOUBLE);
  case LotDTypeI1:
    return PyArray_DescrFromType(NPY_BOOL);
  case LotDTypeI8:
    return PyArray_DescrFromType(NPY_INT8);
  case LotDTypeI16:
    return PyArray_DescrFromType(NPY_INT16);
  case LotDTypeI32:
    return PyArray_DescrFromType(NPY_INT32);
  case LotDTypeI64:
  case LotDTypeIndex:
    return PyArray_DescrFromType(NPY_INT64);
  }
  throw nb::value_error("unknown element type of a result");
}

[[noreturn]] void refuse(size_t position, const std::string &why) {
  throw nb::value_error(
      ("argument #" + std::to_string(position) + ": " + why).c_str());
}

} // namespace

void lot::python::initializeNumpy() {
  if (PyArray_ImportNumPyAPI() < 0)
    throw nb::python_error();
}

const char *lot::python::getDTypeName(LotDType dtype) {
  switch (dtype) {
  case LotDTypeF16:
    return "float16";
  case LotDTypeBF16:
    return "bfloat16";
  case LotDTypeF32:
    return "float32";
  case LotDTypeF64:
    return "float64";
  case LotDTypeI1:
    return "bool";
  case LotDTypeI8:
    return "int8";
  case LotDTypeI16:
    return "int16";
  case LotDTypeI32:
    return "int32";
  case LotDTypeI64:
  case LotDTypeIndex:
    return "int64";
  }
  return "unknown";
}

std::string lot::python::takeMessage(char *error) {
  std::string message = error ? error : "unknown error";
  lotStringDestroy(error);
  return message;
}

nb::tuple lot::python::toTuple(const LotTensorType &type) {
  nb::list shape;
  for (intptr_t i = 0; i < type.rank; ++i) {
    if (type.shape[i] == LOT_DYNAMIC)
      shape.append(nb::none());
    else
      shape.append(type.shape[i]);
  }
  return nb::make_tuple(getDTypeName(type.dtype), nb::tuple(shape));
}

TensorRefs::TensorRefs(size_t count) {
  refs.reserve(count);
  owned.reserve(count);
}

TensorRefs::~TensorRefs() {
  for (PyObject *object : owned)
    Py_DECREF(object);
}

void TensorRefs::push(nb::handle object, const LotTensorType &expected) {
  size_t position = refs.size();
  if (!PyArray_Check(object.ptr())) {
    std::string message = "argument #" + std::to_string(position) +
                          ": expected a NumPy array, got " +
                          nb::cast<std::string>(nb::inst_name(object));
    throw nb::type_error(message.c_str());
  }
  auto *array = reinterpret_cast<PyArrayObject *>(object.ptr());
  PyArray_Descr *descr = PyArray_DESCR(array);
  LotTensorRef ref;
  if (!getDType(descr, expected.dtype, ref.dtype))
    refuse(position, std::string("expected dtype ") +
                         getDTypeName(expected.dtype) + ", got " +
                         describe(descr));
  if (!PyArray_ISNOTSWAPPED(array))
    refuse(position, "expected native byte order, got " + describe(descr));
  if (expected.writable && !PyArray_ISWRITEABLE(array))
    refuse(position, "expected a writable array, got a read-only one");

  ref.data = PyArray_DATA(array);
  ref.rank = PyArray_NDIM(array);
  static_assert(sizeof(npy_intp) == sizeof(int64_t), "64-bit systems only");
  ref.shape = reinterpret_cast<const int64_t *>(PyArray_DIMS(array));
  ref.strides = nullptr;
  if (!PyArray_IS_C_CONTIGUOUS(array)) {
    // NumPy counts bytes.
    npy_intp size = PyDataType_ELSIZE(descr);
    strides.push_back(std::make_unique<int64_t[]>(ref.rank));
    for (intptr_t i = 0; i < ref.rank; ++i) {
      npy_intp stride = PyArray_STRIDES(array)[i];
      if (stride % size != 0)
        refuse(position, "expected strides that are multiples of the " +
                             std::to_string(size) + " bytes of an element, " +
                             "got " + std::to_string(stride) + " bytes");
      strides.back()[i] = stride / size;
    }
    ref.strides = strides.back().get();
  }
  Py_INCREF(object.ptr());
  owned.push_back(object.ptr());
  refs.push_back(ref);
}

nb::object lot::python::toNumpy(LotTensor tensor) {
  LotTensorRef ref = lotTensorGetRef(tensor);
  PyObject *capsule =
      PyCapsule_New(tensor.ptr, "lot.tensor", [](PyObject *self) {
        lotTensorDestroy({PyCapsule_GetPointer(self, "lot.tensor")});
      });
  if (!capsule) {
    lotTensorDestroy(tensor);
    throw nb::python_error();
  }
  nb::object owner = nb::steal(capsule);
  PyObject *array = PyArray_NewFromDescr(
      &PyArray_Type, getDescr(ref.dtype), static_cast<int>(ref.rank),
      reinterpret_cast<const npy_intp *>(ref.shape), /*strides=*/nullptr,
      ref.data, NPY_ARRAY_CARRAY, /*obj=*/nullptr);
  if (!array)
    throw nb::python_error();
  nb::object result = nb::steal(array);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject *>(array),
                            owner.release().ptr()) < 0)
    throw nb::python_error();
  return result;
}
