#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOT attention in JAX: a function with derivatives over XLA FFI, and a portable form.

    out = lot.jax.attention(q, k, v, pivots, epsilon=0.1, half_steps=10)

`lot.jax.portable.attention` is the same in jax.numpy, for devices without kernels and for tokens
that are split over devices. docs/training.md is the guide. `lot.jax.stablehlo` writes a function
down for other compilers (docs/integrations.md).
"""

try:
    import jax as _jax  # noqa: F401
except ImportError as _error:
    raise ImportError("lot.jax needs JAX: pip install jax") from _error

from .._threads import share_processors as _share_processors
from . import portable
from ._functional import attention, log_mass, pivot_log_mass
from ._stablehlo import custom_calls, stablehlo

_share_processors()

__all__ = ["attention", "custom_calls", "log_mass", "pivot_log_mass", "portable", "stablehlo"]
