#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Speed on a CUDA device: lot beside torch.compile, SDPA, linear attention and a copy.

    python benchmarks/gpu.py                        # all shapes, forward and training, all systems
    python benchmarks/gpu.py bulk lra --no-peers    # some of them, lot and the copy alone
    python benchmarks/gpu.py --json gpu.json --plot docs/images/gpu.png

"copy" moves q, k, v and the result once; "limit" is what a shape may take at most, "prototype" what
kernels written by hand in CUDA took on an H100. Errors are relative to float64.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from typing import Any

import torch
from gpu_systems import CASES, Case, copy, errors, extra_memory, make_sets, measure, systems, training

DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def run(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything about one shape, times in ms."""
    s = case.shape
    # Code that has been compiled eight times runs as it is from then on.
    torch.compiler.reset()
    sets = make_sets(case, DTYPES[arguments.dtype])
    row: dict[str, Any] = {"name": case.name, "shape": str(s), "copy": measure(copy, sets),
                           "forward": {}, "training": {}}
    sets = make_sets(case, DTYPES[arguments.dtype])  # the copy wrote to them
    leaves = [[*(x.requires_grad_() for x in tensors[:4]), tensors[4]] for tensors in sets]
    for name, attention in systems(s, not arguments.no_peers).items():
        step = training(attention, reads_pivots=name in ("lot", "torch.compile"))

        def forward(*tensors, attention=attention):
            with torch.no_grad():
                return attention(*tensors[:4])

        for kind, call in (("forward", forward), ("training", step)):
            try:
                row[kind][name] = measure(call, leaves)
            except Exception as error:  # a peer that does not run here is no reason to stop
                if name == "lot":
                    raise
                row[kind][name] = math.nan
                print(f"{case.name}, {name}, {kind}: {str(error).splitlines()[0]}", file=sys.stderr)
        if name == "lot":
            row["extra_bytes"] = extra_memory(step, leaves[0])
            if not arguments.no_errors:
                row["errors"] = errors(s, step, leaves[0])
        torch.cuda.empty_cache()
    inputs = sum(x.numel() * x.element_size() for x in leaves[0][:4])
    heads = s.batch * s.heads
    row["allowed_bytes"] = (8 << 20) + 4 * heads * s.r * (2 * s.half_steps + s.d) + inputs // 10
    row["limit"] = case.forward * (row["copy"] if case.copies else 1), case.training
    row["prototype"] = case.prototype
    return row


def number(value: Any, digits: int = 4) -> str:
    """A cell; - for what there is not."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def print_table(rows: list[dict[str, Any]], names: list[str]) -> None:
    """Forward, then training, in Markdown."""
    for kind, position in (("forward", 0), ("training", 1)):
        others = [name for name in names if name != "lot"]
        columns = ["shape", "lot, ms", "limit", "copy", "lot / copy",
                   *(f"{name} (x lot)" for name in others), "prototype, H100"]
        print(f"\n{kind}\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for row in rows:
            mine = row[kind]["lot"]
            cells = [row["name"], number(mine), number(row["limit"][position]), number(row["copy"]),
                     number(mine / row["copy"], 2)]
            for name in others:
                other = row[kind].get(name)
                cells.append(number(other) + (f" ({other / mine:.1f})" if other and
                                              not math.isnan(other) else ""))
            print(f"| {' | '.join([*cells, number(row['prototype'][position])])} |")
    print("\n| shape | extra memory, MiB | allowed | errors against float64 |\n|---|---|---|---|")
    for row in rows:
        found = ", ".join(f"{name} {error:.1e}" for name, error in row.get("errors", {}).items())
        print(f"| {row['name']} | {row['extra_bytes'] / 2**20:.1f} | "
              f"{row['allowed_bytes'] / 2**20:.1f} | {found or '-'} |")


def plot(rows: list[dict[str, Any]], names: list[str], title: str, path: str) -> None:
    """Bars of every system over every shape, forward and training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 1, figsize=(9, 7), layout="constrained")
    for kind, axes in zip(("forward", "training"), panels):
        width = 0.8 / len(names)
        for i, name in enumerate(names):
            axes.bar([x + i * width for x in range(len(rows))],
                     [row[kind].get(name, math.nan) for row in rows], width, label=name)
        for x, row in enumerate(rows):
            axes.hlines(row["copy"], x - width / 2, x + 0.8 - width / 2, color="black", lw=1,
                        label="copy of q, k, v, o" if x == 0 else None)
        axes.set(yscale="log", ylabel="ms", title=f"{kind}, {title}",
                 xticks=[x + 0.4 - width / 2 for x in range(len(rows))],
                 xticklabels=[row["name"] for row in rows])
    panels[0].legend(ncols=len(names) + 1, fontsize="small")
    figure.savefig(path, dpi=110)


def main(given: list[str] | None = None) -> list[dict[str, Any]]:
    """Runs the benchmark; returns a row for each shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = [case.name for case in CASES]
    parser.add_argument("shapes", nargs="*", metavar="shape", help=f"among {', '.join(known)}")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--no-peers", action="store_true", help="only lot and the copy")
    parser.add_argument("--no-errors", action="store_true", help="no float64 computation")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--plot", metavar="FILE.png", help="draw them")
    arguments = parser.parse_args(given)
    for name in arguments.shapes:
        if name not in known:
            parser.error(f"expected shapes among {', '.join(known)}; got {name}")
    if not torch.cuda.is_available():
        parser.error("expected a CUDA device, found none")
    torch.backends.cuda.matmul.allow_tf32 = False
    title = (f"{torch.cuda.get_device_name()}, {arguments.dtype}, "
             f"{datetime.date.today().isoformat()}")
    rows = []
    for case in CASES:
        if not arguments.shapes or case.name in arguments.shapes:
            rows.append(run(case, arguments))
            print(f"{case.name}: forward {rows[-1]['forward']['lot']:.4f} ms, training "
                  f"{rows[-1]['training']['lot']:.4f} ms", file=sys.stderr)
    names = list(dict.fromkeys(name for row in rows for name in row["forward"]))
    print(f"{title}, torch {torch.__version__}, CUDA graphs, medians of 25 replays")
    print_table(rows, names)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"title": title, "rows": rows}, file, indent=1)
    if arguments.plot:
        plot(rows, names, title, arguments.plot)
    return rows


if __name__ == "__main__":
    main()
