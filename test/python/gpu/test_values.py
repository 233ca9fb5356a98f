#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results and gradients on a CUDA device beside the float64 oracle."""

import gpu_testing
import lot_testing
import numpy as np
import pytest
import torch
from lot.torch._tensors import to_torch

DTYPES = ["f32", "bf16", "f16"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", lot_testing.case_names())
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_cases(name, dtype, backward):
    gpu_testing.check(lot_testing.load_case(name)[0].cast(dtype), dtype, backward)


@pytest.mark.parametrize("seed", range(100))
def test_random_shapes(seed):
    dtype = DTYPES[seed % 3]
    gpu_testing.check(gpu_testing.random_problem(seed, dtype), dtype, backward=seed % 2 == 0)


@pytest.mark.parametrize("epsilon", [0.1, 0.03])
@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_score_ranges(epsilon, dtype):
    """Tokens with a mean shift: scores leave the range of packed 16-bit factors."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        problem = gpu_testing.random_problem(
            seed, dtype, dict(batch=1, key_heads=2, group=1, n=512, m=512, absent=0.0),
            d=32, dv=32, r=32, mass_ranks=(0, 0, 0, 0), pivots_rank=3,
            attributes=(("epsilon", epsilon), ("half_steps", 10)))
        shift = rng.normal(size=32)
        problem.q = (problem.q.astype(np.float64) + shift).astype(problem.q.dtype)
        problem.k = (problem.k.astype(np.float64) + shift).astype(problem.k.dtype)
        gpu_testing.check(problem, dtype, backward=seed < 2)


@pytest.mark.parametrize("d, dv, r", [(256, 256, 32), (64, 48, 256), (256, 256, 256), (200, 136, 129)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_sizes(dtype, d, dv, r):
    """Up to the named limits of a GPU's kernels."""
    gpu_testing.check(gpu_testing.random_problem(
        d + r, dtype, dict(batch=1, key_heads=1, group=2, n=300, m=261), d=d, dv=dv, r=r,
        attributes=(("epsilon", 2.0), ("half_steps", 4))), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_short_sequences(dtype):
    gpu_testing.check(gpu_testing.random_problem(
        11, dtype, dict(batch=64, key_heads=8, group=1, n=64, m=64, absent=0.0), d=64, dv=64, r=32,
        mass_ranks=(0, 0, 0, 0), pivots_rank=3), dtype)


@pytest.mark.parametrize("normalization", ["query_mass", "row_sum", "none"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_masses_without_gradients(dtype, normalization):
    """Padding: masks whose gradients nobody asks for."""
    for seed in range(4):
        given = gpu_testing.random_problem(
            seed, dtype, dict(absent=0.3, n=500, m=700), d=32, dv=32, r=32,
            mass_ranks=(2, 3, 2, 0), attributes=(("half_steps", 4 + seed),
                                                 ("normalization", normalization)))
        operands = {name: tensor.detach() if name in lot_testing.MASSES and tensor is not None
                    else tensor for name, tensor in gpu_testing.tensors(given).items()}
        out = gpu_testing.run(operands, given.attributes)
        gpu_testing.check_output(gpu_testing.host(out), given, dtype)
        wanted = {name: tensor for name, tensor in operands.items()
                  if name not in lot_testing.MASSES}
        dout = given.cotangent()
        found = gpu_testing.gradients(out, wanted, to_torch(dout).to(gpu_testing.DEVICE))
        gpu_testing.check_gradients({name: gpu_testing.host(value)
                                     for name, value in found.items()}, given, dout, dtype)


@pytest.mark.parametrize("shape", [dict(n=0), dict(m=0), dict(batch=0)], ids=["n", "m", "batch"])
def test_empty(shape):
    problem = gpu_testing.random_problem(1, "f32", shape, d=16, dv=16, r=8)
    operands = gpu_testing.tensors(problem)
    out = gpu_testing.run(operands, problem.attributes)
    assert not out.any()
    for name, gradient in gpu_testing.gradients(out, operands, torch.ones_like(out)).items():
        assert gradient.shape == operands[name].shape and not gradient.any(), name


def test_many_heads():
    """More batches than a grid has rows."""
    problem = gpu_testing.random_problem(3, "f32", dict(batch=70000, key_heads=1, group=1, n=2,
                                                        m=3), d=8, dv=8, r=4, pivots_rank=3,
                                         mass_ranks=(0, 0, 0, 0))
    gpu_testing.check(problem, "f32")


LAYOUTS = ["heads_inner", "gaps", "last_strided", "shifted"]


def lay_out(tensor, layout):
    """The same values with other strides or at an odd address; NaN lies between them."""
    if layout == "heads_inner":
        if tensor.dim() < 4:
            return tensor.clone()
        return tensor.transpose(1, 2).contiguous().transpose(1, 2)
    *outer, last = tensor.shape
    if layout == "shifted":
        big = tensor.new_full([tensor.numel() + 1], torch.nan)
        view = big[1:].view(tensor.shape)
    elif layout == "gaps":
        big = tensor.new_full([*(2 * size + 1 for size in outer), last + 3], torch.nan)
        view = big[(*(slice(1, None, 2) for _ in outer), slice(2, 2 + last))]
    else:
        view = tensor.new_full([*outer, 3 * last], torch.nan)[..., 1::3]
    view.copy_(tensor)
    return view


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(dtype, layout):
    problem = gpu_testing.random_problem(5, dtype, dict(n=65, m=70), d=32, dv=32, r=16,
                                         mass_ranks=(3, 3, 2, 2))
    operands = gpu_testing.tensors(problem)
    out = gpu_testing.run(operands, problem.attributes)
    dout = to_torch(problem.cotangent()).cuda()
    expected = gpu_testing.gradients(out, operands, dout)
    laid = {name: lay_out(tensor.detach(), layout).requires_grad_()
            for name, tensor in operands.items()}
    again = gpu_testing.run(laid, problem.attributes)
    assert torch.equal(again, out)
    for name, found in gpu_testing.gradients(again, laid, lay_out(dout, layout)).items():
        assert torch.equal(found, expected[name]), name


def test_repeated_and_batched_bits():
    """The same bits in every run, and for a sample alone or among others."""
    problem = gpu_testing.random_problem(7, "bf16", dict(batch=5, n=300, m=333), d=64, dv=64, r=32,
                                         mass_ranks=(3, 3, 0, 0), pivots_rank=3)
    operands = gpu_testing.tensors(problem)
    dout = to_torch(problem.cotangent()).cuda()

    def both(given, cotangent):
        out = gpu_testing.run(given, problem.attributes)
        return out, gpu_testing.gradients(out, given, cotangent)

    out, grads = both(operands, dout)
    for _ in range(19):
        again, found = both(operands, dout)
        assert torch.equal(again, out)
        assert all(torch.equal(found[name], grads[name]) for name in grads)
    alone = {name: tensor if tensor is None or name == "pivots" else
             tensor.detach()[2:3].clone().requires_grad_() for name, tensor in operands.items()}
    single, found = both(alone, dout[2:3])
    assert torch.equal(single, out[2:3])
    for name in ("q", "k", "v", "query_log_mass", "key_log_mass"):
        assert torch.equal(found[name], grads[name][2:3]), name
