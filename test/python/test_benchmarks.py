#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmarks' own modules: what they measure is what they say, bad arguments are refused."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

import lot
from lot._runtime import Executable

ROOT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
sys.path[:0] = [str(ROOT)]
import core_rates  # noqa: E402
import head_passes  # noqa: E402
from problems import Shape  # noqa: E402


@pytest.mark.parametrize("lanes", [4, 8])
def test_loops_of_the_core(lanes):
    code = Executable.compile(core_rates.module(lanes))
    x = np.linspace(-20, 0, 64, dtype=np.float32)
    out = np.full(64, np.nan, np.float32)
    code.invoke("exponentials", [x, out, core_rates.index(2)], 1)
    np.testing.assert_allclose(out, np.exp2(x.astype(np.float64)), rtol=1e-6)
    ones = np.ones(64 * lanes, np.float32)
    code.invoke("loads", [ones, out, core_rates.index(1)], 1)
    assert (out[:lanes] == 9 * 8).all()  # 8 loads by 8 chains, of which the first counts twice
    out[:] = 0.5
    code.invoke("products", [out, core_rates.index(10)], 1)
    x, total = 0.5, 0.0
    for _ in range(10):
        total = total * x + 2 * x
    np.testing.assert_allclose(out[:lanes], 13 * total, rtol=1e-6)


@pytest.mark.parametrize("d, r, lanes", [(64, 32, 8), (20, 5, 16), (7, 3, 4)])
def test_passes_are_ops_of_this_compiler(d, r, lanes):
    with lot.ir.Context():
        module = lot.ir.Module.parse(head_passes.module(96, d, r, lanes))
    text = str(module)
    for op in ("factor first<pivots>", "factor first<tokens>", "sweep", "gather", "apply"):
        assert text.count(f"lot.head_{op}") == 1


def test_work_is_that_of_live_tokens():
    shape = Shape(2, 3, 100, 8, 4, 10, 1.0)
    assert shape.multiply_adds == 2 * 2 * 3 * 100 * (2 * 8 * 4 + 10 * 4)
    padded = Shape(2, 3, 100, 8, 4, 10, 1.0, live=50)
    assert 2 * padded.multiply_adds == shape.multiply_adds


@pytest.mark.parametrize("arguments, message", [
    (["nonsense"], "expected cases among shapes, haswell, threads, long, cliffs, training, all; got nonsense"),
    (["--threads", "0"], "--threads: expected 1 to"), (["--calls", "0"], "--calls: expected at least")])
def test_bad_arguments(arguments, message):
    done = subprocess.run([sys.executable, str(ROOT / "cpu.py"), *arguments], capture_output=True,
                          text=True)
    assert done.returncode == 2 and message in done.stderr and not done.stdout
