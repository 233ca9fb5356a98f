#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOT attention in jax.numpy, in the log domain: for any device, and for split tokens.

Where the tokens of one problem are spread over devices, a half-step over the pivots is local and
one over the tokens merges r-vectors: (max, sum) pairs by pmax and psum. Nothing of the size of
the tokens moves:

    from jax.sharding import PartitionSpec as P
    tokens, pivots = P(None, None, "x"), P()
    split = jax.shard_map(functools.partial(lot.jax.portable.attention, axis_name="x"), mesh=mesh,
                          in_specs=(tokens, tokens, tokens, pivots), out_specs=tokens)

Derivatives are JAX's own; the scan over half-steps keeps r-vectors and computes the rest again.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import jax
import jax.numpy as jnp
from jax import lax

from .._attributes import check_attributes
from .._operands import (ELEMENT, MASSES, check_layout, check_mass_layout, mass_shapes,
                         refuse_unsupported)

NEG = -jnp.inf


class _Side(NamedTuple):
    """One side: scores L [..., n, r], -inf without mass; log masses of tokens and pivots."""

    L: jax.Array
    token_mass: jax.Array
    pivot_mass: jax.Array
    axis_name: Optional[str]


def _logsumexp(x: jax.Array, axis: int, axis_name: Optional[str] = None) -> jax.Array:
    """log(sum(exp(x))) over an axis, and over devices; -inf for lines without mass."""
    top = lax.stop_gradient(jnp.max(x, axis, keepdims=True, initial=NEG))
    if axis_name is not None:
        top = lax.pmax(top, axis_name)
    top = jnp.where(jnp.isneginf(top), 0.0, top)
    total = jnp.exp(x - top).sum(axis)
    if axis_name is not None:
        total = lax.psum(total, axis_name)
    live = total > 0
    return jnp.where(live, jnp.log(jnp.where(live, total, 1.0)) + top.squeeze(axis), NEG)


def _minus(p: jax.Array, q: jax.Array) -> jax.Array:
    """p - q, -inf where either is; so is the derivative defined there (0)."""
    dead = jnp.isneginf(p) | jnp.isneginf(q)
    return jnp.where(dead, NEG, jnp.where(dead, 0.0, p) - jnp.where(dead, 0.0, q))


def _token_step(side: _Side, y: jax.Array) -> jax.Array:
    return _minus(side.token_mass, _logsumexp(side.L + y[..., None, :], -1))


def _pivot_step(side: _Side, x: jax.Array) -> jax.Array:
    return _minus(side.pivot_mass, _logsumexp(side.L + x[..., :, None], -2, side.axis_name))


