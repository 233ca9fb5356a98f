#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot's threads beside those of a framework."""

from __future__ import annotations

import os


def share_processors() -> None:
    """Lets lot's OpenMP threads sleep soon after a call.

    By default they spin for 200 ms in case there is another call, on processors that the
    framework's own threads want for the layers in between: a training step took 2 to 8 times as
    long. 50 us are enough for the barriers within a call. To be called before the first kernel
    runs; a KMP_BLOCKTIME or OMP_WAIT_POLICY that is set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("KMP_BLOCKTIME", "50us")
