#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The systems that benchmarks measure with gradients: one forward and one backward pass.

As in peers.py each function takes (shape, threads, processor) and returns a function of no
arguments; its result is the gradients of sum(cotangent * result) in q, k, v and the pivots. Every
system also computes the result, as a training step does.
"""

from __future__ import annotations

import functools
from typing import Any, Callable

import peers
from problems import Shape, operands

NAMES = ("q", "k", "v", "pivots")


@functools.lru_cache(maxsize=4)
def cotangent(s: Shape) -> Any:
    import numpy as np

    q = operands(s)[0][0]
    return np.random.default_rng(1).standard_normal(q.shape, np.float32).astype(q.dtype)


def error(s: Shape, gradients: dict[str, Any]) -> float:
    """The largest error of a gradient, relative to the terms that are added up in it."""
    import numpy as np

    from lot import reference

    tensors, options = operands(s)
    exact = reference.attention_vjp(cotangent(s), *tensors, **options)
    return max(float(np.linalg.norm(np.asarray(gradients[name], np.float64) - exact[name])
                     / exact.get(f"scale_{name}", np.linalg.norm(exact[name])))
               for name in NAMES)


def lot(s: Shape, threads: int, processor: str) -> peers.Call:
    import lot as package

    tensors, options = operands(s)
    options = dict(options, threads=threads)

    def call():
        out = package.attention(*tensors, **options)
        return {"out": out, **package.attention_vjp(cotangent(s), *tensors, **options)}

    return call


def _torch(s: Shape, threads: int, attention: Callable, reads_pivots: bool = True) -> peers.Call:
    import torch

    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(x).requires_grad_() for x in operands(s)[0]]
    weight = torch.from_numpy(cotangent(s))

    tensors = tensors if reads_pivots else tensors[:3]
    return lambda: dict(zip(NAMES, torch.autograd.grad(attention(*tensors), tensors, weight)))


def lot_torch(s: Shape, threads: int, _: str) -> peers.Call:
    import lot.torch as package

    return _torch(s, threads, functools.partial(package.attention, **operands(s)[1]))


def torch_compile(s: Shape, threads: int, _: str) -> peers.Call:
    import torch

    return _torch(s, threads, torch.compile(peers.torch_attention(s), dynamic=False))


def torch_eager(s: Shape, threads: int, _: str) -> peers.Call:
    return _torch(s, threads, peers.torch_attention(s))


def linear_eager(s: Shape, threads: int, _: str) -> peers.Call:
    return _torch(s, threads, peers.linear, reads_pivots=False)


def linear_compile(s: Shape, threads: int, _: str) -> peers.Call:
    import torch

    return _torch(s, threads, torch.compile(peers.linear, dynamic=False), reads_pivots=False)


def softmax(s: Shape, threads: int, _: str) -> peers.Call:
    import torch.nn.functional as F

    return _torch(s, threads, F.scaled_dot_product_attention, reads_pivots=False)


def jax_jit(s: Shape, threads: int, _: str) -> peers.Call:
    attention, arrays = peers.jax_attention(s)
    import jax
    import jax.numpy as jnp

    @jax.jit
    def step(weight, *arrays):
        result, pull = jax.vjp(attention, *arrays)
        return result, pull(weight)

    weight = jnp.asarray(cotangent(s))
    return lambda: dict(zip(NAMES, jax.block_until_ready(step(weight, *arrays))[1]))


#: By the name that tables show.
SYSTEMS: dict[str, Callable[[Shape, int, str], peers.Call]] = {
    "lot": lot,
    "lot.torch": lot_torch,
    "torch.compile": torch_compile,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
    "elu+1 linear (torch)": linear_eager,
    "elu+1 linear (torch.compile)": linear_compile,
    "SDPA (torch)": softmax,
}
