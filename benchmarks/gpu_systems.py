#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The systems that benchmarks/gpu.py measures on a CUDA device, and how it measures.

A system is called on several sets of operands in turn, together larger than the L2 cache, in a CUDA
graph: times are the GPU's, without Python and launches from the host.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Callable, Optional, Sequence

import peers
import torch
from problems import Shape
from torch.nn import functional as F

Tensor = torch.Tensor
Attention = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

REPLAYS = 25
ENOUGH = 1500.0  #: ms after which seven replays do
LONGEST_SOFTMAX = 65536  #: tokens; beyond, it takes seconds


@dataclasses.dataclass(frozen=True)
class Case:
    """A shape, what it may take at most, and what a CUDA prototype took on an H100."""

    name: str
    shape: Shape
    forward: float  # ms, or times the copy where `copies`
    training: float  # ms of forward and backward
    prototype: tuple[Optional[float], Optional[float]]
    copies: bool = True
    pivot_scale: float = 0.5  # standard deviation of the pivots: 0.5 in the prototypes' runs


CASES = (
    Case("bulk", Shape(8, 16, 4096, 64, 32, 10, 1.0), 1.35, 0.54, (0.123, 0.47)),
    Case("swin", Shape(8, 6, 3136, 32, 16, 5, 1.0), 1.4, 0.085, (0.0244, 0.071)),
    Case("retrieval8k", Shape(1, 16, 8192, 64, 32, 5, 1.0), 1.5, 0.16, (0.0401, 0.134)),
    Case("retrieval32k", Shape(1, 16, 32768, 64, 32, 5, 1.0), 1.6, 0.60, (0.135, 0.51)),
    Case("lra", Shape(16, 2, 4096, 32, 32, 50, 0.1), 0.070, 0.21, (0.0570, 0.173), copies=False),
    # The same with scores of twice the range: half-steps leave what 16 bits hold.
    Case("lra-wide", Shape(16, 2, 4096, 32, 32, 50, 0.1), 0.070, 0.21, (None, None), copies=False,
         pivot_scale=1.0),
    Case("long", Shape(1, 8, 262144, 64, 64, 10, 1.0), 3.6, 4.5, (1.113, None)),
)


def operands(case: Case, dtype: torch.dtype, seed: int) -> list[Tensor]:
    """q, k, v and the pivots [H, r, d]."""
    s = case.shape
    generator = torch.Generator("cuda").manual_seed(seed)
    sizes = [(s.batch, s.heads, s.n, s.d)] * 3 + [(s.heads, s.r, s.d)]
    *tokens, pivots = (torch.randn(size, device="cuda", dtype=dtype, generator=generator)
                       for size in sizes)
    return [*tokens, pivots * case.pivot_scale]


def plain(s: Shape, state: torch.dtype = torch.float32) -> Attention:
    """The formula as one writes it: scores, half-steps in the log domain, two products."""

    def solve(scores: Tensor, first_over_rows: bool) -> Tensor:
        rows, columns = scores.shape[-2:]
        x, y = scores.new_zeros(scores.shape[:-1]), scores.new_zeros(*scores.shape[:-2], columns)
        for i in range(s.half_steps):
            if (i % 2 == 0) == first_over_rows:
                x = -math.log(rows) - torch.logsumexp(scores + y[..., None, :], -1)
            else:
                y = -math.log(columns) - torch.logsumexp(scores + x[..., None], -2)
        return torch.exp(scores + x[..., None] + y[..., None, :])

    def attention(q: Tensor, k: Tensor, v: Tensor, z: Tensor) -> Tensor:
        scale = s.d ** -0.5 / s.epsilon
        queries, keys = ((x @ z.transpose(-1, -2)).to(state) * scale for x in (q, k))
        left, right = solve(queries, True), solve(keys, False)  # the pivots first on the key side
        gathered = right.transpose(-1, -2).to(v.dtype) @ v
        return (left.to(v.dtype) @ gathered) * (s.n * s.r)

    return attention


