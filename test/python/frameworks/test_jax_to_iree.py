#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX -> StableHLO -> lot-opt -> IREE, forward and gradient, static and symbolic sizes, against the
float64 oracle; and what lot.jax.stablehlo and lot.jax.custom_calls write down."""

import functools
import re

import jax
import jax.numpy as jnp
import lot
import numpy as np
import pytest
from jax import export
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

jax.config.update("jax_num_cpu_devices", 4)  # as test_jax.py, which may share the process
jax.config.update("jax_enable_x64", True)

import lot.jax  # noqa: E402
from round_trip_testing import (PROBLEMS, check_calls, in_iree, needs_iree,  # noqa: E402
                                problem, sizes_of)

import jax_to_iree  # noqa: E402


def value_and_vjp(operands: dict, dout: jax.Array, attributes: dict) -> tuple:
    out, pull = jax.vjp(lambda given: lot.jax.attention(**given, **attributes), operands)
    gradients, = pull(dout)
    return out, *(gradients[name] for name in operands)


def module_text(name: str) -> str:
    """A module of the result and all gradients; its arguments are the operands and dout."""
    given = problem(name)
    names = list(given.operands())
    symbols = dict(zip("bnm", export.symbolic_shape("b, n, m")))

    def struct(operand: str, array: np.ndarray) -> jax.ShapeDtypeStruct:
        unknown = sizes_of(name, operand, array)
        return jax.ShapeDtypeStruct([symbols[unknown[dim]] if dim in unknown else size
                                     for dim, size in enumerate(array.shape)], array.dtype)

    def function(*arguments):
        *operands, dout = arguments
        return value_and_vjp(dict(zip(names, operands)), dout, given.attributes)

    return lot.jax.stablehlo(function, *(struct(operand, array) for operand, array in
                                         given.operands().items()),
                             struct("dout", given.cotangent()))


@needs_iree
@pytest.mark.parametrize("name", PROBLEMS)
def test_attention(name, tmp_path, record_property):
    text = module_text(name)
    assert ("?" in text) == bool(PROBLEMS[name][1])
    check_calls(name, text, "auto", tmp_path, record_property)


# --- The example ----------------------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _oracle(q, k, v, z, attributes):
    shape = jax.ShapeDtypeStruct((*q.shape[:3], v.shape[3]), jnp.float64)
    return jax.pure_callback(lambda *x: lot.reference.attention(*x, **dict(attributes)), shape,
                             q, k, v, z)


def _oracle_vjp(attributes, operands, dout):
    def gradients(*x):
        found = lot.reference.attention_vjp(*x, **dict(attributes))
        return tuple(found[name] for name in ("q", "k", "v", "pivots"))

    return jax.pure_callback(gradients, tuple(jax.ShapeDtypeStruct(x.shape, jnp.float64)
                                              for x in operands), dout, *operands)


_oracle.defvjp(lambda q, k, v, z, attributes: (_oracle(q, k, v, z, attributes), (q, k, v, z)),
               _oracle_vjp)


def oracle(q, k, v, z, **attributes):
    """The float64 oracle and its gradient in a JAX program."""
    return _oracle(q, k, v, z, tuple(attributes.items()))


@needs_iree
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("function", [jax_to_iree.encoder, jax_to_iree.loss_and_gradients],
                         ids=["forward", "gradient"])
def test_encoder(function, symbolic, tmp_path, record_property):
    text = jax_to_iree.module_text(function, symbolic)
    assert ("tensor<?x32xf32>" in text) == symbolic
    binary = in_iree.compile_module(text, tmp_path, "encoder")
    p, worst = jax_to_iree.make_parameters(), 0.0
    for n in (100, 37) if symbolic else (100,):
        x = np.random.default_rng(n).standard_normal((n, jax_to_iree.DIM), np.float32)
        exact = jax.tree.map(lambda array: array.astype(np.float64), (p, x))
        expected = jax.tree.leaves(function(*exact, oracle))
        assert all(array.dtype == np.float64 for array in expected)
        actual = in_iree.run_module(binary, jax.tree.leaves((p, x)), len(expected))
        worst = max(worst, in_iree.relative_error(actual, expected))
    record_property("float64", f"{worst:.1e}")
    assert worst <= jax_to_iree.TOLERANCE


@needs_iree
def test_layers_in_a_scan(tmp_path):
    """The calls are in the regions of a loop there."""
    def function(pivots, x):
        return jax.lax.scan(lambda x, z: (x + lot.jax.attention(x, x, x, z, epsilon=0.5), None),
                            x, pivots)[0]

    gradient = jax.grad(lambda pivots, x: jnp.square(function(pivots, x)).mean())
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(size, np.float32) for size in ((3, 2, 5, 4), (1, 2, 9, 4))]
    text = lot.jax.stablehlo(gradient, *arrays)
    assert len(re.findall(r'"stablehlo.while".*\(\{', text)) == 2
    actual = in_iree.run_module(in_iree.compile_module(text, tmp_path, "scan"), arrays, 1)
    assert in_iree.relative_error(actual, [gradient(*arrays)]) <= jax_to_iree.TOLERANCE


@needs_iree
def test_sizes_that_do_not_fit_are_refused(tmp_path):
    """JAX's check of symbolic sizes is an assertion in the compiled module."""
    n, = export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((1, 2, n, 4), jnp.float32)
    text = lot.jax.stablehlo(lambda q, k, z: lot.jax.attention(q, k, k, z), x, x,
                             jax.ShapeDtypeStruct((2, 3, 4), jnp.float32))
    binary = in_iree.compile_module(text, tmp_path, "module")
    arrays = [np.ones((1, 2, 5, 4), np.float32), np.ones((1, 2, 5, 4), np.float32),
              np.ones((2, 3, 4), np.float32)]
    out, = in_iree.run_module(binary, arrays, 1)
    np.testing.assert_allclose(out, 1, rtol=1e-6)
    arrays[1] = np.ones((1, 2, 6, 4), np.float32)
    with pytest.raises(RuntimeError, match="Input shapes do not match the polymorphic shapes"):
        in_iree.run_module(binary, arrays, 1)


