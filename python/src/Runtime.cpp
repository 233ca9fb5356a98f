//===- Runtime.cpp - lot._mlir_libs._lotRuntime ---------------------------===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTensors.h"
#include "NumpyTensors.h"

#include "lot-c/Runtime.h"

#include "mlir/Bindings/Python/NanobindAdaptors.h"

#include "nanobind/stl/optional.h"
#include "nanobind/stl/string.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lot::python;

namespace {

class PyExecutable {
public:
  explicit PyExecutable(LotExecutable executable) : executable(executable) {}
  ~PyExecutable() { lotExecutableDestroy(executable); }
  PyExecutable(const PyExecutable &) = delete;
  PyExecutable &operator=(const PyExecutable &) = delete;

  static PyExecutable *compile(nb::handle source, const std::string &mcpu,
                               bool openmp, bool verify, unsigned optLevel,
                               bool cache, const std::string &target,
                               const std::string &chip);

  nb::list getFunctions() const;
  bool isCached() const { return lotExecutableIsCached(executable); }
  nb::dict getTimings() const;
  nb::tuple getSignature(nb::handle entry) const;
  nb::tuple invoke(nb::handle entry, nb::handle arrays, nb::handle threads);
  void invokeOnCuda(nb::handle entry, nb::handle tensors, int device,
                    uintptr_t stream, nb::handle allocate) {
    lot::python::invokeOnCuda(executable, find(entry), tensors, device, stream,
                              allocate);
  }
  int64_t getWorkspaceBytes(nb::handle entry, nb::handle tensors) {
    return lot::python::getWorkspaceBytes(executable, find(entry), tensors);
  }

private:
  /// The position of the function `entry`, a name or a position.
  intptr_t find(nb::handle entry) const;

