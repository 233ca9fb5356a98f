#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of code for CUDA from Python, on a driver whose device is the host (fake_cuda.c)."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from lot import _attributes, _kernels
from lot._operands import F32
from lot._runtime import Executable, compile_module

BUILD = pathlib.Path(os.environ.get("LOT_BUILD_DIR",
                                    pathlib.Path(__file__).resolve().parents[2] / "build"))
DRIVER = BUILD / "test" / "fake-cuda"

TEXT = """
module attributes {gpu.container_module} {
  func.func @twice(%x: memref<?xf32, strided<[?], offset: ?>>, %y: memref<?xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %two = arith.constant 2.0 : f32
    %n = memref.dim %x, %c0 : memref<?xf32, strided<[?], offset: ?>>
    %w = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
        args(%x : memref<?xf32, strided<[?], offset: ?>>, %w : memref<?xf32>, %two : f32)
    memref.copy %w, %y : memref<?xf32> to memref<?xf32>
    return
  }
  func.func @rows(%x: memref<?x?xf32, strided<[?, ?], offset: ?>>) {
    return
  }
  gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx80", O = 1>] {
    gpu.func @scale(%x: memref<?xf32, strided<[?], offset: ?>>, %y: memref<?xf32>, %s: f32) kernel {
      gpu.return
    }
  }
}
"""


def call(x, y, /, allocate=None, **changes):
    """`twice` on host memory; the tensors' descriptions may be replaced by name."""
    kept = []

    def aligned(size):
        kept.append(np.empty(size + 256, np.uint8))
        return -(-kept[0].ctypes.data // 256) * 256

    described = {name: (array.ctypes.data, array.dtype.name, array.shape,
                        tuple(stride // array.itemsize for stride in array.strides))
                 for name, array in (("x", x), ("y", y))}
    executable = Executable.compile(TEXT, target="cuda", chip="sm_80")
    executable.invoke_on_cuda("twice", list({**described, **changes}.values()), 0, 0,
                              allocate or aligned)
    return executable


def on_fake_driver():
    """What runs in a process with the driver of the tests."""
    from lot._runtime import cuda_chip

    assert cuda_chip(0) == "sm_90a"
    x, y = np.arange(20, dtype=np.float32)[::2], np.zeros(10, np.float32)
    executable = call(x, y)
    assert (y == 2 * x).all()
    assert executable.workspace_bytes("twice", [(256, "float32", (100,), (1,)),
                                                (256, "float32", (100,), (1,))]) == 512

    for stride in (-4, 1 << 31):
        with pytest.raises(RuntimeError, match="function 'rows', argument #0: expected rows that are 0 "
                           rf"to 2\^31 - 1 elements apart on a CUDA device, got {stride}"):
            executable.invoke_on_cuda("rows", [(256, "float32", (2, 4), (stride, 1))], 0, 0, int)

    def none_left(size):
        raise MemoryError(f"{size} bytes")

    for error, message, options in (
            (RuntimeError, "argument #1: expected element type f32, got f16",
             dict(y=(256, "float16", (10,), (1,)))),
            (RuntimeError, "argument #1: expected rank 1", dict(y=(256, "float32", (5, 2), (2, 1)))),
            (ValueError, "argument #1: expected a dtype, got 'float'",
             dict(y=(256, "float", (10,), (1,)))),
            (ValueError, "argument #0: expected 1 strides, got 2",
             dict(x=(256, "float32", (10,), (1, 1)))),
            (ValueError, "argument #0: expected (address, dtype, shape, strides)", dict(x=3)),
            (MemoryError, "256 bytes", dict(allocate=none_left)),
            (RuntimeError, "workspace: 256 bytes cannot be allocated",
             dict(allocate=lambda size: 0)),
            (RuntimeError, "workspace: expected an address aligned to 256 bytes, got one that is "
                           "8 bytes off", dict(allocate=lambda size: 1032)),
            (TypeError, "", dict(allocate=lambda size: "here"))):
        with pytest.raises(error) as raised:
            call(x, y, **options)
        assert message in str(raised.value), raised.value


@pytest.mark.skipif(not (DRIVER / "libcuda.so.1").exists(), reason="no driver of the tests in the "
                    "build: ninja lot-fake-cuda")
def test_calls():
    program = f"import {__name__} as test; test.on_fake_driver()"
    paths = [str(pathlib.Path(__file__).parent), *sys.path]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ, "LD_LIBRARY_PATH": str(DRIVER),
                               "PYTHONPATH": os.pathsep.join(filter(None, paths))})
    assert done.returncode == 0, done.stderr


def test_compiles_without_a_driver():
    """A kernel class for a GPU that is named; calls of the CPU are refused."""
    attributes = _attributes.check_attributes(None, 1.0, 5, "query_mass", 0.0, None, 1.0)
    kernel = _kernels.KernelClass(16, 16, 8, F32, F32, 3, 0, 0, 0, 0, attributes, None, "sm_80")
    executable = compile_module(_kernels.module_text(kernel), chip=kernel.chip)
    array = np.zeros((1, 1, 4, 16), np.float32)
    pivots = np.zeros((1, 8, 16), np.float32)
    with pytest.raises(ValueError, match="compiled for the target cuda: expected a call on a dev"):
        executable.invoke("attention", [array, array, array, pivots, array])
    cpu = Executable.compile("func.func @f(%x: memref<4xf32>) { return }")
    with pytest.raises(RuntimeError, match="'f' is compiled for the CPU, expected code for the"):
        cpu.workspace_bytes("f", [(256, "float32", (4,), (1,))])


@pytest.mark.parametrize("options, message", [
    (dict(target="gpu"), "expected the target cpu or cuda, got 'gpu'"),
    (dict(target="cpu", chip="sm_90a"), "chip: expected none for the target cpu, got 'sm_90a'"),
    (dict(target="cuda", chip="sm_70"), "chip: expected sm_80 or later, got 'sm_70'"),
    (dict(target="cuda", chip="sm_9"), "chip: expected a GPU as LLVM names it"),
])
def test_bad_options(options, message):
    with pytest.raises(RuntimeError, match=message):
        Executable.compile(TEXT, **options)
