#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""compute-sanitizer has nothing to say about any kernel.

Skipped where CUDA's compute-sanitizer is missing, or where it cannot look at the device (some
virtual machines). One kernel with a known fault for each of its tools shows that they would speak.
LOT_SANITIZER_REPORTS names a folder for what they say.
"""

import functools
import os
import pathlib
import re
import shutil
import subprocess

import gpu_testing
import linalg_path
import lot_run
import lot_testing
import numpy as np
import pytest

from lot import _runtime

TOOLS = {"memcheck": ["--leak-check", "full"], "racecheck": [], "initcheck": []}
LENGTHS = [300, 3000, 33000]
DTYPES = ["bf16", "f32"]


def find_sanitizer():
    """The path of compute-sanitizer, None if absent."""
    installed = sorted(pathlib.Path("/usr/local").glob("cuda*/bin/compute-sanitizer"))
    return shutil.which("compute-sanitizer") or (str(installed[-1]) if installed else None)


def under(tool):
    return [find_sanitizer(), "--tool", tool, "--error-exitcode", "99", *TOOLS[tool]]


@functools.cache
def missing(tool):
    """Why a tool cannot be used here, "" where it can."""
    if linalg_path.tool("lot-run") is None:
        return "no lot-run: build the project first"
    if find_sanitizer() is None:
        return "no compute-sanitizer"
    text = subprocess.run([*under(tool), linalg_path.tool("lot-run"), "--version"],
                          capture_output=True, text=True).stdout
    return "compute-sanitizer does not start: " + text[-300:] if "LLVM" not in text else ""


@pytest.fixture
def sanitize(tmp_path, request):
    """Runs a function under a tool; skips where the tool cannot look at the device."""
    def call(tool, *arguments, **options):
        if missing(tool):
            pytest.skip(missing(tool))
        done = lot_run.run(tmp_path, *arguments, under=under(tool), **options)
        if folder := os.environ.get("LOT_SANITIZER_REPORTS"):
            pathlib.Path(folder, f"{request.node.name}.txt").write_text(done.text)
        if re.search("[Dd]evice not supported|not supported on this device", done.text):
            pytest.skip("compute-sanitizer cannot look at this device")
        return done
    return call


def complaints(done):
    """How many errors, hazards and leaks the tool reports; fails where it reports nothing."""
    counts = [int(count) for pattern in (
        r"ERROR SUMMARY: (\d+) error", r"RACECHECK SUMMARY: (\d+) hazard",
        r"LEAK SUMMARY: (\d+) bytes") for count in re.findall(pattern, done.text)]
    assert counts, done.text[-3000:]
    return sum(counts)


def first_complaint(done):
    """The first report and what follows the last, without the host's stack."""
    lines = [line for line in done.text.splitlines() if "Host Frame" not in line]
    marked = [i for i, line in enumerate(lines) if re.search(r"========= +\S*(Error|Invalid|Uninit|"
                                                             r"Race|Leaked|Program)", line)]
    first = marked[0] if marked else 0
    return "\n".join([*lines[first:first + 12], "...", *lines[-6:]])


def problem(n, dtype):
    """Every second batch has scores beyond packed factors; masks at one length."""
    masked = n == 3000
    d, r = (64, 32) if dtype == "bf16" else (32, 16)
    kernel = lot_testing.Kernel(d, d, r, dtype, attributes=(("half_steps", 3),),
                                mass_ranks=(3, 3, 2, 2) if masked else (0, 0, 0, 0))
    batch = 1 if n > 10000 else 2
    made = lot_testing.make_problem(kernel, lot_testing.Shape(
        batch, 1, 2, False, n, n - 37, 1.0, 0.3 if masked else 0.0, n))
    made.q[1:] *= np.array(32, made.q.dtype)
    made.k[1:] *= np.array(32, made.k.dtype)
    return made


def arguments(given, backward):
    """Of lot_run.run: the module, its operands, the number of results."""
    operands = given.operands()
    return (lot_run.module(given, backward),
            [*([given.cotangent()] if backward else []), *operands.values()],
            len(operands) if backward else 1)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_nothing_to_complain_about(backward, n, dtype, tool, sanitize):
    given = problem(n, dtype)
    done = sanitize(tool, *arguments(given, backward))
    assert complaints(done) == 0 and done.code == 0, first_complaint(done)
    if backward:
        gpu_testing.check_gradients(dict(zip(given.operands(), done.results)), given,
                                    given.cotangent(), dtype)
    else:
        gpu_testing.check_output(*done.results, given, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_the_lengths_reach_every_kernel(backward, dtype, tmp_path):
    """Together, the problems above launch every kernel that their modules have."""
    if linalg_path.tool("lot-run") is None or linalg_path.tool("lot-opt") is None:
        pytest.skip("no lot-run and lot-opt: build the project first")
    chip = _runtime.cuda_chip(0)
    there, launched = set(), set()
    for n in LENGTHS:
        text, *rest = arguments(problem(n, dtype), backward)
        done = lot_run.run(tmp_path, text, *rest)
        assert done.code == 0, done.text
        lowered = linalg_path.run_tool([linalg_path.tool("lot-opt"), f"--lot-to-nvgpu=chip={chip}"],
                                       text)
        there |= set(re.findall(r"\.entry (\w+)\(", lowered))
        launched |= done.kernels
    assert there and launched == there


# --- Faults ---------------------------------------------------------------------------------

FAULTS = {
    "memcheck": """
      %far = arith.constant 1048576 : index
      %at = arith.addi %thread, %far : index
      memref.store %one, %y[%at] : memref<?xf32>""",
    "racecheck": """
      memref.store %one, %shared[%thread] : memref<128xf32, #gpu.address_space<workgroup>>
      %last = arith.constant 127 : index
      %other = arith.subi %last, %thread : index
      %value = memref.load %shared[%other] : memref<128xf32, #gpu.address_space<workgroup>>
      memref.store %value, %y[%thread] : memref<?xf32>""",
    "initcheck": """
      %value = memref.load %u[%thread] : memref<?xf32>
      memref.store %value, %y[%thread] : memref<?xf32>""",
}


def faulty(tool):
    """A kernel of one block that does what `tool` looks for."""
    return f"""
module attributes {{gpu.container_module}} {{
  func.func @run(%x: memref<?xf32>) -> memref<?xf32> {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    %n = memref.dim %x, %c0 : memref<?xf32>
    %y = memref.alloc(%n) : memref<?xf32>
    %u = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@faulty blocks in (%c1, %c1, %c1) threads in (%c128, %c1, %c1)
        args(%x : memref<?xf32>, %u : memref<?xf32>, %y : memref<?xf32>)
    memref.dealloc %u : memref<?xf32>
    return %y : memref<?xf32>
  }}
  gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx80">] {{
    gpu.func @faulty(%x: memref<?xf32>, %u: memref<?xf32>, %y: memref<?xf32>)
        workgroup(%shared: memref<128xf32, #gpu.address_space<workgroup>>) kernel {{
      %thread = gpu.thread_id x
      %one = memref.load %x[%thread] : memref<?xf32>
{FAULTS[tool]}
      gpu.return
    }}
  }}
}}
"""


@pytest.mark.parametrize("tool", TOOLS)
def test_faults_are_found(tool, sanitize):
    done = sanitize(tool, faulty(tool), [np.ones(128, np.float32)], 1)
    assert complaints(done) > 0, done.text
