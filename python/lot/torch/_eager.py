#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Eager calls without the dispatcher.

An operator whose kernel and autograd are Python costs some 80 us a call in the dispatcher,
several times what the kernel of a small problem needs. Where nobody looks on (no compiler, no
tracing, no functorch, no dispatch mode, no profiler, no tensor subclass), calling the kernel
directly is the same.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch

from ._cuda import attention_backward_cuda, attention_cuda, attention_forward_cuda
from ._ops import (attention_backward_cpu, attention_cpu, attention_forward_cpu, backward,
                   keeps_residuals)

Tensor = torch.Tensor

#: By type of device: the kernels of the operators.
_KERNELS = {"cpu": (attention_cpu, attention_forward_cpu, attention_backward_cpu),
            "cuda": (attention_cuda, attention_forward_cuda, attention_backward_cuda)}

_PLAIN = (torch.Tensor, torch.nn.Parameter)


def is_plain(tensors: Sequence[Optional[Tensor]]) -> bool:
    """Whether a call on these tensors (of one device) may skip the dispatcher."""
    if (torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
            or torch._C._len_torch_dispatch_stack() or torch._C._get_tracing_state() is not None
            or torch.autograd._profiler_enabled()):
        return False
    for tensor in tensors:
        if tensor is not None and type(tensor) not in _PLAIN:
            return False
    return tensors[0].device.type in _KERNELS


class _Attention(torch.autograd.Function):
    # In this form, and not with setup_context, which costs 25 us more.

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        ctx.attributes = args[8:]
        device = args[0].device.type
        if keeps_residuals(args[0], any(ctx.needs_input_grad[4:8])):
            out, residuals = _KERNELS[device][1](*args)
            ctx.save_for_backward(*args[:8], residuals)
        else:
            out = _KERNELS[device][0](*args)
            ctx.save_for_backward(*args[:8])
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple:
        # With create_graph, the operator refuses a second derivative.
        if torch.is_grad_enabled():
            return backward(ctx, dout)
        return backward(ctx, dout, _KERNELS[dout.device.type][2])


def attention(*args: Any) -> Tensor:
    """torch.ops.lot.attention where `is_plain`."""
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad
                                       for tensor in args[:8]):
        return _Attention.apply(*args)
    return _KERNELS[args[0].device.type][0](*args)
