#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The machine of test/Tools/Inputs/fake_cuda_machine.h: runs what the tests' driver launches."""

from __future__ import annotations

import mmap
import sys
import traceback
from typing import BinaryIO

import numpy as np
from ptx_machine import Machine
from ptx_memory import Global
from ptx_program import Fault, Kernel, read_kernel


def serve(commands: BinaryIO, replies: BinaryIO) -> None:
    """Until the driver's process ends."""
    memory = None
    modules: dict[int, str] = {}
    kernels: dict[tuple[int, str], Kernel] = {}
    for line in commands:
        command, *words = line.decode().split()
        numbers = [int(word) for word in words if word.isdigit()]
        if command == "memory":
            file, address, size = numbers
            memory = Global(np.frombuffer(mmap.mmap(file, size), np.uint8), address)
        elif command == "allocate":
            memory.allocate(*numbers)
        elif command == "free":
            memory.free(*numbers)
        elif command == "module":
            modules[numbers[0]] = commands.read(numbers[1]).decode()
        elif command in ("function", "launch"):
            key = int(words[0]), words[1]
            reply = "failed"
            try:
                if command == "function":
                    kernels[key] = read_kernel(modules[key[0]], key[1])
                    reply = " ".join(map(str, kernels[key].parameters.values()))
                else:
                    *grid, block, cluster, shared = map(int, words[2:7])
                    arguments = [int(word) for word in words[7:]]
                    Machine(kernels[key], grid, block, cluster, shared, arguments, memory).run()
                    reply = "done"
            except Fault as fault:
                print(f"kernel {key[1]}: {fault}", file=sys.stderr, flush=True)
            except Exception:
                print(f"kernel {key[1]}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            replies.write(f"{reply}\n".encode())
            replies.flush()
        else:
            raise ValueError(f"unknown command {command}")


def main() -> None:
    with np.errstate(all="ignore"):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
