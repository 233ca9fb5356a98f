#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOTFormer attention as an MLIR dialect: compiler bindings and a NumPy front end.

    out = lot.attention(q, k, v, pivots, epsilon=0.1, half_steps=10)

NumPy front end: `attention` and its gradients `attention_vjp`, `log_mass`, `pivot_log_mass`,
`plan`, `marginal_error`, `plot.coupling`, `compile_options`, and the float64 oracle `reference`.
Compiler: `lot.ir`, `lot.passmanager`, `lot.execution_engine` and `lot.dialects` are MLIR's
Python bindings with the lot dialect and its passes registered.
"""

import importlib as _importlib

from . import reference
from ._attention import attention, compile_cache_clear, compile_cache_info
from ._inspect import MarginalError, marginal_error, plan
from ._masses import log_mass, pivot_log_mass
from ._options import compile_options
from ._vjp import attention_vjp

try:  # libLLVM and libMLIR are loaded now, so that the first call does not wait for them
    from . import _runtime as _runtime
except ImportError:  # lot.reference needs no compiler; the first call of another says why
    pass

__version__ = "0.1.0"

__all__ = [
    "MarginalError", "attention", "attention_vjp", "compile_cache_clear", "compile_cache_info",
    "compile_options", "log_mass", "marginal_error", "pivot_log_mass", "plan", "plot",
    "reference",
]

# Loaded when they are first named: MLIR's bindings and the frameworks take a while.
_LAZY = ("dialects", "execution_engine", "ir", "jax", "passmanager", "plot", "rewrite", "runtime",
         "torch")


def __getattr__(name: str):
    if name in _LAZY:
        return _importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_LAZY])
