#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layouts: any strides give bitwise the result of contiguous arrays, for every operand."""

import numpy as np
import pytest

from lot import _operands
from lot_testing import Kernel, Shape, combinations, lay_out, make_problem

KERNEL = Kernel(24, 16, 12, mass_ranks=(3, 2, 2, 3), pivots_rank=4)
SHAPE = Shape(2, 2, 2, True, 37, 41, 1.0, 0.2, 7)
OPERANDS = ("q", "k", "v", "pivots", "query_log_mass", "key_log_mass", "pivot_log_mass",
            "glue_log_mass")


@pytest.fixture(scope="module")
def problem():
    return make_problem(KERNEL, SHAPE)


@pytest.fixture(scope="module")
def plain(problem):
    out = problem.run()
    assert np.isfinite(out).all() and out.any()
    return out


@pytest.mark.parametrize("operand, layout", list(combinations(OPERANDS)))
def test_layout(problem, plain, operand, layout):
    array = getattr(problem, operand, None)
    array = problem.masses[operand] if array is None else array
    arranged = lay_out(array, layout)
    assert arranged.tobytes() == array.tobytes()
    assert problem.run(**{operand: arranged}).tobytes() == plain.tobytes()


@pytest.mark.parametrize("operand", OPERANDS)
def test_operands_are_not_written(problem, operand):
    array = getattr(problem, operand, None)
    array = (problem.masses[operand] if array is None else array).copy()
    before = array.tobytes()
    array.flags.writeable = False
    problem.run(**{operand: array})
    assert array.tobytes() == before


def test_broadcast():
    """Zero strides: one item for the whole batch, one head for all heads."""
    problem = make_problem(Kernel(8, 8, 4), Shape(1, 1, 1, True, 9, 11, 1.0, 0.0, 3))
    q, k, v = (np.broadcast_to(t, (3, 2, *t.shape[2:])) for t in (problem.q, problem.k,
                                                                 problem.v))
    z = np.broadcast_to(problem.pivots, (2, 4, 8))
    out = problem.run(q=q, k=k, v=v, pivots=z)
    alone = problem.run()
    for b in range(3):
        for h in range(2):
            assert out[b, h].tobytes() == alone[0, 0].tobytes()


def test_copies_only_where_needed():
    x = np.zeros((4, 5, 6), np.float32)
    for kept in (x, x[::-1], x[:, ::2], x[..., 1:4], x.swapaxes(0, 1), np.broadcast_to(x[:1],
                                                                                       x.shape)):
        assert _operands.strided(kept) is kept
    for copied in (x[..., ::2], x[..., ::-1], x.swapaxes(1, 2),
                   np.broadcast_to(x[..., :1], x.shape), lay_out(x, "odd_address")):
        result = _operands.strided(copied)
        assert result is not copied and result.flags.c_contiguous
        assert result.tobytes() == copied.tobytes()


def test_record_field():
    """Strides that are no multiple of the element size: fields of packed records."""
    records = np.zeros((1, 2, 9), np.dtype([("flag", "u1"), ("row", np.float32, (8,))]))
    problem = make_problem(Kernel(8, 8, 4), Shape(1, 2, 1, True, 9, 11, 1.0, 0.0, 3))
    records["row"] = problem.q
    assert records["row"].strides[-2] % 4
    assert problem.run(q=records["row"]).tobytes() == problem.run().tobytes()
