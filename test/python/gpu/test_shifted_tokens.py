#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tokens with a mean shift at small epsilons: what packed 16-bit factors alone cannot hold.

Every draw adds one N(0, 1) vector to all queries and one to all keys. Results and gradients are
those of the float64 oracle to the tolerances of docs/semantics.md, section 9, whatever schedule the
length chooses; and the bits do not depend on the run or on the other samples.
"""

import gpu_testing
import lot_testing
import numpy as np
import pytest
import torch
from lot.torch._tensors import to_torch

DRAWS = 20
#: epsilon, d = dv, r, half-steps. Every one is a compilation, lengths are not.
CLASSES = [(0.1, 32, 32, 50), (0.1, 64, 16, 10), (0.03, 32, 16, 20), (0.03, 64, 32, 50)]
classes = pytest.mark.parametrize("epsilon, d, r, half_steps", CLASSES)


def shifted(epsilon, d, r, half_steps, seed, n, m, batch=1, heads=1, pivot_scale=1.0):
    """A problem in bf16 with shifted tokens."""
    kernel = lot_testing.Kernel(d, d, r, "bf16", attributes=(("epsilon", epsilon),
                                                             ("half_steps", half_steps)))
    problem = lot_testing.make_problem(kernel, lot_testing.Shape(batch, heads, 1, False, n, m, 1.0,
                                                                 0.0, seed))
    rng = np.random.default_rng([seed, d, r])
    for name in ("q", "k"):
        values = getattr(problem, name).astype(np.float64) + rng.normal(size=d)
        setattr(problem, name, values.astype(lot_testing.BF16))
    problem.pivots = (problem.pivots.astype(np.float64) * pivot_scale).astype(lot_testing.BF16)
    return problem


@pytest.mark.parametrize("draw", range(DRAWS))
@classes
def test_draws(epsilon, d, r, half_steps, draw):
    lengths = np.random.default_rng(draw).integers(2000, 4097, size=2)
    gpu_testing.check(shifted(epsilon, d, r, half_steps, draw, *map(int, lengths),
                              pivot_scale=(0.5, 1.0)[draw % 2]), "bf16")


@pytest.mark.parametrize("n", [9000, 20000])
@classes
def test_long_draws(epsilon, d, r, half_steps, n):
    gpu_testing.check(shifted(epsilon, d, r, half_steps, n + d, n, n - 37), "bf16")


@pytest.mark.parametrize("n", [4096, 20000])
@classes
def test_bits(epsilon, d, r, half_steps, n):
    """Twenty runs, and a sample alone or among others, some of which have narrow scores."""
    problem = shifted(epsilon, d, r, half_steps, 1, n, n + 5, batch=3, heads=2)
    problem.q[0] *= np.array(0.01, lot_testing.BF16)
    problem.k[2] *= np.array(0.01, lot_testing.BF16)
    operands = gpu_testing.tensors(problem)
    dout = to_torch(problem.cotangent()).cuda()

    def both(given, cotangent):
        out = gpu_testing.run(given, problem.attributes)
        return [out, *gpu_testing.gradients(out, given, cotangent).values()]

    first = both(operands, dout)
    assert all(tensor.isfinite().all() for tensor in first)
    for _ in range(19):
        assert all(map(torch.equal, both(operands, dout), first))
    for sample in range(3):
        part = slice(sample, sample + 1)
        alone = {name: tensor if tensor is None or name == "pivots" else
                 tensor.detach()[part].clone().requires_grad_()
                 for name, tensor in operands.items()}
        for name, found, expected in zip(("out", "q", "k", "v"), both(alone, dout[part]), first):
            assert torch.equal(found, expected[part]), f"{name} of sample {sample}"
