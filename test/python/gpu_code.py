#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What NVIDIA's assembler makes of kernels: registers, spills and the loops of the machine code.

ptxas and nvdisasm are CUDA's, or those of the wheels nvidia-cuda-nvcc and nvidia-cuda-nvdisasm; loops
are only known where there is nvdisasm. No GPU is needed.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sysconfig
import tempfile
from typing import Iterator, NamedTuple, Optional

#: Instructions that move registers to and from local memory, and what those that a kernel's own
#: arrays there take are counted as.
SPILLS = ("STL", "LDL")
ARRAY = "array"
INSTRUCTION_BYTES = 16


def tool(name: str) -> Optional[str]:
    """The path of one of CUDA's tools, None if absent."""
    wheels = sorted(pathlib.Path(sysconfig.get_path("purelib")).glob(f"nvidia/*/bin/{name}"))
    return shutil.which(name) or (str(wheels[-1]) if wheels else None)


def images(lowered: str) -> list[str]:
    """The PTX in a module after lot-to-nvgpu."""
    found = []
    for text in re.findall(r'_image\w*\("((?:[^"\\]|\\.)*)"', lowered):
        data = re.sub(rb"\\([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
        found.append(data.rstrip(b"\0").decode())
    return found


class Usage(NamedTuple):
    """What ptxas reports of a kernel."""

    registers: int
    stack: int  #: bytes
    spill_stores: int  #: bytes
    spill_loads: int


class Loop(NamedTuple):
    """A loop of a kernel's machine code."""

    address: int  #: of its first instruction
    depth: int  #: 1: outermost
    innermost: bool
    around: bool  #: whether an inner loop multiplies and has barriers: this one goes over heads
    counts: collections.Counter  #: instructions by name without suffixes, inner loops included

    @property
    def spills(self) -> int:
        return sum(self.counts[name] for name in SPILLS)

    @property
    def multiplies(self) -> bool:
        """Whether it is a pass over scores."""
        return _multiplies(self.counts)

    def __str__(self) -> str:
        chosen = ("STL", "LDL", "HMMA", "HGMMA", "HFMA2", "FFMA", "MUFU", "BAR", "SYNCS")
        counts = " ".join(f"{name}:{self.counts[name]}" for name in chosen if self.counts[name])
        return (f"loop at {self.address:#x}, depth {self.depth}, {self.counts.total()} "
                f"instructions {counts}")


def _multiplies(counts: collections.Counter) -> bool:
    # A few HFMA2 alone are moves of constants.
    return sum(counts[name] for name in ("HMMA", "HGMMA", "HFMA2", "FFMA")) >= 8


class Kernel(NamedTuple):
    """A kernel as machine code."""

    name: str
    usage: Usage
    loops: tuple[Loop, ...]  #: none where there is no nvdisasm


def assemble(ptx: str, chip: str = "sm_90a") -> list[Kernel]:
    """The kernels of a PTX module, in machine code for `chip`."""
    with tempfile.TemporaryDirectory() as folder:
        source, cubin = pathlib.Path(folder, "a.ptx"), pathlib.Path(folder, "a.cubin")
        source.write_text(ptx)
        log = _run(tool("ptxas"), f"-arch={chip}", "-O1", "-v", "-o", str(cubin), str(source))
        code = {}
        if tool("nvdisasm"):
            code = {function["function-name"]: function["sass-instructions"] for function in
                    json.loads(_run(tool("nvdisasm"), "-json", str(cubin)))[1]}
    arrays = _arrays(ptx)
    return [Kernel(name, usage, tuple(_loops(code[name], arrays[name])) if code else ())
            for name, usage in _usage(log).items()]


def _run(*command: Optional[str]) -> str:
    """What a tool prints; AssertionError with its messages on failure."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-4000:]}"
    return done.stdout + done.stderr


def _usage(log: str) -> dict[str, Usage]:
    found = {}
    for text in log.split("Compiling entry function ")[1:]:
        name = re.match(r"'(\w+)'", text)[1]
        stack, stores, loads = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, "
                                         r"(\d+) bytes spill loads", text).groups()
        registers = re.search(r"Used (\d+) registers", text)[1]
        found[name] = Usage(int(registers), int(stack), int(stores), int(loads))
    return found


def _arrays(ptx: str) -> dict[str, int]:
    """Bytes of local memory that kernels have of their own."""
    found = {}
    for text in re.split(r"\.entry ", ptx)[1:]:
        size = re.search(r"\.local [^;]*__local_depot\d+\[(\d+)\]", text)
        found[re.match(r"\w+", text)[0]] = int(size[1]) if size else 0
    return found


# --- Loops ----------------------------------------------------------------------------------


def _is_array(operands: str, arrays: int) -> bool:
    """Whether an access to local memory is to one of the kernel's arrays: they come first, and are
    indexed by registers other than the stack pointer, which is R1."""
    place = re.search(r"\[R1(?:\+(0x[0-9a-f]+))?\]", operands)
    return arrays > 0 and (not place or int(place[1] or "0", 16) < arrays)


def _loops(instructions: list[dict], arrays: int) -> Iterator[Loop]:
    """The loops of a function, outer ones before their inner ones."""
    names = [instruction["opcode"].split(".")[0] for instruction in instructions]
    following = _successors(instructions, names)
    names = [ARRAY if name in SPILLS and _is_array(instruction.get("operands", ""), arrays)
             else name for name, instruction in zip(names, instructions)]
    work = [(set(range(len(names))), 1)]
    while work:
        nodes, depth = work.pop()
        for part in _cycles(nodes, following):
            # Where the loop is entered: without it, what still goes round is an inner loop.
            outside = {to for node in nodes - part for to in following[node]}
            head = min(part & outside or part)
            inner = part - {head}
            nested = [collections.Counter(names[node] for node in loop)
                      for loop in _cycles(inner, following)]
            around = any(_multiplies(counts) and counts["BAR"] + counts["SYNCS"] > 0
                         for counts in nested)
            yield Loop(head * INSTRUCTION_BYTES, depth, not nested, around,
                       collections.Counter(names[node] for node in part))
            work.append((inner, depth + 1))


def _successors(instructions: list[dict], names: list[str]) -> list[list[int]]:
    """The instructions that may run after each one."""
    meeting: dict[str, int] = {}  # where the threads of a convergence barrier go on
    following = []
    for i, instruction in enumerate(instructions):
        name, operands = names[i], instruction.get("operands", "")
        target = re.search(r"(?:^|[,(])(0x[0-9a-f]+)\)?$", operands)
        always = instruction.get("predicate", "@PT") == "@PT"
        to = []
        if name == "BSSY":
            meeting[operands.split(",")[0]] = int(target[1], 16) // INSTRUCTION_BYTES
        if name in ("BRA", "JMP"):
            to.append(int(target[1], 16) // INSTRUCTION_BYTES)
            # Operands before the target are conditions, too.
            always = always and operands == target[1]
        elif name == "BSYNC":
            to.append(meeting[operands.split(",")[0]])
        assert name not in ("BRX", "JMX"), f"indirect branch: {instruction}"
        if not (always and name in ("BRA", "JMP", "BSYNC", "EXIT", "RET")):
            to.append(i + 1)
        following.append([node for node in to if node < len(instructions)])
    return following


def _cycles(nodes: set[int], following: list[list[int]]) -> Iterator[set[int]]:
    """The strongly connected parts of `nodes` that go round (Tarjan, without recursion)."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in sorted(nodes):
        if root in order:
            continue
        calls = [(root, iter(following[root]))]
        order[root] = low[root] = len(order)
        path.append(root)
        on_path.add(root)
        while calls:
            node, rest = calls[-1]
            for to in rest:
                if to not in nodes:
                    continue
                if to not in order:
                    order[to] = low[to] = len(order)
                    path.append(to)
                    on_path.add(to)
                    calls.append((to, iter(following[to])))
                    break
                if to in on_path:
                    low[node] = min(low[node], order[to])
            else:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[node])
                if low[node] == order[node]:
                    part = set(path[path.index(node):])
                    del path[-len(part):]
                    on_path -= part
                    if len(part) > 1 or node in following[node]:
                        yield part
