"""The labels of constraints (C1, C2, ...) agree in the four places that have them.

Usage: check_constraints.py SOURCE_ROOT. Prints what is missing where and exits 1, or prints how many labels agree.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def labels(text: str, pattern: str) -> set[str]:
    """The labels that the one group of `pattern` finds in `text`."""
    return set(re.findall(pattern, text))


def quoted_in_descriptions(text: str) -> set[str]:
    """Labels of the lines `Constraints: C1 to C20 of docs/spec.md.` and `C20 and C30 to C35`."""
    found: set[str] = set()
    for line in re.findall(r"Constraints: (.*?) of docs/spec\.md", text):
        for first, last in re.findall(r"C(\d+)(?: to C(\d+))?", line):
            found |= {f"C{i}" for i in range(int(first), int(last or first) + 1)}
    return found


def main(root: Path) -> int:
    spec = labels((root / "docs/spec.md").read_text(), r"(?m)^\| (C\d+) \|")
    verifier = "".join(p.read_text() for p in sorted((root / "lib/IR").glob("*Op*.cpp")))
    tests = "".join(p.read_text() for p in sorted((root / "test/IR").glob("*-invalid.mlir")))
    ods = "".join(p.read_text() for p in sorted((root / "include/lot/IR").glob("*Ops.td")))
    places = {
        "the verifiers (lib/IR/*Op*.cpp)": labels(verifier, r'"(C\d+)[":]'),
        "the op descriptions (include/lot/IR/*Ops.td)": quoted_in_descriptions(ods),
        "the tests (test/IR/*-invalid.mlir)": labels(tests, r"expected-error.*\{\{(C\d+): "),
    }
    wrong = 0
    for place, found in places.items():
        for label in sorted(spec - found):
            print(f"{label} of docs/spec.md is missing in {place}")
            wrong += 1
        for label in sorted(found - spec):
            print(f"{label} of {place} is missing in docs/spec.md")
            wrong += 1
    if not spec:
        print("docs/spec.md has no labels")
        wrong += 1
    if not wrong:
        print(f"{len(spec)} labels agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
