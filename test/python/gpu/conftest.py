#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of lot.torch on a CUDA device. Where there is none they are skipped, with the reason.

Results and workspaces start as NaN: a value that nobody writes, or that is read before it is
written, fails the test.
"""

import importlib.util
import os

import pytest

# Elsewhere there is nothing to collect.
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]

# One folder of compiled code for all tests of a run: they ask for the same kernels.
os.environ["LOT_CACHE_DIR"] = os.environ.get("LOT_TEST_CACHE_DIR", "off")
# Or JAX takes most of the device's memory for itself.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def missing() -> str:
    """Why tests cannot run here, "" where they can."""
    import torch

    if not torch.cuda.is_available():
        return "no CUDA device: torch.cuda.is_available() is false"
    if torch.cuda.get_device_capability() < (8, 0):
        return "the CUDA device is older than compute capability 8.0"
    return ""


def pytest_collection_modifyitems(items):
    here = os.path.dirname(__file__)
    items = [item for item in items if str(item.path).startswith(here + os.sep)]
    reason = missing() if items else ""
    for item in items:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def poisoned_memory(request, monkeypatch):
    """Fills what the CUDA kernels write to with NaN (workspaces: bytes of 0xff, which are NaN)."""
    if request.node.get_closest_marker("skip"):
        return
    import torch

    from lot.torch import _cuda

    def poisoned(*shape, **options):
        out = torch.empty(*shape, **options)
        return out.fill_(255 if out.dtype == torch.uint8 else torch.nan)

    monkeypatch.setattr(_cuda, "_empty", poisoned)
