#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The IR that benchmarks compare with (benchmarks/hand_written) computes the operator."""

import pathlib
import subprocess
import sys

import pytest

from lot_testing import Kernel, Shape, check, make_problem

ROOT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "hand_written"
sys.path.insert(0, str(ROOT))
import build  # noqa: E402


def tools_missing():
    try:
        for tool in ("mlir-opt", "mlir-translate", "clang"):
            build.find(tool)
    except FileNotFoundError:
        return True
    return False


@pytest.mark.skipif(tools_missing(), reason="needs LLVM 22's programs")
@pytest.mark.parametrize("d, lanes", [(16, 8), (32, 4)])
def test_hand_written(d, lanes):
    kernel = Kernel(d, d, 16, pivots_rank=4, attributes=(("epsilon", 0.5), ("half_steps", 6)))
    problem = make_problem(kernel, Shape(1, 3, 1, True, 128, 96, 1.0, 0.0, 2))
    call = build.prepare(problem.q, problem.k, problem.v, problem.pivots, 0.5, 6, workers=2,
                         lanes=lanes)
    check(call(), problem, "f32")
    check(call(), problem, "f32")  # nothing is left of the call before


@pytest.mark.parametrize("n, half_steps", [(100, 6), (128, 5)])
def test_refuses_what_it_is_not_written_for(n, half_steps):
    problem = make_problem(Kernel(16, 16, 16, pivots_rank=4), Shape(1, 1, 1, True, n, n, 1.0, 0.0,
                                                                    2))
    with pytest.raises(ValueError, match="expected even half_steps, n and m multiples of 32"):
        build.prepare(problem.q, problem.k, problem.v, problem.pivots, 0.5, half_steps, 1, lanes=8)


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="expected mlir-opt-22 .* on PATH, got none"):
        build.find("mlir-opt")


def test_prints_its_module():
    done = subprocess.run([sys.executable, str(ROOT / "forward.py"), "--lanes", "16"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "func.func @forward(" in done.stdout
    assert "vector<16xf32>" in done.stdout and "lot." not in done.stdout
