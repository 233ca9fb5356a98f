#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random problems against the float64 oracle: every attribute, mask, head grouping and layout.

Compiling takes about a second a kernel class, so classes are few (some fixed, some random by
LOT_TEST_SEED) and each meets many shapes. Absent tokens and pivots hold NaN or inf.
"""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lot_testing import LAYOUTS, MASSES, Kernel, Shape, check, lay_out, make_problem

SEED = int(os.environ.get("LOT_TEST_SEED", "0"))
EXAMPLES = 12


def attrs(**attributes):
    return tuple(attributes.items())


FIXED = [
    Kernel(64, 64, 32, attributes=attrs(epsilon=1.0, half_steps=10)),
    Kernel(32, 32, 32, attributes=attrs(epsilon=0.1, half_steps=50)),
    Kernel(1, 1, 1, attributes=attrs(half_steps=1)),
    Kernel(1, 3, 1, attributes=attrs(half_steps=2)),
    Kernel(130, 17, 65, attributes=attrs(half_steps=3)),
    Kernel(5, 130, 2, attributes=attrs(epsilon=25.0, half_steps=5)),
    Kernel(8, 8, 16, attributes=attrs(epsilon=0.02, half_steps=6)),
    Kernel(16, 16, 17, mass_ranks=(2, 2, 0, 0), attributes=attrs(half_steps=4, epsilon=0.5)),
    Kernel(16, 24, 33, pivots_rank=4, mass_ranks=(3, 3, 3, 3),
           attributes=attrs(half_steps=5, epsilon=0.3, normalization="row_sum", row_floor=0.01)),
    Kernel(7, 9, 11, mass_ranks=(2, 3, 2, 2),
           attributes=attrs(half_steps=7, normalization="none", out_scale=3.0)),
    Kernel(12, 12, 8, attributes=attrs(half_steps=6, epsilon=0.1, score_clamp=2.0,
                                       out_scale=0.0625, scale=0.7)),
    Kernel(24, 24, 20, "f64", mass_ranks=(3, 2, 2, 0), attributes=attrs(half_steps=8,
                                                                      epsilon=0.2)),
    Kernel(64, 64, 32, "bf16", pivots_in_state=True, attributes=attrs(half_steps=5)),
    Kernel(48, 40, 16, "f16", mass_ranks=(2, 2, 2, 0), attributes=attrs(half_steps=3,
                                                                       epsilon=0.5)),
]


def random_kernel(rng: np.random.Generator) -> Kernel:
    """A kernel class with any d, dv in 1..130, r in 1..65 and any attributes."""
    optional = {}
    if rng.random() < 0.3:
        optional["scale"] = float(rng.uniform(0.05, 1.0))
    if rng.random() < 0.3:
        optional["score_clamp"] = float(rng.uniform(0.5, 5.0))
    if rng.random() < 0.3:
        optional["out_scale"] = float(rng.uniform(-4.0, 4.0))
    normalization = str(rng.choice(["query_mass", "row_sum", "none"]))
    if normalization == "row_sum" and rng.random() < 0.5:
        optional["row_floor"] = float(rng.uniform(0.0, 0.05))
    return Kernel(
        int(rng.integers(1, 131)), int(rng.integers(1, 131)), int(rng.integers(1, 66)),
        str(rng.choice(["f32", "f32", "f32", "f64", "bf16", "f16"])), int(rng.choice([3, 4])),
        bool(rng.random() < 0.5), tuple(int(x) for x in rng.choice([0, 2, 3], size=4)),
        attrs(epsilon=float(10 ** rng.uniform(-1.5, 1.0)), half_steps=int(rng.integers(1, 13)),
              normalization=normalization, **optional))


KERNELS = FIXED + [random_kernel(np.random.default_rng([SEED, i])) for i in range(14)]

LENGTH = st.one_of(st.integers(0, 300), st.sampled_from([0, 1, 2, 16, 63, 64, 65, 128, 129]))
SHAPES = st.builds(
    Shape, batch=st.sampled_from([1, 1, 2, 3, 0]), key_heads=st.integers(1, 3),
    group=st.sampled_from([1, 1, 2, 3]), pivots_per_key_head=st.booleans(), n=LENGTH, m=LENGTH,
    spread=st.sampled_from([0.3, 1.0, 3.0]), absent=st.sampled_from([0.0, 0.2, 0.2, 0.9]),
    seed=st.integers(0, 2**32 - 1))


def test_enough_cases():
    assert len(set(KERNELS)) * EXAMPLES >= 300


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_random(kernel):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=SEED == 0, database=None,
              suppress_health_check=list(HealthCheck))
    @given(shape=SHAPES, layouts=st.tuples(*[st.sampled_from(LAYOUTS)] * 8))
    def matches(shape, layouts):
        problem = make_problem(kernel, shape)
        operands = dict(q=problem.q, k=problem.k, v=problem.v, pivots=problem.pivots,
                        **problem.masses)
        names = ("q", "k", "v", "pivots", *MASSES)
        arranged = {name: lay_out(operands[name], layout)
                    for name, layout in zip(names, layouts) if name in operands}
        check(problem.run(**arranged), problem, kernel.dtype)

    matches()
