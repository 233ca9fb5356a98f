#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of lot.attention with the schedule of another processor, run on this one.

The passes that know the schedule run for the other processor; from vectors on, the code is
this machine's, where LLVM splits vectors that are too wide. So every schedule that the compiler
can choose runs on any machine.
"""

from __future__ import annotations

import contextlib
from typing import Any, Iterator, NamedTuple, Optional

import lot
from lot import _attention, _kernels
from lot._runtime import Executable


class Processor(NamedTuple):
    """A processor and what its schedules are made from."""

    triple: str
    name: str
    vector_bits: int
    registers: int

    def __str__(self) -> str:
        return self.name if self.name != "generic" else self.triple.partition("-")[0]

    def schedule(self, dtype: str) -> str:
        """The schedule to expect for io in `dtype`."""
        lanes = self.vector_bits // (64 if dtype == "f64" else 32)
        return (f"#lot.cpu_schedule<token_tile = {4 * lanes}, lanes = {lanes}, row_block = 4, "
                f"vector_block = {4 if self.registers >= 32 else 2}")


X86, ARM = "x86_64-linux-gnu", "aarch64-linux-gnu"
#: One for each vector width and number of registers that lib/Target/CPU tells apart.
PROCESSORS = (Processor(X86, "x86-64", 128, 16), Processor(X86, "haswell", 256, 16),
              Processor(X86, "znver4", 512, 32), Processor(ARM, "generic", 128, 32))


def available(processor: Processor) -> bool:
    """Whether LLVM was built with the architecture."""
    with lot.ir.Context():
        module = lot.ir.Module.parse("module {}")
        try:
            _select(module, processor)
        except lot.ir.MLIRError:
            return False
    return True


def _select(module: Any, processor: Processor) -> None:
    lot.passmanager.PassManager.parse(
        "builtin.module(canonicalize,lot-select-schedule{"
        f"mcpu={processor.name} mtriple={processor.triple}}})").run(module.operation)


def _forget_deallocations(module: Any) -> None:
    """The pipeline, which runs as a whole from here on, places deallocations itself."""
    found = []

    def collect(op: Any) -> Any:
        if op.name == "memref.dealloc":
            found.append(op)
        return lot.ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for op in found:
        op.erase()


def _compile(text: str, processor: Processor, chosen: list[str]) -> Executable:
    with lot.ir.Context():
        module = lot.ir.Module.parse(text)
        _select(module, processor)
        after = str(module)
        start = after.index("#lot.cpu_schedule<")
        chosen.append(after[start:after.index(">", start)])
        lot.passmanager.PassManager.parse(
            "builtin.module(lot-expand-heads{parallel=true},convert-lot-head-to-vector)"
        ).run(module.operation)
        _forget_deallocations(module)
        return Executable.compile(module, opt_level=1, verify=False)


@contextlib.contextmanager
def schedules_of(processor: Processor, schedule: Optional[str] = None) -> Iterator[list[str]]:
    """Within it, lot.attention has the schedules of `processor` (or this one, if legal there).

    Yields the schedules of the kernels that were compiled, without the closing bracket.
    """
    chosen: list[str] = []
    cache = _attention._cache
    _attention._cache = _kernels.Cache(lambda text, _: _compile(text, processor, chosen))
    try:
        with lot.compile_options(schedule=schedule):
            yield chosen
    finally:
        _attention._cache = cache
