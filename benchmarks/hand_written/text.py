#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A writer of MLIR text: one method per op that forward.py uses, values are their names."""

from __future__ import annotations

import contextlib
from typing import Iterator, NamedTuple, Optional, Sequence


class Buffer(NamedTuple):
    """A memref value and its type."""

    name: str
    type: str


class Loop(NamedTuple):
    """Inside a loop: its induction variable and its carried values."""

    iv: str
    args: list[str]


class Writer:
    """Lines of a module, with vectors of `lanes` floats as the only vector type."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.vector = f"vector<{lanes}xf32>"
        self.bits = f"vector<{lanes}xi32>"
        self.lines: list[str] = []
        self._indent = 0
        self._names = 0
        self._constants: dict[object, str] = {}
        self._constants_at = 0  # where the constants of the function go
        self.results: list[str] = []  # of the loop that ended last

    # --- Structure ---------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append("  " * self._indent + text)

    def name(self) -> str:
        self._names += 1
        return f"%v{self._names}"

    def op(self, text: str) -> str:
        result = self.name()
        self.line(f"{result} = {text}")
        return result

    @contextlib.contextmanager
    def block(self, head: str, tail: str = "}") -> Iterator[None]:
        self.line(head)
        self._indent += 1
        yield
        self._indent -= 1
        self.line(tail)

    @contextlib.contextmanager
    def function(self, name: str, arguments: str, public: bool = False) -> Iterator[None]:
        """A function; its constants are written at its start."""
        self._constants, self._constants_at = {}, len(self.lines) + 1
        attribute = " attributes {llvm.emit_c_interface}" if public else ""
        with self.block(f"func.func {'' if public else 'private '}@{name}({arguments})"
                        f"{attribute} {{"):
            yield
            self.line("return")

    @contextlib.contextmanager
    def loop(self, low: str, high: str, step: str, init: Sequence[str] = ()) -> Iterator[Loop]:
        """scf.for that carries vectors; its results are in `results` afterwards."""
        iv, args = self.name(), [self.name() for _ in init]
        results = [self.name() for _ in init]
        carried = ""
        if init:
            pairs = ", ".join(f"{a} = {b}" for a, b in zip(args, init))
            carried = f" iter_args({pairs}) -> ({', '.join([self.vector] * len(init))})"
        equals = f"{', '.join(results)} = " if init else ""
        with self.block(f"{equals}scf.for {iv} = {low} to {high} step {step}{carried} {{"):
            yield Loop(iv, args)
        self.results = results

    def yields(self, values: Sequence[str]) -> None:
        self.line(f"scf.yield {', '.join(values)} : {', '.join([self.vector] * len(values))}")

    # --- Constants and indices ---------------------------------------------------------------

    def _constant(self, key: object, text: str) -> str:
        if key not in self._constants:
            self._constants[key] = self.name()
            self.lines.insert(self._constants_at,
                              f"  {self._constants[key]} = arith.constant {text}")
        return self._constants[key]

    def index(self, value: int) -> str:
        return self._constant(value, f"{value} : index")

    def splat(self, value: float) -> str:
        return self._constant(("splat", value), f"dense<{value:.9e}> : {self.vector}")

    def add_index(self, a: str, b: int | str) -> str:
        if b == 0:
            return a
        return self.op(f"arith.addi {a}, {self.index(b) if isinstance(b, int) else b} : index")

    def mul_index(self, a: str, b: int) -> str:
        return self.op(f"arith.muli {a}, {self.index(b)} : index")

    def div_index(self, a: str, b: int) -> str:
        return self.op(f"arith.divui {a}, {self.index(b)} : index")

    # --- Memory ------------------------------------------------------------------------------

    def scratch(self, *shape: int) -> Buffer:
        """Aligned memory on the stack."""
        type_ = f"memref<{'x'.join(map(str, shape))}xf32>"
        return Buffer(self.op(f"memref.alloca() {{alignment = 64 : i64}} : {type_}"), type_)

    def load(self, memory: Buffer, *at: str) -> str:
        return self.op(f"memref.load {memory.name}[{', '.join(at)}] : {memory.type}")

    def store(self, value: str, memory: Buffer, *at: str) -> None:
        self.line(f"memref.store {value}, {memory.name}[{', '.join(at)}] : {memory.type}")

    def load_vector(self, memory: Buffer, *at: str) -> str:
        return self.op(f"vector.load {memory.name}[{', '.join(at)}] : {memory.type}, {self.vector}")

    def store_vector(self, value: str, memory: Buffer, *at: str) -> None:
        self.line(f"vector.store {value}, {memory.name}[{', '.join(at)}] : "
                  f"{memory.type}, {self.vector}")

    def load_splat(self, memory: Buffer, *at: str) -> str:
        return self.broadcast(self.load(memory, *at))

    def prefetch(self, memory: Buffer, *at: str) -> None:
        self.line(f"memref.prefetch {memory.name}[{', '.join(at)}], read, locality<3>, data : "
                  f"{memory.type}")

    # --- Arithmetic --------------------------------------------------------------------------

    def scalar(self, op: str, a: str, b: str) -> str:
        return self.op(f"arith.{op} {a}, {b} : f32")

    def broadcast(self, scalar: str) -> str:
        return self.op(f"vector.broadcast {scalar} : f32 to {self.vector}")

    def fma(self, a: str, b: str, c: str) -> str:
        return self.op(f"vector.fma {a}, {b}, {c} : {self.vector}")

    def binary(self, op: str, a: str, b: str, type_: Optional[str] = None) -> str:
        return self.op(f"arith.{op} {a}, {b} : {type_ or self.vector}")

    def max(self, a: str, b: str) -> str:
        """One instruction: the flags promise that nothing is NaN."""
        return self.op(f"arith.maxnumf {a}, {b} fastmath<nnan,nsz> : {self.vector}")

    def exp2(self, x: str) -> str:
        """2^x for x <= 127: rounded by a magic number, a polynomial, an addition to the exponent.

        math.exp2 would end in a call of libm per lane.
        """
        x = self.max(x, self.splat(-126.0))
        magic = self.splat(12582912.0)
        rounded = self.binary("addf", x, magic)
        fraction = self.binary("subf", x, self.binary("subf", rounded, magic))
        p = self.splat(1.540353e-4)
        for c in (1.33335581e-3, 9.61812910e-3, 5.55041086e-2, 2.40226507e-1, 6.93147182e-1, 1.0):
            p = self.fma(p, fraction, self.splat(c))
        shift = self._constant("exponent", f"dense<23> : {self.bits}")
        to_bits = f": {self.vector} to {self.bits}"
        exponent = self.binary("shli", self.op(f"arith.bitcast {rounded} {to_bits}"), shift,
                               self.bits)
        total = self.binary("addi", self.op(f"arith.bitcast {p} {to_bits}"), exponent, self.bits)
        return self.op(f"arith.bitcast {total} : {self.bits} to {self.vector}")

    def transpose(self, rows: list[str]) -> list[str]:
        """lanes x lanes values in registers, by log2(lanes) stages of two-operand shuffles.

        In stage b, lane bit b changes places with row bit b.
        """
        lanes, bit = self.lanes, 1
        while bit < lanes:
            next_: list[str] = [""] * lanes
            for i in (i for i in range(lanes) if not i & bit):
                low = [l if not l & bit else lanes + (l & ~bit) for l in range(lanes)]
                high = [l | bit if not l & bit else lanes + l for l in range(lanes)]
                for row, pick in ((i, low), (i | bit, high)):
                    next_[row] = self.op(f"vector.shuffle {rows[i]}, {rows[i | bit]} {pick} : "
                                         f"{self.vector}, {self.vector}")
            rows, bit = next_, 2 * bit
        return rows
