#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Problems of the benchmarks: shapes, random operands, counts of work."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any


@dataclasses.dataclass(frozen=True)
class Shape:
    """One problem: B, H, n = m, d = dv, r, T, epsilon; every head has its own pivots."""

    batch: int
    heads: int
    n: int
    d: int
    r: int
    half_steps: int
    epsilon: float
    dtype: str = "float32"
    live: int = 0  # tokens before the padding; 0: all, and no mask is given

    def __str__(self) -> str:
        masked = f" ({self.live} live)" if self.live else ""
        dtype = f" {self.dtype}" if self.dtype != "float32" else ""
        return (f"B{self.batch} H{self.heads} n{self.n}{masked} d{self.d} r{self.r} "
                f"T{self.half_steps} epsilon {self.epsilon:g}{dtype}")

    @property
    def multiply_adds(self) -> int:
        """Of live tokens, both sides: scores, half-steps, value products."""
        per_token = 2 * self.d * self.r + self.half_steps * self.r
        return 2 * self.batch * self.heads * (self.live or self.n) * per_token


@functools.lru_cache(maxsize=4)
def operands(s: Shape) -> tuple[tuple, dict[str, Any]]:
    """q, k, v, pivots and the keyword arguments of `lot.attention` and its oracle."""
    import ml_dtypes  # noqa: F401 - makes the name bfloat16 known to NumPy
    import numpy as np

    rng = np.random.default_rng(0)
    size = (s.batch, s.heads, s.n, s.d)
    q, k, v = (rng.standard_normal(size, np.float32).astype(s.dtype) for _ in range(3))
    z = rng.standard_normal((s.batch, s.heads, s.r, s.d), np.float32) * np.float32(0.5)
    options: dict[str, Any] = dict(epsilon=s.epsilon, half_steps=s.half_steps)
    if s.live:
        import lot

        mass = lot.log_mass(np.broadcast_to(np.arange(s.n) < s.live, (s.batch, s.n)))
        options.update(query_log_mass=mass, key_log_mass=mass)
    return (q, k, v, z), options


#: The two shapes of docs/accuracy.md.
SHAPES = (Shape(1, 8, 4096, 64, 32, 10, 1.0), Shape(1, 2, 4096, 32, 32, 50, 0.1))
