#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the round trips of JAX and of PyTorch share: problems, and the float64 oracle as a function
that the frameworks can differentiate."""

import os
import pathlib
import shutil
import sys

import lot_testing
import numpy as np
import pytest
from lot_testing import Kernel, Shape

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples"))

import in_iree  # noqa: E402


def iree_is_there() -> bool:
    """Whether there is an iree-compile; on a CI machine there has to be one."""
    folder = in_iree.ROOT / ".venv-iree/bin"
    there = (folder / "iree-compile").exists() or shutil.which("iree-compile") is not None
    assert there or os.environ.get("CI") != "true", "expected iree-compile on a CI machine"
    return there


needs_iree = pytest.mark.skipif(not iree_is_there(), reason="no iree-compile")

PLAIN = Kernel(16, 24, 8, attributes=(("epsilon", 0.5), ("half_steps", 10)))
MASKED = Kernel(8, 8, 5, pivots_rank=4, mass_ranks=(2, 3, 3, 2), attributes=(
    ("epsilon", 0.3), ("half_steps", 5), ("normalization", "row_sum"), ("row_floor", 0.01),
    ("out_scale", 1.5)))


def shape(n: int, m: int, seed: int, group: int = 1, batch: int = 2) -> Shape:
    return Shape(batch=batch, key_heads=2, group=group, pivots_per_key_head=True, n=n, m=m, spread=1.0,
                 absent=0.2, seed=seed)


#: name -> (kernel class, sizes unknown to the compiler: "", "nm" or "bnm", shapes of the calls)
PROBLEMS = {
    "plain": (PLAIN, "", [shape(40, 30, 1)]),
    "plain-dynamic": (PLAIN, "nm", [shape(40, 30, 2), shape(7, 129, 3)]),
    "masked": (MASKED, "", [shape(21, 13, 5, group=2)]),
    "masked-dynamic": (MASKED, "nm", [shape(21, 13, 6, group=2), shape(64, 100, 7, group=2)]),
    "dynamic-batch": (MASKED, "bnm", [shape(21, 13, 8, group=2, batch=4),
                                      shape(9, 30, 9, group=2, batch=3)]),
}


def problem(name: str, call: int = 0) -> lot_testing.Problem:
    kernel, _, shapes = PROBLEMS[name]
    return lot_testing.make_problem(kernel, shapes[call])


def sizes_of(name: str, operand: str, array: np.ndarray) -> dict[int, str]:
    """dim -> letter of the sizes of an operand (or dout) that the compiler does not know."""
    dims = {}
    if operand in ("q", "dout", "query_log_mass", "k", "v", "key_log_mass"):
        letter = "n" if operand in ("q", "dout", "query_log_mass") else "m"
        dims[array.ndim - 1 if operand.endswith("_log_mass") else 2] = letter
        dims[0] = "b"
    elif array.ndim == (4 if operand == "pivots" else 3):
        dims[0] = "b"
    return {dim: letter for dim, letter in dims.items() if letter in PROBLEMS[name][1]}


def check_calls(name: str, text: str, input_type: str, folder: pathlib.Path,
                record_property) -> None:
    """Compiles and runs a module that takes the operands and the cotangent and returns the result
    and all gradients, and compares both with the oracle to the tolerances of section 9."""
    passes = in_iree.UNROLLED if "b" in PROBLEMS[name][1] else in_iree.PASSES
    binary = in_iree.compile_module(text, folder, "module", input_type, passes)
    worst, ratio = 0.0, 0.0
    for call in range(len(PROBLEMS[name][2])):
        given = problem(name, call)
        dout = given.cotangent()
        operands = given.operands()
        out, *gradients = in_iree.run_module(binary, [*operands.values(), dout], 1 + len(operands))
        worst = max(worst, lot_testing.check(out, given, "f32"))
        ratios = lot_testing.check_gradients(dict(zip(operands, gradients)), given, dout, "f32")
        ratio = max(ratio, *ratios.values())
    record_property("float64", f"result {worst:.1e}, gradients at most {ratio:.2f} of their "
                               "tolerance")
