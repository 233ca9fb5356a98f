#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CUDA kernels of lot::attention and lot::attention_backward.

A call checks the operands, finds the kernel class (one compilation serves every batch, number of
heads and length), and puts kernels into the current stream: nothing waits for the GPU, nothing
is read back, and all memory is PyTorch's. So calls can be captured in a graph.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Optional, Sequence

import torch

from .. import _attention
from .._attributes import check_attributes
from .._kernels import ENTRY, KernelClass, classify
from .._operands import Operands
from ._tensors import layout

Tensor = torch.Tensor

#: Sizes that kernels are made for: d and dv, r.
MAX_HEAD_DIM = 256
MAX_PIVOTS = 256

#: A name of its own, so that tests can hand out poisoned memory.
_empty = torch.empty

_DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}

#: What kernels read at a time, in bytes: rows begin at multiples of it where their length is one.
_VECTOR = 16


def check_cuda(q: Tensor, v: Tensor, pivots: Tensor) -> None:
    """TypeError and ValueError for what the kernels of this device do not take, in operands that
    have passed the other checks."""
    if q.dtype not in _DTYPES:
        raise TypeError(f"q: expected float32, float16 or bfloat16 on a CUDA device, got "
                        f"{layout(q).dtype.name}: kernels compute in float32 (tensor.float() "
                        "converts, tensor.cpu() moves to where float64 is)")
    for name, letter, size, most in (("q", "d", q.shape[3], MAX_HEAD_DIM),
                                     ("v", "dv", v.shape[3], MAX_HEAD_DIM),
                                     ("pivots", "r", pivots.shape[-2], MAX_PIVOTS)):
        if size > most:
            raise ValueError(f"{name}: expected {letter} <= {most} on a CUDA device, got {size}")


@functools.lru_cache(maxsize=None)
def _chip(device: int) -> str:
    from .._runtime import cuda_chip

    return cuda_chip(device)


class _Operand(NamedTuple):
    """What `classify` looks at."""

    dtype: Any
    shape: Any
    ndim: int


def _operand(tensor: Optional[Tensor]) -> Optional[_Operand]:
    if tensor is None:
        return None
    seen = layout(tensor)
    return _Operand(seen.dtype, seen.shape, tensor.dim())


#: Shapes, dtypes and attributes of operands that have passed all checks -> their kernel class.
_seen: dict[tuple, KernelClass] = {}
_SEEN_CAPACITY = 1024


def _kernel(operands: Sequence[Optional[Tensor]], attributes: Sequence[Any],
            gradients: bool) -> KernelClass:
    """The kernel class that serves the operands, which are checked when their like is new."""
    key = [*attributes, type(attributes[2]), gradients, operands[0].device.index]
    for tensor in operands:
        key.append(None if tensor is None else (tensor.shape, tensor.dtype, tensor.device))
    try:
        kernel = _seen.get(tuple(key))
    except TypeError:  # an attribute that has no hash
        kernel = None
        key = []
    if kernel is None:
        from ._ops import _check

        _check(*operands[:4], operands[4:], attributes)
        kernel = classify(Operands(*map(_operand, operands)), check_attributes(*attributes),
                          gradients, _chip(operands[0].device.index))
        if key:
            if len(_seen) >= _SEEN_CAPACITY:
                _seen.clear()
            _seen[tuple(key)] = kernel
    return kernel


def _readable(tensor: Tensor) -> Tensor:
    """The tensor, or one copy of it, as kernels can read it: elements of a row side by side, and
    rows at multiples of 16 bytes where their length is one."""
    if tensor.is_neg():  # a view of the negated imaginary part of a conjugate
        return tensor.resolve_neg().clone(memory_format=torch.contiguous_format)
    shape, strides, size = tensor.shape, tensor.stride(), tensor.element_size()
    good = strides[-1] == 1 or shape[-1] == 1
    if good and shape[-1] * size % _VECTOR == 0:
        good = tensor.data_ptr() % _VECTOR == 0 and all(
            stride * size % _VECTOR == 0 or count == 1
            for stride, count in zip(strides[:-1], shape[:-1]))
    return tensor if good else tensor.clone(memory_format=torch.contiguous_format)


def _prepare(operands: Sequence[Optional[Tensor]]) -> list[Tensor]:
    """The operands that are given, ready for a kernel; masses in float32."""
    masses = [mass if mass is None else mass.to(torch.float32) for mass in operands[4:]]
    return [_readable(tensor) for tensor in (*operands[:4], *masses) if tensor is not None]


def _launch(kernel: KernelClass, tensors: Sequence[Tensor], device: torch.device) -> None:
    """Puts a kernel into the current stream of the device."""
    workspace: list[Tensor] = []

    def allocate(size: int) -> int:
        # The allocator gives it to later work of this stream alone, so it may go when this returns.
        workspace.append(_empty(size, dtype=torch.uint8, device=device))
        return workspace[0].data_ptr()

    executable = _attention._cache.get(kernel)
    executable.invoke_on_cuda(
        ENTRY, [(tensor.data_ptr(), _DTYPES[tensor.dtype], tensor.shape, tensor.stride())
                for tensor in tensors],
        device.index, torch._C._cuda_getCurrentRawStream(device.index), allocate)


def attention_cuda(*args: Any) -> Tensor:
    """The CUDA kernel of lot::attention."""
    operands, attributes = args[:8], args[8:]
    kernel = _kernel(operands, attributes, gradients=False)
    q, k, v = operands[:3]
    out = _empty((*q.shape[:3], v.shape[3]), dtype=q.dtype, device=q.device)
    if out.numel() == 0:
        return out
    if k.shape[2] == 0:  # no key: nothing to attend to
        return out.zero_()
    _launch(kernel, [*_prepare(operands), out], q.device)
    return out


def attention_backward_cuda(dout: Tensor, *args: Any) -> list[Tensor]:
    """The CUDA kernel of lot::attention_backward."""
    from ._ops import _check_backward

    operands, attributes, needs = args[:8], args[8:-1], args[-1]
    kernel = _kernel(operands, attributes, gradients=True)
    _check_backward(dout, operands, needs)
    prepared = _prepare(operands)
    gradients = [_empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
                 for tensor in prepared]
    if dout.numel() == 0 or operands[1].shape[2] == 0:  # nothing attends to anything
        for gradient in gradients:
            gradient.zero_()
    else:
        _launch(kernel, [_readable(dout), *prepared, *gradients], dout.device)
    given = iter(gradients)
    found = [None if tensor is None else next(given) for tensor in operands]
    # Masses may have been given in another dtype than they are used in.
    return [gradient.to(tensor.dtype) for gradient, tensor, needed in zip(found, operands, needs)
            if needed]