def systems(s: Shape, peers_too: bool) -> dict[str, Attention]:
    """What is compared, by name; all but the first two compute something else."""
    import lot.torch

    found: dict[str, Attention] = {"lot": lambda q, k, v, z: lot.torch.attention(
        q, k, v, z, epsilon=s.epsilon, half_steps=s.half_steps)}
    if peers_too:
        linear = torch.compile(peers.linear, dynamic=False)
        found["torch.compile"] = torch.compile(plain(s), dynamic=False)
        if s.n <= LONGEST_SOFTMAX:
            found["SDPA"] = lambda q, k, v, z: F.scaled_dot_product_attention(q, k, v)
        found["elu+1 linear"] = lambda q, k, v, z: linear(q, k, v)
    return found


def training(attention: Attention, reads_pivots: bool) -> Callable[..., tuple]:
    """A forward and a backward pass: the result and its gradients."""

    def step(q: Tensor, k: Tensor, v: Tensor, z: Tensor, dout: Tensor) -> tuple:
        wanted = (q, k, v, z) if reads_pivots else (q, k, v)
        out = attention(q, k, v, z)
        return (out, *torch.autograd.grad(out, wanted, dout))

    return step


# --- Time -----------------------------------------------------------------------------------


def measure(call: Callable, sets: Sequence[Sequence[Tensor]]) -> float:
    """The median time of a call in ms, over replays of a graph with one call for each set."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for tensors in list(sets)[:2] * 2:  # compiles
            call(*tensors)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for tensors in sets:
            call(*tensors)
    times = []
    for replay in range(REPLAYS + 3):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        if replay >= 3:
            times.append(begin.elapsed_time(end) / len(sets))
        if len(times) >= 7 and sum(times) * len(sets) > ENOUGH:
            break
    return statistics.median(times)


def copy(q: Tensor, k: Tensor, v: Tensor, z: Tensor, out: Tensor) -> None:
    """Moves as many bytes as q, k, v and the result have, half of them each way."""
    v.copy_(q)
    out.copy_(k)


def make_sets(case: Case, dtype: torch.dtype) -> list[list[Tensor]]:
    """Operands and cotangents, three times the L2 cache at least."""
    first = [*operands(case, dtype, 0), operands(case, dtype, 99)[0]]
    size = sum(x.numel() * x.element_size() for x in first)
    count = max(2, -(-3 * torch.cuda.get_device_properties(0).L2_cache_size // size))
    return [first, *([*operands(case, dtype, i), operands(case, dtype, 99 + i)[0]]
                     for i in range(1, count))]


def extra_memory(call: Callable, tensors: Sequence[Tensor]) -> int:
    """Bytes that a training step takes beside operands, result and gradients."""
    call(*tensors)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    results = call(*tensors)
    torch.cuda.synchronize()
    kept = sum(x.numel() * x.element_size() for x in results)
    return torch.cuda.max_memory_allocated() - before - kept


# --- Errors ---------------------------------------------------------------------------------


def errors(s: Shape, step: Callable, tensors: Sequence[Tensor]) -> dict[str, float]:
    """Frobenius errors of the result and of the gradients, relative to a float64 computation of
    the plain formula on the same values, some heads at a time."""
    actual = [x.detach().double() for x in step(*tensors)]
    q, k, v, z, dout = (x.detach().double() for x in tensors)
    exact = [torch.empty_like(x) for x in (dout, q, k, v)]
    pivots = torch.zeros_like(z)
    formula = training(plain(s, torch.float64), True)
    # What autograd keeps of a head: the scores of each half-step, twice.
    heads = max(1, int(16e9 / (s.n * s.r * 8 * 4 * s.half_steps)))
    for b in range(s.batch):
        for h in range(0, s.heads, heads):
            part = slice(h, h + heads)
            leaves = [x[b, part].clone().requires_grad_() for x in (q, k, v)]
            leaves.append(z[part].clone().requires_grad_())
            *found, dz = formula(*leaves, dout[b, part])
            for whole, piece in zip(exact, found):
                whole[b, part] = piece.detach()
            pivots[part] += dz
    names = ("out", "dq", "dk", "dv", "dz")
    return {name: float((a - e).norm() / e.norm())
            for name, a, e in zip(names, actual, [*exact, pivots])}
