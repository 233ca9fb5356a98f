#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python of docs/training.md and the frameworks' part of README.md run."""

import pathlib
import re

import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("page, first, count", [("docs/training.md", 0, 6), ("README.md", 1, 1)])
def test_python(page, first, count):
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)[first:]
    assert len(blocks) == count
    scope: dict = {}
    for number, block in enumerate(blocks):  # one after the other, like a notebook
        exec(compile(block, f"{page}, block {number}", "exec"), scope)  # noqa: S102
