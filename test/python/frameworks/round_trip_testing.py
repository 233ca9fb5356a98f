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


def shape(n: int, m: int, seed: int, group: int = 1) -> Shape:
    return Shape(batch=2, key_heads=2, group=group, pivots_per_key_head=True, n=n, m=m, spread=1.0,
                 absent=0.2, seed=seed)


#: name -> (kernel class, whether n and m are unknown to the compiler, shapes of the calls)
PROBLEMS = {
    "plain": (PLAIN, False, [shape(40, 30, 1)]),
    "plain-dynamic": (PLAIN, True, [shape(40, 30, 2), shape(7, 129, 3)]),
    "masked": (MASKED, False, [shape(21, 13, 5, group=2)]),
    "masked-dynamic": (MASKED, True, [shape(21, 13, 6, group=2), shape(64, 100, 7, group=2)]),
}


def problem(name: str, call: int = 0) -> lot_testing.Problem:
    kernel, _, shapes = PROBLEMS[name]
    return lot_testing.make_problem(kernel, shapes[call])


def check_calls(name: str, binary: pathlib.Path, record_property) -> None:
    """Runs a module that takes the operands and the cotangent and returns the result and all
    gradients, and compares both with the oracle to the tolerances of section 9."""
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