  LotExecutable executable;
};

PyExecutable *PyExecutable::compile(nb::handle source, const std::string &mcpu,
                                    bool openmp, bool verify, unsigned optLevel,
                                    bool cache, const std::string &target,
                                    const std::string &chip) {
  LotCompileOptions options = lotCompileOptionsDefault();
  options.cpu = mcpu.c_str();
  options.openmp = openmp;
  options.verify = verify;
  options.optLevel = optLevel;
  options.cache = cache;
  options.target = target.c_str();
  options.chip = chip.c_str();

  LotExecutable executable;
  char *error = nullptr;
  if (PyUnicode_Check(source.ptr()) || PyBytes_Check(source.ptr())) {
    MlirStringRef text;
    if (PyUnicode_Check(source.ptr())) {
      Py_ssize_t length = 0;
      text.data = PyUnicode_AsUTF8AndSize(source.ptr(), &length);
      if (!text.data)
        throw nb::python_error();
      text.length = length;
    } else {
      text = {PyBytes_AS_STRING(source.ptr()),
              static_cast<size_t>(PyBytes_GET_SIZE(source.ptr()))};
    }
    nb::gil_scoped_release unlocked;
    executable = lotExecutableCompileText(text, &options, &error);
  } else {
    MlirModule module;
    if (!nb::try_cast<MlirModule>(source, module)) {
      std::string message = "expected a lot.ir.Module, str or bytes, got " +
                            nb::cast<std::string>(nb::inst_name(source));
      throw nb::type_error(message.c_str());
    }
    nb::gil_scoped_release unlocked;
    executable = lotExecutableCompile(module, &options, &error);
  }
  if (lotExecutableIsNull(executable))
    throw std::runtime_error(takeMessage(error));
  auto result = std::make_unique<PyExecutable>(executable);
  MlirStringRef warning = lotExecutableGetWarning(executable);
  if (warning.length &&
      PyErr_WarnEx(PyExc_RuntimeWarning,
                   std::string(warning.data, warning.length).c_str(), 1))
    throw nb::python_error(); // the caller made errors of warnings
  return result.release();
}

intptr_t PyExecutable::find(nb::handle entry) const {
  intptr_t count = lotExecutableGetNumFunctions(executable);
  if (PyUnicode_Check(entry.ptr())) {
    Py_ssize_t length = 0;
    const char *name = PyUnicode_AsUTF8AndSize(entry.ptr(), &length);
    if (!name)
      throw nb::python_error();
    intptr_t function = lotExecutableFindFunction(
        executable, {name, static_cast<size_t>(length)});
    if (function >= 0)
      return function;
    std::string message = std::string("expected the name of a function of the "
                                      "module, got '") +
                          name + "'; there is";
    if (count == 0)
      message += " none";
    for (intptr_t i = 0; i < count; ++i) {
      MlirStringRef other = lotExecutableGetFunctionName(executable, i);
      message += (i ? ", '" : " '") + std::string(other.data, other.length);
      message += "'";
    }
    throw nb::value_error(message.c_str());
  }
  Py_ssize_t function = PyNumber_AsSsize_t(entry.ptr(), PyExc_IndexError);
  if (function == -1 && PyErr_Occurred())
    throw nb::python_error();
  if (function < 0 || function >= count) {
    std::string message = "expected a function below " + std::to_string(count) +
                          ", got " + std::to_string(function);
    throw nb::value_error(message.c_str());
  }
  return function;
}

nb::list PyExecutable::getFunctions() const {
  nb::list names;
  for (intptr_t i = 0, e = lotExecutableGetNumFunctions(executable); i < e;
       ++i) {
    MlirStringRef name = lotExecutableGetFunctionName(executable, i);
    names.append(nb::str(name.data, name.length));
  }
  return names;
}

nb::dict PyExecutable::getTimings() const {
  LotCompileTimings timings = lotExecutableGetTimings(executable);
  nb::dict seconds;
  seconds["lower"] = timings.lower;
  seconds["translate"] = timings.translate;
  seconds["optimize"] = timings.optimize;
  seconds["codegen"] = timings.codegen;
  seconds["load"] = timings.load;
  return seconds;
}

nb::tuple PyExecutable::getSignature(nb::handle entry) const {
  intptr_t function = find(entry);
  nb::list arguments, results;
  for (intptr_t i = 0, e = lotExecutableGetNumArguments(executable, function);
       i < e; ++i)
    arguments.append(
        toTuple(lotExecutableGetArgument(executable, function, i)));
  for (intptr_t i = 0, e = lotExecutableGetNumResults(executable, function);
       i < e; ++i)
    results.append(toTuple(lotExecutableGetResult(executable, function, i)));
  return nb::make_tuple(nb::tuple(arguments), nb::tuple(results));
}

nb::tuple PyExecutable::invoke(nb::handle entry, nb::handle arrays,
                               nb::handle threads) {
  intptr_t function = find(entry);
  int numThreads = 0;
  if (!threads.is_none()) {
    long value = PyLong_AsLong(threads.ptr());
    if (value == -1 && PyErr_Occurred())
      throw nb::python_error();
    if (value < 1 || value > 1 << 16)
      throw nb::value_error(
          ("expected threads >= 1, got " + std::to_string(value)).c_str());
    numThreads = static_cast<int>(value);
  }

  nb::object sequence = nb::steal(
      PySequence_Fast(arrays.ptr(), "expected a sequence of NumPy arrays"));
  if (!sequence.is_valid())
    throw nb::python_error();
  Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence.ptr());
  intptr_t numArguments = lotExecutableGetNumArguments(executable, function);
  if (count != numArguments)
    throw nb::value_error(("expected " + std::to_string(numArguments) +
                           " arguments, got " + std::to_string(count))
                              .c_str());
  TensorRefs arguments(count);
  for (Py_ssize_t i = 0; i < count; ++i)
    arguments.push(PySequence_Fast_GET_ITEM(sequence.ptr(), i),
                   lotExecutableGetArgument(executable, function, i));

  intptr_t numResults = lotExecutableGetNumResults(executable, function);
  std::vector<LotTensor> results(numResults, LotTensor{nullptr});
  char *error = nullptr;
  bool succeeded;
  {
    nb::gil_scoped_release unlocked;
    succeeded =
        lotExecutableInvoke(executable, function, count, arguments.get().data(),
                            numThreads, results.data(), &error);
  }
  if (!succeeded)
    throw nb::value_error(takeMessage(error).c_str());

