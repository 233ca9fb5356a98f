#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot.jax: values, gradients, jit, vmap, sharding, and the portable form."""

import functools
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import lot
import lot_testing
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from lot_testing import MASSES, Kernel, Shape

# Four devices on the CPU; before JAX is first used.
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_enable_x64", True)

import lot.jax  # noqa: E402

ATTRIBUTES = (("epsilon", 0.7), ("half_steps", 4))
SHAPE = Shape(4, 2, 1, False, 6, 5, 1.0, 0.2, 11)
OPERANDS = ("q", "k", "v", "pivots", *MASSES)


def problem(dtype: str = "f64", shape: Shape = SHAPE, **changes) -> lot_testing.Problem:
    """d 4, dv 3, r 3, all four masses; NaN and inf where there is no mass."""
    values = dict(dtype=dtype, mass_ranks=(2, 2, 2, 2), attributes=ATTRIBUTES)
    values.update(changes)
    return lot_testing.make_problem(Kernel(4, 3, 3, **values), shape)


def attention(operands: dict, attributes: dict, function=None) -> jax.Array:
    """`lot.jax.attention` (or another function) on operands by name."""
    return (function or lot.jax.attention)(**operands, **attributes)


def loss(operands: dict, attributes: dict, dout: np.ndarray, function=None) -> jax.Array:
    """A scalar whose gradient is the vjp at dout."""
    return (attention(operands, attributes, function) * dout).sum()


def cotangent(given: lot_testing.Problem) -> np.ndarray:
    """A random cotangent in the dtype of q."""
    shape = (*given.q.shape[:3], given.v.shape[3])
    return np.random.default_rng(1).normal(size=shape).astype(given.q.dtype)


def check_gradients(gradients: dict, given: lot_testing.Problem, dout: np.ndarray,
                    dtype: str = "f64") -> None:
    """All gradients against the oracle, to the tolerances of section 9."""
    lot_testing.check_gradients({name: np.asarray(gradients[name]) for name in given.operands()},
                                given, dout, dtype)


# --- Values and gradients -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "f16"])
def test_values_and_gradients(dtype):
    given = problem(dtype)
    operands = given.operands()
    out = jax.jit(functools.partial(attention, attributes=given.attributes))(operands)
    lot_testing.check(np.asarray(out), given, dtype)
    np.testing.assert_array_equal(attention(operands, given.attributes), out)
    dout = cotangent(given)
    gradients = jax.jit(jax.grad(functools.partial(loss, attributes=given.attributes,
                                                   dout=dout)))(operands)
    for name, gradient in gradients.items():
        assert gradient.dtype == operands[name].dtype
    check_gradients(gradients, given, dout, dtype)


@pytest.mark.parametrize("function", [lot.jax.attention, lot.jax.portable.attention])
@pytest.mark.parametrize("half_steps", [1, 2, 5])
def test_grouped_heads_and_full_ranks(function, half_steps):
    shape = Shape(2, 2, 3, half_steps == 2, 5, 7, 1.0, 0.2, half_steps)
    given = problem("f64", shape, pivots_rank=4, mass_ranks=(3, 3, 3, 3),
                    attributes=(("half_steps", half_steps), ("normalization", "row_sum"),
                                ("row_floor", 1e-3), ("score_clamp", 3.0), ("out_scale", 0.5)))
    operands, dout = given.operands(), cotangent(given)
    out = attention(operands, given.attributes, function)
    lot_testing.check(np.asarray(out), given, "f64")
    gradients = jax.grad(loss)(operands, given.attributes, dout, function)
    check_gradients(gradients, given, dout)


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16"])
def test_portable(dtype):
    given = problem(dtype, mass_ranks=(2, 0, 2, 0))
    operands = given.operands()
    out = attention(operands, given.attributes, lot.jax.portable.attention)
    lot_testing.check(np.asarray(out), given, dtype)
    dout = cotangent(given)
    gradients = jax.grad(loss)(operands, given.attributes, dout, lot.jax.portable.attention)
    check_gradients(gradients, given, dout, dtype)


