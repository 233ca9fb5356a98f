#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs of absent tokens longer than any tile: the kernels skip whole tiles of them.

Absent tokens hold NaN. Epsilon 1 takes the stored factor, 0.02 the log domain (docs/semantics.md
section 7, path B), one half-step the log form of the key side.
"""

from __future__ import annotations

import numpy as np
import pytest

import lot
from lot_testing import Problem, check

#: Absent tokens of 700: the longest tile of any schedule the selector chooses has 64.
RUNS = {"first": slice(0, 300), "middle": slice(150, 500), "last": slice(333, None),
        "all but one": slice(1, None), "all": slice(None)}
N, D, DV, R = 700, 20, 12, 9


@pytest.mark.parametrize("attributes", [
    dict(half_steps=1), dict(half_steps=6), dict(half_steps=5, epsilon=0.02),
    dict(half_steps=4, normalization="row_sum", row_floor=1e-3),
], ids=["one", "scaled", "log", "row_sum"])
@pytest.mark.parametrize("run", RUNS)
def test_absent_run(run: str, attributes: dict) -> None:
    rng = np.random.default_rng(3)
    q, k, v = (rng.standard_normal((1, 2, N, d), np.float32) for d in (D, D, DV))
    pivots = rng.standard_normal((2, R, D), np.float32)
    keep = np.ones((1, N), bool)
    keep[:, RUNS[run]] = False
    for array in (q, k, v):
        array[:, :, ~keep[0]] = np.nan
    mass = lot.log_mass(keep)
    problem = Problem(q, k, v, pivots, dict(query_log_mass=mass, key_log_mass=mass), attributes)
    check(problem.run(), problem, "f32")
