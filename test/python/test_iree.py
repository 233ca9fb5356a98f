#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What lot-to-linalg prints, compiled and run by IREE, against the float64 oracle.

IREE lives in an environment of its own (test/requirements-iree.txt): LOT_IREE_PYTHON names
its python. Skipped without it.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from linalg_path import attention_function, lot_to_linalg, operands, tool
from lot_testing import Kernel, Shape, check, load_case, make_problem

PYTHON = os.environ.get("LOT_IREE_PYTHON", sys.executable)
RUNNER = pathlib.Path(__file__).with_name("iree_runner.py")


def iree_is_there() -> bool:
    """Whether PYTHON can import IREE's compiler and runtime."""
    try:
        return subprocess.run([PYTHON, "-c", "import iree.compiler, iree.runtime"],
                              capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = [
    pytest.mark.skipif(not iree_is_there(), reason="LOT_IREE_PYTHON names no python with IREE"),
    pytest.mark.skipif(not tool("lot-opt"), reason="lot-opt is not built"),
]

PLAIN = (("epsilon", 0.5), ("half_steps", 10))
MASKED = (("epsilon", 0.3), ("half_steps", 5), ("normalization", "row_sum"), ("row_floor", 0.01))


def shape(n: int, m: int, seed: int, batch: int = 2, group: int = 1) -> Shape:
    return Shape(batch=batch, key_heads=2, group=group, pivots_per_key_head=True, n=n, m=m,
                 spread=1.0, absent=0.2, seed=seed)


#: name -> (problem of the function, dynamic, problems of the calls)
FUNCTIONS = {
    "static": (Kernel(16, 24, 8, attributes=PLAIN), "", [shape(40, 40, 1)]),
    "dynamic": (Kernel(16, 24, 8, attributes=PLAIN), "n",
                [shape(40, 33, 2), shape(1, 129, 3), shape(200, 1, 4)]),
    "static_masked": (Kernel(8, 8, 5, pivots_rank=4, mass_ranks=(2, 3, 3, 2),
                             attributes=MASKED), "", [shape(21, 13, 5, group=2)]),
    "dynamic_masked": (Kernel(8, 8, 5, pivots_rank=4, mass_ranks=(2, 3, 3, 2),
                              attributes=MASKED), "n",
                       [shape(21, 13, 6, group=2), shape(64, 100, 7, group=2)]),
    "dynamic_one_step": (Kernel(8, 4, 3, attributes=(("half_steps", 1),)), "n",
                         [shape(17, 30, 8)]),
}
#: IREE 3.13 miscompiles loops that carry a tensor of dynamic size (iree issue 19474), here the
#: pivot potentials when the batch is dynamic: lot-to-linalg=unroll leaves no loop.
UNROLLED = {
    "batch": (Kernel(8, 8, 5, mass_ranks=(2, 2, 0, 0), attributes=MASKED), "bn",
              [shape(21, 13, 9), shape(30, 50, 10, batch=3)]),
}
CALLS = [(name, i) for name, (_, _, shapes) in FUNCTIONS.items() for i in range(len(shapes))]


def problem_of(name: str, call: int):
    kernel, _, shapes = {**FUNCTIONS, **UNROLLED}[name]
    return make_problem(kernel, shapes[call])


def run_in_iree(folder: pathlib.Path, module: str, calls: dict) -> dict[str, np.ndarray]:
    """Outputs of the calls, (function, call) -> problem, as "function-call" -> array."""
    (folder / "module.mlir").write_text(module)
    np.savez(folder / "inputs.npz",
             **{f"{name}-{i}/{name}/{k}": array for (name, i), problem in calls.items()
                for k, array in enumerate(operands(problem).values())})
    done = subprocess.run([PYTHON, RUNNER, folder / "module.mlir", folder / "inputs.npz",
                           folder / "outputs.npz"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(folder / "outputs.npz") as file:
        return {key: file[key] for key in file.files}


def module_of(functions: dict) -> str:
    return "".join(attention_function(name, problem_of(name, 0), dynamic)
                   for name, (_, dynamic, _) in functions.items())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Outputs of every call, by (function, call)."""
    return run_in_iree(tmp_path_factory.mktemp("iree"), lot_to_linalg(module_of(FUNCTIONS)),
                       {call: problem_of(*call) for call in CALLS})


@pytest.mark.parametrize("name,call", CALLS)
def test_result(results, name, call):
    check(results[f"{name}-{call}"], problem_of(name, call), "f32")


def test_dynamic_batch(tmp_path):
    module = lot_to_linalg(module_of(UNROLLED), "unroll")
    assert "scf.for" not in module
    calls = {("batch", i): problem_of("batch", i) for i in range(2)}
    results = run_in_iree(tmp_path, module, calls)
    for (name, i), problem in calls.items():
        check(results[f"{name}-{i}"], problem, "f32")


def test_hard_cases(tmp_path):
    names = ["nan_in_padding", "huge_offset", "parity_even"]
    problems = {name: load_case(name)[0].cast("f32") for name in names}
    module = "".join(attention_function(name, problem, "n")
                     for name, problem in problems.items())
    results = run_in_iree(tmp_path, lot_to_linalg(module),
                          {(name, 0): problem for name, problem in problems.items()})
    for name, problem in problems.items():
        check(results[f"{name}-0"], problem, "f32")
