#!/usr/bin/env bash
# Sets up what a build needs, or says what is missing: system packages, the
# virtual environment .venv, the configured build folder. Quick when all is there.
#
#   scripts/setup.sh [system] [venv] [iree] [emulator] [mpi] [frameworks] [bench]
#                    [configure]
#
# The environment may name another installation of LLVM and MLIR 22.1:
#   LLVM_PREFIX           its prefix, or
#   MLIR_DIR, LLVM_DIR    the folders of MLIRConfig.cmake and LLVMConfig.cmake
# and also PYTHON (3.11 or later makes .venv), CC, CXX, BUILD (build folder).
set -euo pipefail
cd "$(dirname "$0")/.."

llvm_version=22
PYTHON="${PYTHON:-python3}"
BUILD="${BUILD:-build}"
LLVM_PREFIX="${LLVM_PREFIX:-/usr/lib/llvm-$llvm_version}"
MLIR_DIR="${MLIR_DIR:-$LLVM_PREFIX/lib/cmake/mlir}"
LLVM_DIR="${LLVM_DIR:-$LLVM_PREFIX/lib/cmake/llvm}"
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { echo "setup: $*" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The bin and lib folders of the LLVM in use: MLIR_DIR is <prefix>/lib*/cmake/mlir.
llvm_root() { (cd "$MLIR_DIR/../../.." 2>/dev/null && pwd); }

# The compiler: CC and CXX, clang of the LLVM in use, clang-22, else the system's.
find_compilers() {
  local bin
  bin="$(llvm_root || true)/bin"
  if [ -z "${CXX:-}" ]; then
    if [ -x "$bin/clang++" ]; then
      CC="$bin/clang" CXX="$bin/clang++"
    elif have "clang++-$llvm_version"; then
      CC="clang-$llvm_version" CXX="clang++-$llvm_version"
    else
      CC="${CC:-cc}" CXX="c++"
    fi
  fi
  export CC="${CC:-cc}" CXX
}

# Debian and Ubuntu name of each thing that is missing.
missing_packages() {
  local root
  root="$(llvm_root || true)"
  [ -e "$LLVM_DIR/LLVMConfig.cmake" ] || echo "llvm-$llvm_version-dev"
  [ -e "$MLIR_DIR/MLIRConfig.cmake" ] || echo "libmlir-$llvm_version-dev"
  [ -x "$root/bin/mlir-tblgen" ] && [ -x "$root/bin/mlir-opt" ] || echo "mlir-$llvm_version-tools"
  [ -x "$root/bin/FileCheck" ] || echo "llvm-$llvm_version-tools"
  [ -e "$root/lib/libomp.so" ] || echo "libomp-$llvm_version-dev"
  if [ -z "${CXX:-}" ]; then
    [ -x "$root/bin/clang++" ] || have "clang++-$llvm_version" || echo "clang-$llvm_version"
  fi
  have "ld.lld-$llvm_version" || [ -x "$root/bin/ld.lld" ] || have ld.lld || echo "lld-$llvm_version"
  have "clang-format-$llvm_version" || [ -x "$root/bin/clang-format" ] || echo "clang-format-$llvm_version"
  have ccache || echo ccache
  have make || echo make
  have git || echo git
  if ! have "$PYTHON"; then
    echo python3 python3-venv python3-dev
  else
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$PYTHON" -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || echo python3-dev
  fi
}

# Without these the build still works.
is_optional() { case "$1" in ccache | clang-format-*) return 0 ;; *) return 1 ;; esac; }

# apt_install PACKAGES...: where there is apt-get and the right to use it.
apt_install() {
  have apt-get || return 0
  local as_root=()
  [ "$(id -u)" = 0 ] || { have sudo && as_root=(sudo); }
  if [ "$(id -u)" = 0 ] || [ "${#as_root[@]}" -gt 0 ]; then
    say "installing" "$@"
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get -qq update </dev/null >&2 || say "apt-get update failed"
    "${as_root[@]}" apt-get -qq install -y --no-install-recommends "$@" </dev/null >&2 ||
      say "apt-get could not install everything"
    hash -r
  fi
}

system() {
  local missing package needed=()
  missing="$(missing_packages)"
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  apt_install $missing
  for package in $(missing_packages); do
    is_optional "$package" || needed+=("$package")
  done
  if [ "${#needed[@]}" -gt 0 ]; then
    say "missing: ${needed[*]} (names of Debian 12 packages)"
    say "on another system, install LLVM and MLIR 22.1 with libLLVM.so, libMLIR.so, their"
    say "CMake files and tools, LLVM's OpenMP, clang or gcc, lld, Python >= 3.11 with venv and"
    say "headers, and run again with LLVM_PREFIX=<prefix of LLVM> (or MLIR_DIR and LLVM_DIR)"
    exit 1
  fi
}

