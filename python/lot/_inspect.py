#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Looking inside a coupling: plans and marginals, in float64 and O((n + m) r)."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

from . import reference
from ._attributes import check_attributes
from ._operands import as_array

SIDES = ("query", "key")


def _attributes(scale: Any, epsilon: Any, half_steps: Any, score_clamp: Any) -> Any:
    return check_attributes(scale, epsilon, half_steps, "query_mass", 0.0, score_clamp, 1.0)


def plan(tokens: Any, pivots: Any, *, side: str = "query", scale: Optional[float] = None,
         epsilon: float = 1.0, half_steps: int = 5, token_log_mass: Any = None,
         pivot_log_mass: Any = None, score_clamp: Optional[float] = None) -> np.ndarray:
    """The conditional plan between tokens and pivots, as `lot.attention` uses it.

    Args:
      tokens: queries or keys [B, H, n, d].
      pivots: [Hp, r, d] or [B, Hp, r, d]; Hp and H are equal, or one is a multiple of the other.
      side: "query": P1 / a, each token's distribution over pivots (rows sum to 1 when
        half_steps is odd). "key": P2 / w transposed, each pivot's distribution over tokens
        (columns sum to 1 when half_steps is odd). docs/semantics.md, section 4.
      token_log_mass: [B, n] or [B, H, n]; pivot_log_mass: [Hp, r] or [B, Hp, r].
      scale, epsilon, half_steps, score_clamp: as in `lot.attention`.

    Returns:
      float64 [B, max(H, Hp), n, r], tokens as rows on both sides.

    Raises:
      ValueError, TypeError: as `lot.attention`.
    """
    if side not in SIDES:
        raise ValueError(f"side: expected one of {', '.join(SIDES)}, got {side!r}")
    a = _attributes(scale, epsilon, half_steps, score_clamp)
    x, z = as_array("tokens", tokens), as_array("pivots", pivots)
    if x.ndim != 4:
        raise ValueError(f"tokens: expected rank 4, [B, H, n, d], got rank {x.ndim}")
    if z.ndim not in (3, 4):
        raise ValueError("pivots: expected rank 3 or 4, [Hp, r, d] or [B, Hp, r, d], "
                         f"got rank {z.ndim}")
    # The two head counts in their order, as if the other side had Hp or H heads.
    big, small = max(x.shape[1], z.shape[-3]), min(x.shape[1], z.shape[-3])
    if small < 1 or big % small:
        raise ValueError(f"pivots: expected a number of heads that divides or is a multiple of "
                         f"the {x.shape[1]} of tokens, got {z.shape[-3]}")
    other = np.zeros((x.shape[0], big, 0, x.shape[3]))
    if x.shape[1] == big:  # tokens take the place of the queries
        q, k = x, other[:, :small]
        masses = (token_log_mass, None)
    else:
        q, k = other, x
        masses = (None, token_log_mass)
    Q, K, _, Z, s, la, lb, lw, _, _ = reference.prepare(q, k, k, z, a.scale, *masses,
                                                        pivot_log_mass, None)
    X, lm = (Q, la) if q is x else (K, lb)
    L = reference.scores(X, Z, s, a.epsilon, a.score_clamp)
    if side == "query":
        return reference.query_plan(L, lm, lw, a.half_steps)
    return reference.key_plan(L, lm, lw, lw, a.half_steps)


class MarginalError(NamedTuple):
    """L1 distances of marginals from their masses, float64 [B, Hq] each.

    0 is exact; a coupling of total mass 1 that shares nothing with its target has 2.
    """

    query: np.ndarray  #: sum_i |(A 1)_i - a_i| of the glued coupling A
    key: np.ndarray  #: sum_j |(A^T 1)_j - b_j|
    query_pivots: np.ndarray  #: sum_j |(P1^T 1)_j - w_j| of the query side's plan
    key_pivots: np.ndarray  #: sum_j |(P2 1)_j - w_j| of the key side's plan


def marginal_error(q: Any, k: Any, pivots: Any, *, scale: Optional[float] = None,
                   epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Any = None,
                   key_log_mass: Any = None, pivot_log_mass: Any = None,
                   glue_log_mass: Any = None,
                   score_clamp: Optional[float] = None) -> MarginalError:
    """How far the coupling of `lot.attention` is from doubly stochastic.

    After finitely many half-steps one marginal is exact and the other approximate
    (docs/semantics.md, section 4): for odd half_steps `query` and `key_pivots` are 0 to
    rounding, for even ones `key` and `query_pivots`. More half-steps or a larger epsilon
    make the rest smaller.

    Arguments as in `lot.attention`; ValueError, TypeError as there. Computed in float64 from
    the factors: A 1 = a * R1 (R2 1) and A^T 1 = R2^T (P1^T 1), without the n x m matrix.
    """
    a = _attributes(scale, epsilon, half_steps, score_clamp)
    q, k, z = (as_array(name, t) for name, t in (("q", q), ("k", k), ("pivots", pivots)))
    if k.ndim != 4:
        raise ValueError(f"k: expected rank 4, [B, Hk, m, d], got rank {k.ndim}")
    Q, K, _, Z, s, la, lb, lw, lg, _ = reference.prepare(
        q, k, k, z, a.scale, query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    R1 = reference.query_plan(reference.scores(Q, Z, s, a.epsilon, a.score_clamp), la, lw,
                              a.half_steps)
    R2 = reference.key_plan(reference.scores(K, Z, s, a.epsilon, a.score_clamp), lb, lw, lw,
                            a.half_steps)
    none = (lw == -np.inf) | (lg == -np.inf)
    ratio = np.where(none, 0.0, np.exp(np.where(none, 0.0, lw) - np.where(none, 0.0, lg)))
    mass, weight = np.exp(la), np.exp(lw)
    to_pivots = (R1 * mass[..., None]).sum(-2)  # P1^T 1
    from_keys = R2.sum(-2)  # R2 1, i.e. P2 1 / w
    rows = mass * (R1 @ (ratio * from_keys)[..., None])[..., 0]
    columns = (R2 @ (ratio * to_pivots)[..., None])[..., 0]
    return MarginalError(np.abs(rows - mass).sum(-1), np.abs(columns - np.exp(lb)).sum(-1),
                         np.abs(to_pivots - weight).sum(-1),
                         np.abs(weight * from_keys - weight).sum(-1))
