#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CUDA kernels of lot::attention, lot::attention_forward and lot::attention_backward.

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
from .._runtime import cuda_residuals
from ._tensors import layout

Tensor = torch.Tensor

#: A name of its own, so that tests can hand out poisoned memory.
_empty = torch.empty

_DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}

#: What kernels read at a time, in bytes: rows begin at multiples of it where their length is one.
_VECTOR = 16


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


class _Plan(NamedTuple):
    """How calls on operands of one layout are made."""

    kernel: KernelClass
    copied: tuple[bool, ...]  #: which of the operands that are given need a copy
    shape: tuple  #: of the result
    empty: bool  #: whether nothing attends to anything
    residuals: int  #: how many values they have


#: Layouts and attributes of operands that have passed all checks.
_seen: dict[tuple, _Plan] = {}
_SEEN_CAPACITY = 1024


def count_residuals(q: Any, v: Any, pivots: Any, attributes: Sequence[Any]) -> Any:
    """How many values the residuals of operands of these layouts have. Sizes may be symbolic."""
    per_query, per_pivot = cuda_residuals(int(pivots.shape[-2]), int(v.shape[3]), attributes[2],
                                          attributes[3] == "row_sum")
    return q.shape[0] * (q.shape[1] * per_query + pivots.shape[-3] * per_pivot)


def _plan(operands: Sequence[Optional[Tensor]], attributes: Sequence[Any], gradients: bool,
          residuals: bool = False, mass_gradients: bool = True) -> _Plan:
    """The plan of a call on these operands, which are checked when their like is new."""
    parts = [*attributes, type(attributes[2]), gradients, residuals, mass_gradients]
    for tensor in operands:
        if tensor is None:
            parts.append(None)
        else:
            parts += (tensor.shape, tensor.stride(), tensor.dtype, tensor.device,
                      tensor.data_ptr() % _VECTOR, tensor.is_neg())
    key = tuple(parts)
    try:
        plan = _seen.get(key)
    except TypeError:  # an attribute that has no hash
        plan = key = None
    if plan is not None:
        return plan
    from ._ops import _check

    _check(*operands[:4], operands[4:], attributes)
    q, k, v = operands[:3]
    shape = (*q.shape[:3], v.shape[3])
    plan = _Plan(classify(Operands(*map(_operand, operands)), check_attributes(*attributes),
                          gradients, _chip(q.device.index), residuals, mass_gradients),
                 tuple(not _is_readable(tensor) for tensor in operands if tensor is not None),
                 shape, 0 in shape or k.shape[2] == 0,
                 count_residuals(q, v, operands[3], attributes))
    if key is not None:
        if len(_seen) >= _SEEN_CAPACITY:
            _seen.clear()
        _seen[key] = plan
    return plan


def _is_readable(tensor: Tensor) -> bool:
    """Whether kernels can read the tensor: elements of a row side by side, the next row less than
    2^31 elements away, and rows at multiples of 16 bytes where their length is one."""
    if tensor.is_neg():  # a view of the negated imaginary part of a conjugate
        return False
    shape, strides, size = tensor.shape, tensor.stride(), tensor.element_size()
    if strides[-1] != 1 and shape[-1] != 1:
        return False
    if len(shape) > 1 and shape[-2] > 1 and strides[-2] >= 1 << 31:
        return False
    if shape[-1] * size % _VECTOR:
        return True
    return tensor.data_ptr() % _VECTOR == 0 and all(
        stride * size % _VECTOR == 0 or count == 1
        for stride, count in zip(strides[:-1], shape[:-1]))


def _copy(tensor: Tensor) -> Tensor:
    """One copy that kernels can read."""
    return tensor.resolve_neg().clone(memory_format=torch.contiguous_format)


def _prepare(operands: Sequence[Optional[Tensor]], plan: _Plan) -> list[Tensor]:
    """The operands that are given, ready for a kernel; masses in float32."""
    ready = [tensor for tensor in operands if tensor is not None]
    for position, copied in enumerate(plan.copied):
        if copied:
            ready[position] = _copy(ready[position])
        if position > 3 and ready[position].dtype != torch.float32:
            ready[position] = ready[position].to(torch.float32)
    return ready


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
    operands = args[:8]
    plan = _plan(operands, args[8:], gradients=False)
    q = operands[0]
    out = _empty(plan.shape, dtype=q.dtype, device=q.device)
    if plan.empty:
        return out.zero_()
    _launch(plan.kernel, [*_prepare(operands, plan), out], q.device)
    return out


def attention_forward_cuda(*args: Any) -> tuple[Tensor, Tensor]:
    """The CUDA kernel of lot::attention_forward."""
    operands = args[:8]
    plan = _plan(operands, args[8:], gradients=False, residuals=True)
    q = operands[0]
    out = _empty(plan.shape, dtype=q.dtype, device=q.device)
    residuals = _empty(plan.residuals, dtype=torch.float32, device=q.device)
    if plan.empty:
        return out.zero_(), residuals
    _launch(plan.kernel, [*_prepare(operands, plan), out, residuals], q.device)
    return out, residuals


def attention_backward_cuda(dout: Tensor, *args: Any) -> list[Tensor]:
    """The CUDA kernel of lot::attention_backward; residuals may follow its arguments."""
    from ._ops import _check_backward, _check_residuals

    operands, attributes, needs, residuals = args[:8], args[8:15], args[15], args[16:]
    # All masses given have gradients, or none.
    masses = any(needs[4:])
    plan = _plan(operands, attributes, True, bool(residuals), masses)
    _check_backward(dout, operands, needs)
    if residuals:
        _check_residuals(residuals[0], operands[0], plan.residuals)
    prepared = _prepare(operands, plan)
    wanted = len(prepared) if masses else 4
    gradients = [_empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
                 for tensor in prepared[:wanted]]
    if plan.empty:
        for gradient in gradients:
            gradient.zero_()
    else:
        dout = dout if _is_readable(dout) else _copy(dout)
        _launch(plan.kernel, [dout, *prepared, *residuals, *gradients], dout.device)
    given = iter(gradients)
    found = [None if tensor is None else next(given, None) for tensor in operands]
    # Masses may have been given in another dtype than they are used in.
    return [gradient.to(tensor.dtype) for gradient, tensor, needed in zip(found, operands, needs)
            if needed]