# --- What is written down -------------------------------------------------------------------


def targets(text: str) -> list[str]:
    return re.findall(r'call_target_name = "([^"]*)"', text)


def test_bare_calls_in_spite_of_devices():
    """On several devices JAX asks for rules of how a call splits; custom_calls leaves them out."""
    mesh = jax.make_mesh((4,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = NamedSharding(mesh, P("x"))
    q = jax.ShapeDtypeStruct((4, 2, 6, 4), jnp.float32, sharding=sharding)
    z = jax.ShapeDtypeStruct((2, 3, 4), jnp.float32, sharding=NamedSharding(mesh, P()))
    function = jax.jit(lambda q, z: lot.jax.attention(q, q, q, z))
    split = function.lower(q, z).compiler_ir("stablehlo").operation
    assert targets(split.get_asm(print_generic_op_form=True)) == ["CustomSPMDPartitioning"]
    with lot.jax.custom_calls():
        bare = function.lower(q, z).compiler_ir("stablehlo").operation
    assert targets(bare.get_asm(print_generic_op_form=True)) == ["lot.attention"]
    again = function.lower(q, z).compiler_ir("stablehlo").operation
    assert targets(again.get_asm(print_generic_op_form=True)) == ["CustomSPMDPartitioning"]


def test_all_arguments_stay():
    x, z = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((1, 2, 6, 4), (2, 3, 4)))
    text = lot.jax.stablehlo(lambda q, unused, z: lot.jax.attention(q, q, q, z), x, z, z)
    types = re.search(r'function_type = \((.*?)\) ->.*sym_name = "main"', text)[1]
    assert types.count("tensor<2x3x4xf32>") == 2
    assert targets(text) == ["lot.attention"]


def test_vmap_and_grad_inside():
    """Mapped dimensions go into the batch before the call is written down."""
    def loss(z, q):
        return lot.jax.attention(q, q, q, z).sum()

    text = lot.jax.stablehlo(jax.vmap(jax.grad(loss), in_axes=(0, None)),
                             jax.ShapeDtypeStruct((3, 2, 5, 4), jnp.float32),
                             jax.ShapeDtypeStruct((1, 2, 6, 4), jnp.float32))
    assert targets(text) == ["lot.attention_vjp"]  # nobody asks for the result
    assert re.search(r'"lot.attention_vjp".*tensor<3x2x5x4xf32>', text)
