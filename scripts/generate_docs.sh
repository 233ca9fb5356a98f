#!/usr/bin/env bash
# scripts/generate_docs.sh DIR: the reference of ops, attributes and passes, from
# the ODS files, as Markdown.
set -euo pipefail
out="$1"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
cd "$(dirname "$0")/.."
LLVM_PREFIX="${LLVM_PREFIX:-/usr/lib/llvm-22}"
tblgen="$LLVM_PREFIX/bin/mlir-tblgen"
flags=(-I include -I "$LLVM_PREFIX/include")
"$tblgen" "${flags[@]}" --gen-dialect-doc --dialect=lot include/lot/IR/LotOps.td -o "$out/LotDialect.md"
"$tblgen" "${flags[@]}" --gen-op-doc include/lot/TransformOps/LotTransformOps.td -o "$out/LotTransformOps.md"
for passes in include/lot/*/Passes.td; do
  name="$(basename "$(dirname "$passes")")"
  "$tblgen" "${flags[@]}" --gen-pass-doc "$passes" -o "$out/Lot${name}Passes.md"
done
