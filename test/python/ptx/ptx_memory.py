#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of many threads: what lies outside, or is not aligned, is a fault."""

from __future__ import annotations

import numpy as np
from ptx_program import Fault

WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class Global:
    """The device's memory, of which only what is allocated may be used."""

    name = "global"

    def __init__(self, data: np.ndarray, address: int) -> None:
        self._data, self._address = data, address
        self._blocks: dict[int, int] = {}

    def allocate(self, address: int, size: int) -> None:
        self._blocks[address] = address + size

    def free(self, address: int) -> None:
        del self._blocks[address]

    def positions(self, addresses: np.ndarray, size: int, threads: np.ndarray) -> np.ndarray:
        """Where in the data `size` bytes of each thread begin."""
        check_alignment(self, addresses, size, threads)
        begins = np.array(sorted(self._blocks) or [0])
        ends = np.array([self._blocks.get(begin, 0) for begin in begins.tolist()])
        block = np.searchsorted(begins, addresses, side="right") - 1
        check_inside(self, (block >= 0) & (addresses + size <= ends[block]), addresses, size,
                     threads)
        return addresses - self._address

    def load(self, positions: np.ndarray, size: int) -> np.ndarray:
        return self._data.view(WORDS[size])[positions // size]

    def store(self, positions: np.ndarray, values: np.ndarray) -> None:
        self._data.view(values.dtype)[positions // values.itemsize] = values


class Rows(Global):
    """As many bytes for each block (shared) or thread (local), NaN until they are written."""

    def __init__(self, name: str, rows: int, size: int) -> None:
        self.name, self._size, self._pitch = name, size, -(-size // 16) * 16
        super().__init__(np.full(rows * self._pitch, 0xFF, np.uint8), 0)

    def positions_in(self, rows: np.ndarray, addresses: np.ndarray, size: int,
                     threads: np.ndarray) -> np.ndarray:
        """Where in the data `size` bytes of each thread begin, in the rows given."""
        check_alignment(self, addresses, size, threads)
        check_inside(self, (addresses >= 0) & (addresses + size <= self._size), addresses, size,
                     threads)
        return rows * self._pitch + addresses


def check_alignment(memory: Global, addresses: np.ndarray, size: int,
                    threads: np.ndarray) -> None:
    wrong = addresses % size != 0
    if wrong.any():
        raise Fault(f"{memory.name} memory: expected an address aligned to {size} bytes, got "
                    f"{addresses[wrong][0]:#x} in thread {threads[wrong][0]}")


def check_inside(memory: Global, inside: np.ndarray, addresses: np.ndarray, size: int,
                 threads: np.ndarray) -> None:
    if not inside.all():
        raise Fault(f"{memory.name} memory: expected {size} allocated bytes, got the address "
                    f"{addresses[~inside][0]:#x} in thread {threads[~inside][0]}")
