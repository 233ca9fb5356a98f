#!/usr/bin/env bash
# Runs the tests on the build, and ends with their counts.
#
#   scripts/check.sh              lit, pytest and, where .venv-frameworks is
#                                 (scripts/setup.sh frameworks), those of PyTorch and JAX
#   scripts/check.sh frameworks   PyTorch, JAX, IREE, docs/integrations.md
#
# LIT_ARGS and PYTEST_ARGS are added to their command lines.
set -uo pipefail
cd "$(dirname "$0")/.."
BUILD="${BUILD:-build}"
JOBS="${JOBS:-$(nproc)}"
reports="$BUILD/reports"
mkdir -p "$reports"
rm -f "$reports"/*
if [ -x .venv-iree/bin/python ]; then
  export LOT_IREE_PYTHON="$PWD/.venv-iree/bin/python"
fi
export LOT_BUILD_DIR="${LOT_BUILD_DIR:-$(cd "$BUILD" && pwd)}"
# Numerical libraries of the tests must not multiply with the test processes.
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"

counts=()
tests=(test/python)
if [ "${1:-all}" = frameworks ]; then
  tests=(test/python/test_iree.py test/python/test_integrations_page.py)
else
  # shellcheck disable=SC2086
  .venv/bin/lit -sv -j "$JOBS" --xunit-xml-output="$reports/lit.xml" ${LIT_ARGS:-} "$BUILD/test"
  counts+=("lit=$reports/lit.xml:$?")
fi
# shellcheck disable=SC2086
.venv/bin/python -m pytest "${tests[@]}" -q -n "$JOBS" --junitxml="$reports/pytest.xml" ${PYTEST_ARGS:-}
counts+=("pytest=$reports/pytest.xml:$?")
if [ -x .venv-frameworks/bin/python ]; then
  # Shared by the processes of this run; nothing of an earlier build is in it.
  LOT_TEST_CACHE_DIR="$(mktemp -d)"
  export LOT_TEST_CACHE_DIR
  trap 'rm -rf "$LOT_TEST_CACHE_DIR"' EXIT
  # shellcheck disable=SC2086
  .venv-frameworks/bin/python -m pytest test/python/frameworks test/python/gpu -q -n "$JOBS" \
    --junitxml="$reports/frameworks.xml" ${PYTEST_ARGS:-}
  counts+=("frameworks=$reports/frameworks.xml:$?")
else
  echo "no .venv-frameworks: the tests of PyTorch and JAX are left out"
fi
.venv/bin/python scripts/test_counts.py "${counts[@]}" |
  tee "$reports/counts.txt"
exit "${PIPESTATUS[0]}"
