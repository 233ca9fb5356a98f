#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.attention`: the operator on NumPy arrays."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ._attributes import check_attributes, count
from ._kernels import ENTRY, Cache, CacheInfo, classify
from ._operands import check_operands, refuse_unsupported


def _compile(text: str) -> Any:
    # Imported on first use: `import lot` stays quick, and lot.reference needs no compiler.
    from ._runtime import compile_module

    return compile_module(text)


_cache = Cache(_compile)

#: Raw attributes that have passed the checks -> what the checks returned.
_checked: dict[tuple, Any] = {}

_empty = np.empty  # a name of its own, so that tests can hand out poisoned memory


def attention(q: Any, k: Any, v: Any, pivots: Any, *, scale: Optional[float] = None,
              epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Any = None,
              key_log_mass: Any = None, pivot_log_mass: Any = None, glue_log_mass: Any = None,
              normalization: str = "query_mass", row_floor: float = 0.0,
              score_clamp: Optional[float] = None, out_scale: float = 1.0,
              threads: Optional[int] = None, **unsupported: Any) -> np.ndarray:
    """Doubly-stochastic linear attention through r pivots (LOTFormer, arXiv 2509.23436).

    Queries and keys are each coupled to the pivots by `half_steps` Sinkhorn half-steps of
    regularisation `epsilon`; the two couplings are glued into one of rank r, which is applied
    to the values in O((n + m) r). docs/semantics.md has the exact definition.

    Args:
      q: [B, Hq, n, d] float32, float64, float16 or bfloat16 (ml_dtypes), any strides.
      k: [B, Hk, m, d], dtype of q; Hq is a multiple of Hk.
      v: [B, Hk, m, dv], dtype of q.
      pivots: [Hp, r, d] or [B, Hp, r, d], dtype of q or float32; Hp is Hq or Hk.
      scale: factor of the scores q.z and k.z; default d ** -0.5.
      epsilon: entropic regularisation, > 0. Small values give sharp couplings.
      half_steps: Sinkhorn half-steps of each side, >= 1.
      query_log_mass: [B, n] or [B, Hq, n], log of the query masses; default -log n. -inf marks
        an absent token (see `lot.log_mass`), whose data are never read and whose result is 0.
      key_log_mass: [B, m] or [B, Hk, m]; default -log m.
      pivot_log_mass: [Hp, r] or [B, Hp, r]; default -log r (see `lot.pivot_log_mass`).
      glue_log_mass: as pivot_log_mass, which is its default; only divides the coupling.
      normalization: "query_mass" (rows divided by the query mass), "row_sum" (by their sum, at
        least row_floor) or "none".
      row_floor: smallest divisor of "row_sum", >= 0.
      score_clamp: clips scaled scores to [-c, c] before the division by epsilon.
      out_scale: factor of the result.
      threads: threads to use at most, >= 1; default all. Results do not depend on it.

    Returns:
      [B, Hq, n, dv], C-contiguous, dtype of q.

    Raises:
      TypeError: dtypes (also mixed ones) and attributes of the wrong type.
      ValueError: shapes, head counts, masses that are NaN or +inf, attributes out of range,
        causal=True and attn_mask (which this operator cannot honour).
    """
    if unsupported:
        refuse_unsupported(unsupported)
    if threads is not None:
        threads = count("threads", threads)
    operands = check_operands(q, k, v, pivots, query_log_mass, key_log_mass, pivot_log_mass,
                              glue_log_mass)

    raw = (scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale,
           type(half_steps))  # 5.0 == 5, but only one of them counts half-steps
    try:
        attributes = _checked.get(raw)
    except TypeError:  # unhashable: the checks say what is wrong with it
        attributes, raw = None, None
    if attributes is None:
        attributes = check_attributes(scale, epsilon, half_steps, normalization, row_floor,
                                      score_clamp, out_scale)
        if raw is not None and len(_checked) < 4096:
            _checked[raw] = attributes

    q, k, v = operands[:3]
    out = _empty((*q.shape[:3], v.shape[3]), q.dtype)
    if out.size == 0:
        return out
    if k.shape[2] == 0:  # no key: nothing to attend to
        out[...] = 0
        return out
    executable = _cache.get(classify(operands, attributes))
    executable.invoke(ENTRY, [*(array for array in operands if array is not None), out],
                      threads)
    return out


def compile_cache_info() -> CacheInfo:
    """The kernels compiled so far: their number, their classes and what each cost in seconds."""
    return _cache.info()


def compile_cache_clear() -> None:
    """Forgets all compiled kernels; the next call of each class compiles again."""
    _cache.clear()
