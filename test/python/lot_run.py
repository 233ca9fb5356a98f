#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Problems of lot_testing through `lot-run --target=cuda`, also under another program."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from typing import Mapping, NamedTuple, Sequence

import linalg_path
import numpy as np
from lot._runtime import cuda_residuals
from lot_testing import BF16, MASSES, Problem

#: Trailing dimensions that a kernel is compiled for; the others are dynamic.
STATIC = dict(q=1, k=1, v=1, out=1, pivots=2, pivot_log_mass=1, glue_log_mass=1)


def residual_count(problem: Problem) -> int:
    """The size of the residuals of a problem on a GPU."""
    attributes = problem.attributes
    query, pivot = cuda_residuals(problem.pivots.shape[-2], problem.v.shape[-1],
                                  attributes.get("half_steps", 5),
                                  attributes.get("normalization") == "row_sum")
    return problem.q.shape[0] * (query * problem.q.shape[1] + pivot * problem.pivots.shape[-3])


def module(problem: Problem, backward: bool, residuals: bool = False,
           mass_gradients: bool = True) -> str:
    """`@run`: the operands (backward: after the cotangent) -> the result, or every gradient.

    With `residuals` the gradients are those of a forward in the same function that leaves them,
    and its result comes first.
    """
    operands = problem.operands()
    out = np.empty((*problem.q.shape[:3], problem.v.shape[3]), problem.q.dtype)
    types = {name: linalg_path.tensor_type(array, range(array.ndim - STATIC.get(name, 0)))
             for name, array in (*operands.items(), ("out", out))}
    inputs = [*(["dout"] if backward else []), "q", "k", "v", "pivots"]
    gradients = {f"d{name}": name for name in operands
                 if mass_gradients or name not in MASSES}
    results = {**({"out": "q"} if residuals or not backward else {}),
               **(gradients if backward else {})}
    types |= {"dout": types["out"], **{f"d{name}": types[name] for name in operands}}
    body = []
    for result, like in results.items():
        dynamic = types[result].count("?")
        for i in range(dynamic):
            body += [f"%c_{result}_{i} = arith.constant {i} : index",
                     f"%n_{result}_{i} = tensor.dim %{like}, %c_{result}_{i} : {types[like]}"]
        sizes = ", ".join(f"%n_{result}_{i}" for i in range(dynamic))
        body.append(f"%{result} = tensor.empty({sizes}) : {types[result]}")
    all_types = ", ".join(types[result] for result in results)
    types["residuals"] = "tensor<?xf32>"
    masses = " ".join(f"{name}(%{name} : {types[name]})" for name in MASSES if name in operands)

    def call(op: str, inputs: Sequence[str], inits: Sequence[str], clauses: str) -> list[str]:
        """Writes a call; the names of its results."""
        name, init_types = op.split("_")[-1], ", ".join(types[init] for init in inits)
        count = f":{len(inits)}" if len(inits) > 1 else ""
        body.append(f"%{name}{count} = lot.{op} {linalg_path.attribute_text(problem.attributes)} "
                    f"ins({', '.join('%' + each for each in inputs)} : "
                    f"{', '.join(types[each] for each in inputs)}) {clauses} "
                    f"outs({', '.join('%' + init for init in inits)} : {init_types}) "
                    f"-> {init_types}")
        return [f"%{name}#{i}" for i in range(len(inits))] if count else [f"%{name}"]

    values = []
    if residuals:
        body += [f"%count = arith.constant {residual_count(problem)} : index",
                 "%residuals = tensor.empty(%count) : tensor<?xf32>"]
        values += call("attention", inputs[-4:], ["out", "residuals"], masses)
        masses += f" residuals({values.pop()} : tensor<?xf32>)"
    if backward:
        values += call("attention_vjp", inputs, [*gradients], masses)
    elif not residuals:
        values += call("attention", inputs, ["out"], masses)
    body.append(f"return {', '.join(values)} : {all_types}")
    signature = [*(["dout"] if backward else []), *operands]
    lines = "\n  ".join(body)
    return (f"func.func @run({', '.join(f'%{name}: {types[name]}' for name in signature)}) "
            f"-> ({all_types}) {{\n  {lines}\n}}\n")


class Run(NamedTuple):
    """What a call of lot-run left."""

    code: int
    text: str  #: both streams
    results: list[np.ndarray]  #: none where it failed

    @property
    def kernels(self) -> set[str]:
        """The names of the kernels that were launched."""
        return set(re.findall(r"lot: kernel (\w+):", self.text))


def run(folder: pathlib.Path, text: str, arrays: Sequence[np.ndarray], results: int,
        entry: str = "run", under: Sequence[str] = (),
        environment: Mapping[str, str] = {}, timeout: int = 500) -> Run:
    """Calls a function; `under` is the command line of a program that runs it."""
    source = folder / "module.mlir"
    source.write_text(text)
    command = [*under, linalg_path.tool("lot-run"), str(source), "--target=cuda",
               f"--entry={entry}"]
    for i, array in enumerate(arrays):
        np.save(folder / f"{i}.npy", array)
        command.append(f"--input={folder / f'{i}.npy'}")
    outputs = [folder / f"out{i}.npy" for i in range(results)]
    for path in outputs:
        path.unlink(missing_ok=True)
    done = subprocess.run([*command, *(f"--output={path}" for path in outputs)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          env={**os.environ, "LOT_CUDA_VERBOSE": "1", **environment})
    found = [np.load(path) for path in outputs if path.exists()]
    return Run(done.returncode, done.stdout,
               [array.view(BF16) if array.dtype.kind == "V" else array for array in found])
