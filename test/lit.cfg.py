"""lit configuration of the FileCheck tests (python/ holds pytest's)."""

import glob
import importlib.util
import os
import platform
import shutil
import subprocess
import sys

import lit.formats

config.name = "LOT"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".c"]
config.excludes = ["CMakeLists.txt", "Inputs", "python"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.lot_obj_root, "test")

config.environment["PATH"] = os.pathsep.join(
    [config.lot_tools_dir, config.llvm_tools_dir, os.environ.get("PATH", "")]
)

# Tests compile what they test; those of the cache name a folder of their own.
config.environment["LOT_CACHE_DIR"] = "off"

# FileCheck explains a failure by its input around the line it stopped at.
config.environment["FILECHECK_OPTS"] = "--dump-input-filter=error"

plugin = os.path.join(config.lot_lib_dir, "LotPlugin.so")
config.substitutions.append(("%lot_plugin", plugin))
config.substitutions.append(("%lot_src", config.lot_src_root))
config.substitutions.append(("%llvm_lib", config.llvm_lib_dir))
config.substitutions.append(("%llvm_prefix", os.path.dirname(config.llvm_tools_dir)))

# Tests that make .npy files: the interpreter that runs lit has NumPy where the
# project's virtual environment is used.
if importlib.util.find_spec("numpy"):
    config.available_features.add("numpy")
npy = os.path.join(config.test_source_root, "Tools", "Inputs", "npy.py")
config.substitutions.append(("%npy", f"'{sys.executable}' '{npy}'"))
config.substitutions.append(("%python", f"'{sys.executable}'"))

# A test that needs more than lot-opt says so with REQUIRES.
if os.path.exists(plugin):
    config.available_features.add("lot-plugin")
for tool in ("lot-run", "lot-lsp-server", "lot-reduce", "lot-capi-test", "lot-capi-ir-test"):
    if os.path.exists(os.path.join(config.lot_tools_dir, tool)):
        config.available_features.add(tool)
if os.path.exists(os.path.join(config.llvm_tools_dir, "mlir-runner")):
    config.available_features.add("mlir-runner")

# Tests that name an x86 processor: lot-opt only has this machine's code
# generator.
if platform.machine() in ("x86_64", "AMD64"):
    config.available_features.add("x86-registered-target")

# Tests of code for AArch64, where LLVM was built with it; some run it in an
# emulator with the C library of Debian's packages for cross compilation.
try:
    targets = subprocess.run([os.path.join(config.llvm_tools_dir, "llc"), "--version"],
                             capture_output=True, text=True).stdout
except OSError:
    targets = ""
if "aarch64 " in targets:
    config.available_features.add("aarch64-registered-target")
    path = config.environment["PATH"]
    if (all(shutil.which(tool, path=path) for tool in ("qemu-aarch64", "clang", "ld.lld"))
            and os.path.exists("/usr/aarch64-linux-gnu/lib/crt1.o")
            and glob.glob("/usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a")):
        config.available_features.add("qemu-aarch64")
# Kernels end in PTX, for which LLVM needs NVIDIA's code generator.
if "nvptx64 " in targets:
    config.available_features.add("nvptx-registered-target")
# Tests of the CUDA runtime call a driver that is none.
fake_cuda = os.path.join(config.test_exec_root, "fake-cuda")
if os.path.exists(os.path.join(fake_cuda, "libcuda.so.1")):
    config.available_features.add("fake-cuda")
config.substitutions.append(("%fake_cuda", f"env LD_LIBRARY_PATH={fake_cuda}"))
if shutil.which("ptxas", path=config.environment["PATH"]):
    config.available_features.add("ptxas")

# Tests that build C and C++ programs, as users do.
path = config.environment["PATH"]
if all(shutil.which(tool, path=path) for tool in ("cc", "clang")):
    config.available_features.add("cc")
config.substitutions.append(("%lot_obj", config.lot_obj_root))
config.substitutions.append(("%cxx", config.cmake_cxx_compiler))
config.substitutions.append(("%cc", config.cmake_c_compiler))
config.substitutions.append(("%ninja", config.cmake_make_program))
config.substitutions.append(("%cmake", config.cmake_command))
config.substitutions.append(("%mlir_dir", config.mlir_dir))
config.substitutions.append(("%llvm_dir", config.llvm_dir))
if config.cmake_generator == "Ninja":
    config.available_features.add("cmake-package")

# Tests on several processes: MPICH (Debian's MPI of choice may be another one).
mpicc = shutil.which("mpicc.mpich") or shutil.which("mpicc")
mpiexec = shutil.which("mpiexec.mpich") or shutil.which("mpiexec")
if mpicc and mpiexec and shutil.which("mpichversion"):
    config.available_features.add("mpich")
    config.substitutions.append(("%mpicc", mpicc))
    config.substitutions.append(("%mpiexec", mpiexec))

# Tests that run a program in a terminal: a minimal container has none.
try:
    for descriptor in os.openpty():
        os.close(descriptor)
    config.available_features.add("terminal")
except OSError:
    pass

# LOT_LIT_OPTIONS=--verify-roundtrip runs every lot-opt of the suite with it.
lot_opt = "lot-opt"
extra = os.environ.get("LOT_LIT_OPTIONS", "")
if extra:
    config.substitutions.append((r"\blot-opt\b", lot_opt + " " + extra))
