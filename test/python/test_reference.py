#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The oracle against an independent, naive implementation, and the helpers around it.

The naive version below follows docs/semantics.md sentence by sentence with Python loops over
single numbers, forms P1, P2 and the n x m coupling, and shares no code with the oracle.
"""

import itertools
import math

import numpy as np
import pytest

import lot
from lot_testing import Kernel, Shape, make_problem, relative_error


def lse(terms):
    terms = [t for t in terms if t != -math.inf]
    if not terms:
        return -math.inf
    top = max(terms)
    return top + math.log(math.fsum(math.exp(t - top) for t in terms))


def naive_side(L, rows, columns, steps):
    """R_ij = P_ij / mu_i after `steps` half-steps, rows first; masses as lists of logs."""
    live_i = [i for i, lm in enumerate(rows) if lm != -math.inf]
    live_j = [j for j, lm in enumerate(columns) if lm != -math.inf]
    x, y = {i: 0.0 for i in live_i}, {j: 0.0 for j in live_j}
    for step in range(1, steps + 1):
        if step % 2:
            for i in live_i:
                t = lse([L[i][j] + y[j] for j in live_j])
                x[i] = rows[i] - t if t != -math.inf else -math.inf
        else:
            for j in live_j:
                t = lse([L[i][j] + x[i] for i in live_i])
                y[j] = columns[j] - t if t != -math.inf else -math.inf
    R = np.zeros((len(rows), len(columns)))
    for i, j in itertools.product(live_i, live_j):
        R[i, j] = math.exp(L[i][j] + x[i] - rows[i] + y[j])
    return R


def naive_attention(q, k, v, z, *, scale=None, epsilon=1.0, half_steps=5, query_log_mass=None,
                    key_log_mass=None, pivot_log_mass=None, glue_log_mass=None,
                    normalization="query_mass", row_floor=0.0, score_clamp=None, out_scale=1.0):
    """(O [B, Hq, n, dv], the couplings A {(b, h): [n, m]}) with loops over everything."""
    B, Hq, n, d = q.shape
    Hk, m = k.shape[1:3]
    Hp, r = z.shape[-3:-1]
    scale = 1 / math.sqrt(d) if scale is None else scale
    out, couplings = np.zeros((B, Hq, n, v.shape[3])), {}
    for b, h in itertools.product(range(B), range(Hq)):
        hk, hp = h // (Hq // Hk), h // (Hq // Hp)
        zz = z[hp] if z.ndim == 3 else z[b, hp]

        def token(mass, head, length):
            if mass is None:
                return [-math.log(length)] * length
            return [float(t) for t in (mass[b] if mass.ndim == 2 else mass[b, head])]

        def pivot(mass, default):
            if mass is None:
                return default
            return [float(t) for t in (mass[hp] if mass.ndim == 2 else mass[b, hp])]

        la, lb = token(query_log_mass, h, n), token(key_log_mass, hk, m)
        lw = pivot(pivot_log_mass, [-math.log(r)] * r)
        lg = pivot(glue_log_mass, lw)

        def score(x, j):
            s = scale * math.fsum(float(a) * float(c) for a, c in zip(x, zz[j]))
            if score_clamp is not None:
                s = min(max(s, -score_clamp), score_clamp)
            return s / epsilon

        def table(rows):  # only pairs that exist are ever scored
            return [[score(x, j) if lm > -math.inf and lw[j] > -math.inf else math.nan
                     for j in range(r)] for x, lm in rows]

        L1 = table(list(zip(q[b, h], la)))
        L2 = np.array(table(list(zip(k[b, hk], lb)))).reshape(m, r).T.tolist()
        R1 = naive_side(L1, la, lw, half_steps)
        R2 = naive_side(L2, lw, lb, half_steps)
        A = np.zeros((n, m))  # the coupling itself: sum over pivots of P1 P2 / w
        for j in range(r):
            if lw[j] > -math.inf:
                A += np.exp(la)[:, None] * np.outer(R1[:, j], R2[j]) * math.exp(lw[j] - lg[j])
        couplings[b, h] = A
        values = np.where(np.array(lb)[:, None] == -math.inf, 0.0, v[b, hk])
        for i in range(n):
            a = math.exp(la[i])
            if a == 0:
                continue
            row = A[i] @ values
            if normalization == "query_mass":
                row = row / a
            elif normalization == "row_sum":
                total = max(A[i].sum(), row_floor)
                row = row / total if total > 0 else row * 0
            out[b, h, i] = out_scale * row
    return out, couplings


KERNELS = [
    Kernel(4, 3, 5, "f64"),
    Kernel(4, 3, 5, "f64", mass_ranks=(2, 2, 2, 0), attributes=(("half_steps", 4),)),
    Kernel(3, 2, 4, "f64", 4, mass_ranks=(3, 3, 3, 3),
           attributes=(("normalization", "row_sum"), ("row_floor", 0.05), ("half_steps", 3))),
    Kernel(3, 2, 4, "f64", 4, mass_ranks=(3, 3, 3, 0), attributes=(("normalization", "none"),)),
    Kernel(3, 2, 4, "f64", attributes=(("score_clamp", 0.5), ("scale", 0.9), ("epsilon", 0.2),
                                       ("out_scale", -2.0), ("half_steps", 9))),
    Kernel(2, 2, 1, "f64", attributes=(("half_steps", 1),)),
    Kernel(2, 2, 3, "f64", attributes=(("half_steps", 2), ("epsilon", 0.01))),
]
SHAPES = [Shape(2, 2, 2, True, 6, 5, 1.0, 0.2, 1), Shape(1, 1, 2, False, 1, 7, 3.0, 0.5, 2),
          Shape(3, 2, 1, True, 4, 1, 1.0, 0.9, 5)]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"n{s.n}m{s.m}")
def test_naive(kernel, shape):
    p = make_problem(kernel, shape)
    expected, _ = naive_attention(p.q, p.k, p.v, p.pivots, **p.masses, **p.attributes)
    assert relative_error(p.reference(), expected) <= 1e-12


@pytest.mark.parametrize("half_steps", [1, 2, 3, 4, 9])
def test_marginal_error(half_steps):
    kernel = Kernel(4, 3, 5, "f64", mass_ranks=(3, 2, 2, 2),
                    attributes=(("half_steps", half_steps), ("epsilon", 0.5)))
    p = make_problem(kernel, SHAPES[0])
    error = lot.marginal_error(p.q, p.k, p.pivots, **p.masses, **p.attributes)
    _, couplings = naive_attention(p.q, p.k, p.v, p.pivots, **p.masses, **p.attributes)
    for (b, h), A in couplings.items():
        a = np.exp(p.masses["query_log_mass"][b, h])
        w = np.exp(p.masses["key_log_mass"][b])
        assert abs(error.query[b, h] - np.abs(A.sum(1) - a).sum()) < 1e-12
        assert abs(error.key[b, h] - np.abs(A.sum(0) - w).sum()) < 1e-12


def test_marginals_by_parity():
    p = make_problem(Kernel(4, 3, 5, "f64", mass_ranks=(2, 2, 2, 0)),
                     Shape(2, 2, 1, True, 8, 6, 1.0, 0.0, 4))
    odd, even = (lot.marginal_error(p.q, p.k, p.pivots, **p.masses, half_steps=t)
                 for t in (3, 4))
    for exact in (odd.query, odd.key_pivots, even.key, even.query_pivots):
        assert exact.max() < 1e-12
    for inexact in (odd.key, odd.query_pivots, even.query, even.key_pivots):
        assert inexact.min() > 1e-6
    converged = lot.marginal_error(p.q, p.k, p.pivots, **p.masses, half_steps=400)
    assert max(e.max() for e in converged) < 1e-9


@pytest.mark.parametrize("side", ["query", "key"])
def test_plan(side):
    """The plans multiply to the output: O = R1 (R2^T V)."""
    p = make_problem(Kernel(4, 3, 5, "f64", mass_ranks=(2, 2, 2, 0)),
                     Shape(2, 2, 2, side == "key", 8, 6, 1.0, 0.3, 4))
    masses = p.masses
    R1 = lot.plan(p.q, p.pivots, token_log_mass=masses["query_log_mass"],
                  pivot_log_mass=masses["pivot_log_mass"])
    R2 = lot.plan(p.k, p.pivots, side="key", token_log_mass=masses["key_log_mass"],
                  pivot_log_mass=masses["pivot_log_mass"])
    assert R1.shape == (2, 4, 8, 5) and R2.shape == (2, 2 if side == "key" else 4, 6, 5)
    live = (masses["query_log_mass"] > -np.inf)[:, None]
    has_pivots = (masses["pivot_log_mass"] > -np.inf).any()
    np.testing.assert_allclose(R1.sum(-1), np.broadcast_to(live * has_pivots, R1.shape[:3]),
                               atol=1e-12)
    R2 = np.repeat(R2, 4 // R2.shape[1], 1)
    V = np.nan_to_num(np.repeat(p.v, 2, 1), nan=0, posinf=0, neginf=0)
    assert relative_error(R1 @ (R2.swapaxes(-1, -2) @ V), p.reference()) < 1e-12


def test_compiled_agrees_with_naive():
    p = make_problem(KERNELS[1], SHAPES[0])
    expected, _ = naive_attention(p.q, p.k, p.v, p.pivots, **p.masses, **p.attributes)
    assert relative_error(p.run(), expected) <= 1e-11


def test_log_mass():
    keep = np.array([[True, True, False, True], [False] * 4])
    got = lot.log_mass(keep)
    np.testing.assert_allclose(np.exp(got), [[1 / 3, 1 / 3, 0, 1 / 3], [0] * 4])
    assert (got[~keep] == -np.inf).all()
    assert lot.log_mass(np.ones((2, 0), bool)).shape == (2, 0)


def test_pivot_log_mass():
    logits = np.array([[0.0, np.log(3.0)], [-np.inf, 5.0], [-np.inf, -np.inf], [1e4, -1e4]])
    got = np.exp(lot.pivot_log_mass(logits, 0.5))
    np.testing.assert_allclose(got, [[0.1, 0.9], [0, 1], [0, 0], [1, 0]], atol=1e-15)


def test_constant_values_pass_through():
    """Rows of the coupling sum to 1 for odd half_steps: constant values stay constant."""
    p = make_problem(Kernel(6, 3, 4, "f64"), Shape(1, 2, 1, True, 9, 7, 1.0, 0.0, 2))
    v = np.broadcast_to(np.array([2.0, -3.0, 0.5]), p.v.shape)
    out = lot.reference.attention(p.q, p.k, v, p.pivots, half_steps=5)
    np.testing.assert_allclose(out, np.broadcast_to(v[0, 0, 0], out.shape), rtol=1e-13)