def test_absent_tokens_have_zero_gradients():
    given = problem("f32", Shape(2, 2, 1, False, 9, 8, 1.0, 0.4, 3))
    operands, dout = given.operands(), cotangent(given)
    absent = np.isneginf(given.masses["query_log_mass"])
    assert absent.any()
    # The loss is not the place for a NaN in dout; the vjp is.
    _, vjp = jax.vjp(functools.partial(attention, attributes=given.attributes), operands)
    dout[np.broadcast_to(absent[:, None], dout.shape[:3])] = np.nan
    (gradients,) = vjp(jnp.asarray(dout))
    assert (np.asarray(gradients["q"]).swapaxes(1, 2)[absent] == 0).all()
    for gradient in gradients.values():
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("b, n, m", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_empty(b, n, m):
    q, k, v = np.ones((b, 2, n, 4)), np.ones((b, 2, m, 4)), np.ones((b, 2, m, 3))
    operands = dict(q=q, k=k, v=v, pivots=np.ones((2, 3, 4)))
    for function in (lot.jax.attention, lot.jax.portable.attention):
        out = attention(operands, dict(ATTRIBUTES), function)
        assert out.shape == (b, 2, n, 3) and not np.any(out)
        gradients = jax.grad(loss)(operands, dict(ATTRIBUTES), np.ones(out.shape), function)
        for name, gradient in gradients.items():
            assert gradient.shape == operands[name].shape and not np.any(gradient)


# --- vmap -----------------------------------------------------------------------------------


def test_vmap_over_each_operand():
    given = problem("f64", SHAPE)
    operands = given.operands()
    factors = np.array([1.0, 0.5, 2.0])
    for name in OPERANDS:
        mapped = operands[name][..., None] * factors
        function = lambda value, name=name: attention(  # noqa: E731
            {**operands, name: value}, given.attributes)
        out = jax.jit(jax.vmap(function, in_axes=-1))(mapped)
        for i, factor in enumerate(factors):
            np.testing.assert_allclose(out[i], function(mapped[..., i]), rtol=1e-12, atol=1e-13,
                                       err_msg=name)


@pytest.mark.parametrize("mapped", ["q", "pivots"])
def test_gradients_under_vmap(mapped):
    given = problem("f64", SHAPE)
    operands, dout = given.operands(), cotangent(given)
    gradient = jax.grad(functools.partial(loss, attributes=given.attributes, dout=dout))
    values = np.stack([operands[mapped], 2 * operands[mapped], -operands[mapped]])
    axes = ({name: 0 if name == mapped else None for name in operands},)
    per_call = jax.vmap(gradient, in_axes=axes)({**operands, mapped: values})
    for i, value in enumerate(values):
        expected = gradient({**operands, mapped: value})
        for name in operands:
            np.testing.assert_allclose(per_call[name][i], expected[name], rtol=1e-10, atol=1e-12,
                                       err_msg=name)

    def total(shared):
        return jax.vmap(lambda value: loss({**shared, mapped: value}, given.attributes,
                                           dout))(values).sum()

    shared = {name: value for name, value in operands.items() if name != mapped}
    for name, value in jax.grad(total)(shared).items():
        np.testing.assert_allclose(value, per_call[name].sum(0), rtol=1e-10, atol=1e-12)


# --- Sharding -------------------------------------------------------------------------------


def mesh_of(*sizes: int) -> jax.sharding.Mesh:
    """Axes x (and y), sharded as XLA sees fit."""
    names = ("x", "y")[:len(sizes)]
    return jax.make_mesh(sizes, names, axis_types=(jax.sharding.AxisType.Auto,) * len(sizes))


def shard(operands: dict, mesh, batch, heads) -> dict:
    """Batch and heads of every operand over mesh axes."""
    def spec(name, rank):
        if name in ("query_log_mass", "key_log_mass") and rank == 2:
            return P(batch)
        if name in ("pivots", "pivot_log_mass", "glue_log_mass") and (
                rank == (3 if name == "pivots" else 2)):
            return P(heads)
        return P(batch, heads)

    return {name: jax.device_put(value, NamedSharding(mesh, spec(name, value.ndim)))
            for name, value in operands.items()}


@pytest.mark.parametrize("sizes, batch, heads, group", [
    ((4,), "x", None, 1), ((2, 2), "x", "y", 1), ((2,), None, "x", 3), ((2, 2), "x", "y", 2)])
def test_batch_and_heads_stay_on_their_devices(sizes, batch, heads, group):
    given = problem("f64", Shape(4, 2, group, group == 3, 6, 5, 1.0, 0.2, 11))
    operands, dout = given.operands(), cotangent(given)
    mesh = mesh_of(*sizes)
    spread = shard(operands, mesh, batch, heads)
    forward = jax.jit(functools.partial(attention, attributes=given.attributes))
    gradient = jax.jit(jax.grad(functools.partial(loss, attributes=given.attributes, dout=dout)))
    out, gradients = forward(spread), gradient(spread)
    assert tuple(out.sharding.spec)[:2] in ((batch, heads), (batch,))
    np.testing.assert_allclose(out, forward(operands), rtol=1e-12, atol=1e-13)
    for name, expected in gradient(operands).items():
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-10, atol=1e-12,
                                   err_msg=name)
    split = [size if each else 1 for size, each in
             zip(sizes if batch else (1, *sizes), (batch, heads))] + [1]
    local = f"f64[{4 // split[0]},{2 * group // split[1]},6,3]"
    for compiled, name in ((forward, "lot.attention"), (gradient, "lot.attention_vjp")):
        text = compiled.lower(spread).compile().as_text()
        assert not re.search(r"all-gather|all-to-all|collective-permute", text)
        call = re.search(rf".*custom-call.*\"{re.escape(name)}\".*", text).group(0)
        assert local in call or name != "lot.attention", call


