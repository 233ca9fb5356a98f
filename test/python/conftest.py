#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the package importable and hands out poisoned result buffers.

Tests compile what they test: the folder of compiled code is off, except in test_disk_cache.py,
which has folders of its own.
"""

import os
import pathlib
import sys

import numpy as np
import pytest

os.environ["LOT_CACHE_DIR"] = "off"  # also for processes that tests start

try:
    import lot
except ImportError:  # not installed: take what the build made
    ROOT = pathlib.Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(ROOT / "build" / "python_packages"))
    import lot

from lot import _attention


@pytest.fixture(autouse=True)
def poisoned_results(monkeypatch):
    """Every result buffer starts as NaN: a value that nobody writes fails the test."""

    def nan_filled(shape, dtype):
        out = np.empty(shape, dtype)
        out[...] = np.nan
        return out

    monkeypatch.setattr(_attention, "_empty", nan_filled)
