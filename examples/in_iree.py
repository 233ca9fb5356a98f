#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What jax_to_iree.py and torch_to_iree.py share: lot-opt, iree-compile, iree-run-module.

The tools are those of this checkout (build/bin, .venv-iree/bin), or of LOT_BUILD_DIR, or on PATH.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from typing import Sequence

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]

#: A module of another framework -> the same with the attention as a private function of linalg.
PASSES = ("--lot-import-frameworks=shape-assertions", "--lot-outline-frameworks", "--lot-to-linalg")
#: Without loops, for IREE where the batch is not known.
UNROLLED = (*PASSES[:2], "--lot-to-linalg=unroll")
CPU = ("--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host")


def tool(name: str) -> str:
    """The path of a tool; FileNotFoundError with how to get it."""
    build = pathlib.Path(os.environ.get("LOT_BUILD_DIR", ROOT / "build"))
    for path in (build / "bin" / name, ROOT / ".venv-iree/bin" / name):
        if path.exists():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name}: expected it in {build / 'bin'}, .venv-iree/bin or on "
                                "PATH (make build; scripts/setup.sh iree)")
    return found


def run_tool(name: str, *arguments: object) -> None:
    """Runs a tool; RuntimeError with its messages if it fails."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr[-4000:]}")


def compile_module(text: str, folder: pathlib.Path, name: str,
                   input_type: str = "auto", passes: Sequence[str] = PASSES) -> pathlib.Path:
    """Writes name.mlir, lowers the attention in it and compiles the rest with IREE: name.vmfb."""
    source, linalg, binary = (folder / f"{name}{end}"
                              for end in (".mlir", "_linalg.mlir", ".vmfb"))
    source.write_text(text)
    run_tool("lot-opt", "--allow-unregistered-dialect", source, *passes, "-o", linalg)
    run_tool("iree-compile", f"--iree-input-type={input_type}", *CPU, linalg, "-o", binary)
    return binary


def run_module(binary: pathlib.Path, arrays: Sequence[np.ndarray],
               results: int) -> list[np.ndarray]:
    """Calls @main of a compiled module."""
    inputs, outputs = ([binary.with_name(f"{binary.stem}_{kind}{i}.npy") for i in range(count)]
                       for kind, count in (("in", len(arrays)), ("out", results)))
    for path, array in zip(inputs, arrays):
        np.save(path, array)
    run_tool("iree-run-module", f"--module={binary}", "--device=local-task", "--function=main",
             *(f"--input=@{path}" for path in inputs), *(f"--output=@{path}" for path in outputs))
    return [np.load(path) for path in outputs]


def relative_error(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The largest Frobenius error of an array relative to what is expected; inf for NaN.

    A gradient that is zero but for rounding is measured by a thousandth of the largest array.
    """
    actual, expected = ([np.asarray(x, np.float64) for x in arrays]
                        for arrays in (actual, expected))
    least = 1e-3 * max(np.linalg.norm(e) for e in expected)
    worst = 0.0
    for a, e in zip(actual, expected, strict=True):
        if a.shape != e.shape:
            raise ValueError(f"expected shape {list(e.shape)}, got {list(a.shape)}")
        error = np.linalg.norm(a - e) / max(np.linalg.norm(e), least)
        worst = max(worst, np.inf if np.isnan(error) else float(error))
    return worst
