#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles forward.py's module with upstream tools and calls it on NumPy arrays."""

from __future__ import annotations

import ctypes
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Callable

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import forward  # noqa: E402

PASSES = (
    "--canonicalize", "--cse", "--convert-scf-to-openmp", "--canonicalize",
    "--expand-strided-metadata", "--lower-affine",
    "--convert-vector-to-llvm=reassociate-fp-reductions", "--convert-scf-to-cf",
    "--convert-arith-to-llvm", "--convert-index-to-llvm", "--finalize-memref-to-llvm",
    "--convert-func-to-llvm", "--convert-cf-to-llvm", "--convert-openmp-to-llvm",
    "--reconcile-unrealized-casts")


def find(tool: str) -> str:
    """The path of an LLVM 22 program."""
    for name in (f"{tool}-22", f"/usr/lib/llvm-22/bin/{tool}", tool):
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError(f"hand-written IR: expected {tool}-22 (LLVM 22) on PATH, got none")


def run(command: list[str], text: str) -> str:
    """Output of a program that reads `text`."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"hand-written IR: {command[0]} failed: {done.stderr[:300]}")
    return done.stdout


def host_lanes() -> int:
    """Floats in the widest vector of this machine."""
    try:
        return 16 if "avx512f" in pathlib.Path("/proc/cpuinfo").read_text() else 8
    except OSError:
        return 8


def compile_forward(d: int, r: int, lanes: int, processor: str, folder: str) -> ctypes.CDLL:
    """The module for d and r as a loaded library."""
    mlir_opt, mlir_translate, clang = map(find, ("mlir-opt", "mlir-translate", "clang"))
    module = run([mlir_opt, *PASSES, "-"], forward.Forward(d, r, lanes).text())
    llvm_ir = run([mlir_translate, "--mlir-to-llvmir", "-"], module)
    libraries = pathlib.Path(clang).resolve().parents[1] / "lib"
    library = str(pathlib.Path(folder) / "forward.so")
    run([clang, "-O1", f"-march={processor}", "-fPIC", "-shared", "-Wno-override-module", "-x",
         "ir", "-", "-o", library, f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lomp"], llvm_ir)
    return ctypes.CDLL(library)


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros at the start of a page, as an allocator gives large buffers."""
    size = int(np.prod(shape)) * 4
    raw = np.zeros(size + 4096, np.uint8)
    start = -raw.ctypes.data % 4096
    return raw[start:start + size].view(np.float32).reshape(shape)


def descriptor(array: np.ndarray) -> ctypes.Structure:
    """MLIR's memref descriptor of an array."""
    sizes = ctypes.c_int64 * array.ndim

    class Descriptor(ctypes.Structure):
        _fields_ = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p),
                    ("offset", ctypes.c_int64), ("sizes", sizes), ("strides", sizes)]

    return Descriptor(array.ctypes.data, array.ctypes.data, 0, sizes(*array.shape),
                      sizes(*(s // array.itemsize for s in array.strides)))


def prepare(q: np.ndarray, k: np.ndarray, v: np.ndarray, z: np.ndarray, epsilon: float,
            half_steps: int, workers: int, processor: str = "native",
            lanes: int = 0) -> Callable[[], np.ndarray]:
    """A function of no arguments that runs the hand-written code on [B, H, n, d] and [B, H, r, d].

    Raises:
      FileNotFoundError: a program of LLVM 22 is missing.
      ValueError: a shape that it is not written for.
    """
    batch, heads, n, d = q.shape
    r, m, lanes = z.shape[-2], k.shape[-2], lanes or host_lanes()
    tile = 4 * lanes
    if half_steps % 2 or n % tile or m % tile or v.shape[-1] != d:
        raise ValueError(f"expected even half_steps, n and m multiples of {tile}, dv = d; got "
                         f"half_steps {half_steps}, n {n}, m {m}, d {d}, dv {v.shape[-1]}")
    with tempfile.TemporaryDirectory() as folder:
        function: Any = compile_forward(d, r, lanes, processor, folder)._mlir_ciface_forward
    function.restype = None
    out = aligned((batch * heads, n, d))
    arrays = [x.reshape(-1, *x.shape[2:]) for x in (q, k, v, z)] + [
        out, aligned((workers, max(n, m) // tile, r, tile)), aligned((workers, n))]
    descriptors = [descriptor(x) for x in arrays]
    arguments = [*map(ctypes.byref, descriptors),
                 ctypes.c_float(forward.score_factor(d, epsilon)),
                 ctypes.c_int64(half_steps // 2 - 1)]

    def call() -> np.ndarray:
        function(*arguments)
        return out.reshape(q.shape)

    call.keep = arrays  # type: ignore[attr-defined]
    return call
