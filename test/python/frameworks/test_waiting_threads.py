#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot's threads leave the processors to the framework between calls."""

import os
import subprocess
import sys

import pytest

from lot._threads import share_processors

SCRIPT = """
import time
import lot.{name}
import numpy as np

x = np.ones((1, 8, 4096, 8), np.float32)
for _ in range(3):
    lot.attention(x, x, x, x[0, :, :4], threads=2)
before = time.process_time()
time.sleep(0.15)
print(time.process_time() - before)
"""


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_waiting_threads_sleep(name):
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)

    done = subprocess.run([sys.executable, "-c", SCRIPT.format(name=name)], check=True,
                          env=environment, capture_output=True, text=True)
    assert float(done.stdout) < 0.05  # spinning, they use all of the 0.15


@pytest.mark.parametrize("setting", [{"KMP_BLOCKTIME": "7ms"}, {"OMP_WAIT_POLICY": "active"}])
def test_a_setting_of_the_user_stays(monkeypatch, setting):
    for name in ("KMP_BLOCKTIME", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    share_processors()
    assert dict(os.environ) == before
