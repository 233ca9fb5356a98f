#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operator on the CPU beside other systems, each case in one run.

    make bench BENCH_ARGS=all   or   PYTHONPATH=build/python_packages .venv-bench/bin/python \
                                         benchmarks/cpu.py [CASE ...] [--threads 1 2] [--calls 20]

  shapes   two shapes: lot, IR written by hand (hand_written/), PyTorch (eager, compiled), JAX; and
           two other operators: softmax attention (SDPA), elu+1 linear attention
  haswell  the same two with everything limited to AVX2
  threads  lot with one and two threads: eight heads, and one head of n = 16384
  long     one head of n = 262144 beside torch.compile, and the memory it takes
  cliffs   lot on an odd shape with a padding mask, bf16, odd half_steps; 64 short sequences
  training forward and backward of the two shapes, and its memory at n = 262144

Times are minima over at least --calls calls after warming up, in ms; all rows of a table come from
one process, which goes through them in rounds. Errors are relative (Frobenius) to the float64
oracle. The last table has the ratios that matter, with what the project aims at.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Callable, NamedTuple, Sequence

import gradients
import measure
import peers
from measure import Entry, Result
from problems import SHAPES, Shape


class Ratio(NamedTuple):
    """A line of the last table."""

    what: str
    value: float
    aim: str  # ">= 3" or "<= 1.6"

    @property
    def met(self) -> bool:
        sign, bound = self.aim.split()
        return self.value >= float(bound) if sign == ">=" else self.value <= float(bound)


class Options(NamedTuple):
    calls: int
    threads: Sequence[int]


def run(title: str, entries: Sequence[Entry], options: Options,
        environment: dict[str, str] = {}) -> list[Result]:
    """Measures the entries of one table and prints it, fastest first."""
    print(f"measuring {title} ...", file=sys.stderr, flush=True)
    results = measure.measure(entries, options.calls, environment)
    ours = next((r.ms for r in results if r.entry.system == "lot"), math.nan)
    varied = len({r.entry.system for r in results}) == 1  # lot alone, on different problems
    print(f"\n### {title}\n")
    print(f"| {'':28s} |      ms | {'ns / 1000 madds' if varied else '/ lot'} | error to float64 | "
          "first call, s |")
    print("|---|--:|--:|--:|--:|")
    for r in results if varied else sorted(results, key=lambda r: (r.ms != r.ms, r.ms)):
        name = r.entry.system
        if varied:
            name = f"{r.entry.shape}, {r.entry.threads} thread{'s' * (r.entry.threads > 1)}"
        if r.problem:
            print(f"| {name:28s} | failed: {r.problem[:90]} | | | |")
            continue
        other = "another operator" if r.error != r.error else f"{r.error:16.1e}"
        ratio = 1e9 * r.ms / r.entry.shape.multiply_adds if varied else r.ms / ours
        print(f"| {name:28s} | {r.ms:7.2f} | {ratio:5.2f} | {other:16s} | {r.first:13.2f} |",
              flush=True)
    return results


def times(results: Sequence[Result]) -> dict[str, float]:
    """ms by system; NaN for those that failed."""
    return {name: next((r.ms for r in results if r.entry.system == name), math.nan)
            for name in peers.SYSTEMS}


def best_peer(ms: dict[str, float]) -> float:
    return min((ms[name] for name in peers.COMPILED_PEERS if ms[name] == ms[name]),
               default=math.nan)


# --- The cases --------------------------------------------------------------------------------


def shapes(options: Options) -> list[Ratio]:
    ratios = []
    for threads in options.threads:
        for s, aim in zip(SHAPES, (3, 9)):
            results = run(f"{s}, {threads} thread{'s' * (threads > 1)}",
                          [Entry(name, s, threads) for name in peers.SYSTEMS], options)
            if threads > 1:
                continue
            ms = times(results)
            ratios.append(Ratio(f"{s}: best of torch.compile and jax.jit / lot",
                                best_peer(ms) / ms["lot"], f">= {aim}"))
            ratios.append(Ratio(f"{s}: lot / hand-written IR", ms["lot"] / ms["hand-written IR"],
                                "<= 1.25"))
            if s is SHAPES[0]:
                ratios.append(Ratio(f"{s}: elu+1 linear attention / lot",
                                    ms["elu+1 linear (torch)"] / ms["lot"], ">= 2"))
    return ratios


def haswell(options: Options) -> list[Ratio]:
    ratios = []
    systems = ("lot", "hand-written IR", *peers.COMPILED_PEERS)
    for s, aim in zip(SHAPES, (2.5, 8)):
        ms = times(run(f"{s}, AVX2 only, 1 thread",
                       [Entry(name, s, 1, "haswell") for name in systems], options, peers.AVX2))
        ratios.append(Ratio(f"{s}: AVX2, best of torch.compile and jax.jit / lot",
                            best_peer(ms) / ms["lot"], f">= {aim}"))
    return ratios


