#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is compiled when: once per kernel class, never for another batch, heads, n or m."""

import time
import types

import numpy as np
import pytest

import lot
from lot import _kernels
from lot._attributes import check_attributes, f64
from lot_testing import Kernel, Shape, make_problem

KERNEL = Kernel(10, 6, 5, attributes=(("epsilon", 0.77),))


def compilations():
    return lot.compile_cache_info().compilations


def test_new_shapes_compile_nothing():
    make_problem(KERNEL, Shape(1, 1, 1, True, 8, 8, 1.0, 0.0, 0)).run()
    before = compilations()
    for shape in (Shape(1, 1, 1, True, 9, 8, 1.0, 0.0, 0), Shape(1, 1, 1, True, 8, 77, 1.0, 0.0, 0),
                  Shape(5, 1, 1, True, 8, 8, 1.0, 0.0, 0), Shape(2, 2, 3, True, 8, 8, 1.0, 0.0, 0),
                  Shape(2, 2, 3, False, 8, 8, 1.0, 0.0, 0), Shape(0, 1, 1, True, 8, 8, 1.0, 0.0, 0),
                  Shape(1, 1, 1, True, 0, 8, 1.0, 0.0, 0), Shape(1, 1, 1, True, 8, 0, 1.0, 0.0, 0)):
        make_problem(KERNEL, shape).run(threads=1)
    problem = make_problem(KERNEL, Shape(1, 1, 1, True, 8, 8, 1.0, 0.0, 0))
    problem.run(q=problem.q[:, :, ::-1])
    assert compilations() == before


@pytest.mark.parametrize("changed", [
    Kernel(11, 6, 5), Kernel(10, 7, 5), Kernel(10, 6, 6), Kernel(10, 6, 5, "f64"),
    Kernel(10, 6, 5, pivots_rank=4), Kernel(10, 6, 5, mass_ranks=(2, 0, 0, 0)),
    Kernel(10, 6, 5, attributes=(("half_steps", 6),)),
], ids=str)
def test_other_classes_compile_once(changed):
    shape = Shape(1, 1, 1, True, 8, 8, 1.0, 0.0, 0)
    make_problem(Kernel(10, 6, 5), shape).run()
    lot.compile_cache_clear()
    make_problem(Kernel(10, 6, 5), shape).run()
    before = compilations()
    make_problem(changed, shape).run()
    make_problem(changed, shape).run()
    assert compilations() == before + 1
    newest = lot.compile_cache_info().kernels[-1]
    assert (newest.kernel.d, newest.kernel.dv, newest.kernel.r) == (changed.d, changed.dv,
                                                                   changed.r)
    assert newest.seconds >= sum(newest.phases.values()) > 0
    assert set(newest.phases) == {"lower", "translate", "optimize", "codegen", "load"}


def test_nothing_is_compiled_for_bad_input():
    before = compilations()
    x = np.zeros((1, 1, 4, 3), np.float32)
    with pytest.raises(ValueError):
        lot.attention(x, x, x, np.zeros((1, 2, 3), np.float32), epsilon=-1.0)
    assert compilations() == before


def _cache(capacity):
    texts = []

    def compile_(text, mcpu):
        texts.append(text)
        if "half_steps = 13" in text:
            raise RuntimeError("no")
        return types.SimpleNamespace(cached="half_steps = 9" in text, timings={})

    return _kernels.Cache(compile_, capacity), texts


def _class(half_steps):
    f32 = np.dtype(np.float32)
    return _kernels.KernelClass(4, 4, 2, f32, f32, 3, 0, 0, 0, 0, check_attributes(
        None, 1.0, half_steps, "query_mass", 0.0, None, 1.0))


def test_capacity_drops_the_oldest():
    cache, texts = _cache(2)
    kernels = [cache.get(_class(i)) for i in (1, 2, 3)]
    assert [info.kernel.attributes.half_steps for info in cache.info().kernels] == [2, 3]
    assert cache.get(_class(3)) is kernels[2] and len(texts) == 3
    cache.get(_class(1))
    assert len(texts) == 4


def test_loads_and_compilations_are_told_apart():
    cache, _ = _cache(4)
    for half_steps in (8, 9, 8):
        cache.get(_class(half_steps))
    info = cache.info()
    assert (info.compilations, info.loads) == (1, 1)
    assert [kernel.cached for kernel in info.kernels] == [False, True]


def test_failed_compilation_is_not_kept():
    cache, texts = _cache(2)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            cache.get(_class(13))
    assert len(texts) == 2 and cache.info().compilations == 0


@pytest.mark.parametrize("value", [1.0, 0.1, 1e-6, 1e300, -2.5, 5e-324, 1.5e16, 3.0e22])
def test_attribute_text_reads_back(value):
    text, _, type_ = f64(value).partition(" : ")
    assert type_ == "f64" and "." in text and float(text) == value


def test_a_call_costs_little():
    """Checks, cache and call together stay far under a millisecond on a tiny problem."""
    problem = make_problem(KERNEL, Shape(1, 1, 1, True, 4, 4, 1.0, 0.0, 0))
    problem.run(threads=1)
    best = min(_timed(problem) for _ in range(200))
    assert best < 5e-4, f"{best * 1e6:.0f} us"


def _timed(problem):
    start = time.perf_counter()
    lot.attention(problem.q, problem.k, problem.v, problem.pivots, epsilon=0.77, threads=1)
    return time.perf_counter() - start
