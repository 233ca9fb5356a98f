#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input: every refusal names the operand, what was expected and what was given."""

import inspect
import re

import ml_dtypes
import numpy as np
import pytest

import lot

F32 = np.float32


def good(**changes):
    """Operands of B=2, Hq=4, Hk=2, n=5, m=6, d=3, dv=7, r=2 with some of them replaced."""
    rng = np.random.default_rng(0)
    operands = dict(q=rng.normal(size=(2, 4, 5, 3)).astype(F32),
                    k=rng.normal(size=(2, 2, 6, 3)).astype(F32),
                    v=rng.normal(size=(2, 2, 6, 7)).astype(F32),
                    pivots=rng.normal(size=(4, 2, 3)).astype(F32))
    operands.update(changes)
    return operands


def zeros(*shape, dtype=F32):
    return np.zeros(shape, dtype)


def mass(shape, value):
    array = np.zeros(shape)
    array.flat[-1] = value
    return array


NAN, INF = float("nan"), float("inf")

SHAPES = [
    (dict(q=zeros(4, 5, 3)), "q: expected rank 4, [B, Hq, n, d], got rank 3, shape [4, 5, 3]"),
    (dict(k=zeros(2, 6, 3)), "k: expected rank 4, [B, Hk, m, d], got rank 3, shape [2, 6, 3]"),
    (dict(v=zeros(2, 2, 6, 7, 1)), "v: expected rank 4, [B, Hk, m, dv], got rank 5"),
    (dict(pivots=zeros(2, 3)), "pivots: expected rank 3 or 4"),
    (dict(q=F32(1)), "q: expected rank 4"),
    (dict(k=zeros(3, 2, 6, 3)), "k: expected shape [B, Hk, m, d] = [2, Hk, m, 3] to go with q, "
                                "got [3, 2, 6, 3]"),
    (dict(k=zeros(2, 2, 6, 4)), "k: expected shape [B, Hk, m, d] = [2, Hk, m, 3] to go with q, "
                                "got [2, 2, 6, 4]"),
    (dict(v=zeros(2, 2, 5, 7)), "v: expected shape [B, Hk, m, dv] = [2, 2, 6, dv] to go with k"),
    (dict(v=zeros(2, 1, 6, 7)), "v: expected shape [B, Hk, m, dv] = [2, 2, 6, dv] to go with k"),
    (dict(pivots=zeros(4, 2, 5)), "pivots: expected shape [Hp, r, d] = [Hp, r, 3]"),
    (dict(pivots=zeros(1, 4, 2, 3)), "[B, Hp, r, d] = [2, Hp, r, 3], got [1, 4, 2, 3]"),
    (dict(pivots=zeros(3, 2, 3)), "pivots: expected 4 heads as q or 2 as k, got 3"),
    (dict(k=zeros(2, 3, 6, 3), v=zeros(2, 3, 6, 7)),
     "k: expected a number of heads that divides the 4 of q, got 3"),
    (dict(k=zeros(2, 0, 6, 3), v=zeros(2, 0, 6, 7)),
     "k: expected a number of heads that divides the 4 of q, got 0"),
    (dict(q=zeros(2, 4, 5, 0), k=zeros(2, 2, 6, 0), pivots=zeros(4, 2, 0)),
     "q: expected d >= 1, got 0"),
    (dict(v=zeros(2, 2, 6, 0)), "v: expected dv >= 1, got 0"),
    (dict(pivots=zeros(4, 0, 3)), "pivots: expected r >= 1, got 0"),
    (dict(query_log_mass=zeros(2, 6)),
     "query_log_mass: expected shape [B, n] or [B, Hq, n] = [2, 5] or [2, 4, 5], got [2, 6]"),
    (dict(query_log_mass=zeros(2, 2, 5)), "query_log_mass: expected shape"),
    (dict(query_log_mass=zeros(5)), "query_log_mass: expected shape"),
    (dict(key_log_mass=zeros(2, 4, 6)),
     "key_log_mass: expected shape [B, m] or [B, Hk, m] = [2, 6] or [2, 2, 6], got [2, 4, 6]"),
    (dict(key_log_mass=zeros(2, 5)), "key_log_mass: expected shape"),
    (dict(pivot_log_mass=zeros(2, 2)),
     "pivot_log_mass: expected shape [Hp, r] or [B, Hp, r] = [4, 2] or [2, 4, 2], got [2, 2]"),
    (dict(glue_log_mass=zeros(2, 4, 3)), "glue_log_mass: expected shape [Hp, r] or [B, Hp, r]"),
]

