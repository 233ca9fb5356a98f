#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs what `lot-to-linalg` leaves with LLVM's own tools.

Nothing of this project takes part after lot-opt: stock mlir-opt lowers the module to LLVM,
clang makes a shared object of it, ctypes calls it. Many functions go into one module, since
starting the tools costs more than a function does.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Iterable, Optional

import numpy as np

from lot_testing import BF16, MASSES, Problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
MLIR_TYPES = {np.dtype(np.float64): "f64", np.dtype(np.float32): "f32",
              np.dtype(np.float16): "f16", BF16: "bf16"}

#: Plain loops: every linalg op becomes scf.for, every tensor a buffer.
TO_LLVM = [
    "--one-shot-bufferize=bufferize-function-boundaries "
    "function-boundary-type-conversion=identity-layout-map",
    "--buffer-deallocation-pipeline", "--convert-bufferization-to-memref",
    "--convert-linalg-to-loops", "--expand-strided-metadata", "--lower-affine",
    "--convert-scf-to-cf", "--arith-expand=include-bf16", "--convert-math-to-llvm",
    "--convert-math-to-libm", "--convert-to-llvm", "--reconcile-unrealized-casts",
]


def tool(name: str) -> Optional[str]:
    """The path of a build product of this project or of an LLVM 22 tool; None if absent.

    LOT_BUILD_DIR names the build tree (default: build/), LOT_LLVM_BIN the folder of LLVM's
    tools (default: Debian's, then PATH).
    """
    build = pathlib.Path(os.environ.get("LOT_BUILD_DIR", ROOT / "build"))
    llvm = pathlib.Path(os.environ.get("LOT_LLVM_BIN", "/usr/lib/llvm-22/bin"))
    for path in (build / "bin" / name, llvm / name):
        if path.exists():
            return str(path)
    return shutil.which(f"{name}-22") or shutil.which(name)


