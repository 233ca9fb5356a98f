#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of PTX that compute one value from the same thread's values.

TABLE has the exact names that are known; others are faults.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import ml_dtypes
import numpy as np

TYPES = {"b8": np.uint8, "b16": np.uint16, "u16": np.uint16, "b32": np.uint32, "u32": np.uint32,
         "s32": np.int32, "b64": np.uint64, "u64": np.uint64, "s64": np.int64, "f32": np.float32,
         "pred": np.bool_}
F32, F64, U32, U64 = np.float32, np.float64, np.uint32, np.uint64
SMALLEST_NORMAL = np.finfo(np.float32).tiny


class Elementwise(NamedTuple):
    """What an instruction does: arrays of these types, one value a thread, to an array."""

    types: tuple[type, ...]
    function: Callable[..., np.ndarray]


def flushed(x: np.ndarray) -> np.ndarray:
    """Zero for values below the normal ones (.ftz)."""
    return np.where(np.abs(x) < SMALLEST_NORMAL, np.copysign(F32(0), x), x)


def approximate(function: Callable) -> Callable:
    """A function of .approx.ftz.f32, here to the last bit."""
    return lambda x: flushed(function(flushed(x)).astype(F32))


def to_half(x: np.ndarray, dtype: type) -> np.ndarray:
    return x.astype(dtype).view(np.uint16)


def from_half(x: np.ndarray, dtype: type) -> np.ndarray:
    return x.view(dtype).astype(F32)


def pair(high: np.ndarray, low: np.ndarray, dtype: type) -> np.ndarray:
    return to_half(high, dtype).astype(U32) << U32(16) | to_half(low, dtype)


def halves(words: np.ndarray, dtype: type) -> np.ndarray:
    """[..., 2] f32 of 32-bit words, the low half first."""
    return np.ascontiguousarray(words).view(dtype).reshape(*words.shape, 2).astype(F32)


