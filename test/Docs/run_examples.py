"""Runs the examples of op descriptions through lot-opt.

Usage: run_examples.py FILE.td... -- LOT_OPT [OPTION]... Each ```mlir block is put into a function whose arguments are the values that
the block uses and does not define. Prints what does not verify and exits 1, or prints how many examples do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def arguments(block: str) -> list[str]:
    """`%name: type` of every `(%a, %b : T, U)` in the block whose name it does not define, once each."""
    defined = set(re.findall(r"%\w+", "".join(re.findall(r"(?m)^\s*(%[\w, %]+) =", block))))
    found: dict[str, str] = {}
    for names, types in re.findall(r"\((%[\w,\s%]+):([^()]+)\)", block):
        for name, type_ in zip(names.split(","), types.split(","), strict=True):
            if name.strip() not in defined:
                found.setdefault(name.strip(), type_.strip())
    return [f"{name}: {type_}" for name, type_ in found.items()]


def main(files: list[str], lot_opt: list[str]) -> int:
    count = failed = 0
    for file in files:
        for number, block in enumerate(re.findall(r"```mlir\n(.*?)```", Path(file).read_text(), re.S), 1):
            if "..." in block:
                print(f"{file}: example {number} is an abridgement")
                failed += 1
                continue
            function = f"func.func @example({', '.join(arguments(block))}) {{\n{block}\nreturn\n}}\n"
            result = subprocess.run([*lot_opt, "-"], input=function, text=True, capture_output=True, check=False)
            count += 1
            if result.returncode:
                print(f"{file}: example {number} does not verify:\n{function}{result.stderr}")
                failed += 1
    if count == 0:
        print("no examples found")
        return 1
    print(f"{count} examples, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    split = sys.argv.index("--")
    sys.exit(main(sys.argv[1:split], sys.argv[split + 1 :]))
