#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.jax.attention` and the builders of log masses."""

from __future__ import annotations

import functools
from typing import Any, Optional

import jax
import jax.numpy as jnp

from .._attributes import check_attributes, real
from .._operands import (ELEMENT, MASSES, check_layout, check_mass_layout, mass_shapes,
                         refuse_unsupported)
from . import _call
from ._call import Call


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attention(call: Call, *operands: jax.Array) -> jax.Array:
    return _call.forward(call)(*operands)


def _forward(call: Call, *operands: jax.Array) -> tuple:
    return _call.forward(call)(*operands), operands


def _backward(call: Call, operands: tuple, dout: jax.Array) -> tuple:
    (batch, query_heads), key_heads = operands[0].shape[:2], operands[1].shape[1]
    state = ELEMENT[operands[0].dtype][1]
    whole = []
    for name, x in zip(call.operands, operands):
        if name == "pivots" and x.ndim == 3:
            x = x.astype(state)  # the gradients of the batch add up there
        whole.append(_call.unshare(name, x, batch,
                                   key_heads if name == "key_log_mass" else query_heads))
    gradients = _call.backward(call)(dout, *whole)
    return tuple(_call.share(name, g, x).astype(x.dtype)
                 for name, g, x in zip(call.operands, gradients, operands))


_attention.defvjp(_forward, _backward)


def attention(q: Any, k: Any, v: Any, pivots: Any, *, scale: Optional[float] = None,
              epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Any = None,
              key_log_mass: Any = None, pivot_log_mass: Any = None, glue_log_mass: Any = None,
              normalization: str = "query_mass", row_floor: float = 0.0,
              score_clamp: Optional[float] = None, out_scale: float = 1.0,
              **unsupported: Any) -> jax.Array:
    """`lot.attention` on JAX arrays, with reverse-mode derivatives.

    Works under jit, grad and vmap (over any of the operands), and where batch and heads are
    sharded over devices without moving data. Where tokens are sharded, see
    `lot.jax.portable.attention`. The kernels run on the CPU and on CUDA devices (no float64
    there, d, dv and r up to 256; values of masses are not checked).

    Args:
      q: [B, Hq, n, d] float32, float16, bfloat16, or float64 where JAX has it enabled.
      k: [B, Hk, m, d], dtype of q; Hq is a multiple of Hk.
      v: [B, Hk, m, dv], dtype of q.
      pivots: [Hp, r, d] or [B, Hp, r, d], dtype of q or float32; Hp is Hq or Hk.
      query_log_mass: [B, n] or [B, Hq, n]; default -log n. See `lot.jax.log_mass`.
      key_log_mass: [B, m] or [B, Hk, m]; default -log m.
      pivot_log_mass: [Hp, r] or [B, Hp, r]; default -log r. See `lot.jax.pivot_log_mass`.
      glue_log_mass: as pivot_log_mass, which is its default.
      scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale: as of
        `lot.attention`; Python numbers.

    Returns:
      [B, Hq, n, dv], dtype of q.

    Raises:
      TypeError, ValueError: dtypes, shapes, attributes, causal=True and attn_mask. Masses that
      are NaN or +inf are an error of the running program (jax.errors.JaxRuntimeError).
    """
    if unsupported:
        refuse_unsupported(unsupported)
    q, k, v, pivots = map(jnp.asarray, (q, k, v, pivots))
    check_layout(q, k, v, pivots)
    attributes = check_attributes(scale, epsilon, half_steps, normalization, row_floor,
                                  score_clamp, out_scale)
    state = ELEMENT[q.dtype][1]
    given = {}
    for name, mass, shapes in zip(MASSES, (query_log_mass, key_log_mass, pivot_log_mass,
                                           glue_log_mass), mass_shapes(q, k, pivots)):
        if mass is not None:
            mass = jnp.asarray(mass)
            check_mass_layout(name, mass, *shapes)
            given[name] = mass.astype(state)
    return _attention(Call(attributes, tuple(given)), q, k, v, pivots, *given.values())


def log_mass(keep: Any, dtype: Any = jnp.float32) -> jax.Array:
    """Uniform log masses over the tokens that a padding mask keeps.

    keep: bool [..., n], True for tokens that are there -> [..., n]: -log(count) where kept, -inf
    elsewhere (all -inf when nothing is kept). TypeError when keep is not bool: 0/1 and additive
    masks are too easily confused.
    """
    keep = jnp.asarray(keep)
    if keep.dtype != jnp.bool_:
        raise TypeError(f"keep: expected bool, True = keep, got {keep.dtype.name}: an additive "
                        "mask (0 where kept) becomes mask >= 0, a 0/1 mask becomes mask != 0")
    if keep.ndim < 1:
        raise ValueError("keep: expected rank 1 or more, got rank 0")
    kept = jnp.maximum(keep.sum(-1, keepdims=True), 1).astype(dtype)
    return jnp.where(keep, -jnp.log(kept), -jnp.inf)


def pivot_log_mass(logits: Any, temperature: float = 1.0) -> jax.Array:
    """log_softmax(logits / temperature) over the last axis, as LOTFormer learns pivot masses.

    logits: [..., r] -> [..., r], differentiable. ValueError for temperature <= 0.
    """
    if not real("temperature", temperature) > 0:
        raise ValueError(f"temperature: expected a number > 0, got {temperature}")
    return jax.nn.log_softmax(jnp.asarray(logits) / temperature, -1)
