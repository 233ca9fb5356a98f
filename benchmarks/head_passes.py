#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times of the passes over one head's tokens, each by itself, with the work that each does.

The passes are the ops that lot-expand-heads makes of lot.attention (docs/generated/LotDialect.md).
A loop around an op goes through heads whose tokens and values come from memory, as they do in a
call; the factor is one buffer for all of them, as it is there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core_rates import Rates, best, index
from hand_written.build import aligned, host_lanes

HEADS = 32  # more than the caches hold


class Pass(NamedTuple):
    """One pass over a head: its time and its work."""

    name: str
    seconds: float
    flops: float  # products and sums
    exps: float
    cache: float  # bytes of the factor, which is in L2
    memory: float  # bytes of tokens, values, results

    def parts(self, rates: Rates) -> dict[str, float]:
        """Seconds that each resource needs for it."""
        return {"products": self.flops / rates.flops, "exponentials": self.exps / rates.exps,
                "L2": self.cache / rates.l2, "memory": self.memory / rates.memory}

    def floor(self, rates: Rates) -> float:
        """Seconds of the busiest: the core, which does products and exponentials, or a memory."""
        parts = self.parts(rates)
        return max(parts["products"] + parts["exponentials"], parts["L2"], parts["memory"])


def module(n: int, d: int, r: int, lanes: int) -> str:
    """One function for each pass, with a loop over heads."""
    tile, wide = 4 * lanes, -(-d // lanes) * lanes
    vectors = 4 if lanes == 16 else 2
    schedule = (f"#lot.cpu_schedule<token_tile = {tile}, lanes = {lanes}, row_block = 4, "
                f"vector_block = {vectors}>")
    types = {
        "tokens": f"memref<?x{n}x{d}xf32>", "pivots": f"memref<{d}x{-(-r // lanes) * lanes}xf32>",
        "small": f"memref<{r}xf32>", "mass": "memref<?xf32>",
        "factor": f"memref<?x{r}x{tile}xf32>", "gathered": f"memref<{r}x{wide}xf32>",
        "partials": f"memref<?x{max(r * wide, (2 * r + 2) * lanes)}xf32>"}
    head = f"memref<{n}x{d}xf32, strided<[{d}, 1], offset: ?>>"
    cast = f"memref<?x{d}xf32, strided<[{d}, 1], offset: ?>>"

    def function(name: str, sliced: tuple[str, ...], op: str) -> str:
        slices = "".join(
            f"    %{x}0 = memref.subview %{x}s[%h, 0, 0] [1, {n}, {d}] [1, 1, 1] : "
            f"{types['tokens']} to {head}\n    %{x} = memref.cast %{x}0 : {head} to {cast}\n"
            for x in sliced)
        return (f"func.func @{name}(%tokenss: {types['tokens']}, %values: {types['tokens']}, "
                f"%outs: {types['tokens']}, %pivots: {types['pivots']}, %bias: {types['small']}, "
                f"%prev: {types['small']}, %post: {types['small']}, %sums: {types['small']}, "
                f"%log2_mass: {types['mass']}, %mass: {types['mass']}, %factor: {types['factor']}, "
                f"%gathered: {types['gathered']}, %partials: {types['partials']}, "
                "%heads: index) {\n  %c0 = arith.constant 0 : index\n"
                "  %c1 = arith.constant 1 : index\n"
                f"  %n = arith.constant {n} : index\n  %yes = arith.constant true\n"
                f"  scf.for %h = %c0 to %heads step %c1 {{\n{slices}{op}  }}\n  return\n}}\n")

    partials = f"partials(%partials : {types['partials']})"
    small, mass, factor = types["small"], types["mass"], types["factor"]
    plan = (f"        mass(%log2_mass, %mass : {mass}, {mass})\n"
            f"        plan(%yes, %factor, %prev, %post, %bias, %bias : {factor}, "
            f"{', '.join([small] * 4)})\n")
    build = "".join(
        function(f"factor_{first}", ("tokens",),
                 f"    %range = lot.head_factor first<{first}> {{schedule = {schedule}}}\n"
                 f"        ins(%tokens, %pivots, %bias, %log2_mass, %mass : {cast}, "
                 f"{types['pivots']}, {small}, {mass}, {mass})\n"
                 f"        outs(%factor, %sums : {factor}, {small}) {partials} -> f32\n")
        for first in ("tokens", "pivots"))
    return build + function(
        "sweep", (), f"    lot.head_sweep {{schedule = {schedule}}} ins(%factor, %prev, %mass : "
        f"{factor}, {small}, {mass}) length(%n)\n        outs(%sums : {small}) {partials}\n"
    ) + function(
        "gather", ("tokens", "value"),
        f"    lot.head_gather {{token_step, schedule = {schedule}}}\n"
        f"        ins(%tokens, %value, %pivots : {cast}, {cast}, {types['pivots']})\n{plan}"
        f"        outs(%gathered : {types['gathered']}) {partials}\n"
    ) + function(
        "apply", ("tokens", "out"),
        "    lot.head_apply {normalization = #lot.normalization<query_mass>, "
        f"row_floor = 0.0 : f64, out_scale = 1.0 : f64, schedule = {schedule}}}\n"
        f"        ins(%tokens, %gathered, %pivots : {cast}, {types['gathered']}, "
        f"{types['pivots']})\n{plan}        outs(%out : {cast})\n")


def measure(n: int, d: int, r: int) -> list[Pass]:
    """The passes of a head of n tokens, in the order of a call, on one core."""
    from lot._runtime import Executable

    lanes = host_lanes()
    tile, wide = 4 * lanes, -(-d // lanes) * lanes
    tiles = -(-n // tile)
    code = Executable.compile(module(n, d, r, lanes), opt_level=1, verify=False)
    rng = np.random.default_rng(0)
    tokens, values, outs = (aligned((HEADS, n, d)) for _ in range(3))
    tokens[...] = rng.standard_normal(tokens.shape, np.float32)
    values[...] = rng.standard_normal(values.shape, np.float32)
    pivots = aligned((d, -(-r // lanes) * lanes))
    pivots[:, :r] = rng.standard_normal((d, r)) * d**-0.5
    ones, zeros, sums = (np.full(r, x, np.float32) for x in (1, 0, 0))
    mass = np.full(tiles * tile, 1 / n, np.float32)
    arrays = [tokens, values, outs, pivots, zeros, ones, ones, sums, np.log2(mass), mass,
              aligned((tiles, r, tile)), aligned((r, wide)),
              aligned((tiles + 1, max(r * wide, (2 * r + 2) * lanes))), index(HEADS)]

    def seconds(entry: str) -> float:
        return best(lambda: code.invoke(entry, arrays, 1)) / HEADS

    scores, entries = 2 * n * r * d, n * r
    rows, stored = 4 * n * d, 4 * n * r
    return [
        Pass("factor, keys", seconds("factor_pivots"), scores + 2 * entries, entries, stored, rows),
        Pass("factor, queries", seconds("factor_tokens"), scores + 3 * entries, entries, stored,
             rows),
        Pass("sweep", seconds("sweep"), 4 * entries, 0, stored, 0),
        Pass("gather G = R2 V", seconds("gather"), scores + 3 * entries, 0, stored, rows),
        # A line that is written is read first.
        Pass("apply O = R1 G", seconds("apply"), scores, 0, stored, 2 * rows)]
