#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot.jax on a CUDA device beside the float64 oracle."""

import gpu_testing
import lot_testing
import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

import lot.jax  # noqa: E402
from lot.jax import _cuda  # noqa: E402

MASSES = lot_testing.MASSES


@pytest.fixture(autouse=True)
def on_cuda():
    if not _cuda.is_there():
        pytest.skip("JAX has no CUDA device")


def call(attributes, names):
    """(q, k, v, pivots, masses...) -> out."""
    return lambda *arrays: lot.jax.attention(*arrays[:4], **dict(zip(names, arrays[4:])),
                                             **attributes)


def check(problem, dtype, jit=True):
    arrays = {name: jnp.asarray(array) for name, array in problem.operands().items()}
    function = call(problem.attributes, list(arrays)[4:])
    dout = problem.cotangent()

    def both(*operands):
        out, vjp = jax.vjp(function, *operands)
        return out, vjp(jnp.asarray(dout))

    out, gradients = (jax.jit(both) if jit else both)(*arrays.values())
    assert {device.platform for device in out.devices()} == {"gpu"}
    gpu_testing.check_output(np.asarray(out), problem, dtype)
    gpu_testing.check_gradients({name: np.asarray(value) for name, value in
                                 zip(arrays, gradients)}, problem, dout, dtype)


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("name", ["grouped_heads", "zero_pivot", "row_sum_floor_glue"])
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_cases(name, dtype, jit):
    check(lot_testing.load_case(name)[0].cast(dtype), dtype, jit)


def test_random_shapes():
    for seed in range(6):
        dtype = ["f32", "bf16", "f16"][seed % 3]
        check(gpu_testing.random_problem(seed, dtype), dtype)


def test_vmap_and_loop():
    """Mapped, and in a loop on the device, where XLA replays the calls."""
    rng = np.random.default_rng(0)
    q = jnp.asarray(rng.normal(size=(3, 2, 2, 40, 16)), jnp.float32)
    z = jnp.asarray(rng.normal(size=(2, 8, 16)), jnp.float32)
    function = call({}, [])
    mapped = jax.jit(jax.vmap(lambda x: function(x, x, x, z)))(q)
    for i in range(3):
        expected = lot.reference.attention(*[np.asarray(q[i], np.float64)] * 3, np.asarray(z))
        np.testing.assert_allclose(mapped[i], expected, rtol=1e-4, atol=1e-5)

    @jax.jit
    def loop(x):
        return jax.lax.fori_loop(0, 5, lambda _, y: function(y, x, x, z), x)

    expected = x = np.asarray(q[0], np.float64)
    for _ in range(5):
        expected = lot.reference.attention(expected, x, x, np.asarray(z))
    np.testing.assert_allclose(loop(q[0]), expected, rtol=1e-3, atol=1e-4)


def test_limits_and_empty():
    def run(d=16, r=8, n=4, dtype=jnp.float32):
        q = jnp.ones((1, 1, n, d), dtype)
        return lot.jax.attention(q, q, q, jnp.ones((1, r, d), dtype))

    assert run(n=0).shape == (1, 1, 0, 16)
    # Errors of the running program: the same trace may be lowered for the CPU.
    for sizes, message in ((dict(d=264), "q: expected d <= 256 on a CUDA device, got 264"),
                           (dict(r=260), "pivots: expected r <= 256 on a CUDA device, got 260")):
        with pytest.raises(jax.errors.JaxRuntimeError, match=message):
            jax.block_until_ready(run(**sizes))
    with jax.default_device(jax.devices("cpu")[0]):
        assert run(d=264).shape == (1, 1, 4, 264)
