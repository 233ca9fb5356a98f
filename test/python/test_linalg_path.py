#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot-to-linalg, compiled by stock MLIR tools, against the float64 oracle."""

import ast
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import lot
from linalg_path import (ROOT, TO_LLVM, attention_function, compile_problems, lot_to_linalg,
                         operand_types, operands, run_problem, run_tool, tensor_type, tool)
from lot_testing import (DTYPES, Kernel, Shape, case_names, check, load_case, make_problem,
                         relative_error)

SEED = int(os.environ.get("LOT_TEST_SEED", "0"))

pytestmark = pytest.mark.skipif(
    not all(tool(name) for name in ("lot-opt", "mlir-opt", "mlir-translate", "clang")),
    reason="lot-opt or LLVM 22's tools are not there")

CASES = [(name, dtype, dynamic) for name in case_names() for dtype in DTYPES
         for dynamic in ("", "bn")]


@pytest.fixture(scope="module")
def compiled_cases():
    """(code, name) of every case in every dtype, static and dynamic."""
    return compile_in_halves([(load_case(name)[0].cast(dtype), dynamic)
                              for name, dtype, dynamic in CASES])


def compile_in_halves(jobs):
    """(compiled module, function) of every (problem, dynamic); two modules at a time."""
    half = (len(jobs) + 1) // 2
    parts = [jobs[:half], jobs[half:]]
    with ThreadPoolExecutor(2) as pool:
        compiled = pool.map(compile_problems, parts)
        return [(code, f"p{i}") for code, part in zip(compiled, parts) for i in range(len(part))]


@pytest.mark.parametrize("index", range(len(CASES)),
                         ids=[f"{n}-{t}-{'dynamic' if d else 'static'}" for n, t, d in CASES])
def test_case(compiled_cases, index):
    name, dtype, _ = CASES[index]
    problem, expected = load_case(name)
    rounded = problem.cast(dtype)
    out = run_problem(*compiled_cases[index], rounded)
    check(out, rounded, dtype)
    if dtype == "f64":
        assert relative_error(out, expected) <= 1e-11


# --- Random problems ------------------------------------------------------------------------

LENGTH = st.one_of(st.integers(0, 300), st.sampled_from([0, 1, 2, 31, 64, 65, 128]))


@st.composite
def attribute_sets(draw):
    """Any attributes of lot.attention, as Kernel takes them."""
    chosen = {"epsilon": draw(st.floats(0.05, 10.0)), "half_steps": draw(st.integers(1, 12)),
              "normalization": draw(st.sampled_from(["query_mass", "row_sum", "none"]))}
    if chosen["normalization"] == "row_sum":
        chosen["row_floor"] = draw(st.sampled_from([0.0, 1e-6, 0.02]))
    for name, values in (("scale", st.floats(0.05, 1.0)), ("score_clamp", st.floats(0.5, 5.0)),
                         ("out_scale", st.floats(-4.0, 4.0))):
        if draw(st.booleans()):
            chosen[name] = draw(values)
    return tuple(chosen.items())


KERNELS = st.builds(
    Kernel, d=st.integers(1, 130), dv=st.integers(1, 130), r=st.integers(1, 65),
    dtype=st.sampled_from(["f32", "f32", "f32", "f64", "bf16", "f16"]),
    pivots_rank=st.sampled_from([3, 4]), pivots_in_state=st.booleans(),
    mass_ranks=st.tuples(*[st.sampled_from([0, 2, 3])] * 4), attributes=attribute_sets())
HEADS = st.fixed_dictionaries(dict(
    key_heads=st.integers(1, 2), group=st.sampled_from([1, 1, 2, 3]),
    pivots_per_key_head=st.booleans()))
CALL = st.fixed_dictionaries(dict(
    batch=st.sampled_from([1, 1, 2, 0]), n=LENGTH, m=LENGTH,
    spread=st.sampled_from([0.3, 1.0, 3.0]), absent=st.sampled_from([0.0, 0.2, 0.2, 0.9]),
    seed=st.integers(0, 2**32 - 1)))
FUNCTIONS, SHAPES = 50, 6


def draw_functions():
    """FUNCTIONS random kernels with SHAPES problems each.

    Drawn by hypothesis but not run by it: one compilation serves many functions.
    """
    drawn = []

    @settings(max_examples=FUNCTIONS, deadline=None, database=None, phases=[Phase.generate],
              derandomize=SEED == 0, suppress_health_check=list(HealthCheck))
    @given(kernel=KERNELS, heads=HEADS, calls=st.lists(CALL, min_size=SHAPES, max_size=SHAPES))
    def collect(kernel, heads, calls):
        drawn.append([make_problem(kernel, Shape(**heads, **call)) for call in calls])

    collect()
    return drawn


