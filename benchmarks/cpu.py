#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forward pass on the CPU, f32, beside other systems in one run.

    make bench        or        PYTHONPATH=build/python_packages .venv-bench/bin/python \
                                    benchmarks/cpu.py [--threads 1 2] [--calls 20]

LOT attention by lot, PyTorch (eager and compiled) and JAX (jit); beside it two other operators on
the same shapes: softmax attention (SDPA) and elu+1 linear attention. Times are minima over at
least --calls calls after warming up, in ms; errors are relative (Frobenius) to the float64 oracle.
Each number of threads has a process of its own, bound to as many cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import subprocess
import sys
import time
from typing import Any, Callable, Optional


@dataclasses.dataclass(frozen=True)
class Shape:
    """One workload: B, H, n = m, d = dv, r, T, epsilon."""

    batch: int
    heads: int
    n: int
    d: int
    r: int
    half_steps: int
    epsilon: float

    def __str__(self) -> str:
        return (f"B{self.batch} H{self.heads} n{self.n} d{self.d} r{self.r} "
                f"T{self.half_steps} epsilon {self.epsilon:g}")


SHAPES = (Shape(1, 8, 4096, 64, 32, 10, 1.0), Shape(1, 2, 4096, 32, 32, 50, 0.1))


@dataclasses.dataclass
class Peer:
    """A function of no arguments that runs one forward pass and waits for it."""

    name: str
    call: Callable[[], Any]
    same_operator: bool  # whether its result is LOT attention


# --- The peers ------------------------------------------------------------------------------


def lot_peer(q, k, v, z, s: Shape, threads: int) -> list[Peer]:
    import lot

    return [Peer("lot", lambda: lot.attention(q, k, v, z, epsilon=s.epsilon,
                                              half_steps=s.half_steps, threads=threads), True)]


def torch_peers(q, k, v, z, s: Shape, threads: int) -> list[Peer]:
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    q, k, v, z = map(torch.from_numpy, (q, k, v, z))

    def lot(q, k, v, z):  # the public code's log-domain iteration
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

    def linear(q, k, v):
        fq, fk = F.elu(q) + 1, F.elu(k) + 1
        return (fq @ (fk.transpose(-1, -2) @ v)) / (fq @ fk.sum(-2, keepdim=True)
                                                    .transpose(-1, -2))

    compiled, compiled_linear = (torch.compile(f, dynamic=False) for f in (lot, linear))
    return [Peer("torch.compile", lambda: compiled(q, k, v, z).numpy(), True),
            Peer("torch eager", lambda: lot(q, k, v, z).numpy(), True),
            Peer("SDPA (torch)", lambda: F.scaled_dot_product_attention(q, k, v), False),
            Peer("elu+1 linear (torch)", lambda: linear(q, k, v), False),
            Peer("elu+1 linear (torch.compile)", lambda: compiled_linear(q, k, v), False)]


def jax_peers(q, k, v, z, s: Shape, threads: int) -> list[Peer]:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    import numpy as np

    def solve(S, half_steps):
        x, y = jnp.zeros(S.shape[:-1]), jnp.zeros(S.shape[:-2] + S.shape[-1:])
        for i in range(half_steps):
            if i % 2 == 0:
                x = -math.log(S.shape[-2]) - jax.nn.logsumexp(S + y[..., None, :], -1)
            else:
                y = -math.log(S.shape[-1]) - jax.nn.logsumexp(S + x[..., None], -2)
        return jnp.exp(S + x[..., None] + y[..., None, :])

    @jax.jit
    def attention(q, k, v, z):
        factor = q.shape[-1] ** -0.5 / s.epsilon
        P1 = solve(factor * q @ jnp.swapaxes(z, -1, -2), s.half_steps)
        P2 = solve(z @ jnp.swapaxes(factor * k, -1, -2), s.half_steps)
        return q.shape[-2] * z.shape[-2] * (P1 @ (P2 @ v))

    arrays = [jnp.asarray(t) for t in (q, k, v, z)]
    return [Peer("jax.jit", lambda: np.asarray(attention(*arrays).block_until_ready()), True)]


PEERS = {"lot": lot_peer, "torch": torch_peers, "jax": jax_peers}


# --- Measuring ------------------------------------------------------------------------------


