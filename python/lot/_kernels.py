#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels: one module per kernel class, kept in memory, `CAPACITY` of them.

A kernel class is what the compiled code depends on: d, dv, r, the dtypes, the ranks
of the pivots and of the log masses that are given, and the attributes. Batch, heads,
n and m are dynamic in the module, so they never cause a compilation.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, NamedTuple, Optional

from . import _attributes, _options
from ._attributes import Attributes
from ._operands import ELEMENT, Operands
from ._options import CompileOptions

#: Kernels kept at most; the oldest goes first. Bounds memory when a caller sweeps epsilon.
CAPACITY = 256

ENTRY = "attention"


class KernelClass(NamedTuple):
    """What a kernel is compiled for. A mass rank of 0 means a uniform mass."""

    d: int
    dv: int
    r: int
    dtype: Any  # numpy dtype of q, k, v and the result
    pivots_dtype: Any
    pivots_rank: int
    query_mass_rank: int
    key_mass_rank: int
    pivot_mass_rank: int
    glue_mass_rank: int
    attributes: Attributes
    #: None: lot.attention. Hq, Hk, Hp: lot.attention_vjp, which sums up what heads share.
    gradient_heads: Optional[tuple[int, int, int]] = None
    chip: Optional[str] = None  #: a GPU as LLVM names it; None: the CPU
    residuals: bool = False  #: lot.attention leaves them, lot.attention_vjp reads them
    mass_gradients: bool = True  #: of the masses that are given


class KernelInfo(NamedTuple):
    """One entry of the cache: its class and the seconds until it was there."""

    kernel: KernelClass
    seconds: float
    cached: bool  #: whether an earlier process had compiled it (LOT_CACHE_DIR)
    phases: dict[str, float]  #: seconds of lower, translate, optimize, codegen and load
    options: CompileOptions  #: of `lot.compile_options`


class CacheInfo(NamedTuple):
    """State of the cache of compiled kernels."""

    compilations: int  #: kernels compiled since the process started
    capacity: int  #: kernels kept at most
    kernels: tuple[KernelInfo, ...]  #: kernels held now, oldest first
    loads: int  #: kernels taken from the folder of compiled code since the process started


def classify(operands: Operands, attributes: Attributes, gradients: bool = False,
             chip: Optional[str] = None, residuals: bool = False,
             mass_gradients: bool = True) -> KernelClass:
    """The kernel class that serves these operands, for a GPU where `chip` names one."""
    q, k, v, z, *masses = operands
    heads = (q.shape[1], k.shape[1], z.shape[-3]) if gradients else None
    return KernelClass(q.shape[3], v.shape[3], z.shape[-2], q.dtype, z.dtype, z.ndim,
                       *(0 if mass is None else mass.ndim for mass in masses), attributes, heads, chip,
                       residuals, mass_gradients)


def _memref(element: str, *dims: Optional[int]) -> str:
    """The type of a buffer with these sizes (None: dynamic), any outer strides, any offset."""
    shape = "x".join("?" if dim is None else str(dim) for dim in dims)
    strides = ", ".join(["?"] * (len(dims) - 1) + ["1"])
    return f"memref<{shape}x{element}, strided<[{strides}], offset: ?>>"


