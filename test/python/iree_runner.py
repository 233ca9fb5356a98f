#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a module with IREE and runs its functions; runs in IREE's own environment.

iree_runner.py MODULE.mlir INPUTS.npz OUTPUTS.npz: INPUTS holds CALL/FUNCTION/0, ... for every
call; OUTPUTS gets CALL. Imports nothing of the project.
"""

import sys

import iree.compiler
import iree.runtime
import numpy as np


def main(module: str, inputs: str, outputs: str) -> None:
    """Compiles for the CPU of this machine, then makes every call."""
    binary = iree.compiler.compile_file(
        module, target_backends=["llvm-cpu"],
        extra_args=["--iree-llvmcpu-target-cpu=host"])
    config = iree.runtime.Config("local-task")
    vm_module = iree.runtime.VmModule.copy_buffer(config.vm_instance, binary)
    functions = iree.runtime.load_vm_module(vm_module, config)
    results = {}
    with np.load(inputs) as file:
        for call, name in sorted({tuple(key.split("/")[:2]) for key in file.files}):
            arrays = []
            while f"{call}/{name}/{len(arrays)}" in file.files:
                arrays.append(file[f"{call}/{name}/{len(arrays)}"])
            results[call] = np.asarray(functions[name](*arrays).to_host())
    np.savez(outputs, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
