#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The systems that benchmarks measure: lot, hand-written IR, PyTorch, JAX.

Each function takes (shape, threads, processor) and returns a function of no arguments that runs one
forward pass, waits for it and returns the result. `processor` is what lot and the hand-written IR
compile for; what limits the instructions of PyTorch and JAX is in the environment (AVX2).
"""

from __future__ import annotations

import functools
import math
import os
from typing import Any, Callable

from problems import Shape, operands

Call = Callable[[], Any]

#: Limits ATen's kernels, TorchInductor's vectors and XLA to AVX2.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}


def lot(s: Shape, threads: int, processor: str) -> Call:
    import lot as package

    (q, k, v, z), options = operands(s)

    def call():
        with package.compile_options(mcpu=processor):
            return package.attention(q, k, v, z, threads=threads, **options)

    if processor == "native":  # what everybody calls
        return lambda: package.attention(q, k, v, z, threads=threads, **options)
    return call


def hand_written(s: Shape, threads: int, processor: str) -> Call:
    from hand_written import build

    @functools.lru_cache(maxsize=None)
    def compiled() -> Call:  # by the first call, as with the others
        return build.prepare(*operands(s)[0], s.epsilon, s.half_steps,
                             min(threads, s.batch * s.heads), processor,
                             lanes=0 if processor == "native" else 8)

    return lambda: compiled()()


# --- PyTorch --------------------------------------------------------------------------------


def _torch(s: Shape, threads: int) -> tuple:
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if os.environ.get("ATEN_CPU_CAPABILITY") == "avx2":
        import torch._inductor.config as inductor

        inductor.cpp.simdlen = 256
    return tuple(map(torch.from_numpy, operands(s)[0]))


def torch_attention(s: Shape) -> Callable:
    """The public code's log-domain iteration."""
    import torch

    def attention(q, k, v, z):
        scale = q.shape[-1] ** -0.5
        n, r = q.shape[-2], z.shape[-2]

        def solve(S):
            rows, columns = S.shape[-2:]
            x, y = S.new_zeros(S.shape[:-1]), S.new_zeros(*S.shape[:-2], columns)
            for i in range(s.half_steps):
                if i % 2 == 0:
                    x = -math.log(rows) - torch.logsumexp(S + y[..., None, :], -1)
                else:
                    y = -math.log(columns) - torch.logsumexp(S + x[..., None], -2)
            return torch.exp(S + x[..., None] + y[..., None, :])

        P1 = solve((q * (scale / s.epsilon)) @ z.transpose(-1, -2))
        P2 = solve(z @ (k * (scale / s.epsilon)).transpose(-1, -2))
        return n * r * (P1 @ (P2 @ v))

    return attention


def torch_compile(s: Shape, threads: int, _: str) -> Call:
    import torch

    tensors = _torch(s, threads)
    compiled = torch.compile(torch_attention(s), dynamic=False)
    return lambda: compiled(*tensors).numpy()


def torch_eager(s: Shape, threads: int, _: str) -> Call:
    tensors, attention = _torch(s, threads), torch_attention(s)
    return lambda: attention(*tensors).numpy()


def linear(q, k, v):
    """Linear attention with the feature map elu + 1."""
    import torch.nn.functional as F

    fq, fk = F.elu(q) + 1, F.elu(k) + 1
    return (fq @ (fk.transpose(-1, -2) @ v)) / (fq @ fk.sum(-2, keepdim=True).transpose(-1, -2))


def linear_eager(s: Shape, threads: int, _: str) -> Call:
    q, k, v, _z = _torch(s, threads)
    return lambda: linear(q, k, v)


def linear_compile(s: Shape, threads: int, _: str) -> Call:
    import torch

    q, k, v, _z = _torch(s, threads)
    compiled = torch.compile(linear, dynamic=False)
    return lambda: compiled(q, k, v)


def softmax(s: Shape, threads: int, _: str) -> Call:
    import torch.nn.functional as F

    q, k, v, _z = _torch(s, threads)
    return lambda: F.scaled_dot_product_attention(q, k, v)


# --- JAX ------------------------------------------------------------------------------------


def jax_attention(s: Shape) -> tuple[Callable, list]:
    """The same iteration, and its operands."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp

    def solve(S):
        x, y = jnp.zeros(S.shape[:-1]), jnp.zeros(S.shape[:-2] + S.shape[-1:])
        for i in range(s.half_steps):
            if i % 2 == 0:
                x = -math.log(S.shape[-2]) - jax.nn.logsumexp(S + y[..., None, :], -1)
            else:
                y = -math.log(S.shape[-1]) - jax.nn.logsumexp(S + x[..., None], -2)
        return jnp.exp(S + x[..., None] + y[..., None, :])

    def attention(q, k, v, z):
        factor = q.shape[-1] ** -0.5 / s.epsilon
        P1 = solve(factor * q @ jnp.swapaxes(z, -1, -2))
        P2 = solve(z @ jnp.swapaxes(factor * k, -1, -2))
        return q.shape[-2] * z.shape[-2] * (P1 @ (P2 @ v))

    return attention, [jnp.asarray(t) for t in operands(s)[0]]


def jax_jit(s: Shape, threads: int, _: str) -> Call:
    attention, arrays = jax_attention(s)
    import jax
    import numpy as np

    attention = jax.jit(attention)
    return lambda: np.asarray(attention(*arrays).block_until_ready())


#: By the name that tables show. Another operator has no error to show.
SYSTEMS: dict[str, Callable[[Shape, int, str], Call]] = {
    "lot": lot,
    "hand-written IR": hand_written,
    "torch.compile": torch_compile,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
    "elu+1 linear (torch)": linear_eager,
    "elu+1 linear (torch.compile)": linear_compile,
    "SDPA (torch)": softmax,
}
OTHER_OPERATORS = ("elu+1 linear (torch)", "elu+1 linear (torch.compile)", "SDPA (torch)")
COMPILED_PEERS = ("torch.compile", "jax.jit")
