#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Threads and batches never change a bit of the result."""

import threading

import numpy as np
import pytest

import lot
from lot_testing import Kernel, Shape, make_problem

KERNELS = [
    Kernel(24, 16, 12, attributes=(("half_steps", 6), ("epsilon", 0.5))),
    Kernel(24, 16, 12, mass_ranks=(3, 3, 3, 3), pivots_rank=4,
           attributes=(("half_steps", 7), ("normalization", "row_sum"))),
    Kernel(24, 16, 12, "bf16", mass_ranks=(2, 2, 2, 0)),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("spread", [1.0, 20.0])  # the second takes the log domain
def test_one_and_many_threads(kernel, spread):
    problem = make_problem(kernel, Shape(3, 2, 2, True, 133, 97, spread, 0.1, 11))
    one = problem.run(threads=1).tobytes()
    for threads in (2, 3, 8, None):
        assert problem.run(threads=threads).tobytes() == one


@pytest.mark.parametrize("n, m", [(700, 1300), (3000, 257)])
def test_one_head_many_threads(n, m):
    problem = make_problem(KERNELS[0], Shape(1, 1, 1, True, n, m, 1.0, 0.0, 5))
    one = problem.run(threads=1).tobytes()
    for threads in (2, 4, None):
        assert problem.run(threads=threads).tobytes() == one


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("spread", [1.0, 20.0])
def test_alone_and_in_a_batch(kernel, spread):
    problem = make_problem(kernel, Shape(4, 2, 1, True, 65, 130, spread, 0.1, 13))
    together = problem.run()
    for b in range(4):
        masses = {name: mass[b:b + 1] if "pivot" not in name and "glue" not in name
                  or mass.ndim == 3 else mass for name, mass in problem.masses.items()}
        pivots = problem.pivots if problem.pivots.ndim == 3 else problem.pivots[b:b + 1]
        alone = problem.run(q=problem.q[b:b + 1], k=problem.k[b:b + 1], v=problem.v[b:b + 1],
                            pivots=pivots, **masses)
        assert alone.tobytes() == together[b:b + 1].tobytes()


def test_one_hard_head_beside_easy_ones():
    """A head that needs the log domain does not move the others, nor the other way round."""
    problem = make_problem(KERNELS[0], Shape(1, 3, 1, True, 80, 90, 1.0, 0.0, 17))
    easy = problem.run()
    q, k = problem.q.copy(), problem.k.copy()
    q[:, 1] *= 300
    k[:, 1] *= 300
    mixed = problem.run(q=q, k=k)
    assert mixed[:, ::2].tobytes() == easy[:, ::2].tobytes()
    assert np.isfinite(mixed).all() and mixed[:, 1].tobytes() != easy[:, 1].tobytes()


def test_nan_stays_in_its_head():
    problem = make_problem(KERNELS[0], Shape(2, 2, 1, True, 50, 60, 1.0, 0.0, 19))
    clean = problem.run()
    q = problem.q.copy()
    q[0, 1, 7] = np.nan
    out = problem.run(q=q)
    assert out[0, 0].tobytes() == clean[0, 0].tobytes()
    assert out[1].tobytes() == clean[1].tobytes()


def test_calls_from_many_threads():
    """Python threads may call at once: each gets its own answer, kernels compile once."""
    lot.compile_cache_clear()
    before = lot.compile_cache_info().compilations
    kernels = [Kernel(6, 5, 4, attributes=(("epsilon", e),)) for e in (0.71, 0.72)]
    problems = [make_problem(kernels[i % 2], Shape(1, 2, 1, True, 30 + i, 40, 1.0, 0.0, i))
                for i in range(8)]
    results: list = [None] * 8

    def call(i):
        results[i] = problems[i].run(threads=1)

    workers = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert lot.compile_cache_info().compilations - before == 2
    for problem, result in zip(problems, results):
        assert result is not None and result.tobytes() == problem.run(threads=1).tobytes()