# make_venv DIR REQUIREMENTS...: (re)installs when a requirements file changed.
make_venv() {
  local dir="$1" stamp="$1/.requirements"
  shift
  if [ -x "$dir/bin/python" ] && [ -e "$stamp" ] && cat "$@" | cmp -s - "$stamp"; then
    return 0
  fi
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "expected Python 3.11 or later for $dir, got $("$PYTHON" --version 2>&1); set PYTHON"
  say "installing $* into $dir"
  [ -x "$dir/bin/python" ] || "$PYTHON" -m venv "$dir"
  local args=()
  for file in "$@"; do args+=(-r "$file"); done
  "$dir/bin/python" -m pip install -q "${args[@]}" </dev/null >&2
  cat "$@" >"$stamp"
}

# add_package DIR: makes the package that is built importable in that environment.
add_package() {
  local pth
  pth="$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lot-build.pth"
  local path="$PWD/$BUILD/python_packages"
  case "$BUILD" in /*) path="$BUILD/python_packages" ;; esac
  [ -e "$pth" ] && [ "$(cat "$pth")" = "$path" ] || echo "$path" >"$pth"
}

venv() {
  make_venv .venv requirements-dev.txt
  add_package .venv
}

# What runs code for AArch64 (test/Target/cpu-neon-run.test).
emulator() {
  if have qemu-aarch64 && [ -e /usr/aarch64-linux-gnu/lib/crt1.o ]; then
    return 0
  fi
  apt_install qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross
}

# What runs code on several processes (test/Integration/mpi.test): MPICH, whose
# handles the compiled code has.
mpi() {
  have mpichversion && have mpiexec && return 0
  apt_install mpich libmpich-dev
}

iree() { make_venv .venv-iree test/requirements-iree.txt; }

# PyTorch, JAX, transformers and torch-mlir: lot.torch, lot.jax, the training examples, ways into other compilers.
frameworks() {
  make_venv .venv-frameworks test/requirements-frameworks.txt
  add_package .venv-frameworks
}

bench() {
  make_venv .venv-bench benchmarks/requirements.txt
  add_package .venv-bench
}

# Configures when the build folder is new or was made with other settings; CMake
# itself runs again when its files change.
configure() {
  find_compilers
  local root launcher=() linker=() settings
  root="$(llvm_root)" || die "no MLIR in $MLIR_DIR"
  have ccache && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  # clang finds the lld beside it, gcc only what is on PATH.
  case "$CXX" in
  *clang*) linker=(-DLLVM_USE_LINKER=lld) ;;
  *) if have ld.lld; then linker=(-DLLVM_USE_LINKER=lld); fi ;;
  esac
  settings=(-G Ninja -S . -B "$BUILD"
    "-DMLIR_DIR=$MLIR_DIR" "-DLLVM_DIR=$LLVM_DIR" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_C_COMPILER=$CC" "-DCMAKE_CXX_COMPILER=$CXX"
    "${linker[@]}" "${launcher[@]}"
    -DLOT_ENABLE_PYTHON=ON "-DPython3_EXECUTABLE=$PWD/.venv/bin/python"
    "-DPython_EXECUTABLE=$PWD/.venv/bin/python" "-DLOT_LIT=$PWD/.venv/bin/lit"
    "-DCMAKE_MAKE_PROGRAM=$PWD/.venv/bin/ninja")
  if [ -e "$BUILD/build.ninja" ] && [ "${settings[*]}" = "$(cat "$BUILD/.settings" 2>/dev/null)" ]; then
    return 0
  fi
  say "configuring $BUILD"
  rm -f "$BUILD/CMakeCache.txt"
  mkdir -p "$BUILD"
  .venv/bin/cmake "${settings[@]}" -Wno-dev >"$BUILD/configure.log" 2>&1 || {
    cat "$BUILD/configure.log" >&2
    die "CMake failed"
  }
  echo "${settings[*]}" >"$BUILD/.settings"
}

[ $# -gt 0 ] || set -- system venv configure
for step in "$@"; do
  case "$step" in
  system | venv | iree | emulator | mpi | frameworks | bench | configure) "$step" ;;
  *) die "expected system, venv, iree, emulator, mpi, frameworks, bench or configure, got $step" ;;
  esac
done
