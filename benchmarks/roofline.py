#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The passes over a head's tokens against what one core gives: a table and a plot.

    PYTHONPATH=build/python_packages .venv/bin/python benchmarks/roofline.py \
        [--plot docs/images/roofline.png]

core_rates.py measures the core, head_passes.py the passes; docs/performance.md explains the plot.
"""

from __future__ import annotations

import argparse
import os
import sys

import core_rates
import head_passes
from core_rates import Rates
from head_passes import Pass
from measure import processor

#: n, d, r of a head: the two shapes of docs/performance.md.
HEADS = ((4096, 64, 32), (4096, 32, 32))


def work(p: Pass, rates: Rates) -> float:
    """Operations of a pass; an exponential counts as what the core does in its time."""
    return p.flops + p.exps * rates.flops / rates.exps


def table(passes: list[Pass], rates: Rates) -> None:
    """Prints microseconds: measured, what each resource needs, and the floor's share."""
    print("| pass | measured | products | exponentials | L2 | memory | floor / measured |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for p in passes:
        needs = " | ".join(f"{1e6 * seconds:.1f}" for seconds in p.parts(rates).values())
        print(f"| {p.name} | {1e6 * p.seconds:.1f} | {needs} | "
              f"{p.floor(rates) / p.seconds:.2f} |")


def plot(heads: dict[str, list[Pass]], rates: Rates, path: str) -> None:
    """Operations per second over operations per byte, with the roofs of the core."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    x = np.logspace(-0.7, 1.5, 200)
    for name, bandwidth, style in (("L1", rates.l1, ":"), ("L2", rates.l2, "--"),
                                   ("memory", rates.memory, "-")):
        axes.plot(x, np.minimum(x * bandwidth, rates.flops) / 1e9, style, color="0.4",
                  label=f"{name}, {bandwidth / 1e9:.0f} GB/s")
    axes.axhline(rates.flops / 1e9, color="black", lw=1,
                 label=f"multiply-adds, {rates.flops / 1e9:.0f} Gflop/s")
    for (head, passes), marker in zip(heads.items(), "os^"):
        for i, p in enumerate(passes):
            operations = work(p, rates)
            axes.plot(operations / (p.cache + p.memory), operations / p.seconds / 1e9, marker,
                      color=f"C{i}", label=f"{p.name}, {head}")
    axes.set(xscale="log", yscale="log", xlabel="operations per byte beyond L1",
             ylabel="10⁹ operations per second",
             title="Passes over one head, one core, single precision")
    axes.legend(fontsize=7, ncols=2, loc="lower right")
    axes.grid(True, which="both", lw=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="where the plot goes (PNG, SVG, PDF)")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    rates = core_rates.measure()
    print(f"{processor()}, one core, single precision: {rates.flops / 1e9:.0f} Gflop/s, "
          f"{rates.exps / 1e9:.1f} 10^9 exponentials/s; reads in GB/s: L1 {rates.l1 / 1e9:.0f}, "
          f"L2 {rates.l2 / 1e9:.0f}, memory {rates.memory / 1e9:.1f}")
    heads = {}
    for n, d, r in HEADS:
        passes = heads[f"d {d}"] = head_passes.measure(n, d, r)
        print(f"\nOne head of n {n}, d {d}, r {r}; microseconds\n")
        table(passes, rates)
    if options.plot:
        plot(heads, rates, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
