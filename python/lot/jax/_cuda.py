#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The calls of the compiled kernels on CUDA devices.

A handler puts kernels into XLA's stream and waits for nothing, so XLA may record it in a command
buffer. What kernels need of memory is one more result of the call: XLA gives it out and knows how
long it is used.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Sequence

import jax
import numpy as np

from .. import _attention
from .._attributes import Attributes
from .._kernels import ENTRY, KernelClass, classify
from .._operands import MASSES, Operands, check_cuda_layout


class Array(NamedTuple):
    """A row-major array in the memory of a device; what is traced has no address."""

    dtype: np.dtype
    shape: tuple[int, ...]
    address: int = 256  # any that is aligned

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def describe(self) -> tuple:
        """As the runtime takes it."""
        strides = [1]
        for size in self.shape[:0:-1]:
            strides.append(strides[-1] * size)
        return self.address, self.dtype.name, self.shape, strides[::-1][:self.ndim]


@functools.lru_cache(maxsize=None)
def _chip(device: int) -> str:
    from .._runtime import cuda_chip

    return cuda_chip(device)


@functools.lru_cache(maxsize=None)
def is_there() -> bool:
    """Whether JAX has a CUDA device."""
    try:
        return bool(jax.devices("cuda"))
    except RuntimeError:
        return False


def is_supported(q: Any, v: Any, pivots: Any) -> bool:
    """Whether there are kernels; without, `run` says why."""
    try:
        check_cuda_layout(q, v, pivots)
    except (TypeError, ValueError):
        return False
    return True


def _kernel(operands: Sequence[Array], attributes: Attributes, masses: Sequence[str],
            gradients: bool, device: int) -> KernelClass:
    given = dict(zip(masses, operands[4:]))
    return classify(Operands(*operands[:4], *map(given.get, MASSES)), attributes, gradients,
                    _chip(device))


def workspace_bytes(arrays: Sequence[Any], results: Sequence[Any], attributes: Attributes,
                    masses: Sequence[str], gradients: bool) -> int:
    """The device memory that a call on arrays of these shapes needs; compiles the kernel."""
    arrays = [Array(np.dtype(x.dtype), tuple(x.shape)) for x in (*arrays, *results)]
    operands = arrays[gradients:len(arrays) - len(results)]
    device = jax.devices("cuda")[0].local_hardware_id
    kernel = _kernel(operands, attributes, masses, gradients, device)
    executable = _attention._cache.get(kernel)
    return executable.workspace_bytes(ENTRY, [array.describe() for array in arrays])


def run(gradients: bool, arguments: list[Array], results: list[Array], values: dict[str, Any],
        stream: int, device: int) -> None:
    """The handler of both calls: arguments and results of XLA, the workspace the last one."""
    values = dict(values)
    masses = values.pop("masses")
    masses = masses.split(",") if masses else []
    attributes = Attributes(**{name: values.get(name) for name in Attributes._fields})
    operands = arguments[gradients:]
    check_cuda_layout(operands[0], operands[2], operands[3])
    *results, workspace = results
    if len(results) != (len(operands) if gradients else 1):
        raise ValueError("expected a call that was traced where JAX has a CUDA device")
    kernel = _kernel(operands, attributes, masses, gradients, device)
    executable = _attention._cache.get(kernel)

    def allocate(size: int) -> int:
        if size > workspace.shape[0]:
            raise ValueError(f"workspace: expected {size} bytes, got {workspace.shape[0]}")
        return workspace.address

    executable.invoke_on_cuda(ENTRY, [array.describe() for array in (*arguments, *results)],
                              device, stream, allocate)
