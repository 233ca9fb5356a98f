#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiled side: the runtime's Executable from the extension module."""

from __future__ import annotations

import importlib.util
import os.path
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, Optional


def _load_extension() -> ModuleType:
    """The module `lot._mlir_libs._lotRuntime`, without its package.

    Importing the package sets up MLIR's Python bindings, which takes as long as loading libLLVM
    and libMLIR and which nothing here needs. A later import of it finds this module.
    """
    name = f"{__package__}._mlir_libs._lotRuntime"
    if name in sys.modules:
        return sys.modules[name]
    spec = PathFinder.find_spec(name, [os.path.join(os.path.dirname(__file__), "_mlir_libs")])
    if spec is None or spec.loader is None:
        raise ImportError(f"no module named {name!r}: lot was built without its runtime", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


_extension = _load_extension()
Executable = _extension.Executable

#: The architecture of a GPU, by its number: "sm_90a".
cuda_chip = _extension.cuda_chip

#: Values of the residuals of `lot.attention` on a GPU for each query head and each pivot head of a
#: batch entry, by (pivots, value_dim, half_steps, row_sum).
cuda_residuals = _extension.cuda_residuals


def compile_module(text: str, mcpu: str = "native", chip: Optional[str] = None) -> Any:
    """Compiles a module by lot-to-cpu; the executable has `invoke(entry, arrays, threads)`.

    With a `chip` (sm_90a), by lot-to-nvgpu for that GPU; the executable has
    `invoke_on_cuda(entry, tensors, device, stream, allocate)`.

    The vector code is written out in full before LLVM sees it, so its first optimization level
    gives the speed of the third in two thirds of the time. Run-time checks of shapes would repeat
    what `check_operands` has checked. Code that an earlier process compiled is loaded from the
    folder that LOT_CACHE_DIR names (docs/pipelines.md).

    Raises:
      RuntimeError: the module does not parse or cannot be lowered; an unknown `mcpu` or `chip`.
    Warns:
      RuntimeWarning: the folder of compiled code cannot be used.
    """
    gpu = {} if chip is None else {"target": "cuda", "chip": chip}
    return Executable.compile(text, mcpu=mcpu, opt_level=1, verify=False, **gpu)