  nb::object tuple = nb::steal(PyTuple_New(numResults));
  for (intptr_t i = 0; i < numResults; ++i)
    PyTuple_SET_ITEM(tuple.ptr(), i, toNumpy(results[i]).release().ptr());
  return nb::borrow<nb::tuple>(tuple);
}

} // namespace

NB_MODULE(_lotRuntime, m) {
  nb::set_leak_warnings(false);
  initializeNumpy();
  m.doc() = "Compiled modules and their invocation on NumPy arrays.";
  nb::class_<PyExecutable>(m, "Executable",
                           "Machine code of every public function of a module")
      .def_static("compile", &PyExecutable::compile, "module"_a, nb::kw_only(),
                  "mcpu"_a = "native", "openmp"_a = true, "verify"_a = true,
                  "opt_level"_a = 3, "cache"_a = true, "target"_a = "cpu",
                  "chip"_a = "",
                  R"(Compiles a module by lot-to-cpu or lot-to-nvgpu.

Args:
  module: a lot.ir.Module, which stays as it is, or IR text or bytecode.
  mcpu: the processor, as clang names it; "native" is this one.
  openmp: spread batch x heads over OpenMP threads.
  verify: check dynamic shapes at run time.
  opt_level: LLVM's optimization level, 0 to 3.
  cache: take the code from the folder of compiled code, and keep it there.
  target: "cpu", or "cuda": memrefs and tensors are memory of a GPU.
  chip: the GPU, as LLVM names it (sm_90a); "" is the first one of this machine.

Raises:
  RuntimeError: the module does not parse or cannot be lowered; the message
    holds the diagnostics.

Warns:
  RuntimeWarning: the folder of compiled code cannot be used, or an entry of it,
    or OMP_NUM_THREADS; each is reported once.)")
      .def_prop_ro("cached", &PyExecutable::isCached,
                   "Whether the code came from the folder of compiled code.")
      .def_prop_ro("functions", &PyExecutable::getFunctions,
                   "The names of the functions, in the order of the module.")
      .def_prop_ro("timings", &PyExecutable::getTimings,
                   "Seconds that each phase of the compilation took.")
      .def("signature", &PyExecutable::getSignature, "entry"_a,
           R"(Returns (arguments, results) of a function.

Each is a tuple of (dtype name, shape) with None for a size left to the call.)")
      .def("invoke", &PyExecutable::invoke, "entry"_a, "arrays"_a,
           "threads"_a = nb::none(),
           R"(Runs a function, without the GIL, on the memory of the arrays.

Args:
  entry: the name of a function or its position in `functions`.
  arrays: NumPy arrays (ml_dtypes' bfloat16 included), one per argument, of any
    strides that the function takes.
  threads: the number of OpenMP threads; None is OpenMP's default.

Returns:
  A tuple of new arrays, row-major, one per result.

Raises:
  TypeError: an argument is no array.
  ValueError: no such function; number, dtype, shape, strides, byte order or
    alignment of an argument are not what the function takes.)")
      .def("invoke_on_cuda", &PyExecutable::invokeOnCuda, "entry"_a,
           "tensors"_a, "device"_a, "stream"_a, "allocate"_a,
           R"(Puts a function compiled for cuda into a stream, without the GIL.

Args:
  entry: the name of a function or its position in `functions`.
  tensors: (address, dtype name, shape, strides in elements) of each argument.
  device: the driver's number of the GPU.
  stream: the CUDA stream as an integer; 0 is the default one.
  allocate: called with a number of bytes where the function needs device
    memory of its own, returns its address. It is used by this call alone, and
    only by work in the stream.

Raises:
  RuntimeError: number, dtype, shape or strides of an argument are not what the
    function takes; what the driver says.)")
      .def("workspace_bytes", &PyExecutable::getWorkspaceBytes, "entry"_a,
           "tensors"_a, "The bytes that `invoke_on_cuda` asks `allocate` for.");
  bindCuda(m);
}