def test_split_tokens_are_gathered_by_the_kernel_only():
    given = problem("f64", Shape(1, 2, 1, False, 8, 8, 1.0, 0.0, 5), mass_ranks=(0, 0, 0, 0))
    operands = given.operands()
    sharding = NamedSharding(mesh_of(4), P(None, None, "x"))
    spread = {name: value if name == "pivots" else jax.device_put(value, sharding)
              for name, value in operands.items()}
    expected = attention(operands, given.attributes)
    np.testing.assert_allclose(jax.jit(functools.partial(attention, attributes=given.attributes))(
        spread), expected, rtol=1e-12)

    tokens = P(None, None, "x")
    portable = jax.jit(jax.shard_map(
        lambda q, k, v, z: lot.jax.portable.attention(q, k, v, z, axis_name="x",
                                                      **given.attributes),
        mesh=sharding.mesh, in_specs=(tokens, tokens, tokens, P()), out_specs=tokens))
    values = [spread[name] for name in OPERANDS[:4]]
    np.testing.assert_allclose(portable(*values), expected, rtol=1e-11)
    text = portable.lower(*values).compile().as_text()
    assert "all-gather" not in text
    # What crosses devices has the size of the pivots.
    assert set(re.findall(r"= f64\[([\d,]*)\]\S* all-reduce", text)) <= {"1,2,3", "1,2,3,3",
                                                                         "1,2,1,3"}
    dout = cotangent(given)
    gradients = jax.grad(lambda *x: (portable(*x) * dout).sum(), argnums=range(4))(*values)
    check_gradients(dict(zip(OPERANDS, gradients)), given, dout)


# --- Compiled programs ----------------------------------------------------------------------


def test_compiled_programs_serve_other_processes(tmp_path):
    """No pointer of a process is in a program: JAX's cache on disk may hold it."""
    script = ("import jax, sys\n"
              "jax.config.update('jax_compilation_cache_dir', sys.argv[1])\n"
              "jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)\n"
              "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
              "import lot.jax, jax.numpy as jnp\n"
              "x = jnp.linspace(-1, 1, 48).reshape(1, 2, 6, 4)\n"
              "f = jax.jit(lambda x: lot.jax.attention(x, x, x, x[0, :, :3], half_steps=4))\n"
              "print(float(f(x).sum()))\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment,
                           capture_output=True, text=True, check=True, timeout=120).stdout
            for _ in range(2)]
    assert runs[0] == runs[1] and any(tmp_path.iterdir())