def threads(options: Options) -> list[Ratio]:
    if len(measure.cores()) < 2:
        print("\nthreads: one core only, left out")
        return []
    ratios = []
    # Whatever interrupts one thread holds up the other: a quiet moment takes more calls.
    options = options._replace(calls=10 * options.calls)
    for what, s in (("heads", SHAPES[0]), ("one head", Shape(1, 1, 16384, 64, 32, 10, 1.0))):
        one, two = run(f"Threads over {what}" if what == "heads" else "Threads inside one head",
                       [Entry("lot", s, 1), Entry("lot", s, 2)], options)
        ratios.append(Ratio(f"{s}: 1 thread / 2 threads", one.ms / two.ms, ">= 1.8"))
    return ratios


def long(options: Options) -> list[Ratio]:
    s = Shape(1, 1, 262144, 64, 64, 10, 1.0)
    ms = times(run(f"{s}, 1 thread", [Entry("lot", s), Entry("torch.compile", s)], options))
    memory = measure.peak_memory(Entry("lot", s))
    print(f"\nlot's memory beyond inputs and output: {memory:.1f} MiB")
    return [Ratio(f"{s}: torch.compile / lot", ms["torch.compile"] / ms["lot"], ">= 3"),
            Ratio(f"{s}: MiB beyond inputs and output", memory, "<= 96")]


def cliffs(options: Options) -> list[Ratio]:
    plain = SHAPES[0]
    odd = Shape(1, 8, 4099, 72, 33, 10, 1.0, live=3900)
    bf16 = Shape(1, 8, 4096, 64, 32, 10, 1.0, dtype="bfloat16")
    t11 = Shape(1, 8, 4096, 64, 32, 11, 1.0)
    results = run("Cliffs, 1 thread", [Entry("lot", s) for s in (plain, odd, bf16, t11)], options)
    cost = [r.ms / r.entry.shape.multiply_adds for r in results]
    short = Shape(64, 8, 64, 64, 32, 10, 1.0)
    ms = times(run(f"{short}, 1 thread", [Entry("lot", short), Entry("torch.compile", short)],
                   options))
    return [Ratio("odd shape and mask / plain, per multiply-add", cost[1] / cost[0], "<= 1.6"),
            Ratio("bf16 / f32", results[2].ms / results[0].ms, "<= 1.2"),
            Ratio("T11 / T10, per multiply-add", cost[3] / cost[0], "<= 1.1"),
            Ratio(f"{short}: torch.compile / lot", ms["torch.compile"] / ms["lot"], ">= 3")]


def training(options: Options) -> list[Ratio]:
    """Forward and backward."""
    ratios = []
    for s, aim in zip(SHAPES, (3, 9)):
        results = run(f"{s}, forward and backward, 1 thread",
                      [Entry(name, s, gradients=True) for name in gradients.SYSTEMS], options)
        ms = times(results)
        ratios.append(Ratio(f"{s}, forward and backward: best of torch.compile and jax.jit / lot",
                            best_peer(ms) / ms["lot"], f">= {aim}"))
        if s is SHAPES[0]:
            ratios.append(Ratio(f"{s}, forward and backward: elu+1 linear attention / lot",
                                ms["elu+1 linear (torch)"] / ms["lot"], ">= 2.3"))
        first = next(r.first for r in results if r.entry.system == "lot")
        ratios.append(Ratio(f"{s}, forward and backward: first call, s", first, "<= 3"))
    s = Shape(1, 1, 262144, 64, 64, 10, 1.0)
    memory = measure.peak_memory(Entry("lot", s, gradients=True))
    ratios.append(Ratio(f"{s}: MiB beyond inputs, output and gradients", memory, "<= 320"))
    return ratios


CASES: dict[str, Callable[[Options], list[Ratio]]] = dict(
    shapes=shapes, haswell=haswell, threads=threads, long=long, cliffs=cliffs,
    training=training)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(measure.cores())
    parser.add_argument("cases", nargs="*", metavar="CASE", default=["shapes"],
                        help=f"{', '.join(CASES)} or all (shapes)")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, cores}),
                        help="of the case shapes")
    parser.add_argument("--calls", type=int, default=20, help="calls of each row (20)")
    arguments = parser.parse_args()
    names = list(CASES) if "all" in arguments.cases else arguments.cases
    for name in names:
        if name not in CASES:
            parser.error(f"expected cases among {', '.join(CASES)}, all; got {name}")
    if min(arguments.threads) < 1 or max(arguments.threads) > cores:
        parser.error(f"--threads: expected 1 to {cores} (the cores of this process), got "
                     f"{arguments.threads}")
    if arguments.calls < 1:
        parser.error(f"--calls: expected at least 1, got {arguments.calls}")
    print(f"{measure.processor()}, {cores} cores; minima of {arguments.calls} calls")
    options = Options(arguments.calls, arguments.threads)
    ratios = [ratio for name in names for ratio in CASES[name](options)]
    print("\n### Ratios\n\n| | measured | aim | |\n|---|--:|--:|---|")
    for ratio in ratios:
        print(f"| {ratio.what} | {ratio.value:.2f} | {ratio.aim} | "
              f"{'' if ratio.met else 'not met'} |")
    if any(ratio.value != ratio.value for ratio in ratios):
        print("\ncpu.py: a system could not be measured", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
