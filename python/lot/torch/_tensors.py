#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors as NumPy arrays on the same memory, and back."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np
import torch

from .._operands import BFLOAT16, F16, F32, F64

#: Element types; others are only known by name, for messages.
NUMPY = {torch.float32: F32, torch.float64: F64, torch.float16: F16}
if BFLOAT16 is not None:
    NUMPY[torch.bfloat16] = BFLOAT16
TORCH = {numpy: dtype for dtype, numpy in NUMPY.items()}


class _Unknown(NamedTuple):
    """Stands for the NumPy dtype of tensors that attention does not take."""

    name: str
    kind: str = ""


class Layout(NamedTuple):
    """What the checks of NumPy operands look at."""

    dtype: Any
    shape: Any


def layout(tensor: torch.Tensor) -> Layout:
    """Dtype and shape; sizes may be symbolic."""
    dtype = NUMPY.get(tensor.dtype)
    return Layout(dtype or _Unknown(str(tensor.dtype).removeprefix("torch.")), tensor.shape)


def to_numpy(tensor: Optional[torch.Tensor], name: str = "tensor") -> Optional[np.ndarray]:
    """An array on the tensor's memory, with its strides; None for None.

    TypeError, with the name of the operand, for element types that NumPy does not have.
    """
    if tensor is None:
        return None
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_neg():  # a view of the negated imaginary part of a conjugate
        tensor = tensor.resolve_neg()
    # NumPy has no bfloat16 of its own: the bits travel as integers.
    if tensor.dtype is torch.bfloat16 and BFLOAT16 is not None:
        return tensor.view(torch.int16).numpy().view(BFLOAT16)
    try:
        return tensor.numpy()
    except TypeError:
        raise TypeError(f"{name}: expected float32, float64, float16 or bfloat16, "
                        f"got {layout(tensor).dtype.name}") from None


def to_torch(array: np.ndarray) -> torch.Tensor:
    """A tensor on the array's memory."""
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