def run_tool(command: list[str], text: str) -> str:
    """The output of a tool that reads `text`; AssertionError with its messages on failure."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-4000:]}"
    return done.stdout


def lot_to_linalg(module: str, options: str = "") -> str:
    """The module after the pipeline under test."""
    return run_tool([tool("lot-opt"), f"--lot-to-linalg={options}"], module)


# --- Modules --------------------------------------------------------------------------------


def tensor_type(array: np.ndarray, dynamic: Iterable[int] = ()) -> str:
    """tensor<...> of the array, the dims in `dynamic` as ?."""
    dims = ["?" if i in dynamic else str(size) for i, size in enumerate(array.shape)]
    return f"tensor<{'x'.join([*dims, MLIR_TYPES[array.dtype]])}>"


def operand_types(problem: Problem, dynamic: str) -> dict[str, str]:
    """The MLIR types of the operands, init last. `dynamic` says which sizes are ?.

    "" none, "n" the lengths, "bn" the batch and the lengths.
    """
    batch, length = "b" in dynamic, "n" in dynamic
    q, v = problem.q, problem.v
    out = np.empty((*q.shape[:3], v.shape[3]), q.dtype)
    types = {}
    for name, array in (*operands(problem).items(), ("init", out)):
        token = name in ("q", "k", "v", "init")
        dims = set()
        if batch and (token or name in MASSES[:2] or
                      array.ndim == (4 if name == "pivots" else 3)):
            dims.add(0)
        if length and token:
            dims.add(2)
        if length and name in MASSES[:2]:
            dims.add(array.ndim - 1)
        types[name] = tensor_type(array, dims)
    return types


def operands(problem: Problem) -> dict[str, np.ndarray]:
    """The operands that are given, by name."""
    masses = {name: problem.masses[name] for name in MASSES if name in problem.masses}
    return dict(q=problem.q, k=problem.k, v=problem.v, pivots=problem.pivots, **masses)


def attribute_text(attributes: dict) -> str:
    """The attribute dictionary of lot.attention."""
    def value(name: str, x) -> str:
        if name == "half_steps":
            return f"{x} : i64"
        if name == "normalization":
            return f"#lot.normalization<{x}>"
        return f"{float(x):.17e} : f64"

    parts = [f"{name} = {value(name, x)}" for name, x in attributes.items() if x is not None]
    return "{" + ", ".join(parts) + "}"


def attention_function(name: str, problem: Problem, dynamic: str, init: bool = False) -> str:
    """A func.func of that name around one lot.attention with the problem's types.

    With `init` the destination is an argument, else the function makes it.
    """
    types = operand_types(problem, dynamic)
    out = types.pop("init")
    arguments = dict(types, init=out) if init else types
    signature = ", ".join(f"%{a}: {t}" for a, t in arguments.items())
    masses = " ".join(f"{m}(%{m} : {types[m]})" for m in MASSES if m in types)
    body = []
    if not init:
        sizes = []
        if dynamic:
            body = ["%c0 = arith.constant 0 : index", "%c2 = arith.constant 2 : index",
                    f"%b = tensor.dim %q, %c0 : {types['q']}",
                    f"%n = tensor.dim %q, %c2 : {types['q']}"]
            sizes = [f"%{x}" for x in "bn" if x in dynamic]
        body.append(f"%init = tensor.empty({', '.join(sizes)}) : {out}")
    ins = ", ".join(types[x] for x in ("q", "k", "v", "pivots"))
    body += [f"%out = lot.attention {attribute_text(problem.attributes)} "
             f"ins(%q, %k, %v, %pivots : {ins}) {masses} outs(%init : {out}) -> {out}",
             f"return %out : {out}"]
    lines = "\n  ".join(body)
    return (f"func.func @{name}({signature}) -> {out} "
            f"attributes {{llvm.emit_c_interface}} {{\n  {lines}\n}}\n")


# --- Compiled code --------------------------------------------------------------------------


class Compiled:
    """Functions of one module as native code."""

    def __init__(self, module: str, passes: tuple[str, ...] = ("--lot-to-linalg",)):
        """Compiles a module of lot ops. AssertionError with the tool's words if that fails."""
        linalg = run_tool([tool("lot-opt"), *passes], module)
        llvm_dialect = run_tool([tool("mlir-opt"), *TO_LLVM], linalg)
        llvm_ir = run_tool([tool("mlir-translate"), "--mlir-to-llvmir"], llvm_dialect)
        self._folder = tempfile.TemporaryDirectory()
        path = os.path.join(self._folder.name, "module.so")
        run_tool([tool("clang"), "-x", "ir", "-", "-shared", "-fPIC", "-O0", "-mf16c", "-w",
                  "-o", path, "-lm"], llvm_ir)
        runner = tool("mlir-runner")
        if runner:  # memrefCopy
            utils = pathlib.Path(runner).resolve().parents[1] / "lib/libmlir_c_runner_utils.so"
            ctypes.CDLL(str(utils), ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(path)

    def __call__(self, name: str, *arrays: np.ndarray, rank: int, dtype: np.dtype) -> np.ndarray:
        """Calls a function of tensors that returns one tensor of that rank.

        The function gets copies: it may write its result over an argument.
        """
        keep = [np.array(array, order="C") for array in arrays]
        result = descriptor(rank)()
        arguments = [ctypes.byref(result)] + [ctypes.byref(describe(array)) for array in keep]
        getattr(self._library, f"_mlir_ciface_{name}")(*arguments)
        shape = tuple(result.sizes)
        assert list(result.strides) == strides_of(shape), "the result is not contiguous"
        count = int(np.prod(shape))
        raw = ctypes.string_at(result.aligned + result.offset * dtype.itemsize,
                               count * dtype.itemsize) if count else b""
        out = np.frombuffer(raw, dtype).reshape(shape).copy()
        if result.allocated not in [array.ctypes.data for array in keep]:
            FREE(result.allocated)
        return out


FREE = ctypes.CDLL(None).free
FREE.argtypes = [ctypes.c_void_p]


def strides_of(shape: tuple[int, ...]) -> list[int]:
    """Strides in elements of a contiguous array."""
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    return strides


def descriptor(rank: int) -> type:
    """The ctypes structure of a memref of that rank."""
    class Descriptor(ctypes.Structure):
        _fields_ = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p),
                    ("offset", ctypes.c_int64), ("sizes", ctypes.c_int64 * rank),
                    ("strides", ctypes.c_int64 * rank)]
    return Descriptor


def describe(array: np.ndarray) -> ctypes.Structure:
    """The memref of a contiguous array."""
    memref = descriptor(array.ndim)()
    memref.allocated = memref.aligned = array.ctypes.data
    memref.offset = 0
    memref.sizes[:] = array.shape
    memref.strides[:] = strides_of(array.shape)
    return memref


def compile_problems(problems: list[tuple[Problem, str]]) -> "Compiled":
    """One module of all problems; function p<i> belongs to problem i (and what is dynamic in it)."""
    return Compiled("".join(attention_function(f"p{i}", problem, dynamic)
                            for i, (problem, dynamic) in enumerate(problems)))


def run_problem(compiled: Compiled, name: str, problem: Problem) -> np.ndarray:
    """The output [B, Hq, n, dv] of the problem in compiled code."""
    return compiled(name, *operands(problem).values(), rank=4, dtype=problem.q.dtype)
