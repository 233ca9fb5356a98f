#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels ask for no more shared memory than a block may have on their GPU. Without a GPU."""

import re

import numpy as np
import pytest
from linalg_path import run_tool, tool

from lot import _attributes, _kernels
from lot._operands import BFLOAT16

#: Bytes, by architecture (CUDA C++ Programming Guide, compute capabilities).
LIMITS = {"sm_80": 163 << 10, "sm_86": 99 << 10, "sm_89": 99 << 10, "sm_90a": 227 << 10,
          "sm_120": 99 << 10}
#: d, dv and r.
SIZES = [(64, 64, 32), (64, 64, 64), (128, 128, 32), (128, 128, 64), (256, 64, 16), (64, 256, 32),
         (256, 128, 64), (256, 256, 256)]

pytestmark = pytest.mark.skipif(tool("lot-opt") is None,
                                reason="no lot-opt: build the project first")


def launches(text, chip):
    """Dynamic shared memory of each launch, with the kernel's name."""
    bufferize = ("--one-shot-bufferize=bufferize-function-boundaries "
                 "function-boundary-type-conversion=identity-layout-map")
    lowered = run_tool([tool("lot-opt"), bufferize,
                        f"--convert-lot-attention-to-gpu=chip={chip}"], text)
    constants = {name: int(value) for name, value in
                 re.findall(r"(%\w+) = arith.constant (\d+) : i32", lowered)}
    found = []
    for name, rest in re.findall(r"gpu\.launch_func +@\w+::@(\w+) (.*)", lowered):
        if size := re.search(r"dynamic_shared_memory_size (%\w+)", rest):
            # One that the host chooses is the larger of two, both constants.
            for choice in re.findall(rf"{size[1]} = arith.select %\w+, (%\w+), (%\w+) : i32",
                                     lowered) or [[size[1]]]:
                found += [(name, constants[value]) for value in choice]
    assert found
    return found


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("dtype", [BFLOAT16, np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("chip", LIMITS)
def test_memory_of_blocks(chip, dtype, backward):
    attributes = _attributes.check_attributes(None, 1.0, 10, "query_mass", 0.0, None, 1.0)
    for d, dv, r in SIZES:
        text = _kernels.module_text(_kernels.KernelClass(
            d, dv, r, dtype, dtype, 3, 0, 0, 0, 0, attributes, (8, 8, 8) if backward else None,
            chip))
        for name, size in launches(text, chip):
            assert size <= LIMITS[chip], (name, d, dv, r)
