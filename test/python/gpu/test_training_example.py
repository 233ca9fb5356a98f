#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/train_listops.py on a CUDA device."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples"))

import train_listops  # noqa: E402


def test_listops_compiled(capsys):
    """torch.compile and autocast at one length, beside softmax attention; it learns."""
    runs = train_listops.main(["--device", "cuda", "--compile", "--autocast", "--attention", "both",
                               "--pad", "64", "--train", "384", "--test", "100", "--steps", "40"])
    text = capsys.readouterr().out
    for kind, run in runs.items():
        assert f"{kind} attention on cuda: {run.steps_per_second:.2f} steps per second" in text
    assert runs["lot"].accuracy > 0.15
