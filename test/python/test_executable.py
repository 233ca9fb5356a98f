#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The extension module under the front end: Executable.compile and .invoke on NumPy arrays."""

from __future__ import annotations

import gc
import os
import threading
import weakref

import ml_dtypes
import numpy as np
import pytest

import lot
from lot._mlir_libs._lotRuntime import Executable

SHAPES = {"q": (3, 2, 7, 8), "z": (2, 4, 8)}


def attention_text(element: str, name: str = "f") -> str:
    tokens, pivots = f"tensor<?x2x?x8x{element}>", f"tensor<2x4x8x{element}>"
    return f"""
        func.func @{name}(%q: {tokens}, %z: {pivots}, %init: {tokens}) -> {tokens} {{
          %0 = lot.attention {{epsilon = 0.5 : f64}}
              ins(%q, %q, %q, %z : {tokens}, {tokens}, {tokens}, {pivots})
              outs(%init : {tokens}) -> {tokens}
          return %0 : {tokens}
        }}"""


@pytest.fixture(scope="module")
def executable() -> Executable:
    return Executable.compile(attention_text("f32"))


@pytest.fixture
def arguments() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    q, z = (rng.standard_normal(SHAPES[k]).astype(np.float32) for k in "qz")
    return [q, z, np.full_like(q, np.nan)]


def reference(q: np.ndarray, z: np.ndarray) -> np.ndarray:
    return lot.reference.attention(q, q, q, z, epsilon=0.5)


def test_signature(executable):
    assert executable.functions == ["f"]
    tokens = ("float32", (None, 2, None, 8))
    assert executable.signature("f") == ((tokens, ("float32", (2, 4, 8)), tokens), (tokens,))
    assert executable.signature(0) == executable.signature("f")
    assert set(executable.timings) == {"lower", "translate", "optimize", "codegen", "load"}
    assert all(seconds >= 0 for seconds in executable.timings.values())


@pytest.mark.parametrize("dtype,element,tolerance", [
    (np.float64, "f64", 1e-12), (np.float32, "f32", 1e-5), (np.float16, "f16", 4e-3),
    (ml_dtypes.bfloat16, "bf16", 3e-2)])
def test_invoke(arguments, dtype, element, tolerance):
    q, z, init = (a.astype(dtype) for a in arguments)
    (out,) = Executable.compile(attention_text(element)).invoke("f", [q, z, init])
    assert out.dtype == np.dtype(dtype) and out.shape == q.shape
    assert out.flags.c_contiguous and out.flags.writeable
    np.testing.assert_allclose(out.astype(np.float64), reference(q, z),
                               rtol=tolerance, atol=tolerance)


def test_result_owns_its_memory(arguments):
    """A result lives on when executable, arguments and a view's parent are gone."""
    executable = Executable.compile(attention_text("f32"))
    expected = reference(*arguments[:2])
    view = executable.invoke("f", arguments)[0][1:]
    other = executable.invoke("f", arguments)[0]
    del executable
    gc.collect()
    other[...] = 0  # is not the same memory
    np.testing.assert_allclose(view, expected[1:], rtol=1e-5, atol=1e-5)


def test_arguments_are_released(executable, arguments):
    class Array(np.ndarray):
        """An array that can be referred to weakly."""

    q, z, init = (a.view(Array) for a in arguments)
    alive = weakref.ref(q)
    executable.invoke("f", [q, z, init])
    with pytest.raises(ValueError):
        executable.invoke("f", [q, z, init[..., :4]])
    del q
    gc.collect()
    assert alive() is None


def test_module_stays_as_it_is():
    from lot import ir

    with ir.Context():
        module = ir.Module.parse(attention_text("f32"))
        before = str(module)
        executable = Executable.compile(module)
        assert str(module) == before
        assert executable.functions == ["f"]


def test_several_functions(arguments):
    executable = Executable.compile(attention_text("f32", "one") + attention_text("f32", "two"))
    assert executable.functions == ["one", "two"]
    one, two = (executable.invoke(name, arguments)[0] for name in executable.functions)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, executable.invoke(1, tuple(arguments))[0])


@pytest.mark.parametrize("source,error,text", [
    ("func.func @f( {", RuntimeError, "expected"),
    (b"ML\xefR truncated bytecode", RuntimeError, None),
    (3, TypeError, "expected a lot.ir.Module, str or bytes, got int"),
    ("func.func @f(%a: tensor<*xf32>) { return }", RuntimeError, "argument #0"),
])
def test_bad_source(source, error, text):
    with pytest.raises(error, match=text) as caught:
        Executable.compile(source)
    assert str(caught.value)


