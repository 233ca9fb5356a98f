#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measured errors of `lot.attention` against the float64 oracle, as the tables of docs/accuracy.md.

    .venv/bin/python benchmarks/accuracy.py [--gradients]

First the 15 hard cases of the tests in every io dtype, then random problems over epsilon and
half_steps. Errors are relative (Frobenius); beside each is its share of the tolerance. With
--gradients: of `lot.attention_vjp`, the largest share of its tolerance that a gradient takes, and
which one it is.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import Callable, Iterable, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "test" / "python"))

from lot_testing import (DTYPES, Kernel, Problem, Shape, case_names,  # noqa: E402
                         check_gradients, load_case, make_problem, relative_error, tolerance)


def result_cell(problem: Problem, dtype: str) -> str:
    """Error and share of the tolerance of one problem."""
    error = relative_error(problem.run(), problem.reference())
    return f"{error:.1e} ({error / tolerance(problem, dtype):.2f})"


def gradient_cell(problem: Problem, dtype: str) -> str:
    """The largest share of a tolerance and its operand."""
    dout = problem.cotangent()
    shares = check_gradients(problem.run_vjp(dout), problem, dout, dtype)
    worst = max(shares, key=shares.__getitem__)
    return f"{shares[worst]:.2f} ({worst})"


def table(title: str, rows: Iterable[tuple[str, Problem]],
          cell: Callable[[Problem, str], str]) -> None:
    """Prints rows (name, problem in float64) with one column per dtype."""
    print(f"\n| {title} | {' | '.join(DTYPES)} |\n|---|{'---|' * len(DTYPES)}")
    for name, problem in rows:
        print(f"| {name} | {' | '.join(cell(problem.cast(t), t) for t in DTYPES)} |", flush=True)


def random_rows() -> Iterator[tuple[str, Problem]]:
    """Long problems: n = 1024 queries, m = 777 keys, d = dv = 64, r = 32."""
    for epsilon, half_steps in ((1.0, 5), (0.1, 50), (25.0, 5), (0.05, 100), (10.0, 5)):
        kernel = Kernel(64, 64, 32, "f64", attributes=(("epsilon", epsilon),
                                                       ("half_steps", half_steps)))
        yield (f"epsilon {epsilon:g}, T {half_steps}",
               make_problem(kernel, Shape(1, 2, 1, True, 1024, 777, 1.0, 0.0, 0)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gradients", action="store_true")
    measured = gradient_cell if parser.parse_args().gradients else result_cell
    table("case", ((name, load_case(name)[0]) for name in case_names()), measured)
    table("random", random_rows(), measured)
