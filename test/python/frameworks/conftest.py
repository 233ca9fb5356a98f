#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of lot.torch and lot.jax. They run where PyTorch, JAX and transformers are: in
.venv-frameworks (scripts/setup.sh frameworks), which scripts/check.sh takes for them."""

import importlib.util
import os
import shutil

# Elsewhere there is nothing to collect.
if any(importlib.util.find_spec(name) is None for name in ("torch", "jax", "transformers")):
    collect_ignore_glob = ["test_*.py"]

# A folder of compiled code that all processes of one run share (scripts/check.sh makes an empty
# one): these tests ask for the same few kernels again and again, which others have tested.
os.environ["LOT_CACHE_DIR"] = os.environ.get("LOT_TEST_CACHE_DIR", "off")
# Waiting threads of several test processes would take the processors from each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The compiler of torch.compile's code; its default is g++.
os.environ.setdefault("CXX", next(filter(shutil.which, ("g++", "clang++", "clang++-22")), "c++"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_terminal_summary(terminalreporter):
    """Errors against the float64 oracle that tests have recorded."""
    lines = [f"{report.nodeid.rpartition('/')[2]}: {value}"
             for reports in terminalreporter.stats.values() for report in reports
             for name, value in getattr(report, "user_properties", ())
             if name == "float64" and report.when == "call"]
    if lines:
        terminalreporter.section("errors against the float64 oracle")
        for line in sorted(lines):
            terminalreporter.write_line(line)
