#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accuracy under every schedule that the compiler can choose, and under random legal ones.

The hard cases and kernel classes are those of test_cases.py and test_random.py; foreign.py says how
the schedules of other processors come to run here.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreign import PROCESSORS, available, schedules_of
from lot_testing import Kernel, Shape, case_names, check, load_case, make_problem
from test_random import FIXED, SHAPES, random_kernel

SEED = int(os.environ.get("LOT_TEST_SEED", "0"))
#: Few classes, since each is compiled for each processor; the many are in test_random.py.
KERNELS = [FIXED[i] for i in (4, 5, 7, 8, 10, 11, 12, 13)]
EXAMPLES = 8
DRAWN = 24


@pytest.fixture(params=PROCESSORS, ids=str)
def processor(request):
    if not available(request.param):
        pytest.skip(f"LLVM was built without {request.param.triple}")
    return request.param


def test_nothing_else_is_chosen(processor):
    """One processor stands for all of its vector width and number of registers."""
    for dtype in ("f32", "f64", "bf16", "f16"):
        with schedules_of(processor) as chosen:
            kernel = Kernel(5, 4, 3, dtype)
            problem = make_problem(kernel, Shape(1, 1, 1, True, 9, 8, 1.0, 0.0, 0))
            check(problem.run(), problem, dtype)
        assert len(chosen) == 1 and chosen[0].startswith(processor.schedule(dtype))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", case_names())
def test_case(processor, name, dtype):
    rounded = load_case(name)[0].cast(dtype)
    with schedules_of(processor) as chosen:
        check(rounded.run(), rounded, dtype)
    assert chosen and chosen[0].startswith(processor.schedule(dtype))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", case_names())
def test_recomputed_factor(name, dtype):
    rounded = load_case(name)[0].cast(dtype)
    schedule = PROCESSORS[1].schedule(dtype) + ", factor = recomputed>"
    with schedules_of(PROCESSORS[1], schedule) as chosen:
        check(rounded.run(), rounded, dtype)
    assert chosen and all(text + ">" == schedule for text in chosen)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_random(processor, kernel):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=SEED == 0, database=None,
              suppress_health_check=list(HealthCheck))
    @given(shape=SHAPES)
    def matches(shape):
        problem = make_problem(kernel, shape)
        check(problem.run(), problem, kernel.dtype)

    with schedules_of(processor):
        matches()


def random_schedule(rng: np.random.Generator, kernel: Kernel) -> str:
    """Any schedule that is legal with vectors of 512 bits."""
    widest = 3 if kernel.dtype == "f64" else 4
    lanes = 2 ** int(rng.integers(0, widest + 1))
    rows = int(rng.integers(1, 9))
    vectors = int(rng.integers(1, 64 // rows + 1)) if rng.random() < 0.3 else int(
        rng.integers(1, 5))
    factor = ", factor = recomputed" if rng.random() < 0.3 else ""
    return (f"#lot.cpu_schedule<token_tile = {4 * lanes}, lanes = {lanes}, row_block = {rows}, "
            f"vector_block = {vectors}{factor}>")


@pytest.mark.parametrize("number", range(DRAWN))
def test_random_schedule(number):
    rng = np.random.default_rng([SEED, 7, number])
    kernel = random_kernel(rng)
    schedule = random_schedule(rng, kernel)

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=SEED == 0, database=None,
              suppress_health_check=list(HealthCheck))
    @given(shape=SHAPES)
    def matches(shape):
        problem = make_problem(kernel, shape)
        check(problem.run(), problem, kernel.dtype)

    with schedules_of(PROCESSORS[2], schedule) as chosen:
        matches()
    assert all(schedule.startswith(text) for text in chosen)