DTYPES = [
    (dict(q=zeros(2, 4, 5, 3, dtype=np.int32)),
     "q: expected float32, float64, float16 or bfloat16, got int32"),
    (dict(q=zeros(2, 4, 5, 3, dtype=np.complex64)), "q: expected float32, .* got complex64"),
    (dict(v=zeros(2, 2, 6, 7, dtype=object)), "v: expected float32, .* got object"),
    (dict(k=zeros(2, 2, 6, 3, dtype=">f4")), "k: expected float32, .* got float32 in the other"),
    (dict(pivots=zeros(4, 2, 3, dtype=np.int64)), "pivots: expected float32, .* got int64"),
    (dict(q="text"), "q: expected float32"),
    (dict(k=zeros(2, 2, 6, 3, dtype=np.float64)), "k: expected float32 as q, got float64"),
    (dict(v=zeros(2, 2, 6, 7, dtype=np.float16)), "v: expected float32 as q, got float16"),
    (dict(v=zeros(2, 2, 6, 7, dtype=ml_dtypes.bfloat16)),
     "v: expected float32 as q, got bfloat16"),
    (dict(pivots=zeros(4, 2, 3, dtype=np.float64)), "pivots: expected float32, got float64"),
    (dict(q=zeros(2, 4, 5, 3, dtype=np.float16), k=zeros(2, 2, 6, 3, dtype=np.float16),
          v=zeros(2, 2, 6, 7, dtype=np.float16), pivots=zeros(4, 2, 3, dtype=np.float64)),
     "pivots: expected float16 as q or float32, got float64"),
    (dict(query_log_mass=np.ones((2, 5), bool)),
     "query_log_mass: expected a floating point array, got bool"),
    (dict(key_log_mass=zeros(2, 6, dtype=np.int64)),
     "key_log_mass: expected a floating point array, got int64"),
]

VALUES = [
    (dict(query_log_mass=mass((2, 5), NAN)), "query_log_mass: expected .* got NaN"),
    (dict(query_log_mass=mass((2, 5), INF)), "query_log_mass: expected .* got \\+inf"),
    (dict(key_log_mass=mass((2, 2, 6), NAN)), "key_log_mass: expected .* got NaN"),
    (dict(key_log_mass=mass((2, 6), INF)), "key_log_mass: expected .* got \\+inf"),
    (dict(pivot_log_mass=mass((4, 2), NAN)), "pivot_log_mass: expected .* got NaN"),
    (dict(pivot_log_mass=mass((4, 2), INF)), "pivot_log_mass: expected .* got \\+inf"),
    (dict(glue_log_mass=mass((4, 2), NAN)), "glue_log_mass: expected .* got NaN"),
    (dict(glue_log_mass=mass((4, 2), INF)), "glue_log_mass: expected .* got \\+inf"),
    (dict(epsilon=0.0), "epsilon: expected a number > 0, got 0.0"),
    (dict(epsilon=-1), "epsilon: expected a number > 0, got -1.0"),
    (dict(epsilon=NAN), "epsilon: expected a finite number, got nan"),
    (dict(epsilon=INF), "epsilon: expected a finite number, got inf"),
    (dict(half_steps=0), "half_steps: expected at least 1, got 0"),
    (dict(half_steps=-3), "half_steps: expected at least 1, got -3"),
    (dict(row_floor=-1e-9), "row_floor: expected a number >= 0, got -1e-09"),
    (dict(row_floor=NAN), "row_floor: expected a finite number, got nan"),
    (dict(scale=INF), "scale: expected a finite number, got inf"),
    (dict(score_clamp=-1.0), "score_clamp: expected a number >= 0, got -1.0"),
    (dict(score_clamp=NAN), "score_clamp: expected a finite number, got nan"),
    (dict(out_scale=NAN), "out_scale: expected a finite number, got nan"),
    (dict(normalization="softmax"),
     "normalization: expected one of query_mass, row_sum, none, got 'softmax'"),
    (dict(normalization=None), "normalization: expected one of query_mass, row_sum, none"),
    (dict(threads=0), "threads: expected at least 1, got 0"),
    (dict(threads=-2), "threads: expected at least 1, got -2"),
    (dict(causal=True), "causal: expected False, got True: .* no causal form"),
    (dict(is_causal=True), "is_causal: expected False, got True"),
    (dict(attn_mask=np.ones((5, 6), bool)), "attn_mask: expected None, got ndarray: .*log_mass"),
]

TYPES = [
    (dict(half_steps=5.0), "half_steps: expected an integer, got float"),
    (dict(half_steps=True), "half_steps: expected an integer, got bool"),
    (dict(half_steps="5"), "half_steps: expected an integer, got str"),
    (dict(epsilon="0.1"), "epsilon: expected a number, got str"),
    (dict(epsilon=[0.1]), "epsilon: expected a number, got list"),
    (dict(epsilon=None), "epsilon: expected a number, got NoneType"),
    (dict(out_scale=1j), "out_scale: expected a number, got complex"),
    (dict(threads=1.5), "threads: expected an integer, got float"),
    (dict(threads=True), "threads: expected an integer, got bool"),
    (dict(temperature=1.0), "unexpected keyword argument 'temperature'"),
]


def idents(cases):
    return [f"{'-'.join(changes)}-{i}" for i, (changes, _) in enumerate(cases)]


