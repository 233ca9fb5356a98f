#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MLIR's Python bindings with the lot dialect: build, parse, lower, run, fail."""

from __future__ import annotations

import ctypes
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import lot
from lot import ir
from lot.dialects import func, lot as lot_d
from lot.execution_engine import ExecutionEngine
from lot.passmanager import PassManager

DYNAMIC = ir.ShapedType.get_dynamic_size()


def run_python(code: str, python: str = sys.executable) -> str:
    """Runs code in a process of its own, with the package that is tested here."""
    packages = str(pathlib.Path(lot.__file__).parents[1])
    path = f"import sys; sys.path.insert(0, {packages!r})\n"
    done = subprocess.run([python, "-c", path + textwrap.dedent(code)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tensor_of(*shape: int) -> ir.Type:
    return ir.RankedTensorType.get(shape, ir.F32Type.get())


def attention_module(**attributes) -> ir.Module:
    """f(q, k, v, z, init) = lot.attention, B 1, H 2, dynamic n and m, d 8, r 4."""
    module = ir.Module.create()
    tokens = tensor_of(1, 2, DYNAMIC, 8)
    with ir.InsertionPoint(module.body):

        @func.FuncOp.from_py_func(tokens, tokens, tokens, tensor_of(2, 4, 8), tokens)
        def f(q, k, v, z, init):
            return lot_d.attention([tokens], q, k, v, z, [init], **attributes)

    return module


@pytest.fixture
def context():
    with ir.Context() as context, ir.Location.unknown():
        yield context


def test_attention_builder(context):
    module = attention_module(epsilon=0.5, half_steps=3, row_floor=1e-6,
                              normalization=lot_d.Normalization.row_sum)
    assert module.operation.verify()
    op = module.body.operations[0].regions[0].blocks[0].operations[0]
    assert isinstance(op, lot_d.AttentionOp)
    assert op.epsilon.value == 0.5
    assert op.half_steps.value == 3
    assert str(op.normalization) == "#lot.normalization<row_sum>"
    assert op.scale is None
    assert op.query_log_mass is None
    text = str(module)
    assert "lot.attention {epsilon = 5.000000e-01 : f64" in text
    assert str(ir.Module.parse(text)) == text


def test_optional_operands(context):
    module = ir.Module.create()
    tokens, mass = tensor_of(1, 2, 16, 8), tensor_of(1, 16)
    with ir.InsertionPoint(module.body):

        @func.FuncOp.from_py_func(tokens, tensor_of(2, 4, 8), mass, tokens)
        def f(q, z, m, init):
            return lot_d.attention([tokens], q, q, q, z, [init], key_log_mass=m)

    assert module.operation.verify()
    op = module.body.operations[0].regions[0].blocks[0].operations[0]
    assert op.query_log_mass is None
    assert op.key_log_mass.type == mass
    assert "key_log_mass(%arg2 : tensor<1x16xf32>)" in str(module)


def test_formula_builders(context):
    """Solve, plan and glue as a caller would chain them, with the ops' enums."""
    module = ir.Module.create()
    scores, r_vector, value = tensor_of(1, 2, 16, 4), tensor_of(1, 2, 4), tensor_of(1, 2, 16, 8)
    with ir.InsertionPoint(module.body):

        @func.FuncOp.from_py_func(scores, scores, value, r_vector, scores, value)
        def f(s1, s2, v, y, r, init):
            prev, last = lot_d.pivot_solve([r_vector, r_vector], s1, [y, y],
                                           lot_d.Marginal.tokens, 4)
            prev2, last2 = lot_d.pivot_solve([r_vector, r_vector], s2, [y, y],
                                             lot_d.Marginal.pivots, 4)
            top, total = lot_d.sweep([r_vector, r_vector], s1, [y, y], lot_d.Domain.log, prev=prev)
            r1 = lot_d.plan([scores], s1, last, r, lot_d.Marginal.tokens, prev=prev)
            r2 = lot_d.plan([scores], s2, last2, r, lot_d.Marginal.pivots, prev=prev2)
            return lot_d.glue([value], r1, r2, v, init), top, total

    assert module.operation.verify()
    text = str(module)
    for op in ("pivot_solve first<tokens> half_steps(4)", "pivot_solve first<pivots>",
               "sweep domain<log>", "plan conditional<pivots>", "glue"):
        assert f"lot.{op}" in text, text


def test_pipelines_are_registered(context):
    for name in ("lot-to-linalg", "lot-to-cpu"):
        manager = PassManager.parse(f"builtin.module({name})")
        assert str(manager).startswith("builtin.module(")
    with pytest.raises(ValueError, match="lot-to-nowhere"):
        PassManager.parse("builtin.module(lot-to-nowhere)")


def test_to_linalg_leaves_no_lot_op(context):
    module = attention_module(epsilon=0.5, half_steps=3)
    PassManager.parse("builtin.module(lot-to-linalg)").run(module.operation)
    names = set()

    def visit(op):
        names.add(op.name)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    assert not [name for name in names if name.startswith("lot.")], names
    assert any(name.startswith("linalg.") for name in names), names


def test_execution_engine_runs_lowered_lot_op(context):
    """lot.plan on memrefs of the caller, through lot-to-cpu, against NumPy."""
    from lot.runtime import get_ranked_memref_descriptor

    n, r = 24, 4
    scores, vector = tensor_of(n, r), tensor_of(r)
    module = ir.Module.parse(f"""
        func.func @plan(%s: memref<{n}x{r}xf32>, %last: memref<{r}xf32>, %out: memref<{n}x{r}xf32>)
            attributes {{llvm.emit_c_interface}} {{
          %0 = bufferization.to_tensor %s restrict : memref<{n}x{r}xf32> to {scores}
          %1 = bufferization.to_tensor %last restrict : memref<{r}xf32> to {vector}
          %2 = tensor.empty() : {scores}
          %3 = lot.plan conditional<tokens> ins(%0 : {scores}) prev(%1 : {vector})
              last(%1 : {vector}) outs(%2 : {scores}) -> {scores}
          bufferization.materialize_in_destination %3 in restrict writable %out
              : ({scores}, memref<{n}x{r}xf32>) -> ()
          return
        }}""")
    PassManager.parse(
        "builtin.module(lot-to-linalg,one-shot-bufferize{bufferize-function-boundaries},"
        "convert-linalg-to-loops,convert-scf-to-cf,expand-strided-metadata,lower-affine,"
        "convert-math-to-llvm,convert-to-llvm,reconcile-unrealized-casts)").run(module.operation)
    engine = ExecutionEngine(module)
    rng = np.random.default_rng(0)
    s, last = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, r), (r,)))
    out = np.full((n, r), np.nan, np.float32)
    arguments = [ctypes.pointer(ctypes.pointer(get_ranked_memref_descriptor(a)))
                 for a in (s, last, out)]
    engine.invoke("plan", *arguments)
    logits = s.astype(np.float64) + last
    expected = np.exp(logits - np.log(np.exp(logits).sum(1, keepdims=True)))
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_execution_engine_needs_llvm_dialect(context):
    module = attention_module()
    with pytest.raises(RuntimeError, match="Failure while creating the ExecutionEngine"):
        ExecutionEngine(module)