def fma_pairs(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    a, b, c = (halves(x, np.float16).astype(F64) for x in (a, b, c))
    return (a * b + c).astype(np.float16).view(U32)[:, 0]


def high_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The upper 64 bits of a product."""
    low, shift = U64(0xFFFFFFFF), U64(32)
    al, ah, bl, bh = a & low, a >> shift, b & low, b >> shift
    carry = (al * bl >> shift) + (ah * bl & low) + (al * bh & low)
    return ah * bh + (ah * bl >> shift) + (al * bh >> shift) + (carry >> shift)


def permuted_bytes(a: np.ndarray, b: np.ndarray, selection: np.ndarray) -> np.ndarray:
    both, out = a.astype(U64) | b.astype(U64) << U64(32), np.zeros_like(a)
    for i in range(4):
        byte = (selection >> U32(4 * i) & U32(7)).astype(U64)
        out |= (both >> byte * U64(8) & U64(255)).astype(U32) << U32(8 * i)
    return out


def compared(comparison: Callable, unordered: bool = False) -> Callable:
    """A comparison of floats; NaN on either side gives `unordered`."""
    def compare(a, b):
        nan = np.isnan(a) | np.isnan(b)
        return comparison(a, b) | nan if unordered else comparison(a, b) & ~nan
    return compare


def to_s32(x: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(x.astype(F64)).astype(np.int64), -2**31, 2**31 - 1)


def make_table() -> dict[str, Elementwise]:
    table: dict[str, Elementwise] = {}

    def add(name: str, types: str, function: Callable) -> None:
        table[name] = Elementwise(tuple(TYPES[t] for t in types.split()), function)

    def nonzero(divide: Callable) -> Callable:  # what a division by 0 gives is open
        return lambda a, b: divide(a, np.where(b == 0, b.dtype.type(1), b))

    for t in ("s32", "u32", "s64", "u64"):
        add(f"add.{t}", f"{t} {t}", np.add)
        add(f"sub.{t}", f"{t} {t}", np.subtract)
        add(f"mul.lo.{t}", f"{t} {t}", np.multiply)
        add(f"mad.lo.{t}", f"{t} {t} {t}", lambda a, b, c: a * b + c)
        add(f"min.{t}", f"{t} {t}", np.minimum)
        add(f"max.{t}", f"{t} {t}", np.maximum)
        add(f"shr.{t}", f"{t} u32", lambda a, n: a >> n.astype(a.dtype))
    for t in ("u32", "u64"):
        add(f"div.{t}", f"{t} {t}", nonzero(np.floor_divide))
        add(f"rem.{t}", f"{t} {t}", nonzero(np.remainder))
        add(f"bfe.{t}", f"{t} u32 u32", lambda a, at, size: a >> at.astype(a.dtype) &
            (a.dtype.type(1) << size.astype(a.dtype)) - a.dtype.type(1))
    # Of bits that are all there, at least one.
    add("bfe.s32", "s32 u32 u32", lambda a, at, size: a << (U32(32) - at - size).astype(np.int32) >>
        (U32(32) - size).astype(np.int32))
    add("mul.wide.u32", "u32 u32", lambda a, b: a.astype(U64) * b)
    add("mul.wide.s32", "s32 s32", lambda a, b: a.astype(np.int64) * b)
    add("mul.hi.u32", "u32 u32", lambda a, b: (a.astype(U64) * b >> U64(32)).astype(U32))
    add("mul.hi.u64", "u64 u64", high_product)
    add("prmt.b32", "b32 b32 b32", permuted_bytes)
    for t in ("b16", "b32", "b64", "pred"):
        add(f"and.{t}", f"{t} {t}", np.bitwise_and)
        add(f"or.{t}", f"{t} {t}", np.bitwise_or)
        add(f"xor.{t}", f"{t} {t}", np.bitwise_xor)
        add(f"not.{t}", t, np.invert)
        add(f"shl.{t}", f"{t} u32", lambda a, n: a << n.astype(a.dtype))
    for t in ("b16", "b32", "b64", "u32", "u64", "f32", "pred"):
        add(f"mov.{t}", t, lambda a: a)
        add(f"selp.{t}", f"{t} {t} pred", lambda a, b, c: np.where(c, a, b))
    for t in ("b16", "b32", "b64", "u32", "s32", "u64", "s64", "f32"):
        wrap = compared if t == "f32" else lambda comparison: comparison
        for name, comparison in dict(lt=np.less, le=np.less_equal, gt=np.greater, eq=np.equal,
                                     ge=np.greater_equal, ne=np.not_equal).items():
            add(f"setp.{name}.{t}", f"{t} {t}", wrap(comparison))
            if t == "f32":
                add(f"setp.{name}u.f32", "f32 f32", compared(comparison, unordered=True))
    add("add.rn.f32", "f32 f32", np.add)
    add("sub.rn.f32", "f32 f32", np.subtract)
    add("mul.rn.f32", "f32 f32", np.multiply)
    add("fma.rn.f32", "f32 f32 f32", lambda a, b, c: (a.astype(F64) * b + c).astype(F32))
    add("fma.rn.f16x2", "b32 b32 b32", fma_pairs)
    add("min.f32", "f32 f32", np.fmin)
    add("max.f32", "f32 f32", np.fmax)
    add("neg.f32", "f32", np.negative)
    add("neg.s32", "s32", np.negative)
    add("neg.s64", "s64", np.negative)
    add("abs.f32", "f32", np.abs)
    add("ex2.approx.ftz.f32", "f32", approximate(np.exp2))
    add("lg2.approx.ftz.f32", "f32", approximate(np.log2))
    add("rcp.approx.ftz.f32", "f32", approximate(np.reciprocal))
    for name, half in (("f16", np.float16), ("bf16", ml_dtypes.bfloat16)):
        add(f"cvt.f32.{name}", "b16", lambda a, half=half: from_half(a, half))
        add(f"cvt.rn.{name}.f32", "f32", lambda a, half=half: to_half(a, half))
        add(f"cvt.rn.{name}x2.f32", "f32 f32", lambda a, b, half=half: pair(a, b, half))
    add("cvt.u32.u64", "u64", lambda a: a.astype(U32))
    add("cvt.u64.u32", "u32", lambda a: a.astype(U64))
    add("cvt.u32.u16", "u16", lambda a: a.astype(U32))
    add("cvt.s64.s32", "s32", lambda a: a.astype(np.int64))
    for t in ("s32", "u32", "s64", "u64"):
        add(f"cvt.rn.f32.{t}", t, lambda a: a.astype(F32))
    add("cvt.rzi.s32.f32", "f32", lambda a: to_s32(a).astype(np.int32))
    for space in ("global", "local"):  # all spaces but shared::cluster keep their addresses here
        add(f"cvta.to.{space}.u64", "u64", lambda a: a)
        add(f"cvta.{space}.u64", "u64", lambda a: a)
    return table


TABLE = make_table()