def raises(error, changes, message, literal=False):
    with pytest.raises(error, match=re.escape(message) if literal else message) as caught:
        lot.attention(**good(**changes))
    text = str(caught.value)
    assert not text.endswith(".") and "\n" not in text


def test_the_good_input_is_good():
    assert lot.attention(**good()).shape == (2, 4, 5, 7)


@pytest.mark.parametrize("changes, message", SHAPES, ids=idents(SHAPES))
def test_shapes(changes, message):
    raises(ValueError if not isinstance(changes.get("q"), str) else TypeError, changes, message,
           literal=True)


@pytest.mark.parametrize("changes, message", DTYPES, ids=idents(DTYPES))
def test_dtypes(changes, message):
    raises(TypeError, changes, message)


@pytest.mark.parametrize("changes, message", VALUES, ids=idents(VALUES))
def test_values(changes, message):
    raises(ValueError, changes, message)


@pytest.mark.parametrize("changes, message", TYPES, ids=idents(TYPES))
def test_types(changes, message):
    raises(TypeError, changes, message)


def test_equal_attributes_of_another_type_are_refused_after_a_good_call():
    lot.attention(**good(half_steps=3))
    raises(TypeError, dict(half_steps=3.0), "half_steps: expected an integer, got float")


def test_missing_operand():
    with pytest.raises(TypeError, match="pivots"):
        lot.attention(*[good()[name] for name in ("q", "k", "v")])


def test_asking_for_nothing_is_fine():
    plain = lot.attention(**good())
    assert lot.attention(**good(), causal=False, attn_mask=None).tobytes() == plain.tobytes()


def test_numpy_scalars_are_numbers():
    out = lot.attention(**good(), epsilon=np.float32(0.5), half_steps=np.int64(3),
                        out_scale=np.array(2.0), threads=np.int32(1))
    assert out.tobytes() == lot.attention(**good(), epsilon=0.5, half_steps=3, out_scale=2.0,
                                          threads=1).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("b, hq, n, m", [(0, 4, 5, 6), (2, 4, 0, 6), (2, 4, 5, 0), (2, 4, 0, 0),
                                         (2, 0, 5, 6)])
def test_empty(b, hq, n, m, dtype):
    q, k, v, z = (zeros(*s, dtype=dtype) for s in ((b, hq, n, 3), (b, 2, m, 3), (b, 2, m, 7),
                                                   (2, 2, 3)))
    v[...], k[...] = 1, 1
    for masses in ({}, dict(query_log_mass=zeros(b, n), key_log_mass=zeros(b, 2, m))):
        out = lot.attention(q, k, v, z, **masses)
        assert out.shape == (b, hq, n, 7) and out.dtype == dtype and not out.any()


def test_signatures_agree():
    ours, oracle = (inspect.signature(f) for f in (lot.attention, lot.reference.attention))
    assert list(ours.parameters) == list(oracle.parameters)
    for name, parameter in ours.parameters.items():
        assert parameter.default == oracle.parameters[name].default
        assert parameter.kind == oracle.parameters[name].kind


@pytest.mark.parametrize("changes", [dict(causal=True), dict(attn_mask=np.ones((5, 6))),
                                     dict(epsilon=0.0), dict(half_steps=0),
                                     dict(normalization="x"), dict(key_log_mass=mass((2, 6), NAN)),
                                     dict(q=zeros(4, 5, 3)), dict(pivots=zeros(3, 2, 3))])
def test_the_oracle_refuses_too(changes):
    with pytest.raises(ValueError):
        lot.reference.attention(**good(**changes))


@pytest.mark.parametrize("call, error, message", [
    (lambda: lot.log_mass(np.ones((2, 3))), TypeError, "keep: expected bool, got float64"),
    (lambda: lot.log_mass(np.bool_(True)), ValueError, "keep: expected rank 1 or more"),
    (lambda: lot.pivot_log_mass(zeros(3), 0.0), ValueError, "temperature: expected a number > 0"),
    (lambda: lot.pivot_log_mass([0.0, NAN]), ValueError, "logits: expected finite values or -inf"),
    (lambda: lot.pivot_log_mass(zeros(2, 0)), ValueError, "logits: expected shape"),
    (lambda: lot.plan(zeros(1, 2, 3, 4), zeros(2, 2, 4), side="both"), ValueError, "side: expected"),
    (lambda: lot.plan(zeros(2, 3, 4), zeros(2, 2, 4)), ValueError, "tokens: expected rank 4"),
    (lambda: lot.plan(zeros(1, 2, 3, 4), zeros(3, 2, 4)), ValueError, "pivots: expected a number"),
    (lambda: lot.plan(zeros(1, 2, 3, 4), zeros(2, 2, 4), epsilon=-1), ValueError, "epsilon"),
    (lambda: lot.marginal_error(zeros(1, 2, 3, 4), zeros(1, 3, 3, 4), zeros(2, 2, 4)),
     ValueError, "heads"),
])
def test_helpers(call, error, message):
    with pytest.raises(error, match=message):
        call()