def test_parse_error_is_an_exception(context):
    with pytest.raises(ir.MLIRError) as error:
        ir.Module.parse("func.func @f( {", context)
    assert error.value.error_diagnostics
    with pytest.raises(ir.MLIRError, match="unregistered|not found in dialect|unknown"):
        ir.Module.parse('%0 = lot.no_such_op : i32', context)


def test_verifier_error_is_an_exception(context):
    module = attention_module(epsilon=-1.0)
    with pytest.raises(ir.MLIRError) as error:
        module.operation.verify()
    assert "epsilon" in error.value.error_diagnostics[0].message


def test_failed_pass_is_an_exception(context):
    """With the diagnostic of the pass, not a bare failure."""
    with pytest.raises(ir.MLIRError) as error:
        PassManager.parse("builtin.module(transform-interpreter)").run(ir.Module.create().operation)
    assert "__transform_main" in error.value.error_diagnostics[0].message


def test_two_contexts():
    """Contexts do not mix; each has the dialect."""
    texts = []
    modules = []
    for _ in range(2):
        with ir.Context(), ir.Location.unknown():
            module = attention_module()
            modules.append(module)
            texts.append(str(module))
    assert texts[0] == texts[1]
    assert modules[0].context != modules[1].context
    with modules[1].context:
        PassManager.parse("builtin.module(lot-to-linalg)").run(modules[1].operation)
    assert str(modules[0]) == texts[0]
    assert str(modules[1]) != texts[1]