def module_text(kernel: KernelClass, schedule: Optional[str] = None) -> str:
    """The module that is compiled: one function on buffers with one op.

    `lot.attention`: its arguments are q, k, v, pivots, the masses that are given and the result.
    `lot.attention_vjp`: the same with the cotangent first and, in place of the result, the
    gradient of each of the others. Residuals come before or after the result or gradients: as
    they are read or written.
    """
    io, state = ELEMENT[kernel.dtype]
    state = ELEMENT[state][0]
    d, dv, r = kernel.d, kernel.dv, kernel.r
    hq, hk, hp = kernel.gradient_heads or (None, None, None)
    operands = {
        "q": _memref(io, None, hq, None, d),
        "k": _memref(io, None, hk, None, d),
        "v": _memref(io, None, hk, None, dv),
        "pivots": _memref(ELEMENT[kernel.pivots_dtype][0],
                          *[None] * (kernel.pivots_rank - 3), hp, r, d),
    }
    inputs = list(operands)
    clauses = []
    for name, rank, heads, last in (("query_log_mass", kernel.query_mass_rank, hq, None),
                                    ("key_log_mass", kernel.key_mass_rank, hk, None)):
        if rank:
            operands[name] = _memref(state, None, *[heads] * (rank - 2), last)
    for name, rank in (("pivot_log_mass", kernel.pivot_mass_rank),
                       ("glue_log_mass", kernel.glue_mass_rank)):
        if rank:
            operands[name] = _memref(state, *[None] * (rank - 2), hp, r)
    for name in operands:
        if name not in inputs:
            clauses.append(f"        {name}(%{name} : {operands[name]})\n")
    out = _memref(io, None, hq, None, dv)
    if kernel.gradient_heads is None:
        op, arguments, results = "lot.attention", operands, {"out": out}
        if kernel.residuals:
            results["residuals"] = _memref("f32", None)
    else:
        op, arguments = "lot.attention_vjp", {"dout": out, **operands}
        results = {f"d{name}": type_ for name, type_ in operands.items()
                   if name in inputs or kernel.mass_gradients}
        inputs.insert(0, "dout")
        if kernel.residuals:
            arguments["residuals"] = _memref("f32", None)
            clauses.append(f"        residuals(%residuals : {arguments['residuals']})\n")
    signature = ",\n    ".join(f"%{name}: {type_}" for name, type_ in
                               {**arguments, **results}.items())
    return (f"func.func @{ENTRY}(\n    {signature}) {{\n"
            f"  {op} {_attributes.text(kernel.attributes, schedule)}\n"
            f"        ins({', '.join('%' + name for name in inputs)} :\n"
            f"            {', '.join(arguments[name] for name in inputs)})\n"
            f"{''.join(clauses)}"
            f"        outs({', '.join('%' + name for name in results)} :\n"
            f"             {', '.join(results.values())})\n"
            "  return\n}\n")


class Cache:
    """Kernels by class and options; each is compiled once, also when threads ask for it at once."""

    def __init__(self, compile_: Callable[..., Any], capacity: int = CAPACITY) -> None:
        self._compile = compile_
        self._capacity = capacity
        self._kernels: dict[tuple[KernelClass, CompileOptions], tuple[Any, float]] = {}
        self._compiling: dict[tuple[KernelClass, CompileOptions], threading.Lock] = {}
        self._lock = threading.Lock()
        self._compilations = 0
        self._loads = 0

    def get(self, kernel: KernelClass) -> Any:
        """The executable of `kernel` under the options in force, made if this is its first use.

        Threads that ask for one kernel at once wait for one compilation; after a failed one each
        tries again, and gets the exception.
        """
        options = _options.current()
        key = kernel, options
        found = self._kernels.get(key)  # a dict read needs no lock
        if found is not None:
            return found[0]
        with self._lock:
            turn = self._compiling.setdefault(key, threading.Lock())
        with turn:  # others that want this kernel wait here, the rest go on
            found = self._kernels.get(key)
            if found is not None:
                return found[0]
            start = time.perf_counter()
            executable = None
            try:
                text = module_text(kernel, options.schedule)
                executable = self._compile(text, options.mcpu, *filter(None, [kernel.chip]))
            finally:
                # One critical section: whoever finds no lock to wait for finds the kernel.
                with self._lock:
                    self._compiling.pop(key, None)
                    if executable is not None:
                        if executable.cached:
                            self._loads += 1
                        else:
                            self._compilations += 1
                        self._kernels[key] = (executable, time.perf_counter() - start)
                        while len(self._kernels) > self._capacity:
                            del self._kernels[next(iter(self._kernels))]
            return executable

    def info(self) -> CacheInfo:
        """How many kernels were compiled and loaded, and which are held."""
        with self._lock:
            held = tuple(KernelInfo(kernel, seconds, executable.cached, executable.timings, options)
                         for (kernel, options), (executable, seconds) in self._kernels.items())
            return CacheInfo(self._compilations, self._capacity, held, self._loads)

    def clear(self) -> None:
        """Drops all kernels; calls that are running keep theirs until they return."""
        with self._lock:
            self._kernels.clear()
