#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot-to-linalg, compiled by stock MLIR tools, against the float64 oracle."""

import pytest

from linalg_path import compile_problems, run_problem, tool
from lot_testing import DTYPES, case_names, check, load_case, relative_error

pytestmark = pytest.mark.skipif(
    not all(tool(name) for name in ("lot-opt", "mlir-opt", "mlir-translate", "clang")),
    reason="lot-opt or LLVM 22's tools are not there")

CASES = [(name, dtype, dynamic) for name in case_names() for dtype in DTYPES
         for dynamic in ("", "bn")]


@pytest.fixture(scope="module")
def compiled_cases():
    """All cases in all dtypes, static and dynamic, as one compiled module."""
    return compile_problems([(load_case(name)[0].cast(dtype), dynamic)
                             for name, dtype, dynamic in CASES])


@pytest.mark.parametrize("index", range(len(CASES)),
                         ids=[f"{n}-{t}-{'dynamic' if d else 'static'}" for n, t, d in CASES])
def test_case(compiled_cases, index):
    name, dtype, _ = CASES[index]
    problem, expected = load_case(name)
    rounded = problem.cast(dtype)
    out = run_problem(compiled_cases, f"p{index}", rounded)
    check(out, rounded, dtype)
    if dtype == "f64":
        assert relative_error(out, expected) <= 1e-11
