#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NaN, infinity and overflow in a live token: any value there, no crash, no other head touched.

Path C of docs/semantics.md section 7: scores that are not finite stay in the log domain throughout.
"""

from __future__ import annotations

import numpy as np
import pytest

import lot

BATCH, HEADS, N, M, D, R = 2, 3, 70, 45, 16, 9


@pytest.mark.parametrize("half_steps", [1, 2, 5, 6])
@pytest.mark.parametrize("operand", ["q", "k", "v", "pivots"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_only_its_own_head_is_touched(operand: str, value: float, half_steps: int) -> None:
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((BATCH, HEADS, length, D), np.float32)
              for name, length in (("q", N), ("k", M), ("v", M), ("pivots", R))}
    clean = lot.attention(*arrays.values(), half_steps=half_steps)
    assert np.isfinite(clean).all()
    arrays[operand][1, 2, 4, :] = value
    dirty = lot.attention(*arrays.values(), half_steps=half_steps)
    others = np.ones((BATCH, HEADS), bool)
    others[1, 2] = False
    np.testing.assert_array_equal(dirty[others], clean[others])
    assert not np.array_equal(dirty[1, 2], clean[1, 2], equal_nan=True)