def test_every_dialect_imports():
    run_python("""
        from lot import ir
        from lot.dialects import (lot, func, tensor, linalg, scf, arith, math, memref, vector,
                                  gpu, llvm, transform)
        from lot.dialects.transform import structured, loop
        with ir.Context() as context:
            for module, name in ((lot, "lot"), (func, "func"), (tensor, "tensor"),
                                 (linalg, "linalg"), (scf, "scf"), (arith, "arith"),
                                 (math, "math"), (memref, "memref"), (vector, "vector"),
                                 (gpu, "gpu"), (llvm, "llvm"), (transform, "transform")):
                assert context.get_dialect_descriptor(name).namespace == name
                assert hasattr(module, "_Dialect"), name
    """)


def test_one_copy_of_llvm_and_mlir():
    """Nothing but the two shared libraries holds LLVM and MLIR: no static second copy."""
    out = run_python("""
        import os
        from lot import ir, execution_engine
        from lot.dialects import linalg, gpu, transform
        from lot._mlir_libs import _lotRuntime
        with ir.Context():
            pass
        with open("/proc/self/maps") as maps:
            files = {line.split(maxsplit=5)[5].strip() for line in maps if line.count("/")}
        for file in sorted(files):
            print(os.path.realpath(file))
    """)
    files = set(out.split())
    for library in ("libLLVM", "libMLIR"):
        copies = {f for f in files if pathlib.Path(f).name.startswith(library + ".so")
                  or pathlib.Path(f).name.startswith(library + "-")}
        assert len(copies) == 1, files
    package = str(pathlib.Path(lot._mlir_libs.__file__).parent)
    own = [file for file in files if file.startswith(os.path.realpath(package) + os.sep)
           or file.startswith(package + os.sep)]
    assert any("LotPythonCAPI" in file for file in own), files
    for file in own:
        symbols = subprocess.run(["nm", "-C", "--defined-only", file], capture_output=True,
                                 text=True).stdout
        symbols += subprocess.run(["nm", "-DC", "--defined-only", file], capture_output=True,
                                  text=True, check=True).stdout
        # Where MLIR or LLVM were linked statically, these would be defined.
        for symbol in ("llvm::cl::Option::addArgument", "mlir::MLIRContext::MLIRContext("):
            assert symbol not in symbols, file


def test_beside_other_bindings():
    """Extension packages of other binding generators in the same process."""
    out = run_python("""
        import matplotlib.ft2font, scipy.optimize, sklearn.utils  # pybind11 and Cython
        import lot
        from lot import ir
        from lot._mlir_libs import _lotRuntime
        with ir.Context(), ir.Location.unknown():
            print(ir.Module.parse("module {}").operation.name)
    """)
    assert out.split() == ["builtin.module"]


@pytest.mark.skipif("LOT_IREE_PYTHON" not in os.environ,
                    reason="LOT_IREE_PYTHON names no Python with iree-base-compiler")
def test_beside_other_mlir_bindings():
    """MLIR's bindings of another project, with an MLIR of their own: no types are mixed up."""
    out = run_python("""
        import iree.compiler.ir as theirs
        from lot import ir as ours
        modules = []
        for ir in (ours, theirs, ours):
            with ir.Context(), ir.Location.unknown():
                modules.append(ir.Module.parse("func.func @f() { return }"))
                print(modules[-1].body.operations[0].OPERATION_NAME)
        assert type(modules[0]) is type(modules[2]) is not type(modules[1])
        from lot.passmanager import PassManager
        with ours.Context():
            PassManager.parse("builtin.module(lot-to-linalg)")
    """, os.environ["LOT_IREE_PYTHON"])
    assert out.split() == ["func.func"] * 3
