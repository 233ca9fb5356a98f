#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Problems of lot_testing as tensors, and their gradients checked against the oracle."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import lot
import lot_testing
import torch
from lot.torch._ops import OPERANDS
from lot.torch._tensors import to_numpy, to_torch

MASSES = OPERANDS[4:]


def tensors(problem: lot_testing.Problem) -> dict[str, Optional[torch.Tensor]]:
    """The operands as leaves with requires_grad; None for absent masses."""
    arrays = problem.operands()
    return {name: to_torch(arrays[name].copy()).requires_grad_() if name in arrays else None
            for name in OPERANDS}


def run(operands: dict[str, Optional[torch.Tensor]], attributes: dict[str, Any]) -> torch.Tensor:
    """`lot.torch.attention` on operands by name."""
    q, k, v, pivots = (operands[name] for name in OPERANDS[:4])
    return lot.torch.attention(q, k, v, pivots, **{name: operands[name] for name in MASSES},
                               **attributes)


def cotangent(out: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """A random cotangent of `out`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(out.shape, dtype=torch.float64, generator=generator).to(out.dtype)


def check_gradients(gradients: dict[str, torch.Tensor], problem: lot_testing.Problem,
                    dout: torch.Tensor, dtype: str) -> None:
    """Asserts that all gradients are the oracle's to the tolerances of section 9."""
    lot_testing.check_gradients({name: to_numpy(value) for name, value in gradients.items()},
                                problem, to_numpy(dout), dtype)


def gradients_of(operands: dict[str, Optional[torch.Tensor]], attributes: dict[str, Any],
                 names: Sequence[str] = OPERANDS) -> tuple:
    """(result, cotangent, gradients by name)."""
    names = [name for name in names if operands[name] is not None]
    out = run(operands, attributes)
    dout = cotangent(out)
    found = torch.autograd.grad(out, [operands[name] for name in names], dout)
    return out, dout, dict(zip(names, found))