def _sweeps(side: _Side, y: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """`count` times a token step and a pivot step: the last two pivot potentials."""

    @jax.checkpoint
    def sweep(carry: tuple, _: None) -> tuple:
        return (carry[1], _pivot_step(side, _token_step(side, carry[1]))), None

    return lax.scan(sweep, (y, y), None, length=count)[0]


def _start(mass: jax.Array) -> jax.Array:
    return jnp.where(jnp.isneginf(mass), NEG, 0.0).astype(mass.dtype)


def _plan(exponent: jax.Array) -> jax.Array:
    dead = jnp.isneginf(exponent)
    return jnp.where(dead, 0.0, jnp.exp(jnp.where(dead, 0.0, exponent)))


def _query_plan(side: _Side, half_steps: int) -> jax.Array:
    """R1 [..., n, r]: P1 divided by the query masses."""
    y = jnp.broadcast_to(_start(side.pivot_mass), (*side.L.shape[:-2], side.L.shape[-1]))
    previous, last = _sweeps(side, y, half_steps // 2)
    if half_steps % 2:
        previous = last
    x = _minus(_token_step(side, previous), side.token_mass)
    return _plan(side.L + x[..., :, None] + last[..., None, :])


def _key_plan(side: _Side, glue_mass: jax.Array, half_steps: int) -> jax.Array:
    """[..., m, r]: P2 transposed, divided by the glue masses."""
    start = _start(side.token_mass)
    y = _pivot_step(side, jnp.broadcast_to(start, side.L.shape[:-1]))
    previous, last = _sweeps(side, y, (half_steps - 1) // 2)
    if half_steps % 2 == 0:
        previous = last
    x = start if half_steps == 1 else _token_step(side, previous)
    return _plan(side.L + x[..., :, None] + _minus(last, glue_mass)[..., None, :])


def attention(q: Any, k: Any, v: Any, pivots: Any, *, axis_name: Optional[str] = None,
              scale: Optional[float] = None, epsilon: float = 1.0, half_steps: int = 5,
              query_log_mass: Any = None, key_log_mass: Any = None, pivot_log_mass: Any = None,
              glue_log_mass: Any = None, normalization: str = "query_mass",
              row_floor: float = 0.0, score_clamp: Optional[float] = None,
              out_scale: float = 1.0, **unsupported: Any) -> jax.Array:
    """`lot.jax.attention` in jax.numpy, also inside `jax.shard_map` over the tokens.

    Args:
      axis_name: mesh axis over which n and m are split evenly; q, k, v and token masses are then
        this device's parts, pivots and their masses the whole. Default masses count all tokens.
      All others: as of `lot.jax.attention`.

    Returns: [B, Hq, n, dv], this device's part, dtype of q. TypeError and ValueError as there.
    """
    refuse_unsupported(unsupported)
    q, k, v, pivots = map(jnp.asarray, (q, k, v, pivots))
    check_layout(q, k, v, pivots)
    a = check_attributes(scale, epsilon, half_steps, normalization, row_floor, score_clamp,
                         out_scale)
    dtype, state = q.dtype, ELEMENT[q.dtype][1]
    (B, Hq, n, d), (_, Hk, m, _), (Hp, r) = q.shape, k.shape, pivots.shape[-3:-1]
    devices = 1 if axis_name is None else lax.axis_size(axis_name)
    given = (query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    masses = []
    for name, mass, shapes, heads, length in zip(
            MASSES, given, mass_shapes(q, k, pivots), (Hq, Hk, Hp, Hp),
            (n * devices, m * devices, r, r)):
        if mass is None:
            size = length if name in MASSES[2:] else length // devices
            mass = jnp.full((1, heads, size), -jnp.log(float(max(length, 1))), state)
        else:
            mass = jnp.asarray(mass)
            check_mass_layout(name, mass, *shapes)
            if mass.ndim == 2:
                mass = mass[None] if name in MASSES[2:] else mass[:, None]
        mass = jnp.broadcast_to(mass.astype(state), (mass.shape[0], heads, mass.shape[2]))
        masses.append(jnp.repeat(mass, Hq // heads, 1))
    la, lb, lw, lg = masses
    if glue_log_mass is None:
        lg = lw

    def live(tokens: jax.Array, mass: jax.Array) -> jax.Array:
        # A select: what has no mass is not read, and its derivative is 0.
        tokens = jnp.repeat(tokens.astype(state), Hq // tokens.shape[1], 1)
        return jnp.where(jnp.isneginf(mass)[..., None], 0.0, tokens)

    Q, K, V = live(q, la), live(k, lb), live(v, lb)
    Z = live(pivots if pivots.ndim == 4 else pivots[None], lw)

    def product(subscripts: str, *factors: jax.Array) -> jax.Array:
        return jnp.einsum(subscripts, *factors, precision=lax.Precision.HIGHEST)

    def side(tokens: jax.Array, mass: jax.Array) -> _Side:
        S = product("bhnd,bhrd->bhnr", tokens, jnp.broadcast_to(Z, (B, Hq, r, d)))
        S = S * (d**-0.5 if a.scale is None else a.scale)
        if a.score_clamp is not None:
            S = jnp.clip(S, -a.score_clamp, a.score_clamp)
        dead = jnp.isneginf(mass)[..., :, None] | jnp.isneginf(lw)[..., None, :]
        return _Side(jnp.where(dead, NEG, S / a.epsilon), mass, lw, axis_name)

    R1 = _query_plan(side(Q, la), a.half_steps)
    R2 = _key_plan(side(K, lb), lg, a.half_steps)
    if a.normalization == "row_sum":
        V = jnp.concatenate([V, jnp.ones_like(V[..., :1])], -1)
    G = product("bhmr,bhme->bhre", R2, V)
    if axis_name is not None:
        G = lax.psum(G, axis_name)
    out = product("bhnr,bhre->bhne", R1, G)
    mass = jnp.exp(la)
    if a.normalization == "none":
        out = out * mass[..., None]
    elif a.normalization == "row_sum":
        floor = jnp.where(mass > 0, a.row_floor / jnp.where(mass > 0, mass, 1.0), 0.0)
        divisor = jnp.maximum(out[..., -1], floor)
        out = out[..., :-1] / jnp.where(divisor > 0, divisor, 1.0)[..., None]
    return (a.out_scale * out).astype(dtype)
