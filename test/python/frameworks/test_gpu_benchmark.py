#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""benchmarks/gpu.py without a GPU: the formula it compares with, its tables, bad arguments."""

import math
import pathlib
import sys

import numpy as np
import pytest
import torch

import lot

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "benchmarks"))
import gpu  # noqa: E402
import gpu_systems  # noqa: E402
from problems import Shape  # noqa: E402


def small(s):
    generator = torch.Generator().manual_seed(0)
    sizes = [(s.batch, s.heads, s.n, s.d)] * 3 + [(s.heads, s.r, s.d)]
    return [torch.randn(size, generator=generator) for size in sizes]


@pytest.mark.parametrize("half_steps", [1, 2, 5, 10])
def test_plain_formula(half_steps):
    s = Shape(2, 3, 50, 16, 8, half_steps, 0.7)
    tensors = [x.double() for x in small(s)]
    expected = lot.reference.attention(*[x.numpy() for x in tensors], epsilon=s.epsilon,
                                       half_steps=s.half_steps)
    found = gpu_systems.plain(s, torch.float64)(*tensors)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_run_on_the_host(monkeypatch, capsys, tmp_path):
    """Everything but times and memory, which only a GPU has."""
    s = Shape(2, 2, 40, 16, 8, 3, 1.0)
    case = gpu_systems.Case("tiny", s, 1.5, 0.1, (0.1, None))

    def measure(call, sets):
        call(*sets[0])
        return 2.0

    for name, stub in (("measure", measure), ("extra_memory", lambda call, tensors: 1 << 20),
                       ("make_sets", lambda case, dtype: [[*small(case.shape), small(case.shape)[0]]]),
                       ("CASES", (case,))):
        monkeypatch.setattr(gpu, name, stub)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    rows = gpu.main(["tiny", "--no-peers", "--json", str(tmp_path / "t.json"),
                     "--plot", str(tmp_path / "t.png")])
    assert all(0 < error < 1e-4 for error in rows[0]["errors"].values()), rows[0]["errors"]
    text = capsys.readouterr().out
    assert "| tiny | 2.0000 | 3.0000 | 2.0000 | 1.00 | 0.1000 |" in text
    assert "| tiny | 2.0000 | 0.1000 | 2.0000 | 1.00 | - |" in text
    assert (tmp_path / "t.json").exists() and (tmp_path / "t.png").exists()


@pytest.mark.parametrize("arguments, message", [
    (["nonsense"], "expected shapes among bulk, swin, retrieval8k, retrieval32k, lra, lra-wide, long; "
                   "got non"),
    ([], "expected a CUDA device, found none")])
def test_bad_arguments(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        gpu.main(arguments)
    assert message in capsys.readouterr().err
    assert gpu.number(math.nan) == gpu.number(None) == "-"
