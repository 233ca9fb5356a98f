#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of PTX that touch memory or other threads."""

from __future__ import annotations

import functools
import re
from typing import Optional

import ml_dtypes
import numpy as np
from ptx_elementwise import halves
from ptx_memory import WORDS
from ptx_program import Fault, elements

SPACE = r"(global|shared|local)(?:\.v([24]))?\.b(8|16|32|64)"
WARP_WIDE = r"\.sync\.aligned\.m8n8"

#: Methods by the instructions' whole names; the groups are their first argument.
FORMS = {re.compile(pattern): method for pattern, method in {
    rf"ld\.{SPACE}": "load",
    r"ld\.acquire\.gpu\.(global)()\.b(32)": "poll_memory",
    r"ld\.relaxed\.gpu\.(global)()\.b(64)": "poll_memory",
    r"ld\.param\.b(8|16|32|64)": "load_parameter",
    rf"st\.{SPACE}": "store",
    r"st\.relaxed\.gpu\.(global)()\.b(64)": "store",
    r"st\.async\.weak\.shared::cluster\.mbarrier::complete_tx::bytes\.f32": "store_async",
    r"cp\.async\.c[ag]\.shared\.global": "copy_async",
    r"atom\.global\.add\.u32": "atomic_add",
    r"mapa\.shared::cluster\.u64": "map_address",
    r"mbarrier\.init\.shared\.b64": "mbarrier_init",
    r"mbarrier\.arrive\.expect_tx\.shared\.b64": "mbarrier_arrive",
    r"mov\.b(32|64)": "move_parts",
    r"shfl\.sync\.(bfly|idx)\.b32": "shuffle",
    r"vote\.sync\.any\.pred": "vote_any",
    r"vote\.sync\.ballot\.b32": "vote_ballot",
    r"redux\.sync\.max\.([su]32)": "maximum_of_warp",
    r"mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.(b?f16)\.\1\.f32": "multiply",
    r"wgmma\.mma_async\.sync\.aligned\.m64n(\d+)k16\.f32\.(b?f16)\.\2": "multiply_group",
    rf"ldmatrix{WARP_WIDE}\.x([124])(\.trans)?\.shared\.b16": "load_matrices",
    rf"movmatrix{WARP_WIDE}\.trans\.b16": "transpose_matrix",
    # What other threads see is there at once.
    r"bar\.warp\.sync|prefetch\.global\.L2|griddepcontrol\..*|barrier\.cluster\.wait\.aligned|fence\..*|"
    r"cp\.async\.(?:commit_group|wait_group|wait_all)|"
    r"wgmma\.(?:fence|commit_group|wait_group)\.sync\.aligned": "nothing",
}.items()}

HALVES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}
GROUP = 128  # threads that multiply together
RANK_SHIFT = 24  # shared::cluster addresses: 1 + the block's rank, then the block's own address


@functools.cache
def form(name: str) -> Optional[tuple[str, tuple]]:
    """The method of an instruction and what its name says; None if unknown."""
    for pattern, method in FORMS.items():
        if found := pattern.fullmatch(name):
            return method, found.groups()
    return None


@functools.cache
def split_address(operand: str) -> tuple[str, int]:
    """The base and the offset of `[base+offset]`."""
    base, _, offset = operand.strip("[] ").partition("+")
    return base, int(offset or 0)


