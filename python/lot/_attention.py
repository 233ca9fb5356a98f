#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.attention`: the operator on NumPy arrays."""

from __future__ import annotations

import operator
from typing import Any, Optional

import numpy as np

from ._attributes import check_attributes, count
from ._kernels import ENTRY, Cache, CacheInfo, KernelClass, classify
from ._operands import MASSES, check_mass_values, check_operands, refuse_unsupported


def _compile(text: str, mcpu: str, chip: Optional[str] = None) -> Any:
    # `import lot` has tried it; here the reason of a failure comes out.
    from ._runtime import compile_module

    return compile_module(text, mcpu, chip)


_cache = Cache(_compile)

#: Layouts and attributes that have passed all checks and need no copies -> their kernel class
#: and the shape of the result. Makes the usual call, one like the call before, cost microseconds.
_seen: dict[tuple, tuple[KernelClass, tuple]] = {}
_SEEN_CAPACITY = 1024

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
    masses = (query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    attributes = (scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale)
    arrays = [q, k, v, pivots, *(mass for mass in masses if mass is not None)]
    key = _layout(arrays, masses, attributes)
    seen = _seen.get(key) if key is not None else None
    if seen is not None:
        for name, mass in zip(MASSES, masses):
            if mass is not None:
                check_mass_values(name, mass)
        kernel, shape = seen
    else:
        operands = check_operands(q, k, v, pivots, *masses)
        checked = check_attributes(*attributes)
        shape = (*operands.query.shape[:3], operands.value.shape[3])
        if 0 in shape:
            return _empty(shape, operands.query.dtype)
        if operands.key.shape[2] == 0:  # no key: nothing to attend to
            return np.zeros(shape, operands.query.dtype)
        kernel = classify(operands, checked)
        prepared = [array for array in operands if array is not None]
        if key is not None and all(map(operator.is_, prepared, arrays)):
            if len(_seen) >= _SEEN_CAPACITY:
                _seen.clear()
            _seen[key] = kernel, shape
        arrays = prepared
    executable = _cache.get(kernel)
    out = _empty(shape, kernel.dtype)
    arrays.append(out)
    executable.invoke(ENTRY, arrays, threads)
    return out


def _layout(arrays: list, masses: tuple, attributes: tuple) -> Optional[tuple]:
    """A key of everything but the values; None when there is none (lists, misaligned arrays)."""
    key: list = [*attributes, type(attributes[2])]  # 5.0 == 5, but only one counts half-steps
    for mass in masses:
        key.append(mass is None)
    try:
        for array in arrays:
            if not array.flags.aligned:
                return None
            key += array.shape, array.strides, array.dtype
        hash(result := tuple(key))
    except (AttributeError, TypeError):  # no ndarray; an attribute that has no hash
        return None
    return result


def compile_cache_info() -> CacheInfo:
    """The kernels made so far: their number, their classes and what each cost in seconds.

    `compilations` counts those that this process compiled, `loads` those that came from the
    folder of compiled code (LOT_CACHE_DIR; docs/pipelines.md), `kernels` lists those in memory.
    """
    return _cache.info()


def compile_cache_clear() -> None:
    """Forgets all kernels in memory; the next call of each class compiles it again.

    The folder of compiled code stays as it is: LOT_CACHE_DIR=off makes the next call compile.
    """
    _seen.clear()
    _cache.clear()