def minimum(call: Callable[[], Any], calls: int) -> float:
    """Seconds of the fastest of `calls` calls, after two to warm up."""
    call()
    call()
    best = math.inf
    for _ in range(calls):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def work(shape: Shape, threads: int, calls: int, peers: list[str]) -> None:
    """Measures in this process and prints one JSON line per peer."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    os.sched_setaffinity(0, cores)  # before any thread pool starts
    os.environ["LOT_CACHE_DIR"] = "off"  # the first call compiles, as the peers' does
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import numpy as np

    rng = np.random.default_rng(0)
    size = (shape.batch, shape.heads, shape.n, shape.d)
    q, k, v = (rng.standard_normal(size, np.float32) for _ in range(3))
    z = rng.standard_normal((shape.batch, shape.heads, shape.r, shape.d), np.float32) * 0.5

    from lot import reference

    expected = reference.attention(q, k, v, z, epsilon=shape.epsilon, half_steps=shape.half_steps)
    measured = []
    for name in peers:
        try:
            members = PEERS[name](q, k, v, z, shape, threads)
        except ImportError as problem:
            print(json.dumps(dict(name=name, problem=str(problem))), flush=True)
            continue
        for peer in members:
            try:
                start = time.perf_counter()
                result = peer.call()
                first = time.perf_counter() - start
                error = None
                if peer.same_operator:
                    error = float(np.linalg.norm(result - expected) / np.linalg.norm(expected))
                measured.append((peer, first, error))
            except Exception as problem:  # noqa: BLE001 - a peer that fails is a row of the table
                text = f"{type(problem).__name__}: {problem}".splitlines()[0]
                print(json.dumps(dict(name=peer.name, problem=text)), flush=True)
    # Two rounds, so that a disturbance does not hit one peer alone.
    best = {peer.name: math.inf for peer, *_ in measured}
    for _ in range(2):
        for peer, *_ in measured:
            time.sleep(0.3)  # lets the threads of the one before fall asleep
            best[peer.name] = min(best[peer.name], minimum(peer.call, (calls + 1) // 2))
    for peer, first, error in measured:
        print(json.dumps(dict(name=peer.name, ms=best[peer.name] * 1e3, first=first, error=error)),
              flush=True)


def measure(shape: Shape, threads: int, calls: int, peers: list[str]) -> list[dict]:
    """The rows of one workload, from a process of its own."""
    command = [sys.executable, __file__, "--worker", json.dumps(dataclasses.asdict(shape)),
               "--threads", str(threads), "--calls", str(calls), "--peers", *peers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"cpu.py: the worker of {shape} failed with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(shape: Shape, threads: int, rows: list[dict]) -> bool:
    """Prints the rows as Markdown; whether lot is among them."""
    ours: Optional[float] = next((r["ms"] for r in rows if r["name"] == "lot" and "ms" in r), None)
    print(f"\n### {shape}, {threads} thread{'s' if threads > 1 else ''}\n")
    print(f"| {'':28s} |      ms | / lot | error to float64 | first call, s |")
    print("|---|--:|--:|--:|--:|")
    for row in sorted(rows, key=lambda r: r.get("ms", math.inf)):
        if "problem" in row:
            print(f"| {row['name']:28s} | failed: {row['problem'][:60]} | | | |")
            continue
        ratio = f"{row['ms'] / ours:5.2f}" if ours else "    -"
        error = "another operator" if row["error"] is None else f"{row['error']:16.1e}"
        print(f"| {row['name']:28s} | {row['ms']:7.2f} | {ratio} | {error:16s} | "
              f"{row['first']:13.2f} |")
    sys.stdout.flush()
    return ours is not None


def processor() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":")[1].strip() for line in info if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, cores}))
    parser.add_argument("--calls", type=int, default=20, help="calls of each peer (20)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(Shape(**json.loads(options.worker)), options.threads[0], options.calls, options.peers)
        return 0
    if min(options.threads) < 1 or max(options.threads) > cores:
        parser.error(f"--threads: expected 1 to {cores} (the cores of this process), got "
                     f"{options.threads}")
    print(f"Forward, f32, {processor()}, {cores} cores; minimum of {options.calls} calls")
    complete = True
    for threads in options.threads:
        for shape in SHAPES:
            print(f"measuring {shape}, {threads} thread(s) ...", file=sys.stderr, flush=True)
            complete &= table(shape, threads, measure(shape, threads, options.calls,
                                                      options.peers))
    if "lot" in options.peers and not complete:
        print("\ncpu.py: lot could not be measured", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
