#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs kernels of PTX on arrays with an entry for each thread of the grid.

All threads at the smallest program counter execute a basic block together; instructions of
whole warps wait until the threads of their warp are there. What a kernel needs for its values
is done: barriers of blocks and clusters, mbarriers with their bytes, shared memory of other
blocks, memory that is checked. Not looked at: races (the order of threads is this one, stores
and asynchronous copies are there at once), time, registers, the widths of buses. An instruction
that is not known is a fault.
"""

from __future__ import annotations

import re

import numpy as np
from ptx_elementwise import TABLE
from ptx_instructions import Instructions, MBarrier, form
from ptx_memory import Global, Rows
from ptx_program import Fault, Instruction, Kernel

WARP = 32
MAX_POLLS = 1000


class Machine(Instructions):
    """One launch: the grid has two dimensions, a block one."""

    #: Addresses of parameters.
    PARAMETER_BYTES, PARAMETERS_AT = 16, 1 << 40

    def __init__(self, kernel: Kernel, sizes: list[int], block: int, cluster: int,
                 shared_bytes: int, arguments: list[int], memory: Global) -> None:
        row, rows = sizes
        grid = row * rows
        if block % WARP or row % cluster or len(arguments) != len(kernel.parameters):
            raise Fault(f"expected whole warps, whole clusters and {len(kernel.parameters)} "
                        f"arguments, got {grid} blocks of {block} threads in clusters of "
                        f"{cluster} and {len(arguments)} arguments")
        self.kernel = kernel
        self.size, self.grid, self.block, self.cluster = grid * block, grid, block, cluster
        self.threads = np.arange(self.size)
        self.block_of = self.threads // block
        self.memories = {"global": memory, "shared": Rows("shared", grid, shared_bytes),
                         "local": Rows("local", self.size, kernel.local_bytes)}
        self.arguments = dict(zip(kernel.parameters, arguments))
        self.registers: dict[str, np.ndarray] = {}
        self.constants: dict[tuple[str, type], np.ndarray] = {}
        self.mbarriers: dict[int, MBarrier] = {}
        rank = self.block_of % cluster
        self.special = {"%tid.x": self.threads % block, "%ntid.x": block,
                        "%ctaid.x": self.block_of % row, "%ctaid.y": self.block_of // row,
                        "%nctaid.x": row, "%nctaid.y": rows, "%cluster_ctaid.x": rank, "%cluster_ctarank": rank,
                        "%cluster_nctaid.x": cluster,
                        "%clusterid.x": self.block_of % row // cluster}
        self.counter = np.zeros(self.size, int)
        self.at_barrier = np.zeros(self.size, bool)
        self.at_warp = np.zeros(self.size, bool)  # waits for the rest of its warp
        self.polling = np.zeros(self.size, bool)  # looks at what other threads do
        self.polls = 0  # since anything was changed
        self.activate(np.ones(self.size, bool))

    # --- Values -----------------------------------------------------------------------------

    def activate(self, mask: np.ndarray) -> None:
        """Chooses the threads for which instructions have effects."""
        self.mask, self.all_active = mask, bool(mask.all())
        self.active = np.nonzero(mask)[0]

    def read(self, operand: str, dtype: type) -> np.ndarray:
        """The values of a register or a constant, one a thread."""
        if operand in self.registers:
            return _as(self.registers[operand], dtype)
        key = operand, dtype
        if key not in self.constants:
            self.constants[key] = _as(self._constant(operand), dtype)
        return self.constants[key]

    def _constant(self, operand: str) -> np.ndarray:
        name = operand.split("+")[0]
        if operand in self.special:
            value = np.uint32(self.special[operand])
        elif operand.startswith("%p"):
            value = False
        elif re.fullmatch(r"%(rs|rd|r)\d+", operand):  # was never written
            value = np.uint64(-1 % 2**64)
        elif operand.startswith("0f"):
            value = np.uint32(int(operand[2:], 16))
        elif operand in self.arguments:
            value = np.uint64(self.PARAMETERS_AT +
                              self.PARAMETER_BYTES * list(self.arguments).index(operand))
        elif name.startswith(("__dynamic_shmem", "__local_depot")):
            value = np.uint64(0)
        else:
            try:
                value = np.uint64(int(operand, 0) % 2**64)
            except ValueError:
                raise Fault(f"unknown operand {operand}") from None
        return np.broadcast_to(np.asarray(value), self.size).copy()

    def write(self, register: str, values: np.ndarray) -> None:
        """Sets a register of the active threads, to its own width."""
        if register == "_":
            return
        dtype = (np.uint16 if register.startswith("%rs") else
                 np.bool_ if register.startswith("%p") else
                 np.uint64 if register.startswith(("%rd", "%S")) else np.uint32)
        values = _as(values, dtype)
        if not self.all_active:
            values = np.where(self.mask, values, self.read(register, dtype))
        self.registers[register] = values

    def predicate(self, text: str) -> np.ndarray:
        """The values of `%p` or `!%p`."""
        return ~self.read(text[1:], np.bool_) if text[0] == "!" else self.read(text, np.bool_)

    # --- Control flow -----------------------------------------------------------------------

    def run(self) -> None:
        """Until every thread has returned."""
        while (self.counter < len(self.kernel.instructions)).any():
            self._run_block(self._next_threads())

    def _next_threads(self) -> int:
        """Activates the threads that run next; their position."""
        end = len(self.kernel.instructions)
        alive = self.counter < end
        if self.at_warp.any():  # released where all that live have come
            counters = self.counter.reshape(-1, WARP)
            live = alive.reshape(-1, WARP)
            together = (np.where(live, counters, -1).max(1) ==
                        np.where(live, counters, end).min(1))
            self.at_warp &= ~np.repeat(together, WARP)
        ready = alive & ~self.at_barrier & ~self.at_warp
        if not ready.any():
            raise Fault("threads wait at barriers to which others do not come")
        if (ready & ~self.polling).any():
            ready &= ~self.polling
        else:
            self.polling[:] = False
        position = int(self.counter[ready].min())
        self.activate(ready & (self.counter == position))
        return position

    def _run_block(self, position: int) -> None:
        blocks = self.kernel.blocks
        end = blocks[int(np.searchsorted(blocks, position, side="right"))]
        for position in range(position, end):
            instruction = self.kernel.instructions[position]
            try:
                if instruction.ends_block:
                    self._control(instruction, position)
                    return
                if instruction.of_whole_warps and not self._keep_whole_warps(position):
                    return
                self._guarded(instruction)
            except Fault as fault:
                raise Fault(f"{instruction}: {fault}") from None
        self.counter[self.mask] = end

    def _guarded(self, instruction: Instruction) -> None:
        if instruction.guard is None:
            self.execute(instruction)
            return
        mask = self.mask
        self.activate(mask & self.predicate(instruction.guard))
        self.execute(instruction)
        self.activate(mask)

    def execute(self, instruction: Instruction) -> None:
        """What the instruction does in the active threads."""
        known = TABLE.get(instruction.name)
        if known and "{" not in "".join(instruction.operands):
            result, *operands = instruction.operands
            self.write(result, known.function(*map(self.read, operands, known.types)))
            return
        found = form(instruction.name)
        if found is None:
            raise Fault("unknown instruction")
        method, groups = found
        getattr(self, method)(groups, *instruction.operands)

    def _keep_whole_warps(self, position: int) -> bool:
        """Leaves threads whose warp is not complete waiting; whether others go on."""
        if self.all_active:
            return True
        active = self.mask.reshape(-1, WARP)
        alive = (self.counter < len(self.kernel.instructions)).reshape(-1, WARP)
        waits = np.repeat((alive & ~active).any(1), WARP) & self.mask
        if waits.any():
            self.at_warp |= waits
            self.counter[waits] = position
            self.activate(self.mask & ~waits)
        return bool(len(self.active))

    def _control(self, instruction: Instruction, position: int) -> None:
        operands = instruction.operands
        goes = self.mask & self.predicate(instruction.guard) if instruction.guard else self.mask
        if instruction.name.startswith("bra"):
            self.counter[self.mask] = position + 1
            self.counter[goes] = self.kernel.labels[operands[0]]
        elif instruction.guard:
            raise Fault("expected no predicate")
        elif instruction.name == "ret":
            self.counter[self.mask] = len(self.kernel.instructions)
        elif instruction.name.startswith("mbarrier"):
            done = self.mbarrier_passed(operands[0], operands[1])
            self.counter[self.mask] = np.where(done, position + 1, position)[self.mask]
            if not done[self.active].all():
                self.poll(self.mask & ~done)
        else:
            self._barrier(instruction, position)

    def poll(self, mask: np.ndarray) -> None:
        """Other threads go first; Fault where they have long done nothing."""
        self.polling |= mask
        self.polls += 1
        if self.polls > MAX_POLLS:
            raise Fault("threads wait for what no other thread does")

    def _barrier(self, instruction: Instruction, position: int) -> None:
        """Threads of a block or cluster go on when all have come."""
        group = self.block * (self.cluster if "cluster" in instruction.name else 1)
        self.at_barrier |= self.mask
        self.counter[self.mask] = position
        leaves = np.repeat(self.at_barrier.reshape(-1, group).all(1), group)
        if not leaves.any():
            return
        if (self.counter[leaves] != position).any():
            raise Fault("threads of one block are at different barriers")
        self.activate(leaves)
        if instruction.name == "bar.red.or.pred":
            result, number, value = instruction.operands
            votes = (self.predicate(value) & leaves).reshape(-1, self.block).any(1)
            self.write(result, np.repeat(votes, self.block))
        elif instruction.name not in ("bar.sync", "barrier.cluster.arrive.aligned",
                                      "barrier.cluster.arrive.relaxed.aligned"):
            raise Fault("unknown instruction")
        elif instruction.operands and instruction.operands != ("0",):
            raise Fault("expected barrier 0 of all threads")
        self.polls = 0
        self.at_barrier &= ~leaves
        self.counter[leaves] = position + 1


def _as(values: np.ndarray, dtype: type) -> np.ndarray:
    """The same bits, truncated or extended by zeros."""
    if values.dtype == dtype:
        return values
    if values.dtype == np.bool_ or dtype == np.bool_:
        return values.astype(dtype)
    bits = np.ascontiguousarray(values).view(f"u{values.itemsize}")
    return bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
