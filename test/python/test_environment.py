#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""OMP_NUM_THREADS as users get it wrong: no crash, no flood of threads, the right result."""

import os
import pathlib
import subprocess
import sys

import pytest

import lot

CODE = """
import os, numpy as np, lot
x = np.random.default_rng(0).standard_normal((8, 6, 40, 5)).astype(np.float32)
z = x[0, :, :3].copy()
out = lot.attention(x, x, x, z, epsilon=0.8)
one = lot.attention(x, x, x, z, epsilon=0.8, threads=1)
many = lot.attention(x, x, x, z, epsilon=0.8, threads=60000)
error = np.abs(out - lot.reference.attention(x, x, x, z, epsilon=0.8)).max()
print(out.tobytes() == one.tobytes() == many.tobytes(), error < 1e-5, len(os.listdir("/proc/self/task")),
      os.environ["OMP_NUM_THREADS"] == subprocess.check_output(["printenv", "OMP_NUM_THREADS"],
                                                              text=True)[:-1])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("code")  # only the first process compiles


@pytest.mark.parametrize("value, valid", [
    ("1", True), ("3", True), (" 2 ", True), ("2,3", True), ("1000", True), ("", True), (" ", True),
    ("0", False), ("-3", False), ("abc", False), ("1000000", False), ("99999999999999", False),
    ("2147483647", False), ("2,,3", False), ("1.5", False)])
def test_number_of_threads(folder, value, valid):
    path = os.pathsep.join([str(pathlib.Path(lot.__file__).parents[1]),
                            os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", "import subprocess" + CODE], capture_output=True,
                          text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": value,
                               "LOT_CACHE_DIR": str(folder), "OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    same, right, threads, kept = done.stdout.split()
    assert (same, right, kept) == ("True", "True", "True")
    assert int(threads) <= 2 * max(os.cpu_count(), 16) + 4
    if valid:
        assert not done.stderr
    else:
        assert done.stderr.count("RuntimeWarning") == 1
        assert f"from 1 to 65535 with commas between them, got '{value}'; it is ignored" in done.stderr
