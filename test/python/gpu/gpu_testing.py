#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Problems of lot_testing on a CUDA device."""

from __future__ import annotations

from typing import Any, Optional

import lot_testing
import numpy as np
import torch
from lot.torch._ops import OPERANDS
from lot.torch._tensors import to_numpy, to_torch

import lot

DEVICE = "cuda"


def tensors(problem: lot_testing.Problem) -> dict[str, Optional[torch.Tensor]]:
    """The operands as leaves with requires_grad; None for absent masses."""
    arrays = problem.operands()
    return {name: to_torch(arrays[name].copy()).to(DEVICE).requires_grad_()
            if name in arrays else None for name in OPERANDS}


def run(operands: dict[str, Optional[torch.Tensor]], attributes: dict[str, Any]) -> torch.Tensor:
    """`lot.torch.attention` on operands by name."""
    given = {name: tensor for name, tensor in operands.items() if tensor is not None}
    return lot.torch.attention(**given, **attributes)


def gradients(out: torch.Tensor, operands: dict[str, Optional[torch.Tensor]],
              dout: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradients of all operands that are given, by name."""
    given = {name: tensor for name, tensor in operands.items() if tensor is not None}
    return dict(zip(given, torch.autograd.grad(out, list(given.values()), dout)))


def host(tensor: torch.Tensor) -> np.ndarray:
    """The values as an array."""
    return to_numpy(tensor.detach().cpu())


def check_output(actual: np.ndarray, problem: lot_testing.Problem, dtype: str) -> None:
    """`lot_testing.check` with the tolerances of a GPU."""
    lot_testing.check(actual, problem, dtype, lot_testing.GPU_OUTPUT_ROUNDING)


def check_gradients(actual: dict[str, np.ndarray], problem: lot_testing.Problem,
                    dout: np.ndarray, dtype: str) -> None:
    """`lot_testing.check_gradients` with the tolerances of a GPU."""
    lot_testing.check_gradients(actual, problem, dout, dtype,
                                rounding=lot_testing.GPU_OUTPUT_ROUNDING,
                                gradient_rounding=lot_testing.GPU_GRADIENT_ROUNDING)


def check(problem: lot_testing.Problem, dtype: str, backward: bool = True) -> None:
    """Asserts that result and gradients are the oracle's to the tolerances of section 9."""
    operands = tensors(problem)
    out = run(operands, problem.attributes)
    assert out.device.type == DEVICE and out.is_contiguous()
    check_output(host(out), problem, dtype)
    if backward:
        dout = problem.cotangent()
        found = gradients(out, operands, to_torch(dout).to(DEVICE))
        check_gradients({name: host(value) for name, value in found.items()}, problem, dout,
                        dtype)


def random_problem(seed: int, dtype: str, shape: Optional[dict] = None,
                   **kernel: Any) -> lot_testing.Problem:
    """A problem of a random class and shape, with masks whose tokens hold NaN."""
    rng = np.random.default_rng(seed)
    sizes = dict(d=int(rng.choice([8, 16, 32, 64, 96, 128, 17])),
                 dv=int(rng.choice([8, 16, 32, 64, 80, 128, 9])),
                 r=int(rng.choice([1, 8, 16, 32, 48, 64, 5])))
    attributes = (("epsilon", float(rng.choice([0.5, 1.0, 2.0]))),
                  ("half_steps", int(rng.integers(1, 9))))
    chosen = lot_testing.Kernel(**{
        **sizes, "dtype": dtype, "pivots_rank": int(rng.integers(3, 5)),
        "mass_ranks": tuple(int(rank) for rank in rng.choice([0, 2, 3], 4)),
        "attributes": attributes, **kernel})
    given = dict(batch=int(rng.integers(1, 4)), key_heads=int(rng.integers(1, 4)),
                 group=int(rng.integers(1, 3)), pivots_per_key_head=bool(rng.integers(2)),
                 n=int(rng.integers(1, 400)), m=int(rng.integers(1, 400)),
                 spread=float(rng.choice([0.3, 1.0])), absent=float(rng.choice([0.0, 0.3])),
                 seed=seed)
    return lot_testing.make_problem(chosen, lot_testing.Shape(**{**given, **(shape or {})}))
