#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads the kernels of a PTX module, as LLVM writes it."""

from __future__ import annotations

import dataclasses
import re
from typing import Optional

#: Statements that only describe what follows.
DIRECTIVES = (".reg", ".local", ".pragma", ".maxntid", ".minnctapersm", ".reqntid")

#: A loop of inline assembly around one wait, which names are local to it.
WAIT_LOOP = re.compile(r"\{\s*\.reg\s+\.pred\s+P1;\s*LAB_WAIT:\s*(mbarrier\.try_wait\.\S+)\s+P1,"
                       r"([^;]*);\s*@P1 bra\.uni DONE;\s*bra\.uni\s+LAB_WAIT;\s*DONE:\s*\}")

#: A product of four warps in a scope of inline assembly, whose predicate says whether it adds up.
GROUP_PRODUCT = re.compile(r"\{\s*\.reg\s+\.pred\s+p;\s*setp\.ne\.b32\s+p,\s*(\d),\s*0;\s*"
                           r"(wgmma\.mma_async\S+\s+\{[^}]*\},[^;]*?),\s*p,([^;]*);\s*\}")


class Fault(Exception):
    """A kernel that cannot be run, or that does what it must not."""


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction, its operands as they are written."""

    name: str  #: with all suffixes: "add.rn.f32"
    operands: tuple[str, ...]
    guard: Optional[str]  #: the predicate before it: "%p1" or "!%p1"

    def __str__(self) -> str:
        return f"{self.name} {', '.join(self.operands)}"

    @property
    def ends_block(self) -> bool:
        """Whether threads may go different ways after it, or wait at it."""
        return self.name.startswith(("bra", "ret", "bar.sync", "bar.red", "barrier.cluster.arrive",
                                     "mbarrier.try_wait"))

    @property
    def of_whole_warps(self) -> bool:
        """Whether the threads of a warp do it together."""
        return self.name.startswith(("shfl", "mma", "wgmma", "ldmatrix", "movmatrix", "redux",
                                     "vote", "bar.warp"))


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The code of an entry."""

    name: str
    parameters: dict[str, int]  #: bytes by name, in order
    local_bytes: int
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]  #: positions of instructions
    blocks: tuple[int, ...]  #: where basic blocks begin, in order, and the end


def elements(text: str) -> list[str]:
    """The elements of `{a, b}`, or the text alone."""
    return [element.strip() for element in text.strip("{} ").split(",")]


def kernel_names(ptx: str) -> list[str]:
    """The entries of a module."""
    return re.findall(r"\.entry (\w+)\(", ptx)


def read_kernel(ptx: str, name: str) -> Kernel:
    """The entry of that name; Fault where there is none or where it cannot be read."""
    ptx = GROUP_PRODUCT.sub(r"\2, \1,\3;", re.sub(r"//[^\n]*", "", ptx))
    found = re.search(rf"\.entry {name}\((.*?)\)(.*?)\n}}", ptx, re.DOTALL)
    if not found:
        raise Fault(f"expected an entry {name}, got {kernel_names(ptx)}")
    parameters = {parameter: int(bits) // 8 for bits, parameter in
                  re.findall(r"\.param \.[a-z](\d+)[^,]*?(\w+)\s*(?:,|$)", found[1])}
    body = WAIT_LOOP.sub(r"\1 \2;", found[2].split("{", 1)[1])
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    for statement in body.split(";"):
        statement = " ".join(statement.split())
        while label := re.match(r"(\$\w+):\s*", statement):
            labels[label[1]] = len(instructions)
            statement = statement[label.end():]
        if statement and not statement.startswith(DIRECTIVES):
            instructions.append(_read_instruction(statement))
    starts = {0, len(instructions), *labels.values()}
    for position, instruction in enumerate(instructions):
        if instruction.ends_block:
            starts |= {position, position + 1}
    local = [int(size) for size in re.findall(r"\.local [^;]*\[(\d+)\];", body)]
    return Kernel(name, parameters, sum(local), tuple(instructions), labels, tuple(sorted(starts)))


def _read_instruction(statement: str) -> Instruction:
    found = re.fullmatch(r"(?:@(!?%p\d+) )?([a-z][\w.:]*)(?: (.*))?", statement)
    if not found:
        raise Fault(f"expected an instruction, got '{statement}'")
    operands = re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|[^,{\[])+", found[3] or "")
    return Instruction(found[2], tuple(operand.strip() for operand in operands), found[1])
