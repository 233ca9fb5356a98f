#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Machine code of the kernels: no loop over scores keeps registers in local memory. Without a GPU."""

import gpu_code
import numpy as np
import pytest
from linalg_path import ROOT, run_tool, tool

from lot import _attributes, _kernels
from lot._operands import BFLOAT16

CHIP = "sm_90a"
#: d = dv, r, half-steps and epsilon of the shapes of benchmarks/gpu.py.
CLASSES = {"bulk": (64, 32, 10, 1.0), "swin": (32, 16, 5, 1.0), "retrieval": (64, 32, 5, 1.0),
           "lra": (32, 32, 50, 0.1), "long": (64, 64, 10, 1.0)}
EXAMPLES = ["attention.mlir", "photo.mlir"]

pytestmark = [
    pytest.mark.skipif(gpu_code.tool("ptxas") is None, reason="no ptxas"),
    pytest.mark.skipif(tool("lot-opt") is None, reason="no lot-opt: build the project first"),
]


def compiled(text):
    """The kernels of a module, by lot-opt and ptxas."""
    lowered = run_tool([tool("lot-opt"), f"--lot-to-nvgpu=chip={CHIP}"], text)
    kernels = [kernel for ptx in gpu_code.images(lowered)
               for kernel in gpu_code.assemble(ptx, CHIP)]
    assert kernels
    return kernels


def benchmark_module(name, backward, dtype=BFLOAT16):
    d, r, half_steps, epsilon = CLASSES[name]
    attributes = _attributes.check_attributes(None, epsilon, half_steps, "query_mass", 0.0, None,
                                              1.0)
    heads = (8, 8, 8) if backward else None
    return _kernels.module_text(_kernels.KernelClass(d, d, r, dtype, dtype, 3, 0, 0, 0, 0,
                                                     attributes, heads, CHIP))


def spilling(kernels):
    """What breaks the rule, as text. Spills outside of the sweeps are allowed."""
    if gpu_code.tool("nvdisasm") is None:
        if any(kernel.usage.spill_stores + kernel.usage.spill_loads for kernel in kernels):
            pytest.skip("kernels spill, and there is no nvdisasm to see where")
        return []
    for kernel in kernels:
        if kernel.usage.spill_stores + kernel.usage.spill_loads == 0:
            assert not any(loop.spills for loop in kernel.loops), kernel.name
    return [f"{kernel.name}: {loop}" for kernel in kernels for loop in kernel.loops
            if loop.multiplies and loop.spills and not loop.around]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", CLASSES)
def test_benchmark_classes(name, backward):
    kernels = compiled(benchmark_module(name, backward))
    if gpu_code.tool("nvdisasm"):
        assert any(loop.counts["HMMA"] for kernel in kernels for loop in kernel.loops)
    assert not spilling(kernels)


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float16)], ids=str)
def test_other_dtypes(dtype):
    assert not spilling(compiled(benchmark_module("bulk", False, dtype)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name):
    assert not spilling(compiled((ROOT / "examples" / name).read_text()))


# --- The tests' own tools -------------------------------------------------------------------


def hand_written(values, registers, barrier=False):
    """A kernel whose inner loop adds `values` products to as many sums, on few registers, with a
    barrier in the inner loop on demand."""
    names = [f"%f{i}" for i in range(values)]
    return "\n".join([
        ".version 8.0", ".target sm_90a", ".address_size 64",
        ".visible .entry sums(.param .u64 x, .param .u32 n)", f".maxnreg {registers}", "{",
        f".reg .f32 %f<{values + 1}>;", ".reg .b32 %r<4>;", ".reg .pred %p<3>;", ".reg .b64 %x<3>;",
        # Values of a thread's own, or uniform registers take them.
        "ld.param.u64 %x1, [x];", "ld.param.u32 %r1, [n];", "mov.u32 %r2, %tid.x;",
        "mul.wide.u32 %x2, %r2, 512;", "add.u64 %x1, %x1, %x2;", "mov.u32 %r2, 0;", "OUTER:",
        *(f"ld.global.f32 {name}, [%x1+{4 * i}];" for i, name in enumerate(names)),
        "mov.u32 %r3, 0;", "INNER:", *["bar.sync 0;"] * barrier, f"ld.volatile.global.f32 %f{values}, [%x1];",
        *(f"fma.rn.f32 {name}, {name}, {name}, %f{values};" for name in names),
        "add.u32 %r3, %r3, 1;", "setp.lt.u32 %p1, %r3, %r1;", "@%p1 bra INNER;",
        *(f"st.global.f32 [%x1+{4 * i}], {name};" for i, name in enumerate(names)),
        "add.u32 %r2, %r2, 1;", "setp.lt.u32 %p2, %r2, %r1;", "@%p2 bra OUTER;", "ret;", "}", ""])


@pytest.mark.skipif(gpu_code.tool("nvdisasm") is None, reason="no nvdisasm")
def test_loops_and_spills_are_found():
    """Nested loops; a spill in the inner one is one in both."""
    (few,) = gpu_code.assemble(hand_written(12, 64))
    (many,) = gpu_code.assemble(hand_written(64, 32))
    assert few.usage.spill_loads == 0 and not spilling([few])
    outer, inner = [loop for loop in few.loops if loop.multiplies]
    assert (outer.depth, inner.depth) == (1, 2) and inner.innermost and not outer.innermost
    assert inner.counts["FFMA"] % 12 == 0 and not outer.spills
    assert many.usage.spill_loads > 0
    assert [loop.spills > 0 for loop in many.loops if loop.multiplies] == [True, True]
    assert len(spilling([many])) == 2
    # A loop over heads may keep registers in memory while a solve runs; the solve may not.
    (solve,) = gpu_code.assemble(hand_written(64, 32, barrier=True))
    outer, inner = [loop for loop in solve.loops if loop.multiplies]
    assert outer.around and not inner.around and len(spilling([solve])) == 1


def test_bad_code_is_an_error():
    with pytest.raises(AssertionError, match="ptxas.*syntax error"):
        gpu_code.assemble(".version 8.0\n.target sm_90a\nnonsense")
