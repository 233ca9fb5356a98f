#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Framework modules with faults: a diagnostic or a right result, never a crash, and never a call that
stays behind without an error.

One lot-opt takes all modules of a framework (--split-input-file). What it accepts is run, with
LLVM's own tools, against the float64 oracle.
"""

import re
import subprocess

import numpy as np
import pytest

import framework_modules
from framework_modules import DTYPES, MUTATIONS, Call, base, mutant
from linalg_path import Compiled, tool
from lot_testing import check, check_gradients

COUNT = 190  # of each framework: every mutation ten times
WRITERS = {"stablehlo": framework_modules.stablehlo, "torch": framework_modules.torch}
SEPARATOR = "// -----\n"

pytestmark = pytest.mark.skipif(not all(map(tool, ("lot-opt", "mlir-opt", "clang"))),
                                reason="no lot-opt or no LLVM tools")


def run_all(texts: list[str], *passes: str) -> list[tuple[str, list[str]]]:
    """What one lot-opt prints for each module (nothing if it fails), and its errors."""
    done = subprocess.run(
        [tool("lot-opt"), "-", "--allow-unregistered-dialect", "--split-input-file", *passes],
        input=SEPARATOR.join(texts), capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), f"crash: {done.returncode}\n{done.stderr[-4000:]}"
    outputs = done.stdout.split(SEPARATOR)
    assert len(outputs) == len(texts)
    errors: list[list[str]] = [[] for _ in texts]
    starts = np.cumsum([0, *(text.count("\n") + 1 for text in texts)])
    for line, message in re.findall(r"^<stdin>:(\d+):\d+: error: (.*)$", done.stderr, re.M):
        errors[int(np.searchsorted(starts, int(line), side="left")) - 1].append(message)
    return list(zip((output if "func.func" in output else "" for output in outputs), errors))


def import_all(framework: str, calls: list[Call]) -> list[tuple[str, list[str]]]:
    """Each call's module after the import, and its errors."""
    return run_all([WRITERS[framework](f"f{i}", call) for i, call in enumerate(calls)],
                   "--lot-import-frameworks", "--lot-outline-frameworks")


def outlined(name: str, call: Call, text: str) -> str:
    """The private function of the operator, as a public one of one result."""
    function = re.search(r"^( *)func\.func private @lot_attention.*?^\1}\n", text,
                         re.M | re.S)[0]
    function = re.sub(r"func\.func private @\w+(\(.*\) -> .*) \{$",
                      rf"func.func @{name}\1 attributes {{llvm.emit_c_interface}} {{", function,
                      count=1, flags=re.M)
    if call.backward:
        type_ = re.search(r"-> \((.*)\) attributes", function)[1].split(", ")[call.wanted]
        value = re.search(r"return (.*) :", function)[1].split(", ")[call.wanted]
        function = re.sub(r"-> \(.*\) attributes", f"-> {type_} attributes", function)
        function = re.sub(r"return .*", f"return {value} : {type_}", function)
    return function


def expected_and_check(call: Call, actual_of) -> None:
    """Runs an accepted call and compares it with what it means."""
    arrays = call.arrays(seed=1)
    problem = call.problem(arrays)
    dtype = next(name for name, t in DTYPES.items() if np.dtype(t) == problem.q.dtype)
    with np.errstate(all="ignore"):
        if not call.backward:
            check(actual_of(arrays), problem, dtype)
            return
        # All gradients but the one that was asked for are the oracle's own.
        gradients = {name: np.asarray(gradient).astype(problem.operands()[name].dtype) for
                     name, gradient in problem.reference_vjp(arrays[0]).items()
                     if name in problem.operands()}
        wanted = list(problem.operands())[call.wanted]
        gradients[wanted] = actual_of(arrays)
        check_gradients({name: gradients[name] for name in problem.operands()}, problem, arrays[0],
                        dtype)


@pytest.mark.parametrize("framework", WRITERS)
def test_mutants(framework):
    calls = [mutant(seed) for seed in range(COUNT)]
    results = import_all(framework, calls)
    found = {}
    for i, (call, (text, errors)) in enumerate(zip(calls, results)):
        source = WRITERS[framework](f"f{i}", call)
        assert bool(text) != bool(errors), f"{call.history}\n{source}\n{text}\n{errors}"
        if text:
            assert not re.search(r'"(torch\.)?lot\.', text), f"{source}\n{text}"
            found[i] = outlined(f"g{i}", call, text)
    # Grouped heads have to be known only here.
    lowered = run_all(list(found.values()), "--lot-to-linalg")
    for text, errors in lowered:
        assert bool(text) != bool(errors) and "lot." not in text
    accepted = {i: function for (i, function), (text, _) in zip(found.items(), lowered) if text}
    assert COUNT // 10 <= len(accepted) <= COUNT - COUNT // 3
    # Every mutation is noticed at times; some have no meaning in one of the frameworks.
    alone = {call.history[0] for i, call in enumerate(calls) if i not in accepted and
             len(call.history) == 1}
    assert len(alone) >= len(MUTATIONS) - 5, alone
    compiled = Compiled("".join(accepted.values()))
    print(f"{framework}: {len(accepted)} of {COUNT} mutants have a result")
    for i in accepted:
        call = calls[i]

        def run(arrays, i=i, call=call):
            dtype = np.dtype(DTYPES[call.result.element])
            return compiled(f"g{i}", *arrays, rank=len(call.result.sizes), dtype=dtype)

        try:
            expected_and_check(call, run)
        except Exception as error:
            raise AssertionError(f"{call.history}\n{WRITERS[framework]('f', call)}") from error


@pytest.mark.parametrize("framework", WRITERS)
def test_without_a_fault(framework):
    import random

    calls = [base(random.Random(seed)) for seed in range(20)]
    for call, (text, errors) in zip(calls, import_all(framework, calls)):
        assert text and not errors, errors
