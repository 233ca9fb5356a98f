#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every op with ShardingInterface, partitioned over a 2x2 grid and run by four MPI processes, against one process.

In f64, so that a sum that misses the part of a process cannot hide in rounding. Needs MPICH (scripts/setup.sh mpi).
"""

import copy
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

from linalg_path import run_tool, tool
from sharding_functions import FUNCTIONS, GRID

MPIEXEC = shutil.which("mpiexec.mpich") or (shutil.which("mpichversion") and shutil.which("mpiexec"))
MPICC = shutil.which("mpicc.mpich") or shutil.which("mpicc")
WORKER = pathlib.Path(__file__).with_name("sharding_worker.py")
PARTITION = "func.func(sharding-propagation,shard-partition),lot-shard-to-mpi"

pytestmark = [
    pytest.mark.skipif(not (MPIEXEC and MPICC), reason="MPICH is not installed"),
    pytest.mark.skipif(not tool("lot-opt") or not tool("clang"), reason="lot-opt or clang is missing"),
]


def compile_library(module: str, passes: str, path: pathlib.Path) -> None:
    pipeline = f"builtin.module({passes},lot-to-cpu{{openmp=false}})"
    lowered = run_tool([tool("lot-opt"), f"--pass-pipeline={pipeline}"], module)
    ir = run_tool([tool("mlir-translate"), "--mlir-to-llvmir"], lowered)
    objects = path.with_suffix(".o")
    run_tool([tool("clang"), "-O0", "-fPIC", "-w", "-x", "ir", "-c", "-", "-o", str(objects)], ir)
    subprocess.run([MPICC, "-shared", str(objects), "-lm", "-o", str(path)], check=True)


@pytest.fixture(scope="module")
def differences(tmp_path_factory) -> dict[str, float]:
    """name -> the largest difference of any result on any process."""
    folder = tmp_path_factory.mktemp("sharding")
    grid = f"shard.grid @grid(shape = {'x'.join(map(str, GRID))})\n"
    part = grid + "".join(f.module_text("part_", sharded=True) for f in FUNCTIONS.values())
    whole = "".join(f.module_text("whole_", sharded=False) for f in FUNCTIONS.values())
    # In linalg: what stays lot.attention on a process is compared with other code.
    compile_library(part, PARTITION, folder / "part.so")
    compile_library(whole, "lot-to-linalg", folder / "whole.so")
    linked = subprocess.run(["ldd", str(folder / "part.so")], capture_output=True, text=True, check=True).stdout
    mpi = next(line.split()[2] for line in linked.splitlines() if "libmpi" in line)
    done = subprocess.run([MPIEXEC, "-n", str(GRID[0] * GRID[1]), sys.executable, str(WORKER), str(folder), mpi,
                           *FUNCTIONS], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-4000:]
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_four_processes_match_one(differences, name):
    """An f64 op gives on four processes what it gives on one; a gradient that they share is rounded to bf16 once."""
    tolerance = 1e-12 if FUNCTIONS[name].element == "f64" else 1e-2
    assert differences[name] <= tolerance


@pytest.mark.parametrize("seed", range(3))
def test_random_annotations_end_in_a_diagnostic_or_a_module(seed):
    """Arguments split at random: what does not fit together is an error that says so, never a crash."""
    rng = random.Random(seed)
    for _ in range(25):
        function = copy.deepcopy(rng.choice(list(FUNCTIONS.values())))
        splits = {}
        for operand in function.operands:
            split = [list(axes) for axes in function.split(operand)]
            if rng.random() < 0.35:
                split = [[] for _ in split]
                for axis in rng.sample((0, 1), rng.randrange(3)):
                    rng.choice(split).append(axis)
            splits[operand.name] = split
        function.split = lambda operand: splits[operand.name]
        module = f"shard.grid @grid(shape = 2x2)\n{function.module_text('part_', sharded=True)}"
        done = subprocess.run([tool("lot-opt"), f"--pass-pipeline=builtin.module({PARTITION},lot-to-linalg)"],
                              input=module, capture_output=True, text=True)
        assert done.returncode in (0, 1), f"{module}\n{done.stderr[-4000:]}"
        assert (done.returncode == 0) == ("error:" not in done.stderr), f"{module}\n{done.stderr[-4000:]}"
