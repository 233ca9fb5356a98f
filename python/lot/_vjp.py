#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.attention_vjp`: gradients of the operator on NumPy arrays."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from . import _attention
from ._attributes import check_attributes, count
from ._kernels import ENTRY, classify
from ._operands import MASSES, check_cotangent, check_operands, refuse_unsupported


def attention_vjp(dout: Any, q: Any, k: Any, v: Any, pivots: Any, *, scale: Optional[float] = None,
                  epsilon: float = 1.0, half_steps: int = 5, query_log_mass: Any = None,
                  key_log_mass: Any = None, pivot_log_mass: Any = None, glue_log_mass: Any = None,
                  normalization: str = "query_mass", row_floor: float = 0.0,
                  score_clamp: Optional[float] = None, out_scale: float = 1.0,
                  threads: Optional[int] = None, **unsupported: Any) -> dict[str, np.ndarray]:
    """The gradients of `sum(dout * lot.attention(q, k, v, pivots, ...))`.

    Exact reverse mode through the half-steps (docs/semantics.md, section 6). Tokens and pivots
    without mass have gradients of exactly 0; their data and rows of `dout` are not read.

    Args:
      dout: cotangent of the result, [B, Hq, n, dv], dtype of q, any strides.
      q, k, v, pivots and all others: as in `lot.attention`.

    Returns:
      The gradients by operand: "q", "k", "v", "pivots" and each log mass that is given, with the
      shape of the operand (summed over what shares it), C-contiguous. Gradients of q, k, v have
      the dtype of q, those of pivots the dtype of pivots, those of masses float64 for float64 and
      float32 otherwise. Without glue_log_mass its part is in the gradient of pivot_log_mass.

    Raises:
      TypeError, ValueError: as `lot.attention`, and for a dout of another dtype or shape.
    """
    if unsupported:
        refuse_unsupported(unsupported, "attention_vjp")
    if threads is not None:
        threads = count("threads", threads)
    operands = check_operands(q, k, v, pivots, query_log_mass, key_log_mass, pivot_log_mass,
                              glue_log_mass)
    cotangent = check_cotangent(dout, operands)
    attributes = check_attributes(scale, epsilon, half_steps, normalization, row_floor,
                                  score_clamp, out_scale)
    given = {name: array for name, array in zip(("q", "k", "v", "pivots", *MASSES), operands)
             if array is not None}
    if 0 in cotangent.shape or operands.key.shape[2] == 0:  # nothing attends to anything
        return {name: np.zeros(array.shape, array.dtype) for name, array in given.items()}
    gradients = {name: _attention._empty(array.shape, array.dtype)
                 for name, array in given.items()}
    executable = _attention._cache.get(classify(operands, attributes, gradients=True))
    executable.invoke(ENTRY, [cotangent, *given.values(), *gradients.values()], threads)
    return gradients
