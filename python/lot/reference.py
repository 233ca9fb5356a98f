#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Float64 log-domain reference of LOT attention, the oracle of the project's tests.

Notation, per (batch, head): token log masses la [n], pivot log masses lw [r], scores
L = S / epsilon in token x pivot orientation [n, r] on both sides, and potentials x [n]
(tokens) and y [r] (pivots) in units of epsilon:

    token half-step:  x_i <- la_i - logsumexp_j(L_ij + y_j)
    pivot half-step:  y_j <- lw_j - logsumexp_i(L_ij + x_i)
    plan:             P_ij = exp(L_ij + x_i + y_j)

A log mass of -inf removes the token or pivot: its data are never read (NaN and inf there
are harmless) and its gradients are exactly zero. A line whose logsumexp is -inf has the
potential -inf, i.e. no mass, never +inf or NaN. All arrays are float64; leading
dimensions broadcast as batch. Written for clarity: it keeps every potential, but like
the compiled code it never forms the n x m coupling.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ._operands import refuse_unsupported

NEG = -np.inf

#: The states of a solve: (kind of the half-step, x, y), the start included.
States = list[tuple[Optional[str], np.ndarray, np.ndarray]]


def logsumexp(x: np.ndarray, axis: int) -> np.ndarray:
    """log(sum(exp(x), axis)); -inf for an empty or all -inf line; NaN propagates."""
    if x.shape[axis] == 0:
        return np.full(np.delete(x.shape, axis), NEG)
    m = np.max(x, axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0.0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.log(np.sum(np.exp(x - m), axis=axis)) + np.squeeze(m, axis)


def _sub(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p - q, -inf where either is: an empty line stays without mass."""
    return np.where((p == NEG) | (q == NEG), NEG, p - np.where(q == NEG, 0.0, q))


def mask_scores(L: np.ndarray, la: np.ndarray, lw: np.ndarray) -> np.ndarray:
    """L with -inf wherever the token or the pivot has zero mass (a select)."""
    return np.where((la == NEG)[..., :, None] | (lw == NEG)[..., None, :], NEG, L)


def _exp(L: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """exp(L + x_i + y_j), 0 wherever any term is -inf."""
    x, y = x[..., :, None], y[..., None, :]
    dead = (L == NEG) | (x == NEG) | (y == NEG)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(dead, 0.0, np.exp(np.where(dead, 0.0, L) + np.where(x == NEG, 0, x)
                                          + np.where(y == NEG, 0, y)))


def solve(L: np.ndarray, la: np.ndarray, lw: np.ndarray, half_steps: int,
          first: str = "token") -> States:
    """`half_steps` alternating half-steps, starting with `first` ("token" or "pivot").

    L [..., n, r], la [..., n], lw [..., r] -> states (kind, x [..., n], y [..., r]); state 0 is
    the start (potential 0, or -inf at zero mass), state k the state after half-step k.
    ValueError: half_steps < 1 or another `first`.
    """
    if half_steps < 1:
        raise ValueError(f"half_steps: expected at least 1, got {half_steps}")
    if first not in ("token", "pivot"):
        raise ValueError(f"first: expected 'token' or 'pivot', got {first!r}")
    L = mask_scores(L, la, lw)
    shape = L.shape[:-2]
    x = np.broadcast_to(np.where(la == NEG, NEG, 0.0), shape + (L.shape[-2],))
    y = np.broadcast_to(np.where(lw == NEG, NEG, 0.0), shape + (L.shape[-1],))
    states: States = [(None, x, y)]
    token = first == "token"
    for _ in range(half_steps):
        if token:
            x = _sub(la, logsumexp(L + y[..., None, :], -1))
        else:
            y = _sub(lw, logsumexp(L + x[..., :, None], -2))
        states.append(("token" if token else "pivot", x, y))
        token = not token
    return states


def prepare(q: Any, k: Any, v: Any, z: Any, scale: Optional[float], query_log_mass: Any,
            key_log_mass: Any, pivot_log_mass: Any, glue_log_mass: Any) -> tuple:
    """Expands heads, groups and masses, and blanks what has no mass.

    Returns Q [B,H,n,d], K [B,H,m,d], V [B,H,m,dv], Z [B,H,r,d], scale, la [B,H,n], lb [B,H,m],
    lw [B,H,r], lg [B,H,r] with H the query heads, and the unexpanded float64 inputs.
    ValueError for shapes that do not agree and for masses that are NaN or +inf.
    """
    q, k, v, z = (np.asarray(t, float) for t in (q, k, v, z))
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4 or z.ndim not in (3, 4):
        raise ValueError("q, k, v must be [B, H, n, d]; pivots [H, r, d] or [B, H, r, d]")
    B, Hq, n, d = q.shape
    Hk, m = k.shape[1:3]
    z4 = z if z.ndim == 4 else z[None]
    Hp, r = z4.shape[1:3]
    if r < 1 or d < 1:
        raise ValueError(f"expected r >= 1 and d >= 1, got {r} and {d}")
    if k.shape[0] != B or k.shape[3] != d or v.shape[:3] != k.shape[:3] or z4.shape[3] != d:
        raise ValueError("q, k, v, pivots disagree in batch, length, heads or d")
    if Hk == 0 or Hq % Hk or Hp not in (Hq, Hk) or z4.shape[0] not in (1, B):
        raise ValueError("query heads must be a multiple of key heads; pivot heads equal either")
    group, pivot_group = Hq // Hk, (Hq // Hp if Hp else 1)

    def mass(lm: Any, heads: int, length: int, name: str) -> np.ndarray:
        if lm is None:
            lm = np.full((1, 1, length), -np.log(max(length, 1)))
        lm = np.asarray(lm, float)
        if lm.ndim == 2:  # tokens [B, n] -> all heads; pivots [Hp, r] -> all batches
            lm = lm[None] if name in ("pivot", "glue") else lm[:, None]
        if lm.shape[-1] != length or np.isnan(lm).any() or (lm == np.inf).any():
            raise ValueError(f"bad {name}_log_mass")
        return np.broadcast_to(lm, (B, heads, length))

    def repeat(t: np.ndarray, times: int) -> np.ndarray:
        return np.repeat(t, times, axis=1)

    la = mass(query_log_mass, Hq, n, "query")
    lb = repeat(mass(key_log_mass, Hk, m, "key"), group)
    lw = repeat(mass(pivot_log_mass, Hp, r, "pivot"), pivot_group)
    lg = lw
    if glue_log_mass is not None:
        lg = repeat(mass(glue_log_mass, Hp, r, "glue"), pivot_group)
    K, V = repeat(k, group), repeat(v, group)
    Z = repeat(np.broadcast_to(z4, (B,) + z4.shape[1:]), pivot_group)

    def live(t: np.ndarray, lm: np.ndarray) -> np.ndarray:
        return np.where((lm == NEG)[..., None], 0.0, t)

    return (live(q, la), live(K, lb), live(V, lb), live(Z, lw),
            d ** -0.5 if scale is None else scale, la, lb, lw, lg, (q, k, v, z))


def scores(tokens: np.ndarray, Z: np.ndarray, scale: float, epsilon: float,
           score_clamp: Optional[float]) -> np.ndarray:
    """L [..., n, r] = clip(scale * tokens Z^T) / epsilon."""
    S = scale * (tokens @ np.swapaxes(Z, -1, -2))
    return (S if score_clamp is None else np.clip(S, -score_clamp, score_clamp)) / epsilon


def query_plan(L: np.ndarray, la: np.ndarray, lw: np.ndarray, half_steps: int) -> np.ndarray:
    """R1 [..., n, r] = P1 / a, the row-conditional plan of the query side."""
    _, x, y = solve(L, la, lw, half_steps, "token")[-1]
    return _exp(mask_scores(L, la, lw), _sub(x, la), y)


def key_plan(L: np.ndarray, lb: np.ndarray, lw: np.ndarray, lg: np.ndarray,
             half_steps: int) -> np.ndarray:
    """[..., m, r] = P2^T / w_glue, the plan of the key side, tokens as rows."""
    _, x, y = solve(L, lb, lw, half_steps, "pivot")[-1]
    return _exp(mask_scores(L, lb, lw), x, _sub(y, lg))


def attention(q: Any, k: Any, v: Any, pivots: Any, *, scale: Optional[float] = None,
              epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Any = None,
              key_log_mass: Any = None, pivot_log_mass: Any = None, glue_log_mass: Any = None,
              normalization: str = "query_mass", row_floor: float = 0.0,
              score_clamp: Optional[float] = None, out_scale: float = 1.0,
              threads: Optional[int] = None, **unsupported: Any) -> np.ndarray:
    """LOT attention in float64: the signature of `lot.attention`, output [B, Hq, n, dv].

    q [B,Hq,n,d]; k [B,Hk,m,d]; v [B,Hk,m,dv]; pivots [Hp,r,d] or [B,Hp,r,d], Hp in {Hq, Hk};
    query_log_mass [B,n] | [B,Hq,n], key_log_mass [B,m] | [B,Hk,m], pivot_log_mass and
    glue_log_mass [Hp,r] | [B,Hp,r]; defaults uniform (glue: the pivot masses). With P1, P2 the
    plans of the two sides and A = P1 diag(1/w) P2, normalization "query_mass" gives
    diag(1/a) A V, "row_sum" A V / max(A 1, row_floor), "none" A V; times out_scale.
    `threads` is ignored. ValueError on shapes, epsilon <= 0, half_steps < 1, an unknown
    normalization, NaN or +inf log masses, causal=True or attn_mask.
    """
    refuse_unsupported(unsupported)
    if not epsilon > 0:
        raise ValueError(f"epsilon: expected a number > 0, got {epsilon}")
    if normalization not in ("query_mass", "row_sum", "none"):
        raise ValueError(f"normalization: expected one of query_mass, row_sum, none, "
                         f"got {normalization!r}")
    Q, K, V, Z, s, la, lb, lw, lg, _ = prepare(q, k, v, pivots, scale, query_log_mass,
                                               key_log_mass, pivot_log_mass, glue_log_mass)
    R1 = query_plan(scores(Q, Z, s, epsilon, score_clamp), la, lw, half_steps)
    R2 = key_plan(scores(K, Z, s, epsilon, score_clamp), lb, lw, lg, half_steps)
    if normalization == "row_sum":
        V = np.concatenate([V, np.ones_like(V[..., :1])], -1)
    U = R1 @ (np.swapaxes(R2, -1, -2) @ V)
    a = np.exp(la)
    if normalization == "query_mass":
        return out_scale * U
    if normalization == "none":
        return out_scale * a[..., None] * U
    floor = np.divide(row_floor, a, out=np.zeros_like(a), where=a > 0)
    divisor = np.maximum(U[..., -1], floor)
    return out_scale * U[..., :-1] / np.where(divisor > 0, divisor, 1.0)[..., None]
