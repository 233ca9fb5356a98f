# Makes the targets MLIRPythonSources.* and MLIRPythonExtension.* available.
#
# They carry the sources of MLIR's Python bindings.  An MLIR that was built with
# the bindings exports them; Debian's was not, so they are taken from the wheel
# xtc-mlir-dev (a build-time dependency; none of its compiled code is linked).

# What an extension links beside the C API: libLLVM.so, never LLVMSupport.a, a
# second copy of LLVM's globals.  add_mlir_python_modules() names the target
# LLVMSupport itself, so that is pointed to libLLVM.so.
if(NOT TARGET LLVM)
  message(FATAL_ERROR "expected an LLVM with libLLVM.so (LLVM_BUILD_LLVM_DYLIB), "
                      "got ${LLVM_DIR} without: the Python package needs it")
endif()
set(LOT_MLIR_PYTHON_LLVM_LIB LLVM)
get_target_property(_lot_llvm_configs LLVM IMPORTED_CONFIGURATIONS)
foreach(_lot_config ${_lot_llvm_configs})
  get_target_property(_lot_libllvm LLVM IMPORTED_LOCATION_${_lot_config})
  set_target_properties(LLVMSupport PROPERTIES
    IMPORTED_LOCATION_${_lot_config} "${_lot_libllvm}"
    INTERFACE_LINK_LIBRARIES LLVM)
endforeach()

if(TARGET MLIRPythonSources.Core)
  return()
endif()

set(LOT_MLIR_PYTHON_PREFIX "" CACHE PATH
  "an MLIR ${LLVM_VERSION_MAJOR}.${LLVM_VERSION_MINOR} install with Python sources (empty: the xtc-mlir-dev wheel)")
set(_lot_prefix "${LOT_MLIR_PYTHON_PREFIX}")
if(NOT _lot_prefix)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c
      "import importlib.metadata as m; d = m.distribution('xtc-mlir-dev'); print(d.version, d.locate_file('mlir'), sep=';', end='')"
    OUTPUT_VARIABLE _lot_wheel RESULT_VARIABLE _lot_failed ERROR_QUIET)
  if(_lot_failed)
    message(FATAL_ERROR "${Python3_EXECUTABLE} has no package xtc-mlir-dev, which carries the sources of MLIR's "
      "Python bindings: pip install -r requirements-dev.txt, or set LOT_MLIR_PYTHON_PREFIX")
  endif()
  list(GET _lot_wheel 0 _lot_wheel_version)
  list(GET _lot_wheel 1 _lot_prefix)
  # Sources and libMLIR.so must be of one release: 22.1.8.4 goes with 22.1.8.
  set(_lot_llvm_release "${LLVM_VERSION_MAJOR}.${LLVM_VERSION_MINOR}")
  if(NOT _lot_wheel_version MATCHES "^${LLVM_VERSION_MAJOR}\\.${LLVM_VERSION_MINOR}\\.")
    message(FATAL_ERROR "expected xtc-mlir-dev ${_lot_llvm_release} for LLVM ${LLVM_PACKAGE_VERSION}, got ${_lot_wheel_version}")
  endif()
endif()
set(_lot_targets "${CMAKE_CURRENT_BINARY_DIR}/MLIRPythonTargets.cmake")
execute_process(
  COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/mlir_python_targets.py" "${_lot_prefix}" "${_lot_targets}"
  COMMAND_ERROR_IS_FATAL ANY)
include("${_lot_targets}")
