#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks of the operands of `lot.attention` and their preparation for memrefs.

Everything a caller can get wrong about arrays is found here, before anything is
compiled or run. Messages name the operand, what was expected and what was given.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

try:
    from ml_dtypes import bfloat16 as _bfloat16

    BFLOAT16: Optional[np.dtype] = np.dtype(_bfloat16)
except ImportError:  # bfloat16 arrays cannot exist without ml_dtypes
    BFLOAT16 = None

F64, F32, F16 = np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.float16)

#: dtype of q -> (MLIR element type, dtype of log masses and of all state)
ELEMENT = {F32: ("f32", F32), F64: ("f64", F64), F16: ("f16", F32)}
if BFLOAT16 is not None:
    ELEMENT[BFLOAT16] = ("bf16", F32)


MASSES = ("query_log_mass", "key_log_mass", "pivot_log_mass", "glue_log_mass")


class Operands(NamedTuple):
    """Checked operands: arrays that a memref with unit inner stride describes."""

    query: np.ndarray  # [B, Hq, n, d]
    key: np.ndarray  # [B, Hk, m, d]
    value: np.ndarray  # [B, Hk, m, dv]
    pivots: np.ndarray  # [Hp, r, d] or [B, Hp, r, d]
    query_log_mass: Optional[np.ndarray]  # [B, n] or [B, Hq, n], state dtype
    key_log_mass: Optional[np.ndarray]  # [B, m] or [B, Hk, m]
    pivot_log_mass: Optional[np.ndarray]  # [Hp, r] or [B, Hp, r]
    glue_log_mass: Optional[np.ndarray]  # as pivot_log_mass


def refuse_unsupported(keywords: dict[str, Any], function: str = "attention") -> None:
    """Explains why `causal` and `attn_mask` have no meaning for this operator.

    ValueError for either of them (unless it asks for nothing: False or None),
    TypeError for any other keyword.
    """
    for name, value in keywords.items():
        if name in ("causal", "is_causal"):
            if value:
                raise ValueError(
                    f"{name}: expected False, got {value!r}: every query meets every key "
                    "through the same pivots, so the coupling has no causal form")
        elif name in ("attn_mask", "mask"):
            if value is not None:
                raise ValueError(
                    f"{name}: expected None, got {type(value).__name__}: the n x m coupling is "
                    "never formed, so it cannot be masked entry by entry; give padding as "
                    "query_log_mass and key_log_mass (lot.log_mass(keep))")
        else:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def check_dtype(name: str, dtype: Any) -> None:
    """TypeError unless `dtype` (a NumPy dtype) is one of the element types."""
    if dtype not in ELEMENT:
        hint = ""
        if dtype.kind == "f" and not dtype.isnative:
            hint = " in the other byte order"
        elif dtype.kind == "V" and BFLOAT16 is None:
            hint = " (bfloat16 needs the package ml_dtypes)"
        raise TypeError(f"{name}: expected float32, float64, float16 or bfloat16, "
                        f"got {dtype.name}{hint}")


def as_array(name: str, value: Any) -> np.ndarray:
    """`value` as a NumPy array of one of the element types; TypeError otherwise."""
    array = value if type(value) is np.ndarray else np.asarray(value)
    check_dtype(name, array.dtype)
    return array


def strided(array: np.ndarray) -> np.ndarray:
    """`array`, or one copy of it where no memref of unit inner stride describes it.

    Any outer strides (negative, zero, gaps) stay as they are. A copy is made when
    the last dimension is not contiguous, or when a stride or the address is not a
    multiple of the element size.
    """
    size, strides = array.itemsize, array.strides
    if strides[-1] == size and array.flags.aligned:
        for stride in strides:
            if stride % size:
                break
        else:
            return array
    return np.array(array, order="C", copy=True)


def check_layout(q: Any, k: Any, v: Any, z: Any) -> None:
    """Dtypes, ranks and shapes of q, k, v and pivots (docs/semantics.md, section 1).

    The operands need only a `dtype` of NumPy and a `shape`: the front ends of other frameworks
    check what they trace. TypeError for dtypes, ValueError for shapes.
    """
    for name, array in (("q", q), ("k", k), ("v", v), ("pivots", z)):
        check_dtype(name, array.dtype)
    dtype = q.dtype
    state = ELEMENT[dtype][1]
    for name, array in (("k", k), ("v", v)):
        if array.dtype != dtype:
            raise TypeError(f"{name}: expected {dtype.name} as q, got {array.dtype.name}")
    if z.dtype != dtype and z.dtype != state:
        either = dtype.name if dtype == state else f"{dtype.name} as q or {state.name}"
        raise TypeError(f"pivots: expected {either}, got {z.dtype.name}")

    for name, array, dims in (("q", q, "[B, Hq, n, d]"), ("k", k, "[B, Hk, m, d]"),
                              ("v", v, "[B, Hk, m, dv]")):
        if len(array.shape) != 4:
            raise ValueError(f"{name}: expected rank 4, {dims}, got rank {len(array.shape)}, "
                             f"shape {list(array.shape)}")
    if len(z.shape) not in (3, 4):
        raise ValueError("pivots: expected rank 3 or 4, [Hp, r, d] or [B, Hp, r, d], "
                         f"got rank {len(z.shape)}, shape {list(z.shape)}")

    B, Hq, n, d = q.shape
    _, Hk, m, _ = k.shape
    Hp, r = z.shape[-3:-1]
    for letter, name, size in (("d", "q", d), ("r", "pivots", r), ("dv", "v", v.shape[3])):
        if size < 1:
            raise ValueError(f"{name}: expected {letter} >= 1, got {size}")
    if k.shape[0] != B or k.shape[3] != d:
        raise ValueError(f"k: expected shape [B, Hk, m, d] = [{B}, Hk, m, {d}] to go with q, "
                         f"got {list(k.shape)}")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"v: expected shape [B, Hk, m, dv] = [{B}, {Hk}, {m}, dv] to go with k, "
                         f"got {list(v.shape)}")
    if Hk < 1 or Hq % Hk:
        raise ValueError(f"k: expected a number of heads that divides the {Hq} of q, got {Hk}")
    if z.shape[-1] != d or (len(z.shape) == 4 and z.shape[0] != B):
        raise ValueError(f"pivots: expected shape [Hp, r, d] = [Hp, r, {d}] or [B, Hp, r, d] = "
                         f"[{B}, Hp, r, {d}], got {list(z.shape)}")
    if Hp != Hq and Hp != Hk:
        expected = f"{Hq} heads" if Hq == Hk else f"{Hq} heads as q or {Hk} as k"
        raise ValueError(f"pivots: expected {expected}, got {Hp}")