@pytest.mark.parametrize("change,error,text", [
    (lambda q, z, o: [q, z], ValueError, "expected 3 arguments, got 2"),
    (lambda q, z, o: 7, TypeError, "expected a sequence of NumPy arrays"),
    (lambda q, z, o: [q, z.tolist(), o], TypeError, "argument #1: expected a NumPy array, got list"),
    (lambda q, z, o: [q, z.astype(np.float64), o], ValueError, "argument #1.*f32.*f64"),
    (lambda q, z, o: [q, z.astype(ml_dtypes.bfloat16), o], ValueError, "argument #1.*f32.*bf16"),
    (lambda q, z, o: [q, z.astype(ml_dtypes.float8_e4m3fn), o], ValueError, "float32, got float8"),
    (lambda q, z, o: [q, z.astype(object), o], ValueError, "expected dtype float32, got object"),
    (lambda q, z, o: [q, z.astype(">f4"), o], ValueError, "expected native byte order, got >f4"),
    (lambda q, z, o: [q, z[0], o], ValueError, "expected rank 3"),
    (lambda q, z, o: [q, z[:, :3].copy(), o], ValueError, "expected size 4 in dimension 1, got 3"),
    (lambda q, z, o: [q[:, :1].copy(), z, o], ValueError, "expected size 2 in dimension 1, got 1"),
    (lambda q, z, o: [np.ndarray(q.shape, q.dtype, bytes(q.nbytes + 1), 1), z, o], ValueError,
     "align"),
    (lambda q, z, o: [np.ndarray(q.shape, q.dtype, bytes(9000), 0, (9, 9, 9, 9)), z, o],
     ValueError, "multiples of the 4 bytes of an element, got 9 bytes"),
])
def test_bad_arguments(executable, arguments, change, error, text):
    with pytest.raises(error, match=text):
        executable.invoke("f", change(*arguments))


@pytest.mark.parametrize("entry,error,text", [
    ("g", ValueError, "expected the name of a function of the module, got 'g'; there is 'f'"),
    (1, ValueError, "expected a function below 1, got 1"),
    (-1, ValueError, "expected a function below 1, got -1"),
    (1.5, TypeError, None), (None, TypeError, None), ("\ud800", UnicodeError, None)])
def test_bad_entry(executable, arguments, entry, error, text):
    with pytest.raises(error, match=text):
        executable.invoke(entry, arguments)


@pytest.mark.parametrize("threads,error", [(0, ValueError), (-1, ValueError), (1 << 40, ValueError),
                                           (1.5, TypeError), ("two", TypeError)])
def test_bad_threads(executable, arguments, threads, error):
    with pytest.raises(error):
        executable.invoke("f", arguments, threads=threads)


def test_empty(executable, arguments):
    q, z, _ = arguments
    none = np.empty((3, 2, 0, 8), np.float32)
    (out,) = executable.invoke("f", [none, z, none])
    assert out.shape == none.shape
    (out,) = executable.invoke("f", [q[:0], z, q[:0]])
    assert out.shape == (0, 2, 7, 8)


def test_several_python_threads(executable, arguments):
    """Calls run beside each other without the GIL, each with the right result."""
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal((2, 2, 5 + i, 8)).astype(np.float32) for i in range(8)]
    failures = []

    def work(q: np.ndarray) -> None:
        expected = reference(q, arguments[1])
        for _ in range(50):
            (out,) = executable.invoke("f", [q, arguments[1], np.empty_like(q)], threads=1)
            if not np.allclose(out, expected, rtol=1e-5, atol=1e-5):
                failures.append(q.shape)

    workers = [threading.Thread(target=work, args=(q,)) for q in inputs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
                    reason="one core: machine code is in one part anyway")
def test_compiled_by_one_thread_and_by_several(arguments):
    """The parts of the machine code are linked into what one thread makes: the same bits."""
    cores = os.sched_getaffinity(0)
    results = []
    for allowed in (cores, {min(cores)}):
        os.sched_setaffinity(0, allowed)
        try:
            executable = Executable.compile(attention_text("f32"), cache=False)
            assert not executable.cached
        finally:
            os.sched_setaffinity(0, cores)
        q, z = arguments[:2]
        results.append(executable.invoke("f", [q, z, np.empty_like(q)])[0].tobytes())
    assert results[0] == results[1]
