#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The 15 hard cases (docs/semantics.md, section 5) through compiled code, in every io dtype."""

import numpy as np
import pytest

import lot
from lot_testing import DTYPES, case_names, check, load_case, relative_error


def test_there_are_fifteen():
    assert len(case_names()) == 15


@pytest.mark.parametrize("name", case_names())
def test_reference(name):
    problem, expected = load_case(name)
    assert relative_error(problem.reference(), expected) <= 1e-12


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", case_names())
def test_case(name, dtype):
    problem, expected = load_case(name)
    rounded = problem.cast(dtype)
    check(rounded.run(), rounded, dtype)
    if dtype == "f64":
        assert relative_error(rounded.run(), expected) <= 1e-11


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_pivots_in_f32(dtype):
    problem, _ = load_case("parity_odd")
    rounded = problem.cast(dtype, pivots_in_state=True)
    assert rounded.pivots.dtype == np.float32
    check(rounded.run(), rounded, dtype)


def test_rows_and_columns():
    """Which marginal is exact depends on the parity (section 4); the values are the identity."""
    odd, _ = load_case("parity_odd")
    rows = odd.cast("f64").run().sum(-1)
    np.testing.assert_allclose(rows, 1.0, rtol=0, atol=1e-12)
    even, _ = load_case("parity_even")
    a, b = (np.exp(even.masses[f"{side}_log_mass"]) for side in ("query", "key"))
    out = even.cast("f64").run()
    if a.ndim == 2:
        a, b = a[:, None], b[:, None]
    np.testing.assert_allclose((a[..., None] * out).sum(-2), np.broadcast_to(b, out.shape[:2] +
                               out.shape[3:]), rtol=1e-10)
    assert np.abs(out.sum(-1) - 1).max() > 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_dead_batch_does_not_leak(dtype):
    """Items whose keys or queries are all absent give zeros, the others what they give alone."""
    problem, _ = load_case("empty_side")
    rounded = problem.cast(dtype)
    out = rounded.run()
    assert not out[1:].any()
    one = {name: mass[:1] for name, mass in rounded.masses.items()}
    alone = lot.attention(rounded.q[:1], rounded.k[:1], rounded.v[:1],
                          rounded.pivots if rounded.pivots.ndim == 3 else rounded.pivots[:1],
                          **one, **rounded.attributes)
    assert alone.tobytes() == out[:1].tobytes()
