#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of a long sequence stays O(n r): neither n x m nor n x r x half_steps exists."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
import lot

n, r, d, half_steps = 262144, 16, 16, 10
rng = np.random.default_rng(0)
q, k, v = (rng.standard_normal((1, 1, n, d), np.float32) for _ in range(3))
z = rng.standard_normal((1, r, d), np.float32)
with lot.compile_options(schedule=sys.argv[1] if len(sys.argv) > 1 else None):
    lot.attention(q[:, :, :64], k[:, :, :64], v[:, :, :64], z, half_steps=half_steps)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = lot.attention(q, k, v, z, half_steps=half_steps)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert np.isfinite(out).all()
print((after - before) * 1024, n * r * 4)
"""


#: Legal on every processor.
RECOMPUTED = ("#lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 2, "
              "factor = recomputed>")


def measure(*arguments: str) -> tuple[int, int]:
    """What a fresh process, warmed up on 64 tokens, adds for 262144 tokens, and n x r, in bytes."""
    import lot

    path = os.pathsep.join([os.path.dirname(os.path.dirname(lot.__file__)),
                            os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    grown, factor = map(int, done.stdout.split())
    return grown, factor


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_peak_memory():
    """262144 tokens may add a few n x r arrays.

    In bytes: the n x m coupling would be 256 GiB, plans of all half-steps 168 MB; n x r is 16 MB.
    """
    grown, factor = measure()
    assert grown < 8 * factor, f"peak memory grew by {grown / 2**20:.1f} MiB"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in KiB on Linux")
def test_recomputed_factor():
    """A schedule without the factor adds the result (16 MB) and two masses, and not n x r."""
    grown, factor = measure(RECOMPUTED)
    assert grown < 1.5 * factor, f"peak memory grew by {grown / 2**20:.1f} MiB"
