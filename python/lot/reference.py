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

from typing import Any, NamedTuple, Optional

import numpy as np

from ._operands import MASSES, refuse_unsupported

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
    return _forward(q, k, v, pivots, scale, epsilon, half_steps,
                    (query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass),
                    normalization, row_floor, score_clamp, out_scale).out


class _Side(NamedTuple):
    """One solved side: tokens [..., n, d], pivots, masses, scores and the states of its solve."""

    tokens: np.ndarray
    pivots: np.ndarray
    la: np.ndarray
    lw: np.ndarray
    L: np.ndarray
    inside: np.ndarray  # where the score was not clipped
    states: States


class _Forward(NamedTuple):
    """What the reverse mode needs of the forward one; V has a column of ones for row_sum."""

    out: np.ndarray
    queries: _Side
    keys: _Side
    lg: np.ndarray
    V: np.ndarray
    R1: np.ndarray
    C2: np.ndarray  # R2^T diag(w / w_glue)
    G: np.ndarray
    U: np.ndarray
    scale: float
    floor: np.ndarray
    divisor: np.ndarray
    raw: tuple


def _forward(q: Any, k: Any, v: Any, pivots: Any, scale: Optional[float], epsilon: float,
             half_steps: int, masses: tuple, normalization: str, row_floor: float,
             score_clamp: Optional[float], out_scale: float) -> _Forward:
    if not epsilon > 0:
        raise ValueError(f"epsilon: expected a number > 0, got {epsilon}")
    if normalization not in ("query_mass", "row_sum", "none"):
        raise ValueError(f"normalization: expected one of query_mass, row_sum, none, "
                         f"got {normalization!r}")
    Q, K, V, Z, s, la, lb, lw, lg, raw = prepare(q, k, v, pivots, scale, *masses)

    def side(tokens: np.ndarray, mass: np.ndarray, first: str) -> _Side:
        S = s * (tokens @ np.swapaxes(Z, -1, -2))
        inside = np.ones(S.shape, bool) if score_clamp is None else np.abs(S) <= score_clamp
        L = scores(tokens, Z, s, epsilon, score_clamp)
        return _Side(tokens, Z, mass, lw, L, inside, solve(L, mass, lw, half_steps, first))

    queries, keys = side(Q, la, "token"), side(K, lb, "pivot")
    _, x1, y1 = queries.states[-1]
    _, x2, y2 = keys.states[-1]
    R1 = _exp(mask_scores(queries.L, la, lw), _sub(x1, la), y1)
    C2 = _exp(mask_scores(keys.L, lb, lw), x2, _sub(y2, lg))
    if normalization == "row_sum":
        V = np.concatenate([V, np.ones_like(V[..., :1])], -1)
    G = np.swapaxes(C2, -1, -2) @ V
    U = R1 @ G
    a = np.exp(la)
    floor = np.divide(row_floor, a, out=np.zeros_like(a), where=a > 0)
    divisor = np.ones_like(a)
    if normalization == "query_mass":
        out = U
    elif normalization == "none":
        out = a[..., None] * U
    else:
        divisor = np.maximum(U[..., -1], floor)
        divisor = np.where(divisor > 0, divisor, 1.0)
        out = U[..., :-1] / divisor[..., None]
    return _Forward(out_scale * out, queries, keys, lg, V, R1, C2, G, U, s, floor, divisor, raw)


