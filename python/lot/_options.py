#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.compile_options`: what kernels are compiled for, beside their class."""

from __future__ import annotations

import contextlib
import contextvars
from typing import Iterator, NamedTuple, Optional


class CompileOptions(NamedTuple):
    """Options of the compiler; every combination has kernels of its own."""

    mcpu: str = "native"
    schedule: Optional[str] = None


_current: contextvars.ContextVar[CompileOptions] = contextvars.ContextVar(
    "lot_compile_options", default=CompileOptions())

#: The options in force in this thread.
current = _current.get


@contextlib.contextmanager
def compile_options(*, mcpu: Optional[str] = None,
                    schedule: Optional[str] = None) -> Iterator[CompileOptions]:
    """Within `with lot.compile_options(...)`, calls of this thread use code compiled so.

        with lot.compile_options(mcpu="haswell"):
            out = lot.attention(q, k, v, pivots)

    Results differ by rounding at most. Blocks nest; what is not given stays as it is.

    Args:
      mcpu: the processor to compile for, as clang names it; "native" is this machine.
      schedule: MLIR text of the op's schedule in place of the compiler's choice (docs/spec.md),
        `#lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>`.

    Raises:
      TypeError: an option that is no string.
      RuntimeError: by the first call of a kernel that cannot be compiled so: a processor that
        LLVM does not know or whose code cannot run here; a schedule that is illegal for it.
    """
    given = {"mcpu": mcpu, "schedule": schedule}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected a string, got {type(value).__name__}")
    token = _current.set(current()._replace(**given))
    try:
        yield current()
    finally:
        _current.reset(token)
