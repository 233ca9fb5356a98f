#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time to a first result on the CPU, for several kernel classes, beside torch.compile and jax.jit.

    make bench-compile    or    PYTHONPATH=build/python_packages .venv-bench/bin/python \
                                    benchmarks/compile_time.py [--threads 2] [--repeats 3]

Every figure is the time of one call on a small problem (B1 H2 n = m = 256) whose arrays are there
and whose package is imported:

  cold     the first call of a process, with nothing cached anywhere
  disk     the first call of another process, which finds what the cold one left on disk
           (LOT_CACHE_DIR; TORCHINDUCTOR_CACHE_DIR; JAX_COMPILATION_CACHE_DIR)
  other n  the first call with another number of tokens
  again    a call like the one before

`lower` (MLIR), `translate`, `optimize` (LLVM), `code` and `load` (linking) are the phases of the
cold call. Minima over --repeats pairs of processes (the peers: one pair).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Optional

import peers
import problems
from measure import processor

N, OTHER_N = 256, 300
SYSTEMS = ("lot", *peers.COMPILED_PEERS)
PHASES = ("lower", "translate", "optimize", "codegen", "load")


@dataclasses.dataclass(frozen=True)
class Class:
    """What code is compiled for, as far as this benchmark varies it."""

    d: int
    dv: int
    r: int
    half_steps: int
    epsilon: float = 1.0
    dtype: str = "float32"
    masked: bool = False  # log masses of queries, keys and pivots, rows divided by their sums

    def __str__(self) -> str:
        return (f"d{self.d} dv{self.dv} r{self.r} T{self.half_steps} eps {self.epsilon:g} "
                f"{self.dtype}{' masses' if self.masked else ''}")

    @property
    def has_peers(self) -> bool:
        """Whether the systems of peers.py compute it."""
        return self.dtype == "float32" and self.d == self.dv and not self.masked


CLASSES = (Class(64, 64, 32, 10), Class(32, 32, 32, 50, 0.1), Class(33, 72, 33, 11, masked=True),
           Class(64, 64, 32, 10, dtype="float64"), Class(64, 64, 32, 10, dtype="bfloat16"),
           Class(8, 8, 4, 1), Class(256, 256, 256, 10),
           Class(255, 255, 255, 11, dtype="float16", masked=True))


# --- One process --------------------------------------------------------------------------------


def lot_calls(c: Class, threads: int) -> dict[int, Callable[[], Any]]:
    """A call for each number of tokens."""
    import ml_dtypes  # noqa: F401 - makes the name bfloat16 known to NumPy
    import numpy as np

    import lot

    rng = np.random.default_rng(0)
    calls = {}
    for n in (N, OTHER_N):
        q, k, v = (rng.standard_normal((1, 2, n, size)).astype(c.dtype)
                   for size in (c.d, c.d, c.dv))
        z = rng.standard_normal((2, c.r, c.d)).astype(c.dtype)
        options: dict[str, Any] = {}
        if c.masked:
            keep = np.arange(n)[None] < n - 10
            options = dict(query_log_mass=lot.log_mass(keep), key_log_mass=lot.log_mass(keep),
                           pivot_log_mass=np.full((2, c.r), -math.log(c.r), np.float32),
                           normalization="row_sum")
        calls[n] = lambda q=q, k=k, v=v, z=z, options=options: lot.attention(
            q, k, v, z, epsilon=c.epsilon, half_steps=c.half_steps, threads=threads, **options)
    return calls


