#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The attributes of `lot.attention`: checks and MLIR text."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any, NamedTuple, Optional

NORMALIZATIONS = ("query_mass", "row_sum", "none")


class Attributes(NamedTuple):
    """Checked attributes of the op (docs/semantics.md, section 1)."""

    scale: Optional[float]
    epsilon: float
    half_steps: int
    normalization: str
    row_floor: float
    score_clamp: Optional[float]
    out_scale: float


def real(name: str, value: Any) -> float:
    """`value` as a finite float; TypeError for other types, ValueError for NaN and infinities."""
    # Zero-dimensional arrays are fine; strings and bools, which float() takes, are not.
    if isinstance(value, (str, bytes, bool)) or not (
            isinstance(value, numbers.Real) or hasattr(value, "__float__")):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, got {number}")
    return number


def count(name: str, value: Any) -> int:
    """`value` as an integer >= 1; TypeError or ValueError otherwise."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None
    if number < 1:
        raise ValueError(f"{name}: expected at least 1, got {number}")
    return number


def check_attributes(scale: Any, epsilon: Any, half_steps: Any, normalization: Any, row_floor: Any,
                     score_clamp: Any, out_scale: Any) -> Attributes:
    """Checks types and ranges of all attributes; TypeError or ValueError."""
    epsilon, row_floor = real("epsilon", epsilon), real("row_floor", row_floor)
    if not epsilon > 0:
        raise ValueError(f"epsilon: expected a number > 0, got {epsilon}")
    if not row_floor >= 0:
        raise ValueError(f"row_floor: expected a number >= 0, got {row_floor}")
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization: expected one of {', '.join(NORMALIZATIONS)}, "
                         f"got {normalization!r}")
    if score_clamp is not None:
        score_clamp = real("score_clamp", score_clamp)
        if not score_clamp >= 0:
            raise ValueError(f"score_clamp: expected a number >= 0, got {score_clamp}")
    return Attributes(
        None if scale is None else real("scale", scale), epsilon,
        count("half_steps", half_steps), normalization, row_floor, score_clamp,
        real("out_scale", out_scale))


def f64(value: float) -> str:
    """`value` as an MLIR f64 attribute that reads back to the same bits."""
    text = repr(float(value))
    mantissa, e, exponent = text.partition("e")
    if "." not in mantissa:  # MLIR's grammar asks for the point: 1.0e-06
        mantissa += ".0"
    return f"{mantissa}{e}{exponent} : f64"


def text(attributes: Attributes, schedule: Optional[str] = None) -> str:
    """The op's attribute dictionary; defaults are left out, the schedule is MLIR text."""
    a = attributes
    entries = [f"epsilon = {f64(a.epsilon)}", f"half_steps = {a.half_steps} : i64"]
    if a.scale is not None:
        entries.append(f"scale = {f64(a.scale)}")
    if a.normalization != "query_mass":
        entries.append(f"normalization = #lot.normalization<{a.normalization}>")
    if a.row_floor != 0.0:
        entries.append(f"row_floor = {f64(a.row_floor)}")
    if a.score_clamp is not None:
        entries.append(f"score_clamp = {f64(a.score_clamp)}")
    if a.out_scale != 1.0:
        entries.append(f"out_scale = {f64(a.out_scale)}")
    if schedule is not None:
        entries.append(f"schedule = {schedule}")
    return "{" + ", ".join(entries) + "}"