class Instructions:
    """The methods of FORMS; what they use of the machine is in its class."""

    def addresses(self, operand: str) -> np.ndarray:
        """The active threads' addresses."""
        base, offset = split_address(operand)
        return self.read(base, np.uint64).astype(np.int64)[self.active] + offset

    def positions(self, space: str, addresses: np.ndarray, size: int) -> np.ndarray:
        """Where the active threads' bytes are in a memory."""
        if space == "global":
            return self.memories[space].positions(addresses, size, self.active)
        rows = self.block_of[self.active] if space == "shared" else self.active
        return self.memories[space].positions_in(rows, addresses, size, self.active)

    def write_active(self, register: str, values: np.ndarray) -> None:
        """Sets a register to values of the active threads alone."""
        if self.all_active:
            self.write(register, values)
            return
        whole = np.zeros(self.size, values.dtype)
        whole[self.active] = values
        self.write(register, whole)

    # --- Memory -----------------------------------------------------------------------------

    def load(self, form, result, address):
        space, count, bits = form
        count, size = int(count or 1), int(bits) // 8
        at = self.positions(space, self.addresses(address), count * size)
        values = [self.memories[space].load(at + i * size, size) for i in range(count)]
        for register, value in zip(elements(result), values, strict=True):
            self.write_active(register, value)

    def poll_memory(self, form, result, address):
        self.poll(self.mask)
        self.load(form, result, address)

    def load_parameter(self, form, result, address):
        base, offset = split_address(address)
        dtype = WORDS[int(form[0]) // 8]
        if base in self.arguments and not offset:
            values = np.full(len(self.active), self.arguments[base], np.uint64)
        else:
            table = np.array(list(self.arguments.values()), np.uint64)
            which, rest = np.divmod(self.addresses(address) - self.PARAMETERS_AT,
                                    self.PARAMETER_BYTES)
            if rest.any() or (which < 0).any() or (which >= len(table)).any():
                raise Fault("expected the address of a parameter")
            values = table[which]
        self.write_active(result, values.astype(dtype))

    def store(self, form, address, source):
        space, count, bits = form
        count, size = int(count or 1), int(bits) // 8
        at = self.positions(space, self.addresses(address), count * size)
        self.polls = 0
        for i, operand in enumerate(elements(source)):
            values = self.read(operand, WORDS[size])[self.active]
            self.memories[space].store(at + i * size, values)

    def copy_async(self, form, to, source, size, given=None):
        size = int(size)
        if given and given.startswith("%p"):  # the source is ignored
            bytes_read = np.where(self.read(given, np.bool_)[self.active], 0, size)
        else:
            bytes_read = self.read(given or str(size), np.uint32)[self.active]
        if not np.isin(bytes_read, (0, size)).all():
            raise Fault(f"expected 0 or {size} bytes to be read")
        target = self.positions("shared", self.addresses(to), size)
        addresses, live = self.addresses(source), bytes_read > 0
        words = np.zeros((len(target), size // 4), np.uint32)
        if live.any():
            at = self.memories["global"].positions(addresses[live], size, self.active[live])
            for i in range(size // 4):
                words[live, i] = self.memories["global"].load(at + 4 * i, 4)
        for i in range(size // 4):
            self.memories["shared"].store(target + 4 * i, words[:, i])

    def atomic_add(self, form, result, address, addend):
        at = self.positions("global", self.addresses(address), 4)
        addends = self.read(addend, np.uint32)[self.active]
        old = np.empty(len(at), np.uint32)
        self.polls = 0
        for i, position in enumerate(at):
            old[i] = self.memories["global"].load(position, 4)
            self.memories["global"].store(position, old[i] + addends[i])
        self.write_active(result, old)

    # --- Clusters ---------------------------------------------------------------------------

    def map_address(self, form, result, address, rank):
        ranks = self.read(rank, np.uint32).astype(np.int64)[self.active] + 1
        self.write_active(result, (self.addresses(address) | ranks << RANK_SHIFT).astype(np.uint64))

    def store_async(self, form, address, source, mbarrier):
        at, barriers = self.addresses(address), self.addresses(mbarrier)
        ranks = (at >> RANK_SHIFT) - 1
        if (ranks != (barriers >> RANK_SHIFT) - 1).any() or (ranks < 0).any() or (
                ranks >= self.cluster).any():
            raise Fault("expected value and mbarrier in one block of the cluster")
        blocks = self.block_of[self.active] // self.cluster * self.cluster + ranks
        own = (1 << RANK_SHIFT) - 1
        positions = self.memories["shared"].positions_in(blocks, at & own, 4, self.active)
        self.memories["shared"].store(positions, self.read(source, np.uint32)[self.active])
        self.polls = 0
        arrived, counts = np.unique(blocks << RANK_SHIFT | barriers & own, return_counts=True)
        for barrier, count in zip(arrived.tolist(), counts.tolist()):
            self._mbarrier(barrier).complete(4 * count)

    def _mbarriers(self, address):
        """The keys of the active threads' mbarriers."""
        return (self.block_of[self.active] << RANK_SHIFT | self.addresses(address)).tolist()

    def _mbarrier(self, key):
        if key not in self.mbarriers:
            raise Fault("expected an mbarrier that is initialized")
        return self.mbarriers[key]

    def mbarrier_init(self, form, address, count):
        counts = self.read(count, np.uint32)[self.active].tolist()
        for key, value in zip(self._mbarriers(address), counts):
            self.mbarriers[key] = MBarrier(value)

    def mbarrier_arrive(self, form, result, address, size):
        sizes = self.read(size, np.uint32)[self.active].tolist()
        for key, value in zip(self._mbarriers(address), sizes):
            self._mbarrier(key).arrive(value)

    def mbarrier_passed(self, address: str, parity: str) -> np.ndarray:
        """Which threads' mbarriers have completed the phase of that parity."""
        parities = self.read(parity, np.uint32)[self.active].tolist()
        done = np.zeros(self.size, bool)
        done[self.active] = [self._mbarrier(key).phase != value for key, value in
                             zip(self._mbarriers(address), parities)]
        return done

    def nothing(self, form, *operands):
        pass

    # --- Warps ------------------------------------------------------------------------------

    def move_parts(self, form, result, source):
        """`{a, b} = c` or `c = {a, b}`."""
        parts = elements(source if source.startswith("{") else result)
        whole, part = WORDS[int(form[0]) // 8], WORDS[int(form[0]) // 8 // len(parts)]
        if source.startswith("{"):
            values = np.stack([self.read(operand, part) for operand in parts], -1)
            self.write(result, values.view(whole)[:, 0])
        else:
            values = self.read(source, whole)[:, None].copy().view(part)
            for i, register in enumerate(parts):
                self.write(register, values[:, i])

    def shuffle(self, form, result, source, lane, clamp, members):
        if (clamp, members) != ("31", "-1"):
            raise Fault("expected a shuffle of a whole warp")
        lanes = self.read(lane, np.uint32).astype(int)
        base = self.threads & ~31
        of = base | (self.threads ^ lanes if form[0] == "bfly" else lanes) & 31
        if not self.mask[of[self.active]].all():
            raise Fault("expected values of threads that take part")
        self.write(result, self.read(source, np.uint32)[of])

    def vote_any(self, form, result, source, members):
        votes = (self.predicate(source) & self.mask).reshape(-1, 32).any(1)
        self.write(result, np.repeat(votes, 32))

    def vote_ballot(self, form, result, source, members):
        votes = (self.predicate(source) & self.mask).reshape(-1, 32)
        words = (votes.astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(1, dtype=np.uint32)
        self.write(result, np.repeat(words, 32))

    def maximum_of_warp(self, form, result, source, members):
        dtype = np.dtype(np.int32 if form[0] == "s32" else np.uint32)
        values = np.where(self.mask, self.read(source, dtype.type), np.iinfo(dtype).min)
        self.write(result, np.repeat(values.reshape(-1, 32).max(1), 32).astype(dtype))

    def multiply(self, form, result, a, b, c):
        """[16, 16] times [16, 8] in each warp; a thread has pairs of a quarter of a row."""
        def tiles(operand):  # [tile, warp, 8, 8]
            words = np.stack([self.read(x, np.uint32) for x in elements(operand)])
            return halves(words, HALVES[form[0]]).reshape(len(words), -1, 8, 8)

        (a0, a1, a2, a3), (b0, b1) = tiles(a), tiles(b).swapaxes(-1, -2)
        products = np.stack([a0 @ b0 + a2 @ b1, a1 @ b0 + a3 @ b1])
        products = products.reshape(2, self.size, 2)
        for i, (register, addend) in enumerate(zip(elements(result), elements(c))):
            self.write(register, products[i // 2, :, i % 2] + self.read(addend, np.float32))

    def multiply_group(self, form, result, a, b, adds, *signs):
        """[64, 16] times [16, n] of operands in shared memory, both with rows that are contracted."""
        if signs != ("1", "1", "0", "0"):
            raise Fault("expected operands as they are")
        groups = self.mask.reshape(-1, GROUP)
        if (groups.any(1) != groups.all(1)).any():
            raise Fault("expected all four warps")
        firsts = np.nonzero(groups.all(1))[0] * GROUP
        n = int(form[0])
        products = np.zeros((len(groups), 64, n), np.float32)
        products[groups.all(1)] = (self._group_operand(a, 64, form[1], firsts) @
                                   self._group_operand(b, n, form[1], firsts).swapaxes(-1, -2))
        # A thread has, of every 8 columns, two in each of two rows of its warp's 16.
        products = products.reshape(-1, 4, 2, 8, n // 8, 4, 2).transpose(4, 2, 6, 0, 1, 3, 5)
        for register, sums in zip(elements(result), products.reshape(n // 2, -1), strict=True):
            before = self.read(register, np.float32) if adds == "1" else np.float32(0)
            self.write(register, sums + before)

    def _group_operand(self, operand, rows, dtype, firsts):
        """[group, rows, 16] of a matrix descriptor, whose 16 bytes are exchanged by address."""
        descriptors = self.read(operand, np.uint64)
        if (descriptors[self.active] != descriptors[self.active // GROUP * GROUP]).any():
            raise Fault("expected one descriptor in all four warps")

        def bits(first, count):  # of each group
            field = descriptors[firsts] >> np.uint64(first) & np.uint64((1 << count) - 1)
            return field.astype(np.int64)[:, None, None]

        exchange, row = bits(62, 2), np.arange(rows)[:, None]
        if not np.isin(exchange, (1, 2)).all() or bits(49, 3).any():
            raise Fault("expected rows of 128 or 64 bytes, exchanged from an aligned address on")
        address = ((bits(0, 14) << 4) + row // 8 * (bits(32, 14) << 4) +
                   row % 8 * (256 >> exchange) + 16 * np.arange(2))
        address ^= (address >> 3) & np.where(exchange == 1, 0x70, 0x30)
        blocks = np.broadcast_to(self.block_of[firsts][:, None, None], address.shape)
        at = self.memories["shared"].positions_in(blocks.ravel(), address.ravel(), 16,
                                                  np.broadcast_to(firsts[:, None, None],
                                                                  address.shape).ravel())
        words = np.stack([self.memories["shared"].load(at + 2 * i, 2) for i in range(8)], -1)
        return words.view(HALVES[dtype]).astype(np.float32).reshape(len(firsts), rows, 16)

    def load_matrices(self, form, result, address):
        """Eight threads have the addresses of the rows of each matrix."""
        count = int(form[0])
        addresses = np.zeros(self.size, np.int64)
        addresses[self.active] = self.addresses(address)
        warps = self.mask[::32]
        rows = addresses.reshape(-1, 32)[warps, :8 * count].reshape(-1)
        threads = self.threads.reshape(-1, 32)[warps, :8 * count].reshape(-1)
        at = self.memories["shared"].positions_in(self.block_of[threads], rows, 16, threads)
        words = np.stack([self.memories["shared"].load(at + 2 * i, 2) for i in range(8)], -1)
        matrices = words.reshape(-1, count, 8, 8)
        if form[1]:
            matrices = matrices.swapaxes(-1, -2)
        pairs = np.ascontiguousarray(matrices).view(np.uint32)
        for i, register in enumerate(elements(result)):
            self.write_active(register, pairs[:, i].reshape(-1))

    def transpose_matrix(self, form, result, source):
        matrices = self.read(source, np.uint32).copy().view(np.uint16).reshape(-1, 8, 8)
        self.write(result, np.ascontiguousarray(matrices.swapaxes(-1, -2)).view(np.uint32)
                   .reshape(-1))


class MBarrier:
    """Counts arrivals and bytes; the parity of its phase changes when none is missing."""

    def __init__(self, count: int) -> None:
        self._count = self._missing = count
        self._bytes = self.phase = 0

    def arrive(self, expected_bytes: int) -> None:
        self._missing -= 1
        self.complete(-expected_bytes)

    def complete(self, size: int) -> None:
        self._bytes -= size
        if not self._missing and not self._bytes:
            self._missing = self._count
            self.phase ^= 1
