#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One process of an MPI job: calls each function partitioned on its part of the operands, and whole, and compares.

mpiexec -n 4 python sharding_worker.py FOLDER MPI.so FUNCTION... (part.so and whole.so are in the folder.) The first process prints a line for each function.
"""

import ctypes
import pathlib
import sys

import ml_dtypes
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from sharding_functions import FUNCTIONS, GRID, Function, Operand

DTYPES = {"f64": np.float64, "f32": np.float32, "bf16": ml_dtypes.bfloat16}
WORLD, MAX, DOUBLE = 0x44000000, 0x58000001, 0x4C00080B  # MPICH's handles


def values(function: Function, operand: Operand, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = [function.sizes[d] for d in operand.dims]
    x = rng.standard_normal(shape)
    if operand.values == "mass":
        x = x - np.log(shape[-1])
        x[rng.random(shape) < 0.2] = -np.inf
    elif operand.values == "plan":
        x = np.abs(x) + 0.1
    elif operand.values == "large":
        x = np.abs(x) + 6
    elif operand.values == "poison":
        x = np.full(shape, np.nan)
    return x.astype(DTYPES[operand.element or function.element])


def part(array: np.ndarray, split: list, position: tuple) -> np.ndarray:
    """This process's part of an array, as a copy."""
    index = []
    for size, axes in zip(array.shape, split):
        count = at = 0
        count, at = 1, 0
        for axis in axes:
            count, at = count * GRID[axis], at * GRID[axis] + position[axis]
        index.append(slice(at * size // count, (at + 1) * size // count))
    return np.array(array[tuple(index)], order="C", copy=True)


def descriptor(rank: int) -> type:
    class Descriptor(ctypes.Structure):
        _fields_ = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p), ("offset", ctypes.c_int64),
                    ("sizes", ctypes.c_int64 * rank), ("strides", ctypes.c_int64 * rank)]
    return Descriptor


def describe(array: np.ndarray) -> ctypes.Structure:
    memref = descriptor(array.ndim)()
    memref.allocated = memref.aligned = array.ctypes.data
    memref.sizes[:] = array.shape
    memref.strides[:] = [s // array.itemsize for s in array.strides]
    return memref


def read(memref: ctypes.Structure, dtype: np.dtype) -> np.ndarray:
    """A copy of what a returned memref holds (its memory is left to the process)."""
    shape, strides = list(memref.sizes), list(memref.strides)
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if all(shape) else 0
    itemsize = np.dtype(dtype).itemsize
    raw = (ctypes.c_char * (extent * itemsize)).from_address(memref.aligned + memref.offset * itemsize)
    flat = np.frombuffer(raw, dtype)
    return np.array(np.lib.stride_tricks.as_strided(flat, shape, [s * itemsize for s in strides]))


def call(library: ctypes.CDLL, name: str, arrays: list, function: Function) -> list:
    class Results(ctypes.Structure):
        _fields_ = [(r.name, descriptor(len(r.dims))) for r in function.results]
    results = Results()
    getattr(library, f"_mlir_ciface_{name}")(ctypes.byref(results), *[ctypes.byref(describe(a)) for a in arrays])
    return [read(getattr(results, r.name), DTYPES[r.element or function.element]) for r in function.results]


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    """Frobenius error relative to the expected values; inf for a value that is not finite, or another shape."""
    if got.shape != expected.shape:
        return np.inf
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    # Potentials of lines without mass are -inf on both sides.
    absent = np.isneginf(expected)
    if not (np.isneginf(got) == absent).all():
        return np.inf
    got, expected = np.where(absent, 0, got), np.where(absent, 0, expected)
    if not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return np.inf
    norm = np.linalg.norm(expected)
    return float(np.linalg.norm(got - expected) / norm) if norm else float(np.linalg.norm(got))


def main(folder: str, mpi_library: str, names: list) -> None:
    mpi = ctypes.CDLL(mpi_library, mode=ctypes.RTLD_GLOBAL)
    mpi.MPI_Init(None, None)
    partitioned, complete = (ctypes.CDLL(f"{folder}/{name}.so") for name in ("part", "whole"))
    rank = ctypes.c_int()
    mpi.MPI_Comm_rank(WORLD, ctypes.byref(rank))
    position = divmod(rank.value, GRID[1])
    for name in names:
        function = FUNCTIONS[name]
        arrays = [values(function, o, seed) for seed, o in enumerate(function.operands)]
        parts = [part(a, function.split(o), position) for a, o in zip(arrays, function.operands)]
        got = call(partitioned, f"part_{name}", parts, function)
        expected = call(complete, f"whole_{name}", arrays, function)
        mine = ctypes.c_double(max(difference(g, part(e, function.split(r), position))
                                   for g, e, r in zip(got, expected, function.results)))
        worst = ctypes.c_double()
        mpi.MPI_Allreduce(ctypes.byref(mine), ctypes.byref(worst), 1, DOUBLE, MAX, WORLD)
        if rank.value == 0:
            print(name, worst.value, flush=True)
    mpi.MPI_Finalize()


main(sys.argv[1], sys.argv[2], sys.argv[3:])
