#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums the counts of test reports in JUnit's format.

Usage: test_counts.py NAME=REPORT.xml:STATUS...

Prints the counts of each report and, as the last line, their sum: `N passed,
N failed` and, if there are any, `, N skipped`. STATUS is what the runner exited
with; a runner that failed without a failed test to show, or that left no
report, counts as one failure. Exits 1 when anything failed.
"""

import sys
import xml.etree.ElementTree as ElementTree


def count(report: str, status: int) -> tuple[int, int, int]:
    """Returns (passed, failed, skipped) of one report."""
    passed = failed = skipped = 0
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return 0, 1, 0
    for case in cases:
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    if status and not failed:
        failed = 1
    return passed, failed, skipped


def show(passed: int, failed: int, skipped: int) -> str:
    text = f"{passed} passed, {failed} failed"
    return text + f", {skipped} skipped" if skipped else text


def main(arguments: list[str]) -> int:
    total = [0, 0, 0]
    for argument in arguments:
        name, _, rest = argument.partition("=")
        report, _, status = rest.rpartition(":")
        counts = count(report, int(status))
        print(f"{name}: {show(*counts)}")
        total = [a + b for a, b in zip(total, counts)]
    print(show(*total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
