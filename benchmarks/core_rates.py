#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one core gives: products, exponentials, loads from its caches and from memory.

Each figure comes from a loop of its own, compiled by lot's runtime for this machine.
"""

from __future__ import annotations

import math
import time
from typing import Any, Callable, NamedTuple

import numpy as np

from hand_written.build import aligned, host_lanes


class Rates(NamedTuple):
    """Of one core, single precision."""

    flops: float  # 1/s, a fused multiply-add is two
    exps: float  # 1/s, the polynomial of lot-expand-exp2 on data in L1
    l1: float  # bytes/s read
    l2: float
    memory: float


def best(call: Callable[[], Any], calls: int = 20) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    call()
    fastest = math.inf
    for _ in range(calls):
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def index(value: int) -> np.ndarray:
    """An argument of MLIR's type index."""
    return np.array(value, np.int64)


def _carried(count: int, start: str, vector: str, body: str, result: str) -> str:
    """A loop from 0 to %n by %step that carries `count` vectors and adds them up at the end."""
    args = ", ".join(f"%a{i} = {start}" for i in range(count))
    types = ", ".join([vector] * count)
    yields = ", ".join(f"%b{i}" for i in range(count))
    lines = "\n".join("    " + body.replace("$", str(i)) for i in range(count))
    total = "\n".join(f"  %t{i} = arith.addf %t{i - 1}, %r#{i} : {vector}" if i else
                      f"  %t0 = arith.addf %r#0, %r#0 : {vector}" for i in range(count))
    return (f"  %r:{count} = scf.for %i = %c0 to %n step %step iter_args({args}) -> ({types}) {{\n"
            f"{lines}\n    scf.yield {yields} : {types}\n  }}\n{total}\n"
            f"  vector.store %t{count - 1}, {result} : memref<?xf32>, {vector}\n")


def module(lanes: int) -> str:
    """The loops: @products, @exponentials, @loads."""
    vector = f"vector<{lanes}xf32>"
    chains = 12  # products in flight: latency times width, and the operands still have registers
    constants = "  %c0 = arith.constant 0 : index\n"
    products = _carried(chains, "%zero", vector,
                        f"%b$ = vector.fma %a$, %x, %y : {vector}", "%out[%c0]")
    loads = _carried(8, "%zero", vector, f"%o$ = arith.constant {lanes} : index\n"
                     "    %k$ = arith.constant $ : index\n"
                     "    %m$ = arith.muli %o$, %k$ : index\n"
                     "    %p$ = arith.addi %i, %m$ : index\n"
                     f"    %l$ = vector.load %in[%p$] : memref<?xf32>, {vector}\n"
                     f"    %b$ = arith.addf %a$, %l$ : {vector}", "%out[%c0]")
    return f"""
func.func @products(%out: memref<?xf32>, %n: index) {{
{constants}  %step = arith.constant 1 : index
  %x = vector.load %out[%c0] : memref<?xf32>, {vector}
  %y = arith.addf %x, %x : {vector}
  %zero = arith.constant dense<0.0> : {vector}
{products}  return
}}
func.func @exponentials(%in: memref<?xf32>, %out: memref<?xf32>, %times: index) {{
{constants}  %one = arith.constant 1 : index
  %step = arith.constant {lanes} : index
  %n = memref.dim %in, %c0 : memref<?xf32>
  scf.for %again = %c0 to %times step %one {{
    scf.for %i = %c0 to %n step %step {{
      %x = vector.load %in[%i] : memref<?xf32>, {vector}
      %e = math.exp2 %x : {vector}
      vector.store %e, %out[%i] : memref<?xf32>, {vector}
    }}
  }}
  return
}}
func.func @loads(%in: memref<?xf32>, %out: memref<?xf32>, %times: index) {{
{constants}  %one = arith.constant 1 : index
  %step = arith.constant {8 * lanes} : index
  %n = memref.dim %in, %c0 : memref<?xf32>
  %zero = arith.constant dense<0.0> : {vector}
  scf.for %again = %c0 to %times step %one {{
{loads}  }}
  return
}}
"""


def measure() -> Rates:
    """All rates; about a second."""
    from lot._runtime import Executable

    lanes = host_lanes()
    code = Executable.compile(module(lanes))
    out = np.zeros(4096, np.float32)
    turns = 1_000_000
    flops = turns * 12 * lanes * 2 / best(lambda: code.invoke("products", [out, index(turns)], 1))

    small = aligned((2048,))
    small[:] = np.linspace(-20, 0, 2048)
    into = aligned((2048,))
    exps = 500 * 2048 / best(lambda: code.invoke("exponentials", [small, into, index(500)], 1))

    def bandwidth(kib: int, times: int) -> float:
        data = aligned((kib * 256,))
        return times * data.nbytes / best(
            lambda: code.invoke("loads", [data, out, index(times)], 1))

    return Rates(flops, exps, bandwidth(16, 2000), bandwidth(256, 200), bandwidth(256 * 1024, 1))
