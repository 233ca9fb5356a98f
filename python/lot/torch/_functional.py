#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.torch.attention` and the builders of log masses, as functions of tensors."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import torch

from .._attributes import real
from .._operands import MASSES, refuse_unsupported
from ._eager import attention as eager_attention
from ._eager import is_plain
from ._ops import OPERANDS, Attention, check_devices, keeps_residuals

Tensor = torch.Tensor


def _leaves_residuals(tensors: Sequence[Optional[Tensor]]) -> bool:
    """Whether a call on these operands keeps residuals. An exported program has the operator
    without them, which other compilers know."""
    wanted = [tensor is not None and tensor.requires_grad for tensor in tensors]
    return (torch.is_grad_enabled() and any(wanted) and not torch.compiler.is_exporting()
            and keeps_residuals(tensors[0], any(wanted[4:])))


def attention(q: Tensor, k: Tensor, v: Tensor, pivots: Tensor, *, scale: Optional[float] = None,
              epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Optional[Tensor] = None,
              key_log_mass: Optional[Tensor] = None, pivot_log_mass: Optional[Tensor] = None,
              glue_log_mass: Optional[Tensor] = None, normalization: str = "query_mass",
              row_floor: float = 0.0, score_clamp: Optional[float] = None,
              out_scale: float = 1.0, **unsupported: Any) -> Tensor:
    """`lot.attention` on tensors, differentiable in q, k, v, pivots and all four log masses.

    The gradient is the exact reverse mode of the half-steps (docs/semantics.md, section 6). The
    backward pass reads the operands again; on a CUDA device the forward pass keeps what the
    half-steps found for it, r floats a step and r * dv a head. Uses at most
    `torch.get_num_threads()` threads. Under autocast, q, k and v are cast; float64 is not.

    Args:
      q: [B, Hq, n, d] float32, float64, float16 or bfloat16, any strides, on the CPU or a CUDA
        device (there no float64, d, dv and r up to 256; values of masses are not checked there,
        as that would wait for the GPU).
      k: [B, Hk, m, d], dtype of q; Hq is a multiple of Hk.
      v: [B, Hk, m, dv], dtype of q.
      pivots: [Hp, r, d] or [B, Hp, r, d], dtype of q or float32; Hp is Hq or Hk.
      query_log_mass: [B, n] or [B, Hq, n]; default -log n. See `lot.torch.log_mass`.
      key_log_mass: [B, m] or [B, Hk, m]; default -log m.
      pivot_log_mass: [Hp, r] or [B, Hp, r]; default -log r. See `lot.torch.pivot_log_mass`.
      glue_log_mass: as pivot_log_mass, which is its default.
      scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale: as of
        `lot.attention`.

    Returns:
      [B, Hq, n, dv], contiguous, dtype of q.

    Raises:
      TypeError: dtypes, no tensor. ValueError: shapes, devices that differ, values of masses and
      attributes, causal=True and attn_mask. NotImplementedError: a device without kernels; a
      second derivative.
    """
    if unsupported:
        refuse_unsupported(unsupported)
    tensors = (q, k, v, pivots, query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    for name, tensor in zip(OPERANDS, tensors):
        if not isinstance(tensor, Tensor) and (tensor is not None or name not in MASSES):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
    check_devices(tensors)
    if q.device.type != "meta" and torch.is_autocast_enabled(q.device.type):
        dtype = torch.get_autocast_dtype(q.device.type)
        q, k, v = (t.to(dtype) if t.is_floating_point() and t.dtype != torch.float64 else t
                   for t in (q, k, v))
        if pivots.dtype not in (q.dtype, torch.float64):
            pivots = pivots.float()
    arguments = (*tensors[4:], scale, epsilon, half_steps, normalization, row_floor, score_clamp,
                 out_scale)
    if is_plain(tensors):
        return eager_attention(q, k, v, pivots, *arguments)
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        return Attention.apply(q, k, v, pivots, *arguments)[0]
    if _leaves_residuals(tensors):
        return torch.ops.lot.attention_forward(q, k, v, pivots, *arguments)[0]
    return torch.ops.lot.attention(q, k, v, pivots, *arguments)


def check_keep(name: str, keep: Any, shape: Optional[tuple] = None) -> None:
    """TypeError or ValueError unless `keep` is a padding mask of bool, True = keep.

    Masks of other conventions are refused with the expression that converts them.
    """
    letters = "[..., n]" if shape is None else f"[B, n] = {list(shape)}"
    if not isinstance(keep, Tensor):
        raise TypeError(f"{name}: expected a bool tensor {letters}, got {type(keep).__name__}")
    if keep.dtype != torch.bool:
        kind = str(keep.dtype).removeprefix("torch.")
        how = ("an additive mask (0 where kept, -inf or very negative elsewhere) becomes "
               "(mask >= 0)" if keep.is_floating_point() else "a 0/1 mask becomes mask.bool()")
        raise TypeError(f"{name}: expected bool, True = keep, got {kind}: {how}, a mask with "
                        "True = padding becomes ~mask")
    if shape is not None and tuple(keep.shape) != tuple(shape):
        raise ValueError(f"{name}: expected shape {letters}, got {list(keep.shape)}")
    if keep.dim() < 1:
        raise ValueError(f"{name}: expected rank 1 or more, got rank 0")


def log_mass(keep: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Uniform log masses over the tokens that a padding mask keeps.

    keep: bool [..., n], True for tokens that are there -> [..., n]: -log(count) where kept, -inf
    elsewhere (all -inf when nothing is kept). TypeError when keep is not bool.
    """
    check_keep("keep", keep)
    kept = keep.sum(-1, keepdim=True).clamp_min(1).to(dtype)
    return torch.where(keep, -kept.log(), -torch.inf)


def pivot_log_mass(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log_softmax(logits / temperature) over the last axis, as LOTFormer learns pivot masses.

    logits: [..., r] -> [..., r], differentiable. ValueError for temperature <= 0.
    """
    if not real("temperature", temperature) > 0:
        raise ValueError(f"temperature: expected a number > 0, got {temperature}")
    return torch.log_softmax(logits / temperature, -1)