def peer_calls(peer: str, c: Class, threads: int) -> dict[int, Callable[[], Any]]:
    """The same of a system of peers.py."""
    shapes = {n: problems.Shape(1, 2, n, c.d, c.r, c.half_steps, c.epsilon) for n in (N, OTHER_N)}
    return {n: peers.SYSTEMS[peer](shape, threads, "native") for n, shape in shapes.items()}


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def work(peer: str, c: Class, threads: int, disk: bool) -> None:
    """Measures in this process and prints one line of JSON."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    row: dict[str, Any] = {}
    try:
        calls = lot_calls(c, threads) if peer == "lot" else peer_calls(peer, c, threads)
        row["disk" if disk else "cold"] = timed(calls[N])
        row["again"] = min(timed(calls[N]) for _ in range(5))
        if not disk:
            row["other n"] = timed(calls[OTHER_N])
        if peer == "lot":
            import lot

            info = lot.compile_cache_info()
            if (info.compilations, info.loads) != ((0, 1) if disk else (1, 0)):
                raise RuntimeError(f"expected one kernel, {'loaded' if disk else 'compiled'}")
            if not disk:
                row.update(info.kernels[0].phases)
    except Exception as problem:  # noqa: BLE001 - a peer that fails is a row of the table
        row = dict(problem=f"{type(problem).__name__}: {problem}".splitlines()[0])
    print(json.dumps(row), flush=True)


# --- All of them --------------------------------------------------------------------------------


def measure(peer: str, c: Class, threads: int) -> dict[str, Any]:
    """The row of a pair of processes, the first one with empty caches."""
    row: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LOT_CACHE_DIR": f"{folder}/lot",
                       "TORCHINDUCTOR_CACHE_DIR": f"{folder}/torch",
                       "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
                       "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                       "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
        for disk in (False, True):
            done = subprocess.run(
                [sys.executable, __file__, "--worker", json.dumps(dataclasses.asdict(c)), "--peers",
                 peer, "--threads", str(threads), *(["--disk"] if disk else [])],
                stdout=subprocess.PIPE, text=True, env=environment)
            lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode or not lines:
                return dict(problem=f"ended with status {done.returncode}")
            part = json.loads(lines[-1])
            if "problem" in part:
                return part
            row = {**part, **row}
    return row


def best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The smallest of each figure; the phases are those of the fastest cold call."""
    for row in rows:
        if "problem" in row:
            return row
    fastest = min(rows, key=lambda row: row["cold"])
    return {key: fastest[key] if key in PHASES else min(row[key] for row in rows)
            for key in fastest}


def line(peer: str, c: Class, row: dict[str, Any]) -> str:
    """A row of the table."""
    if "problem" in row:
        return f"| {str(c):40s} | {peer:13s} | {row['problem'][:60]} |" + " |" * 8
    phases = " | ".join(f"{1e3 * row[p]:6.1f}" if p in row else "      " for p in PHASES)
    return (f"| {str(c):40s} | {peer:13s} | {1e3 * row['cold']:8.0f} | {1e3 * row['disk']:8.1f} | "
            f"{1e3 * row['other n']:8.2f} | {1e3 * row['again']:7.3f} | {phases} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=min(2, cores))
    parser.add_argument("--repeats", type=int, default=3, help="pairs of processes for lot (3)")
    parser.add_argument("--peers", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="classes whose name holds TEXT, for example T50")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--disk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.peers[0], Class(**json.loads(options.worker)), options.threads, options.disk)
        return 0
    if not 1 <= options.threads <= cores:
        parser.error(f"--threads: expected 1 to {cores} (the cores of this process), got "
                     f"{options.threads}")
    if options.repeats < 1:
        parser.error(f"--repeats: expected at least 1, got {options.repeats}")
    print(f"First results, {processor()}, {options.threads} of {cores} cores; ms\n")
    print(f"| {'class':40s} | {'':13s} |     cold |     disk |  other n |   again |  lower | "
          "transl | optim. |   code |   load |")
    print("|---|---|" + "--:|" * 9)
    failed: Optional[str] = None
    for c in (c for c in CLASSES if options.only in str(c)):
        for peer in options.peers:
            if peer != "lot" and not c.has_peers:
                continue
            print(f"measuring {peer}, {c} ...", file=sys.stderr, flush=True)
            row = best([measure(peer, c, options.threads)
                        for _ in range(options.repeats if peer == "lot" else 1)])
            print(line(peer, c, row), flush=True)
            if peer == "lot" and "problem" in row:
                failed = row["problem"]
    if failed:
        print(f"\ncompile_time.py: lot could not be measured: {failed}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