#: Sizes that CUDA kernels are made for.
MAX_CUDA_HEAD_DIM = MAX_CUDA_PIVOTS = 256


def check_cuda_layout(q: Any, v: Any, z: Any) -> None:
    """TypeError and ValueError for what CUDA kernels do not take, in operands that have passed
    `check_layout`."""
    if q.dtype == F64:
        raise TypeError("q: expected float32, float16 or bfloat16 on a CUDA device, got float64: "
                        "kernels compute in float32; float64 is computed on the CPU")
    for name, letter, size, most in (("q", "d", q.shape[3], MAX_CUDA_HEAD_DIM),
                                     ("v", "dv", v.shape[3], MAX_CUDA_HEAD_DIM),
                                     ("pivots", "r", z.shape[-2], MAX_CUDA_PIVOTS)):
        if size > most:
            raise ValueError(f"{name}: expected {letter} <= {most} on a CUDA device, got {size}")


def mass_shapes(q: Any, k: Any, z: Any) -> tuple:
    """The short and the full shape of each log mass, in the order of MASSES, and their letters."""
    B, Hq, n, _ = q.shape
    Hk, m = k.shape[1:3]
    Hp, r = z.shape[-3:-1]
    pivot = (Hp, r), (B, Hp, r), "[Hp, r] or [B, Hp, r]"
    return (((B, n), (B, Hq, n), "[B, n] or [B, Hq, n]"),
            ((B, m), (B, Hk, m), "[B, m] or [B, Hk, m]"), pivot, pivot)


def check_mass_layout(name: str, mass: Any, short: tuple, full: tuple, letters: str) -> None:
    """TypeError or ValueError unless a log mass is floating point and of one of the shapes."""
    if mass.dtype not in ELEMENT:
        raise TypeError(f"{name}: expected a floating point array, got {mass.dtype.name}")
    # By rank first: sizes of different meaning must not meet, they can be symbolic.
    if mass.shape != (full if len(mass.shape) == len(full) else short):
        raise ValueError(f"{name}: expected shape {letters} = {list(short)} or {list(full)}, "
                         f"got {list(mass.shape)}")


def _mass(name: str, value: Any, state: np.dtype, short: tuple, full: tuple,
          letters: str) -> Optional[np.ndarray]:
    """A log mass of shape `short` or `full` in the state dtype, None for uniform."""
    if value is None:
        return None
    array = value if type(value) is np.ndarray else np.asarray(value)
    check_mass_layout(name, array, short, full, letters)
    if array.dtype is not state and array.dtype != state:
        array = array.astype(state)
    check_mass_values(name, array)
    return strided(array)


def check_mass_values(name: str, mass: np.ndarray) -> None:
    """ValueError for NaN and +inf in a log mass."""
    # One pass finds both: NaN propagates through max and compares false.
    if mass.size and not mass.max() < np.inf:
        what = "NaN" if np.isnan(mass).any() else "+inf"
        raise ValueError(f"{name}: expected finite values or -inf (an absent token or pivot), "
                         f"got {what}")


def check_operands(q: Any, k: Any, v: Any, pivots: Any, query_log_mass: Any, key_log_mass: Any,
                   pivot_log_mass: Any, glue_log_mass: Any) -> Operands:
    """Checks dtypes, ranks, shapes and masses (docs/semantics.md, section 1).

    TypeError for dtypes, ValueError for shapes and mass values.
    """
    q, k, v = as_array("q", q), as_array("k", k), as_array("v", v)
    z = as_array("pivots", pivots)
    check_layout(q, k, v, z)
    state = ELEMENT[q.dtype][1]
    masses = (query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass)
    return Operands(
        strided(q), strided(k), strided(v), strided(z),
        *(_mass(name, mass, state, *shapes)
          for name, mass, shapes in zip(MASSES, masses, mass_shapes(q, k, z))))


def check_cotangent(dout: Any, operands: Operands) -> np.ndarray:
    """The cotangent of the result, [B, Hq, n, dv] in the dtype of q, for a memref.

    TypeError for another dtype, ValueError for another shape.
    """
    array = as_array("dout", dout)
    dtype = operands.query.dtype
    if array.dtype != dtype:
        raise TypeError(f"dout: expected {dtype.name} as q, got {array.dtype.name}")
    shape = (*operands.query.shape[:3], operands.value.shape[3])
    if array.shape != shape:
        raise ValueError(f"dout: expected shape [B, Hq, n, dv] = {list(shape)}, "
                         f"got {list(array.shape)}")
    return strided(array)
