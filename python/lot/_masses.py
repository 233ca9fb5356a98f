#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builders of log masses from masks and logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._attributes import real


def log_mass(keep: Any) -> np.ndarray:
    """Uniform log masses over the tokens that a padding mask keeps.

    keep: bool [..., n], True for tokens that are there -> float64 [..., n]: -log(count) where
    kept, -inf elsewhere (all -inf when nothing is kept). TypeError when keep is not bool: 0/1
    and additive masks are too easily confused.
    """
    keep = np.asarray(keep)
    if keep.dtype != np.bool_:
        raise TypeError(f"keep: expected bool, got {keep.dtype.name}")
    if keep.ndim < 1:
        raise ValueError("keep: expected rank 1 or more, got rank 0")
    kept = keep.sum(-1, keepdims=True)
    return np.where(keep, -np.log(np.maximum(kept, 1)), -np.inf)


def pivot_log_mass(logits: Any, temperature: float = 1.0) -> np.ndarray:
    """log_softmax(logits / temperature) over the last axis, as LOTFormer learns pivot masses.

    logits: real [..., r] without NaN or +inf (-inf: a pivot that is not there)
    -> float64 [..., r]. ValueError for those values, for r < 1 and for temperature <= 0.
    """
    temperature = real("temperature", temperature)
    if not temperature > 0:
        raise ValueError(f"temperature: expected a number > 0, got {temperature}")
    t = np.asarray(logits, np.float64)
    if t.ndim < 1 or t.shape[-1] < 1:
        raise ValueError(f"logits: expected shape [..., r] with r >= 1, got {list(t.shape)}")
    if np.isnan(t).any() or (t == np.inf).any():
        raise ValueError("logits: expected finite values or -inf, got NaN or +inf")
    t = t / temperature
    top = t.max(-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(t - top).sum(-1, keepdims=True)
    return np.where(total > 0, t - top - np.log(np.where(total > 0, total, 1.0)), -np.inf)
