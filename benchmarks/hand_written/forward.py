#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOT attention forward, written by hand in scf, vector, memref and arith for one shape.

    benchmarks/hand_written/forward.py --d 64 --r 32 > forward.mlir

What one core gives: no pass of lot has touched this IR, and build.py lowers it with upstream passes
alone. benchmarks/cpu.py runs it beside the compiler, which has to arrive at code of that class from
`lot.attention`. In return for its freedom it does one thing only: f32, contiguous, uniform masses,
d = dv, even half_steps, path A (scores whose range allows scaling), n a multiple of the tile, d and
r of the lanes; heads are spread over threads.

The shape of it: lanes are tokens. The factor D = 2^(scores - maximum) of a head is
[tiles][r][tile], a tile fits the L1 cache, a head the L2. Both sides take turns on one workspace:

    key side     {scores, maxima over tokens}, {2^, pivot sums}, sweeps, {token sums, G += plan^T V}
    query side   {scores, maxima over pivots, 2^, token sums, pivot sums}, sweeps, {O = plan G}

A sweep reads D once: the token sums of the next tile are taken beside the pivot sums of this one.
"""

from __future__ import annotations

import argparse
import math

from text import Buffer, Writer


class Forward:
    """Writes the module for heads of [n, d] and r pivots."""

    def __init__(self, d: int, r: int, lanes: int) -> None:
        if d % lanes or r % lanes:
            raise ValueError(f"expected d and r to be multiples of {lanes}, got {d} and {r}")
        self.d, self.r, self.lanes = d, r, lanes
        self.tile = 4 * lanes
        self.vectors = range(4)  # of a tile
        self.columns = d // lanes  # vectors of a row of V
        #: Rows of the register blocks of the value products: lanes accumulators in all.
        self.rows = max(1, lanes // self.columns)
        self.w = Writer(lanes)
        matrix = f"memref<?x{d}xf32, strided<[{d}, 1], offset: ?>>"
        factor = f"memref<?x{r}x{self.tile}xf32, strided<[{r * self.tile}, {self.tile}, 1], " \
                 "offset: ?>>"
        self.q, self.k, self.v, self.o = (Buffer(f"%{x}", matrix) for x in "qkvo")
        self.z = Buffer("%z", f"memref<{r}x{d}xf32, strided<[{d}, 1], offset: ?>>")
        self.factor = Buffer("%factor", factor)
        self.inverse = Buffer("%inverse", "memref<?xf32, strided<[1], offset: ?>>")

    # --- Pieces ------------------------------------------------------------------------------

    def each(self, size: int, step: int = 1):
        w = self.w
        return w.loop(w.index(0), w.index(size), w.index(step))

    def start(self, v: int) -> str:
        """The first token of vector v of a tile."""
        return self.w.index(v * self.lanes)

    def fill(self, memory: Buffer, value: float, columns: int = 1) -> None:
        with self.each(self.r) as j:
            for c in range(columns):
                self.w.store_vector(self.w.splat(value), memory, j.iv, self.start(c))

    def pack_pivots(self) -> None:
        """packed[k][j] = z[j][k] * scale / epsilon * log2(e): scores are exponents of 2."""
        w = self.w
        with self.each(self.r) as j, self.each(self.d) as k:
            w.store(w.scalar("mulf", w.load(self.z, j.iv, k.iv), "%factor_of_scores"), self.packed,
                    k.iv, j.iv)

    def scores(self, tokens: Buffer, tile: str, first: str) -> None:
        """factor[tile][j][token] = tokens . packed, by blocks turned in registers."""
        w, lanes, blocks = self.w, self.lanes, self.r // self.lanes
        with self.each(self.tile, lanes) as s:
            row = w.add_index(first, s.iv)
            rows = [w.add_index(row, i) for i in range(lanes)]
            ahead = w.add_index(row, 16)
            with self.each(self.r, lanes) as j:
                with w.loop(w.index(0), w.index(self.d), w.index(1), [w.splat(0.0)] * lanes) as k:
                    # The rows after these, spread over the iterations.
                    at = w.add_index(w.div_index(w.mul_index(k.iv, 16), blocks),
                                     w.div_index(w.mul_index(j.iv, self.d), blocks))
                    w.prefetch(tokens, ahead, at)
                    z = w.load_vector(self.packed, k.iv, j.iv)
                    w.yields([w.fma(w.load_splat(tokens, rows[i], k.iv), z, k.args[i])
                              for i in range(lanes)])
                for i, vector in enumerate(w.transpose(w.results)):
                    w.store_vector(vector, self.factor, tile, w.add_index(j.iv, i), s.iv)

    def entries(self, tile: str, j: str) -> list[str]:
        return [self.w.load_vector(self.factor, tile, j, self.start(v)) for v in self.vectors]

    def token_sums(self, tile: str) -> list[str]:
        """sum_j factor[tile][j] prev_j of the tokens of a tile."""
        w = self.w
        with w.loop(w.index(0), w.index(self.r), w.index(4), [w.splat(0.0)] * 4) as j:
            sums = j.args
            for u in range(4):
                at = w.add_index(j.iv, u)
                p = w.load_splat(self.prev, at)
                sums = [w.fma(e, p, s) for e, s in zip(self.entries(tile, at), sums)]
            w.yields(sums)
        return w.results

    def pivot_sums(self, tile: str, scaling: list[str]) -> None:
        """sums_j += factor[tile][j] . scaling, by lanes."""
        w = self.w
        with self.each(self.r, 4) as j:
            for u in range(4):
                at = w.add_index(j.iv, u)
                total = w.load_vector(self.sums, at, w.index(0))
                for e, s in zip(self.entries(tile, at), scaling):
                    total = w.fma(e, s, total)
                w.store_vector(total, self.sums, at, w.index(0))

    def update_pivots(self) -> None:
        """prev_j = 1 / (r sum of sums_j): lanes are added after a transposition."""
        w = self.w
        with self.each(self.r, self.lanes) as j:
            rows = w.transpose([w.load_vector(self.sums, w.add_index(j.iv, i), w.index(0))
                                for i in range(self.lanes)])
            while len(rows) > 1:
                rows = [w.binary("addf", a, b) for a, b in zip(rows[::2], rows[1::2])]
            w.store_vector(w.binary("divf", w.splat(1.0 / self.r), rows[0]), self.prev, j.iv)

    def token_scaling(self, sums: list[str], first: str, mass: str, keep: bool) -> list[str]:
        """mass / sums; on the query side 1 / sums is kept, too."""
        w, result = self.w, []
        for v, total in enumerate(sums):
            if keep:
                inverse = w.binary("divf", w.splat(1.0), total)
                w.store_vector(inverse, self.inverse, w.add_index(first, v * self.lanes))
                result.append(w.binary("mulf", mass, inverse))
            else:
                result.append(w.binary("divf", mass, total))
        return result

    def sweeps(self, tiles: str, mass: str, keep: bool) -> None:
        """All sweeps after the first: tokens, then pivots, on one reading of the factor."""
        w = self.w
        with w.loop(w.index(0), "%sweeps", w.index(1)):
            self.fill(self.sums, 0.0)
            zero = w.index(0)
            start = self.token_scaling(self.token_sums(zero), zero, mass, keep)
            last = w.op(f"arith.subi {tiles}, {w.index(1)} : index")
            with w.loop(zero, last, w.index(1), start) as t:
                next_ = w.add_index(t.iv, 1)
                with w.loop(zero, w.index(self.r), w.index(4), [w.splat(0.0)] * 4) as j:
                    sums = j.args
                    for u in range(4):
                        at = w.add_index(j.iv, u)
                        total = w.load_vector(self.sums, at, zero)
                        p = w.load_splat(self.prev, at)
                        for e, s in zip(self.entries(t.iv, at), t.args):
                            total = w.fma(e, s, total)
                        sums = [w.fma(e, p, s) for e, s in zip(self.entries(next_, at), sums)]
                        w.store_vector(total, self.sums, at, zero)
                    w.yields(sums)
                w.yields(self.token_scaling(w.results, w.mul_index(next_, self.tile), mass, keep))
            self.pivot_sums(last, w.results)
            self.update_pivots()

    # --- Sides -------------------------------------------------------------------------------

    def key_side(self, tiles: str, mass: str) -> None:
        w, zero = self.w, self.w.index(0)
        self.fill(self.top, -3e38)
        with w.loop(zero, tiles, w.index(1)) as t:
            self.scores(self.k, t.iv, w.mul_index(t.iv, self.tile))
            with self.each(self.r) as j:
                top = w.load_vector(self.top, j.iv, zero)
                for e in self.entries(t.iv, j.iv):
                    top = w.max(top, e)
                w.store_vector(top, self.top, j.iv, zero)
        with self.each(self.r) as j:
            vector = w.load_vector(self.top, j.iv, zero)
            top = w.op(f"vector.reduction <maxnumf>, {vector} fastmath<reassoc,nnan> : "
                       f"{w.vector} into f32")
            w.store_vector(w.broadcast(top), self.top, j.iv, zero)
        self.fill(self.sums, 0.0)
        with w.loop(zero, tiles, w.index(1)) as t, self.each(self.r) as j:
            top, total = (w.load_vector(x, j.iv, zero) for x in (self.top, self.sums))
            for v, e in enumerate(self.entries(t.iv, j.iv)):
                e = w.exp2(w.binary("subf", e, top))
                w.store_vector(e, self.factor, t.iv, j.iv, self.start(v))
                total = w.binary("addf", total, e)
            w.store_vector(total, self.sums, j.iv, zero)
        self.update_pivots()
        self.sweeps(tiles, mass, keep=False)
        self.gather(tiles, mass)

    def gather(self, tiles: str, mass: str) -> None:
        """gathered[j] = r prev_j sum over tokens of scaling * factor[j] * v: G = R2 V."""
        w, rows = self.w, self.rows
        columns = [self.start(c) for c in range(self.columns)]
        self.fill(self.gathered, 0.0, self.columns)
        with w.loop(w.index(0), tiles, w.index(1)) as t:
            first = w.mul_index(t.iv, self.tile)
            scaling = self.token_scaling(self.token_sums(t.iv), first, mass, keep=False)
            with self.each(self.r) as j:
                for v, e in enumerate(self.entries(t.iv, j.iv)):
                    w.store_vector(w.binary("mulf", e, scaling[v]), self.plan, j.iv, self.start(v))
            next_tile = w.add_index(first, self.tile)
            lines = self.tile * self.d // (self.r // rows * self.tile)  # floats per iteration
            with self.each(self.r, rows) as j:
                pivots = [w.add_index(j.iv, i) for i in range(rows)]
                done = w.div_index(w.mul_index(j.iv, self.tile), rows)
                init = [w.load_vector(self.gathered, p, c) for p in pivots for c in columns]
                with w.loop(w.index(0), w.index(self.tile), w.index(1), init) as i:
                    w.prefetch(self.v, next_tile,
                               w.mul_index(w.add_index(done, i.iv), lines))
                    row = w.add_index(first, i.iv)
                    values = [w.load_vector(self.v, row, c) for c in columns]
                    w.yields(self.block(i.args, [w.load_splat(self.plan, p, i.iv) for p in pivots],
                                        values))
                for n, total in enumerate(w.results):
                    w.store_vector(total, self.gathered, pivots[n // self.columns],
                                   columns[n % self.columns])
        with self.each(self.r) as j:
            scale = w.binary("mulf", w.load_splat(self.prev, j.iv), w.splat(float(self.r)))
            for c in columns:
                w.store_vector(w.binary("mulf", w.load_vector(self.gathered, j.iv, c), scale),
                               self.gathered, j.iv, c)

    def block(self, totals: list[str], left: list[str], right: list[str]) -> list[str]:
        """totals + left x right, one register each."""
        pairs = [(a, b) for a in left for b in right]
        return [self.w.fma(a, b, total) for (a, b), total in zip(pairs, totals)]

    def query_side(self, tiles: str, mass: str) -> None:
        w, zero = self.w, self.w.index(0)
        self.fill(self.sums, 0.0)
        with w.loop(zero, tiles, w.index(1)) as t:
            first = w.mul_index(t.iv, self.tile)
            self.scores(self.q, t.iv, first)
            with w.loop(zero, w.index(self.r), w.index(1), [w.splat(-3e38)] * 4) as j:
                w.yields([w.max(a, e) for a, e in zip(j.args, self.entries(t.iv, j.iv))])
            top = w.results
            with w.loop(zero, w.index(self.r), w.index(1), [w.splat(0.0)] * 4) as j:
                exps = [w.exp2(w.binary("subf", e, m))
                        for e, m in zip(self.entries(t.iv, j.iv), top)]
                for v, e in enumerate(exps):
                    w.store_vector(e, self.factor, t.iv, j.iv, self.start(v))
                w.yields([w.binary("addf", a, e) for a, e in zip(j.args, exps)])
            self.pivot_sums(t.iv, self.token_scaling(w.results, first, mass, keep=True))
        self.update_pivots()
        self.sweeps(tiles, mass, keep=True)
        self.apply(tiles)

    def apply(self, tiles: str) -> None:
        """o = inverse * sum_j factor[j] prev_j gathered[j]: O = R1 G."""
        w, rows = self.w, self.rows
        columns = [self.start(c) for c in range(self.columns)]
        with self.each(self.r) as j:
            p = w.load_splat(self.prev, j.iv)
            for c in columns:
                w.store_vector(w.binary("mulf", w.load_vector(self.gathered, j.iv, c), p),
                               self.gathered, j.iv, c)
        with w.loop(w.index(0), tiles, w.index(1)) as t:
            first = w.mul_index(t.iv, self.tile)
            with self.each(self.tile, rows) as i:
                tokens = [w.add_index(i.iv, n) for n in range(rows)]
                with w.loop(w.index(0), w.index(self.r), w.index(1),
                            [w.splat(0.0)] * (rows * self.columns)) as j:
                    gathered = [w.load_vector(self.gathered, j.iv, c) for c in columns]
                    w.yields(self.block(j.args, [w.load_splat(self.factor, t.iv, j.iv, n)
                                                 for n in tokens], gathered))
                for n, total in enumerate(w.results):
                    row = w.add_index(first, tokens[n // self.columns])
                    inverse = w.load_splat(self.inverse, row)
                    w.store_vector(w.binary("mulf", total, inverse), self.o, row,
                                   columns[n % self.columns])

    # --- Functions ---------------------------------------------------------------------------

    def head(self) -> str:
        """Writes @head, one head; returns the types of its arguments."""
        w = self.w
        buffers = (self.q, self.k, self.v, self.z, self.o, self.factor, self.inverse)
        types = [buffer.type for buffer in buffers] + ["f32", "index"]
        names = [buffer.name for buffer in buffers] + ["%factor_of_scores", "%sweeps"]
        with w.function("head", ", ".join(f"{n}: {t}" for n, t in zip(names, types))):
            self.packed = w.scratch(self.d, self.r)
            self.prev = w.scratch(self.r)
            self.sums, self.top = (w.scratch(self.r, self.lanes) for _ in range(2))
            self.gathered = w.scratch(self.r, self.d)
            self.plan = w.scratch(self.r, self.tile)
            self.pack_pivots()
            for tokens, side in ((self.k, self.key_side), (self.q, self.query_side)):
                length = w.op(f"memref.dim {tokens.name}, {w.index(0)} : {tokens.type}")
                as_i32 = w.op(f"arith.index_cast {length} : index to i32")
                as_f32 = w.op(f"arith.sitofp {as_i32} : i32 to f32")
                one = w.op("arith.constant 1.0 : f32")
                mass = w.broadcast(w.scalar("divf", one, as_f32))
                side(w.div_index(length, self.tile), mass)
        return ", ".join(types)

    def all_heads(self, head_types: str) -> None:
        """Writes @forward: a parallel loop over workers, each with a workspace and its heads."""
        w, d, r, tile = self.w, self.d, self.r, self.tile
        heads = f"memref<?x?x{d}xf32>"
        pivots, factors, inverses = f"memref<?x{r}x{d}xf32>", f"memref<?x?x{r}x{tile}xf32>", \
            "memref<?x?xf32>"
        arguments = (", ".join(f"%{x}: {heads}" for x in "qkv") + f", %z: {pivots}, %o: {heads}, "
                     f"%factors: {factors}, %inverses: {inverses}, %scale: f32, %sweeps: index")
        with w.function("forward", arguments, public=True):
            zero, one = w.index(0), w.index(1)

            def size(name: str, dim: int, type_: str) -> str:
                return w.op(f"memref.dim {name}, {w.index(dim)} : {type_}")

            count, workers = size("%q", 0, heads), size("%factors", 0, factors)
            n, m, tiles = size("%q", 1, heads), size("%k", 1, heads), size("%factors", 1, factors)

            def slice_(name: str, type_: str, at: str, sizes: list, to: Buffer) -> str:
                zeros = ", ".join(["0"] * len(sizes))
                ones = ", ".join(["1"] * (len(sizes) + 1))
                text = ", ".join(map(str, sizes))
                return w.op(f"memref.subview {name}[{at}, {zeros}] [1, {text}] [{ones}] : "
                            f"{type_} to {to.type}")

            with w.block(f"scf.parallel (%worker) = ({zero}) to ({workers}) step ({one}) {{"):
                factor = slice_("%factors", factors, "%worker", [tiles, r, tile], self.factor)
                inverse = slice_("%inverses", inverses, "%worker", [n], self.inverse)
                with w.loop("%worker", count, workers) as h:
                    parts = [slice_(f"%{x}", heads, h.iv, [length, d], self.q)
                             for x, length in (("q", n), ("k", m), ("v", m))]
                    parts.append(slice_("%z", pivots, h.iv, [r, d], self.z))
                    parts.append(slice_("%o", heads, h.iv, [n, d], self.o))
                    w.line(f"func.call @head({', '.join(parts)}, {factor}, {inverse}, %scale, "
                           f"%sweeps) : ({head_types}) -> ()")
                w.line("scf.reduce")

    def text(self) -> str:
        self.all_heads(self.head())
        return "module {\n" + "\n".join(self.w.lines) + "\n}\n"


def score_factor(d: int, epsilon: float) -> float:
    """What scores are multiplied by, with the usual scale."""
    return d**-0.5 / epsilon * math.log2(math.e)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--r", type=int, default=32)
    parser.add_argument("--lanes", type=int, default=8, help="floats in a vector (8; AVX-512: 16)")
    options = parser.parse_args()
    print(Forward(options.d, options.r, options.lanes).text(), end="")
