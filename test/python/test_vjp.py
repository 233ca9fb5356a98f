#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.attention_vjp`: the 15 hard cases and random problems against the float64 oracle."""

import os

import numpy as np
import pytest

import lot
from lot import _kernels
from lot._attributes import check_attributes
from lot._operands import Operands
from lot._runtime import compile_module
from lot_testing import (LAYOUTS, Kernel, Shape, case_names, check_gradients, lay_out, load_case,
                         load_gradients, load_scales, make_problem)

SEED = int(os.environ.get("LOT_TEST_SEED", "0"))
EXAMPLES = 23


@pytest.mark.parametrize("name", case_names())
def test_reference(name):
    """The oracle gives the stored gradients."""
    problem, _ = load_case(name)
    dout, expected = load_gradients(name)
    actual = problem.reference_vjp(dout)
    for operand, gradient in expected.items():
        size = np.linalg.norm(gradient) if operand == "v" else actual[f"scale_{operand}"]
        assert np.isfinite(actual[operand]).all()
        assert np.linalg.norm(actual[operand] - gradient) <= 1e-12 * size


def test_reference_is_the_derivative():
    """The oracle's gradients agree with differences of the oracle, for every operand."""
    kernel = Kernel(4, 3, 5, "f64", 4, mass_ranks=(3, 3, 3, 3),
                    attributes=(("normalization", "row_sum"), ("row_floor", 0.1),
                                ("half_steps", 4), ("score_clamp", 1.5)))
    problem = make_problem(kernel, Shape(2, 2, 2, True, 6, 5, 1.0, 0.0, 1))
    dout = problem.cotangent()
    gradients = problem.reference_vjp(dout)
    rng = np.random.default_rng(3)
    for name, array in problem.operands().items():
        direction = rng.normal(size=array.shape)
        out = [lot.reference.attention(**{**problem.operands(), name: array + h * direction},
                                       **problem.attributes) for h in (1e-6, -1e-6)]
        expected = (dout * (out[0] - out[1])).sum() / 2e-6
        actual = (gradients[name] * direction).sum()
        assert abs(actual - expected) <= 1e-7 * np.linalg.norm(gradients[name]) + 1e-9, name


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", case_names())
def test_case(name, dtype):
    problem, _ = load_case(name)
    dout, _ = load_gradients(name)
    rounded = problem.cast(dtype)
    dout = dout.astype(rounded.q.dtype)
    check_gradients(rounded.run_vjp(dout), rounded, dout, dtype, load_scales(name))


def attrs(**attributes):
    return tuple(attributes.items())


# Heads are part of the kernel class: one grouping for each class.
RANDOM = [
    (Kernel(8, 6, 1, attributes=attrs(half_steps=1)), (2, 1, True)),
    (Kernel(5, 3, 7, mass_ranks=(3, 2, 2, 2),
            attributes=attrs(half_steps=4, normalization="none", out_scale=-3.0)), (2, 2, False)),
    (Kernel(6, 9, 4, pivots_rank=4, mass_ranks=(3, 3, 3, 3),
            attributes=attrs(half_steps=5, epsilon=0.3, normalization="row_sum", row_floor=0.05)),
     (1, 3, True)),
    (Kernel(7, 5, 8, mass_ranks=(2, 2, 3, 2),
            attributes=attrs(half_steps=6, epsilon=0.1, score_clamp=1.0, scale=0.7)),
     (2, 2, True)),
    (Kernel(8, 8, 8, mass_ranks=(2, 0, 0, 2), attributes=attrs(half_steps=20, epsilon=0.05)),
     (1, 1, True)),
    (Kernel(6, 2, 9, mass_ranks=(2, 3, 3, 0),
            attributes=attrs(half_steps=2, normalization="row_sum")), (2, 1, True)),
    (Kernel(9, 4, 6, pivots_rank=4, mass_ranks=(0, 3, 2, 0),
            attributes=attrs(half_steps=7, epsilon=25.0)), (1, 2, False)),
    (Kernel(16, 8, 6, "bf16", pivots_in_state=True, mass_ranks=(2, 2, 0, 0),
            attributes=attrs(half_steps=3)), (2, 1, True)),
]