def test_log_masses_are_those_of_numpy():
    keep = np.array([[True, True, False], [False, False, False]])
    np.testing.assert_allclose(lot.jax.log_mass(keep), lot.log_mass(keep), rtol=1e-6)
    logits = np.array([[0.3, -1.0, -np.inf]])
    np.testing.assert_allclose(lot.jax.pivot_log_mass(logits, 0.5),
                               lot.pivot_log_mass(logits, 0.5))


# --- Bad input ------------------------------------------------------------------------------


def small(**changes) -> dict:
    """Operands of a call that works."""
    operands = dict(q=np.zeros((1, 2, 3, 4), np.float32), k=np.zeros((1, 2, 5, 4), np.float32),
                    v=np.zeros((1, 2, 5, 6), np.float32), pivots=np.zeros((2, 3, 4), np.float32))
    operands.update(changes)
    return operands


@pytest.mark.parametrize("function", [lot.jax.attention, lot.jax.portable.attention])
@pytest.mark.parametrize("changes, error, message", [
    (dict(q=np.zeros((1, 2, 3, 4), np.int32)), TypeError,
     "q: expected float32, float64, float16 or bfloat16, got int32"),
    (dict(v=np.zeros((1, 2, 5, 6))), TypeError, "v: expected float32 as q, got float64"),
    (dict(q=np.zeros((2, 3, 4), np.float32)), ValueError, "q: expected rank 4"),
    (dict(pivots=np.zeros((3, 3, 4), np.float32)), ValueError, "pivots: expected 2 heads, got 3"),
    (dict(key_log_mass=np.zeros((1, 3))), ValueError, r"key_log_mass: expected shape .*\[1, 5\]"),
    (dict(key_log_mass=np.zeros((1, 5), bool)), TypeError,
     "key_log_mass: expected a floating point array, got bool"),
    (dict(epsilon=-1.0), ValueError, "epsilon: expected a number > 0, got -1.0"),
    (dict(half_steps=0), ValueError, "half_steps: expected at least 1, got 0"),
    (dict(causal=True), ValueError, "causal: expected False, got True"),
    (dict(attn_mask=np.zeros((3, 5))), ValueError, "attn_mask: expected None"),
    (dict(colour=1), TypeError, "unexpected keyword argument 'colour'"),
])
def test_bad_operands(function, changes, error, message):
    with pytest.raises(error, match=message):
        function(**small(**changes))


def test_errors_of_the_running_program():
    bad = np.full((1, 5), np.nan, np.float32)
    run = jax.jit(lambda mass: lot.jax.attention(**small(key_log_mass=mass)))
    with pytest.raises(jax.errors.JaxRuntimeError,
                       match="lot: key_log_mass: expected finite values or -inf.*got NaN"):
        run(bad).block_until_ready()
    assert np.isfinite(run(np.zeros((1, 5), np.float32))).all()  # and it goes on


def test_bad_cotangents_and_masks():
    out, vjp = jax.vjp(lambda q: lot.jax.attention(**small(q=q)), small()["q"])
    with pytest.raises(ValueError, match="shape"):
        vjp(jnp.zeros((1, 2, 3, 5), out.dtype))
    with pytest.raises(ValueError, match="type|dtype"):
        vjp(jnp.zeros(out.shape, jnp.float16))
    with pytest.raises(TypeError, match="keep: expected bool, True = keep, got float32: an "
                                        "additive mask .* becomes mask >= 0"):
        lot.jax.log_mass(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="temperature: expected a number > 0, got 0"):
        lot.jax.pivot_log_mass(np.zeros(3), 0)


def test_second_derivatives_and_forward_mode_are_refused():
    q = small()["q"]
    first = jax.grad(lambda q: lot.jax.attention(**small(q=q)).sum())
    with pytest.raises(Exception, match="cannot be differentiated|Differentiation rule"):
        jax.grad(lambda q: first(q).sum())(q)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(lambda q: lot.jax.attention(**small(q=q)), (q,), (q,))