@pytest.fixture(scope="module")
def random_functions():
    """(compiled, name, problems) of every random function: one static, the rest dynamic."""
    drawn = draw_functions()
    jobs = [(problems[:1], "") for problems in drawn[::3]]
    jobs += [(problems[1:] if i % 3 == 0 else problems, "bn")
             for i, problems in enumerate(drawn)]
    code = compile_in_halves([(problems[0], dynamic) for problems, dynamic in jobs])
    return [(*function, problems) for function, (problems, _) in zip(code, jobs)]


def test_random(random_functions):
    count = 0
    for code, name, problems in random_functions:
        for problem in problems:
            dtype = next(key for key, value in DTYPES.items() if value == problem.q.dtype)
            try:
                check(run_problem(code, name, problem), problem, dtype)
            except AssertionError as error:
                shapes = {key: x.shape for key, x in operands(problem).items()}
                raise AssertionError(f"{error}; {dtype} {shapes} {problem.attributes}") from None
            count += 1
    assert count >= 300


# --- mlir-runner ----------------------------------------------------------------------------


def constant(name, array):
    """%name as a dense constant; the values must be finite."""
    assert np.isfinite(array).all()
    text = np.array2string(array, separator=",", threshold=array.size + 1,
                           formatter={"float_kind": lambda x: f"{x:.17e}"})
    return f"  %{name} = arith.constant dense<{text}> : {tensor_type(array)}\n"


@pytest.mark.skipif(not tool("mlir-runner"), reason="mlir-runner is not there")
@pytest.mark.parametrize("name", ["tiny_eps", "parity_even", "clamp_scale"])
def test_mlir_runner(name):
    """The whole program in MLIR, run and printed (six digits) by mlir-runner."""
    problem = load_case(name)[0].cast("f64")
    arrays = operands(problem)
    types = operand_types(problem, "")
    out = types["init"]
    flat = "tensor<*xf64>"
    signature = ", ".join(types[x] for x in arrays)
    module = attention_function("attention", problem, "").replace(
        " attributes {llvm.emit_c_interface}", "")
    module += (f"func.func private @printMemrefF64({flat})\nfunc.func @main() {{\n"
               + "".join(constant(x, array) for x, array in arrays.items())
               + f"  %out = call @attention({', '.join('%' + x for x in arrays)}) : "
               f"({signature}) -> {out}\n  %flat = tensor.cast %out : {out} to {flat}\n"
               f"  call @printMemrefF64(%flat) : ({flat}) -> ()\n  return\n}}\n")
    llvm = run_tool([tool("mlir-opt"), "--llvm-request-c-wrappers", *TO_LLVM],
                    lot_to_linalg(module))
    values = printed_by_runner(llvm)
    expected = problem.reference()
    assert values.shape == expected.shape
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=2e-6)


def printed_by_runner(llvm: str) -> np.ndarray:
    """The memref that @main of a module in the LLVM dialect prints."""
    library = pathlib.Path(tool("mlir-runner")).resolve().parents[1] / "lib"
    printed = run_tool([tool("mlir-runner"), "-e", "main", "--entry-point-result=void",
                        f"--shared-libs={library}/libmlir_runner_utils.so",
                        f"--shared-libs={library}/libmlir_c_runner_utils.so"], llvm)
    return np.array(ast.literal_eval(printed[printed.index("data =") + 6:].strip()))


@pytest.mark.skipif(not tool("mlir-runner"), reason="mlir-runner is not there")
def test_runner_example():
    """examples/runner.mlir, of docs/integrations.md."""
    module = (ROOT / "examples/runner.mlir").read_text()
    values = printed_by_runner(run_tool([tool("mlir-opt"), *TO_LLVM], lot_to_linalg(module)))

    def numbers(rows: int, seed: int) -> np.ndarray:
        h, i, j = np.ogrid[:2, :rows, :4]
        return ((7 * i + 3 * j + 5 * h + seed) % 13 - 6) / 8

    q, k, v = (numbers(*each)[None] for each in ((5, 0), (8, 1), (8, 2)))
    expected = lot.reference.attention(q, k, v, numbers(3, 3), epsilon=0.5, half_steps=6)
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=2e-6)