def random_class(rng: np.random.Generator) -> tuple:
    """A kernel class with any attributes and any heads."""
    optional = {}
    if rng.random() < 0.3:
        optional["scale"] = float(rng.uniform(0.05, 1.0))
    if rng.random() < 0.3:
        optional["score_clamp"] = float(rng.uniform(0.5, 5.0))
    if rng.random() < 0.3:
        optional["out_scale"] = float(rng.uniform(-4.0, 4.0))
    normalization = str(rng.choice(["query_mass", "row_sum", "none"]))
    if normalization == "row_sum" and rng.random() < 0.5:
        optional["row_floor"] = float(rng.uniform(0.0, 0.3))
    kernel = Kernel(
        int(rng.integers(1, 40)), int(rng.integers(1, 40)), int(rng.integers(1, 20)),
        str(rng.choice(["f32", "f32", "f64"])), int(rng.choice([3, 4])), False,
        tuple(int(x) for x in rng.choice([0, 2, 3], size=4)),
        attrs(epsilon=float(10 ** rng.uniform(-1.5, 1.0)), half_steps=int(rng.integers(1, 13)),
              normalization=normalization, **optional))
    return kernel, (int(rng.integers(1, 3)), int(rng.integers(1, 4)), bool(rng.random() < 0.5))


RANDOM += [random_class(np.random.default_rng([SEED, i])) for i in range(1)]
LENGTHS = [0, 1, 1, 2, 3, 7, 16, 33, 60]


def test_enough_cases():
    assert len(RANDOM) * EXAMPLES >= 200


@pytest.mark.parametrize("kernel,heads", RANDOM, ids=str)
def test_random(kernel, heads):
    """Random lengths, masks and layouts; NaN and inf wherever there is no mass, also in dout."""
    rng = np.random.default_rng([SEED, 17])
    for example in range(EXAMPLES):
        batch = int(rng.choice([1, 1, 2, 3]))
        n, m = (int(x) for x in rng.choice(LENGTHS, size=2))
        shape = Shape(batch, *heads, n, m, float(rng.choice([0.3, 1.0, 3.0])),
                      float(rng.choice([0.0, 0.2, 0.9])), int(rng.integers(0, 2**31)))
        problem = make_problem(kernel, shape)
        dout = problem.cotangent(example)
        arranged = {name: lay_out(array, str(rng.choice(LAYOUTS)))
                    for name, array in problem.operands().items()}
        gradients = problem.run_vjp(lay_out(dout, str(rng.choice(LAYOUTS))), **arranged)
        check_gradients(gradients, problem, dout, kernel.dtype)


def test_bits_do_not_depend_on_threads():
    """One thread, two and three: heads side by side, and threads that share a head."""
    kernel = Kernel(8, 6, 5, mass_ranks=(2, 2, 2, 2), attributes=attrs(half_steps=4))
    for heads, n, m in ((3, 40, 50), (1, 2500, 5000)):
        problem = make_problem(kernel, Shape(1, heads, 1, True, n, m, 1.0, 0.2, 1))
        dout = problem.cotangent()
        expected = problem.run_vjp(dout, threads=1)
        for threads in (2, 3):
            actual = problem.run_vjp(dout, threads=threads)
            for name, gradient in expected.items():
                np.testing.assert_array_equal(actual[name], gradient, strict=True)


def test_wide_scores():
    """Scores beyond e^60: the half-steps go backwards in the log domain."""
    for half_steps in (1, 2, 5, 6):
        kernel = Kernel(8, 6, 5, mass_ranks=(2, 2, 2, 2),
                        attributes=attrs(half_steps=half_steps, epsilon=0.02))
        problem = make_problem(kernel, Shape(2, 2, 1, True, 70, 45, 2.0, 0.2, 1))
        dout = problem.cotangent()
        check_gradients(problem.run_vjp(dout), problem, dout, "f32")


def test_side_without_mass():
    """All queries, keys or pivots absent: all gradients of that batch entry and head are 0."""
    kernel = Kernel(4, 3, 5, "f64", 4, mass_ranks=(2, 2, 3, 0))
    for name in ("query_log_mass", "key_log_mass", "pivot_log_mass"):
        problem = make_problem(kernel, Shape(2, 2, 1, True, 6, 5, 1.0, 0.0, 1))
        problem.masses[name][1] = -np.inf
        dout = problem.cotangent()
        gradients = problem.run_vjp(dout)
        check_gradients(gradients, problem, dout, "f64")
        for operand, gradient in gradients.items():
            assert not gradient[1].any(), (name, operand)
            assert gradient[0].any(), (name, operand)


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (1, 0, 3, 4), (1, 2, 0, 4), (2, 2, 3, 4)])
def test_empty(shape):
    """No batch, heads, queries or keys: gradients of zero, nothing is compiled."""
    b, h, n, d = shape
    m = 0 if n else 5
    q, k, v = (np.ones((b, h, length, d), np.float32) for length in (n, m, m))
    pivots = np.ones((h or 2, 3, d), np.float32)
    if h:
        gradients = lot.attention_vjp(q, q, k, v, pivots)
        assert all(not gradient.any() for gradient in gradients.values())
        assert gradients["pivots"].shape == pivots.shape
    else:
        with pytest.raises(ValueError, match="k: expected a number of heads"):
            lot.attention_vjp(q, q, k, v, pivots)


