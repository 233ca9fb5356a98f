#!/usr/bin/env bash
# Runs lit, pytest and, where .venv-frameworks is (scripts/setup.sh frameworks),
# the tests of PyTorch and JAX on the build, and ends with their counts. LIT_ARGS
# and PYTEST_ARGS are added to their command lines.
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

# shellcheck disable=SC2086
.venv/bin/lit -sv -j "$JOBS" --xunit-xml-output="$reports/lit.xml" ${LIT_ARGS:-} "$BUILD/test"
lit_status=$?
# shellcheck disable=SC2086
.venv/bin/python -m pytest test/python -q -n "$JOBS" --junitxml="$reports/pytest.xml" ${PYTEST_ARGS:-}
pytest_status=$?
counts=("lit=$reports/lit.xml:$lit_status" "pytest=$reports/pytest.xml:$pytest_status")
if [ -x .venv-frameworks/bin/python ]; then
  # Shared by the processes of this run; nothing of an earlier build is in it.
  LOT_TEST_CACHE_DIR="$(mktemp -d)"
  export LOT_TEST_CACHE_DIR
  trap 'rm -rf "$LOT_TEST_CACHE_DIR"' EXIT
  # shellcheck disable=SC2086
  .venv-frameworks/bin/python -m pytest test/python/frameworks -q -n "$JOBS" \
    --junitxml="$reports/frameworks.xml" ${PYTEST_ARGS:-}
  counts+=("frameworks=$reports/frameworks.xml:$?")
else
  echo "no .venv-frameworks: the tests of PyTorch and JAX are left out"
fi
.venv/bin/python scripts/test_counts.py "${counts[@]}" |
  tee "$reports/counts.txt"
exit "${PIPESTATUS[0]}"
