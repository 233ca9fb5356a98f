#!/usr/bin/env bash
# scripts/format.sh ARGS...: clang-format ARGS on every C++ file of the project.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in clang-format-22 "${LLVM_PREFIX:-/usr/lib/llvm-22}/bin/clang-format" clang-format; do
  if "$tool" --version 2>/dev/null | grep -q 'version 22\.'; then
    git ls-files -z -co --exclude-standard '*.h' '*.cpp' | xargs -0 "$tool" -style=file "$@"
    exit
  fi
done
echo "format: expected clang-format 22 (Debian: clang-format-22), got none" >&2
exit 2