BAD = [
    (dict(dout=np.ones((1, 2, 3, 4), np.float32)), ValueError,
     r"dout: expected shape \[B, Hq, n, dv\] = \[1, 2, 3, 5\], got \[1, 2, 3, 4\]"),
    (dict(dout=np.ones((2, 3, 5), np.float32)), ValueError,
     r"dout: expected shape .*, got \[2, 3, 5\]"),
    (dict(dout=np.ones((1, 2, 3, 5))), TypeError, "dout: expected float32 as q, got float64"),
    (dict(dout=np.ones((1, 2, 3, 5), np.int32)), TypeError,
     "dout: expected float32, float64, float16 or bfloat16, got int32"),
    (dict(dout=None), TypeError, "dout: expected .*, got object"),
    (dict(k=np.ones((1, 2, 4, 3), np.float32)), ValueError, r"k: expected shape"),
    (dict(epsilon=0.0), ValueError, "epsilon: expected a number > 0"),
    (dict(half_steps=0), ValueError, "half_steps: expected at least 1"),
    (dict(threads=0), ValueError, "threads: expected at least 1"),
    (dict(causal=True), ValueError, "causal: expected False"),
    (dict(bias=1), TypeError, r"attention_vjp\(\) got an unexpected keyword argument 'bias'"),
    (dict(query_log_mass=np.full((1, 3), np.nan, np.float32)), ValueError,
     "query_log_mass: expected finite values"),
]


@pytest.mark.parametrize("changes,error,message", BAD, ids=lambda x: "")
def test_bad_input(changes, error, message):
    arguments = dict(dout=np.ones((1, 2, 3, 5), np.float32), q=np.ones((1, 2, 3, 4), np.float32),
                     k=np.ones((1, 2, 4, 4), np.float32), v=np.ones((1, 2, 4, 5), np.float32),
                     pivots=np.ones((2, 3, 4), np.float32))
    arguments.update(changes)
    with pytest.raises(error, match=message):
        lot.attention_vjp(**arguments)


@pytest.mark.parametrize("ranks", [(2, 3, 2, 3), (3, 2, 3, 2), (0, 2, 0, 0)])
@pytest.mark.parametrize("group", [1, 2])
def test_residuals_and_masses_without_gradients(ranks, group):
    """The CPU leaves residuals as they are, and takes any; the other gradients stay the same."""
    problem = make_problem(Kernel(4, 3, 5, "f32", 4, mass_ranks=ranks),
                           Shape(2, 2, group, False, 7, 6, 1.0, 0.2, 5))
    operands, dout = problem.operands(), problem.cotangent()
    checked = Operands(*(operands.get(name) for name in
                         ("q", "k", "v", "pivots", "query_log_mass", "key_log_mass",
                          "pivot_log_mass", "glue_log_mass")))
    attributes = check_attributes(None, 1.0, 5, "query_mass", 0.0, None, 1.0)

    def call(arguments, gradients):
        kernel = _kernels.classify(checked, attributes, gradients, residuals=True,
                                   mass_gradients=False)
        compile_module(_kernels.module_text(kernel)).invoke(_kernels.ENTRY, arguments, 2)

    residuals = np.array([1, np.nan, 3], np.float32)
    out = np.empty((*problem.q.shape[:3], 3), np.float32)
    call([*operands.values(), out, residuals], False)
    np.testing.assert_array_equal(out, lot.attention(**operands))
    np.testing.assert_array_equal(residuals, [1, np.nan, 3])
    found = {name: np.empty_like(operands[name]) for name in ("q", "k", "v", "pivots")}
    call([dout, *operands.values(), residuals, *found.values()], True)
    expected = lot.attention_vjp(dout, **operands)
    for name, gradient in found.items():
        np.testing.assert_array_equal(gradient, expected[name])