def solve_vjp(L: np.ndarray, states: States, la: np.ndarray, lw: np.ndarray, dx: np.ndarray,
              dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reverse mode through the half-steps of `solve` (docs/semantics.md, section 6).

    dx [..., n], dy [..., r]: cotangents of the last potentials -> those of L, la and lw. Written
    step by step, each with its own weights: not the rank-T form of the compiled code.
    """
    L = mask_scores(L, la, lw)
    dL, dla, dlw = np.zeros_like(L), np.zeros_like(dx), np.zeros_like(dy)
    for kind, x, y in states[:0:-1]:
        if kind == "token":
            D = _exp(L, _sub(x, la), y) * dx[..., :, None]  # rows of the weights sum to 1
            dla = dla + np.where(x != NEG, dx, 0.0)
            dx, dy = np.zeros_like(dx), dy - D.sum(-2)
        else:
            D = _exp(L, x, _sub(y, lw)) * dy[..., None, :]  # columns sum to 1
            dlw = dlw + np.where(y != NEG, dy, 0.0)
            dx, dy = dx - D.sum(-1), np.zeros_like(dy)
        dL = dL - D
    return dL, dla, dlw


def attention_vjp(dout: Any, q: Any, k: Any, v: Any, pivots: Any, *,
                  scale: Optional[float] = None, epsilon: float = 1.0, half_steps: int = 5,
                  query_log_mass: Any = None, key_log_mass: Any = None,
                  pivot_log_mass: Any = None, glue_log_mass: Any = None,
                  normalization: str = "query_mass", row_floor: float = 0.0,
                  score_clamp: Optional[float] = None, out_scale: float = 1.0,
                  threads: Optional[int] = None, **unsupported: Any) -> dict[str, Any]:
    """Gradients of sum(dout * attention(...)) in float64: the signature of `lot.attention_vjp`.

    Returns q, k, v, pivots and each log mass that is given, in the shapes of the operands; and
    `out`, and scale_q, scale_k, scale_pivots and one for each log mass: Frobenius sizes of the
    terms before cancellation, to which rounding errors are proportional (section 9).
    """
    refuse_unsupported(unsupported)
    masses = (query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    f = _forward(q, k, v, pivots, scale, epsilon, half_steps, masses, normalization, row_floor,
                 score_clamp, out_scale)
    la, lb, lw = f.queries.la, f.keys.la, f.queries.lw
    dO = np.where((la == NEG)[..., None], 0.0, np.asarray(dout, float)) * out_scale
    dla, dla_size = np.zeros_like(la), np.zeros_like(la)
    if normalization == "query_mass":
        dU = dO
    elif normalization == "none":
        dU = dO * np.exp(la)[..., None]
        dla, dla_size = (dU * f.U).sum(-1), np.abs(dU * f.U).sum(-1)
    else:
        numerator = dO / f.divisor[..., None]
        ddivisor = -(numerator * f.U[..., :-1]).sum(-1) / f.divisor
        hit = f.U[..., -1] >= f.floor  # the floor is not the divisor
        if row_floor:
            dla = -np.where(hit, 0.0, ddivisor * f.divisor)
            dla_size = np.abs(numerator * f.U[..., :-1]).sum(-1)
        dU = np.concatenate([numerator, np.where(hit, ddivisor, 0.0)[..., None]], -1)

    def transpose(t: np.ndarray) -> np.ndarray:
        return np.swapaxes(t, -1, -2)

    E1 = f.R1 * (dU @ transpose(f.G))  # R1 = exp(L1 + x1 - la + y1)
    dG = transpose(f.R1) @ dU
    E2 = f.C2 * (f.V @ transpose(dG))  # C2 = exp(L2 + x2 + y2 - lg)
    dV = f.C2 @ dG
    size1, size2 = np.abs(E1), np.abs(E2)
    if normalization == "row_sum":  # rows and their sums cancel inside dR, too
        size1 = f.R1 * (np.abs(dU) @ transpose(np.abs(f.G)))
        size2 = f.C2 * (np.abs(f.V) @ transpose(transpose(f.R1) @ np.abs(dU)))
    dL1, dla1, dlw1 = solve_vjp(f.queries.L, f.queries.states, la, lw, E1.sum(-1), E1.sum(-2))
    dL2, dlb, dlw2 = solve_vjp(f.keys.L, f.keys.states, lb, lw, E2.sum(-1), E2.sum(-2))
    dla = dla + dla1 - E1.sum(-1)
    dlw, dlg = dlw1 + dlw2, -E2.sum(-2)
    if glue_log_mass is None:
        dlw = dlw + dlg
    factor = f.scale / epsilon
    dS1, dS2 = (E1 + dL1) * f.queries.inside * factor, (E2 + dL2) * f.keys.inside * factor
    Q, K, Z = f.queries.tokens, f.keys.tokens, f.queries.pivots
    dQ, dK = dS1 @ Z, dS2 @ Z
    dZ = transpose(dS1) @ Q + transpose(dS2) @ K

    def live(t: np.ndarray, mass: np.ndarray) -> np.ndarray:
        return np.where(mass == NEG, 0.0, t)

    def group(t: np.ndarray, heads: int) -> np.ndarray:
        return t.reshape(t.shape[0], heads, t.shape[1] // heads, *t.shape[2:]).sum(2)

    def size(E: np.ndarray, T: np.ndarray) -> float:
        return abs(factor) * float(np.linalg.norm(E @ np.abs(T)))

    _, k4, _, z = f.raw
    Hk, Hp = k4.shape[1], z.shape[-3]
    dZ = group(live(dZ, lw[..., None]), Hp)
    gradients = {
        "q": live(dQ, la[..., None]), "k": group(live(dK, lb[..., None]), Hk),
        "v": group(live(dV[..., :f.raw[2].shape[3]], lb[..., None]), Hk),
        "pivots": dZ if z.ndim == 4 else dZ.sum(0)}
    full = (live(dla, la), group(live(dlb, lb), Hk), group(live(dlw, lw), Hp),
            group(live(dlg, lw), Hp))
    for axis, name, mass, gradient in zip((1, 1, 0, 0), MASSES, masses, full):
        if mass is not None:  # of rank 2: shared by the heads, or by the batch
            gradients[name] = gradient if np.ndim(mass) == 3 else gradient.sum(axis)
    gradients.update(
        out=f.out, scale_q=size(size1, Z), scale_k=size(size2, Z),
        scale_pivots=float(np.hypot(size(transpose(size1), Q), size(transpose(size2), K))),
        scale_query_log_mass=float(np.linalg.norm(size1.sum(-1) + dla_size)),
        scale_key_log_mass=float(np.linalg.norm(size2.sum(-1))),
        scale_pivot_log_mass=float(np.linalg.norm(size1.sum(-2) + size2.sum(-2))),
        scale_glue_log_mass=float(np.linalg.norm(size2.sum(-2))))
    return gradients
