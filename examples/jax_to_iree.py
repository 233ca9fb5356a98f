#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A JAX encoder with LOT attention, compiled by IREE: forward and gradient.

    .venv-frameworks/bin/python examples/jax_to_iree.py [--out DIR]

JAX -> StableHLO -> lot-opt -> iree-compile -> iree-run-module, for a fixed number of tokens and
for a symbolic one, beside the same functions run by JAX on the CPU. Prints the largest relative
error of a result, and leaves all files in DIR. docs/integrations.md goes through the steps.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
from typing import Any, Callable

import in_iree
import jax
import jax.numpy as jnp
import numpy as np
from jax import export

import lot.jax

DIM, HEADS, HEAD_DIM, PIVOTS, HIDDEN = 32, 4, 8, 8, 64
#: As of f32 arithmetic through the whole encoder.
TOLERANCE = 1e-5

SHAPES = {"norm1": (DIM,), "query": (HEADS, DIM, HEAD_DIM), "key": (HEADS, DIM, HEAD_DIM),
          "value": (HEADS, DIM, HEAD_DIM), "pivots": (HEADS, PIVOTS, HEAD_DIM),
          "out": (HEADS, HEAD_DIM, DIM), "norm2": (DIM,), "hidden": (DIM, HIDDEN),
          "hidden_bias": (HIDDEN,), "last": (HIDDEN, DIM)}


def make_parameters(seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters, float32."""
    rng = np.random.default_rng(seed)
    return {name: (rng.standard_normal(shape) / np.sqrt(shape[-2] if len(shape) > 1 else 1) +
                   (name.startswith("norm"))).astype(np.float32)
            for name, shape in SHAPES.items()}


def normalize(x: jax.Array, gain: jax.Array) -> jax.Array:
    """Layer norm. The means are products, which keep their shape: IREE takes no reshape to or
    from a symbolic size, and a mean that keeps its axis has one in its gradient."""
    mean = jnp.full((DIM, DIM), 1 / DIM, x.dtype)
    x = x - x @ mean
    return x * jax.lax.rsqrt(jnp.square(x) @ mean + 1e-5) * gain


def encoder(p: dict[str, jax.Array], x: jax.Array,
            attention: Callable = lot.jax.attention) -> jax.Array:
    """One pre-norm block on tokens x [n, DIM] -> [n, DIM]."""
    h = normalize(x, p["norm1"])
    h = jnp.broadcast_to(h, (HEADS, *h.shape))
    q, k, v = ((h @ p[name])[None] for name in ("query", "key", "value"))
    o = attention(q, k, v, p["pivots"], epsilon=0.5, half_steps=6).sum(0)
    x = x + (o @ p["out"]).sum(0)
    h = jax.nn.gelu(normalize(x, p["norm2"]) @ p["hidden"] + p["hidden_bias"])
    return x + h @ p["last"]


def loss_and_gradients(p: dict[str, jax.Array], x: jax.Array,
                       attention: Callable = lot.jax.attention) -> tuple:
    """A loss and its gradients in all parameters and in x."""
    def loss(p: dict, x: jax.Array) -> jax.Array:
        return jnp.square(encoder(p, x, attention) - 1).mean()

    return jax.value_and_grad(loss, argnums=(0, 1))(p, x)


def arguments(n: Any) -> tuple:
    """The shapes of parameters and tokens; n is a number or a symbolic size."""
    return ({name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in SHAPES.items()},
            jax.ShapeDtypeStruct((n, DIM), jnp.float32))


def module_text(function: Callable, symbolic: bool, n: int = 100) -> str:
    """The function's StableHLO for lot-opt."""
    return lot.jax.stablehlo(function, *arguments(export.symbolic_shape("n")[0] if symbolic else n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, help="folder to leave the files in")
    folder = parser.parse_args().out or pathlib.Path(tempfile.mkdtemp(prefix="lot-jax-"))
    folder.mkdir(parents=True, exist_ok=True)
    p = make_parameters()
    for function in (encoder, loss_and_gradients):
        for symbolic, lengths in ((False, (100,)), (True, (100, 37, 2))):
            size = "n" if symbolic else "100"
            binary = in_iree.compile_module(module_text(function, symbolic), folder,
                                            f"{function.__name__}_{size}")
            for n in lengths:
                x = np.random.default_rng(n).standard_normal((n, DIM), np.float32)
                expected = jax.tree.leaves(function(p, x))
                actual = in_iree.run_module(binary, jax.tree.leaves((p, x)), len(expected))
                error = in_iree.relative_error(actual, expected)
                print(f"{function.__name__}, compiled for {size:>3} tokens, run on {n:>3}: "
                      f"{len(expected):>2} results, error against JAX {error:.1e}")
                if not error <= TOLERANCE:
                    raise SystemExit(f"error: expected at most {TOLERANCE}, got {error}")
    print(f"the files are in {folder}")


if __name__ == "__main__":
    main()
