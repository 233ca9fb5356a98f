#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results and gradients of the kernels for GPUs beside the float64 oracle, without a GPU.

lot-run compiles and launches as it does on a GPU; its driver (fake_cuda.c) leaves the PTX to
ptx_server.py. Names of kernels say that a problem took the way that it is there for.
"""

import os
import pathlib
import re
import shlex
import sys

import gpu_code
import linalg_path
import lot_run
import lot_testing
import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("LOT_BUILD_DIR", HERE.parents[2] / "build"))
DRIVER = BUILD / "test" / "fake-cuda"
SERVER = "import ptx_server; ptx_server.main()"

pytestmark = [
    pytest.mark.skipif(linalg_path.tool("lot-run") is None, reason="no lot-run in the build"),
    pytest.mark.skipif(not (DRIVER / "libcuda.so.1").exists(),
                       reason="no driver of the tests in the build: ninja lot-fake-cuda")]

RESIDENT = {"pack", "resident"}  # a factor of f16 pairs in registers
RESIDENT_SIDES = {"pack", "resident_keys", "resident_fold", "resident_queries"}
STREAMING = {"pack", "sweep", "gather", "fold", "apply"}
RESIDENT_REVERSE = {"pack", "resident", "resident_fold", "reverse", "again", "pivot_gradient"}
# At one half step there is no sweep back.
REVERSE_T1 = {"pack", "sweep", "gather", "fold", "query_adjoint", "fold_gradient", "key_adjoint",
              "query_gradient", "key_gradient", "pivot_gradient"}
REVERSE = REVERSE_T1 | {"reverse_sweep"}
GROUP_SUMS = {"sum_keys", "sum_values"}
MASSES = {"query_mass", "key_mass", "pivot_mass", "glue_mass"}


def problem(dtype="bf16", *, d=32, dv=32, r=16, masses=(0, 0, 0, 0), absent=0.0, batch=1, heads=1,
            group=1, pivots_per_key_head=False, n=70, m=90, spread=1.0, shift=0.0,
            pivots_in_state=False, **attributes):
    """`shift` moves all tokens: scores of a wide range."""
    kernel = lot_testing.Kernel(d, dv, r, dtype, mass_ranks=masses,
                                pivots_in_state=pivots_in_state,
                                attributes=tuple({"half_steps": 3, **attributes}.items()))
    made = lot_testing.make_problem(kernel, lot_testing.Shape(batch, heads, group,
                                                              pivots_per_key_head, n, m, spread,
                                                              absent, seed=1))
    direction = shift * np.random.default_rng(2).normal(size=d)
    made.q, made.k = ((x.astype(np.float64) + direction).astype(x.dtype) for x in (made.q, made.k))
    return made


MASKS = dict(masses=(3, 3, 2, 2), absent=0.3)
FEW_TOKENS = dict(masses=(2, 3, 0, 0), absent=0.97, n=300, m=400)  # most tiles have none
WIDE = dict(n=128, m=128, r=32, epsilon=0.03, half_steps=10, shift=1.0)

FORWARD = {
    "bf16": (RESIDENT, dict()),
    "bf16_masks": (RESIDENT, MASKS),
    "bf16_row_sum": (RESIDENT, dict(normalization="row_sum", score_clamp=3.0, n=33, m=65)),
    "bf16_row_sum_masks": (RESIDENT, dict(normalization="row_sum", **MASKS)),
    "bf16_wide_scores": (RESIDENT, WIDE),  # the factor is made again in f32
    "bf16_groups": (RESIDENT, dict(batch=2, heads=2, group=2, n=40)),
    "bf16_one_query": (RESIDENT, dict(n=1)),
    "bf16_one_key": (RESIDENT, dict(m=1)),
    "bf16_several_blocks": (RESIDENT, dict(n=2000, m=1000)),
    # Too many for blocks of half the threads.
    "bf16_large_blocks": (RESIDENT, dict(d=16, dv=8, r=64, n=40, m=4500)),
    "bf16_one_half_step": (RESIDENT_SIDES, dict(half_steps=1)),
    "bf16_d33": (RESIDENT_SIDES, dict(d=33, dv=20)),
    "f16": (RESIDENT_SIDES, dict(dtype="f16")),
    "f32_masks": (RESIDENT_SIDES, dict(dtype="f32", **MASKS)),
    "f32_several_blocks": (RESIDENT_SIDES, dict(dtype="f32", n=300, m=2000)),
    "bf16_many_pivots": (STREAMING, dict(r=100, n=300, m=200)),
    "bf16_few_tokens": (RESIDENT, FEW_TOKENS),
    "bf16_many_pivots_few_tokens": (STREAMING, dict(r=100, **FEW_TOKENS)),
    "bf16_long_few_tokens": (STREAMING, dict(d=16, dv=8, r=64, **{**FEW_TOKENS, "n": 17000})),
    "bf16_long_keys": (STREAMING, dict(d=16, dv=8, r=64, n=40, m=26000)),
    "bf16_long_masks": (STREAMING, dict(d=16, dv=24, r=64, n=17000, m=40, normalization="row_sum",
                                        **MASKS)),
    "bf16_long_wide_scores": (STREAMING, dict(d=16, dv=8, r=64, n=40, m=17000, epsilon=0.03,
                                              half_steps=2, shift=1.0)),
    "bf16_long_both": (STREAMING, dict(d=64, dv=72, r=60, n=17000, m=17000, half_steps=4)),
    # The last chunk has a tile alone, where warps take two at once.
    "bf16_long_rest": (STREAMING, dict(d=64, dv=8, r=64, n=40, m=17 * 1024 + 40, half_steps=4)),
    # Of one block of columns, of two; and rows out of range: the plan once more, from the tokens.
    "bf16_long_values": (STREAMING, dict(d=40, dv=64, r=32, n=40, m=33000, half_steps=2)),
    "bf16_long_values_columns": (STREAMING, dict(d=64, dv=128, r=60, n=40, m=17000, half_steps=3,
                                                 normalization="row_sum")),
    "bf16_long_values_sharp": (STREAMING, dict(d=64, dv=64, r=64, n=40, m=17000, epsilon=0.1,
                                               half_steps=4, spread=8.0)),
    "f32_long_queries": (STREAMING, dict(dtype="f32", d=8, dv=8, r=64, n=14000, half_steps=2)),
}
BACKWARD = {
    "bf16": (RESIDENT_REVERSE, dict()),
    "bf16_wide_scores": (RESIDENT_REVERSE, WIDE),
    # Always launched, `again` has something to do here, with queries
    "bf16_large_scores": (RESIDENT_REVERSE, dict(n=128, m=128, epsilon=0.1, half_steps=4,
                                                 spread=3.0)),
    # and keys: scores of a row span hundreds of bits.
    "bf16_sharp": (RESIDENT_REVERSE, dict(r=16, n=128, m=128, epsilon=0.1, half_steps=3,
                                          spread=3.0)),
    "bf16_very_sharp": (RESIDENT_REVERSE, dict(n=40, m=128, epsilon=0.1, half_steps=4,
                                               spread=8.0)),
    "bf16_groups": (RESIDENT_REVERSE | GROUP_SUMS, dict(batch=2, heads=2, group=2, n=40)),
    "bf16_one_key": (RESIDENT_REVERSE, dict(d=16, dv=8, r=5, n=513, m=1)),
    "bf16_several_blocks": (RESIDENT_REVERSE, dict(n=1500, m=1000)),
    "bf16_few_keys": (RESIDENT_REVERSE, dict(n=1100, m=100)),  # one block of keys has none
    # Rows of several blocks of columns, of which the last is not full.
    "bf16_columns": (RESIDENT_REVERSE, dict(d=96, dv=40, r=32, n=300, m=150)),
    "bf16_columns_r16": (RESIDENT_REVERSE, dict(d=64, dv=128, r=16, n=300, m=150)),
    "bf16_columns_r32": (RESIDENT_REVERSE, dict(d=128, dv=96, r=32, n=300, m=150)),
    "bf16_columns_d40": (RESIDENT_REVERSE, dict(d=40, dv=64, r=16, n=300, m=1100)),
    "bf16_masks": (REVERSE | MASSES, MASKS),
    "bf16_masks_pivots_of_f32": (REVERSE | MASSES, dict(r=32, pivots_in_state=True, **MASKS)),
    "bf16_masks_row_sum": (REVERSE | MASSES, dict(d=64, dv=40, r=32, normalization="row_sum",
                                                  **MASKS)),
    "bf16_masks_many_pivots": (REVERSE | MASSES, dict(d=24, dv=72, r=100, **MASKS)),
    "bf16_masks_d96": (REVERSE | MASSES, dict(d=96, dv=96, **MASKS)),
    "bf16_masks_d33": (REVERSE | MASSES, dict(d=33, dv=20, batch=2, **MASKS)),
    "bf16_few_tokens": (REVERSE | {"query_mass", "key_mass"}, FEW_TOKENS),
    "bf16_learned": (REVERSE | {"pivot_mass"}, dict(masses=(0, 0, 2, 0), batch=9, heads=2,
                                                    pivots_per_key_head=True, n=40, m=30)),
    "bf16_long": (REVERSE, dict(d=32, dv=24, r=64, n=17000, m=40, half_steps=6)),
    "bf16_long_sharp": (REVERSE, dict(d=16, dv=8, r=64, n=40, m=17000, epsilon=0.1, half_steps=4,
                                      spread=8.0)),
    # Sums of which half lie in shared memory; and once more from zeros.
    "bf16_long_columns": (REVERSE, dict(d=64, dv=24, r=64, n=17000, m=40, half_steps=3)),
    "bf16_long_columns_sharp": (REVERSE, dict(d=64, dv=8, r=64, n=40, m=17000, epsilon=0.1,
                                              half_steps=4, spread=8.0)),
    "bf16_d33_groups": (REVERSE | GROUP_SUMS, dict(d=33, dv=20, heads=2, group=2, n=40)),
    "bf16_one_half_step": (REVERSE_T1, dict(half_steps=1)),
    "f16": (REVERSE, dict(dtype="f16")),
    "f32": (REVERSE, dict(dtype="f32")),
}
# What residuals leave to do.
RECOMPUTED = {"resident", "resident_fold", "sweep", "gather", "fold"}
KEPT_RESIDENT_REVERSE = RESIDENT_REVERSE - RECOMPUTED
KEPT_REVERSE = REVERSE - RECOMPUTED
RESIDUALS = {
    "bf16": (RESIDENT | KEPT_RESIDENT_REVERSE, dict()),
    "bf16_wide_scores": (RESIDENT | KEPT_RESIDENT_REVERSE, WIDE),
    "bf16_sharp": (RESIDENT | KEPT_RESIDENT_REVERSE, dict(r=16, n=128, m=128, epsilon=0.1,
                                                          half_steps=3, spread=3.0)),
    "bf16_groups": (RESIDENT | KEPT_RESIDENT_REVERSE | GROUP_SUMS,
                    dict(batch=2, heads=2, group=2, n=40)),
    "bf16_shared_pivots": (RESIDENT | KEPT_RESIDENT_REVERSE,
                           dict(batch=2, heads=2, group=2, n=40, pivots_per_key_head=True)),
    "bf16_several_blocks": (RESIDENT | KEPT_RESIDENT_REVERSE, dict(n=1500, m=1000)),
    "bf16_one_half_step": (RESIDENT_SIDES | (REVERSE_T1 - RECOMPUTED),
                           dict(half_steps=1)),
    "bf16_row_sum": (RESIDENT | KEPT_REVERSE, dict(normalization="row_sum", n=33, m=65)),
    "bf16_d33": (RESIDENT_SIDES | KEPT_REVERSE, dict(d=33, dv=20)),
    "bf16_many_pivots": (STREAMING | KEPT_REVERSE, dict(r=100, n=300, m=200, half_steps=4)),
    # Gradients of masses ask for more exact sums.
    "bf16_masks": (RESIDENT | REVERSE | MASSES, MASKS),
    "f16_masks": (RESIDENT_SIDES | KEPT_REVERSE | MASSES, dict(dtype="f16", **MASKS)),
    "f32_row_sum": (RESIDENT_SIDES | KEPT_REVERSE, dict(dtype="f32", normalization="row_sum",
                                                        row_floor=0.01)),
    "f32_long_queries": (STREAMING | (REVERSE_T1 - RECOMPUTED),
                         dict(dtype="f32", d=8, dv=8, r=64, n=14000, half_steps=2)),
}
# Masses whose gradients nobody asks for.
GIVEN_MASSES = {
    "bf16": (True, RESIDENT | KEPT_REVERSE, MASKS),
    "bf16_alone": (False, REVERSE, MASKS),
    "bf16_row_sum": (True, RESIDENT | KEPT_REVERSE,
                     dict(normalization="row_sum", row_floor=0.01, **MASKS)),
    "bf16_none": (True, RESIDENT | KEPT_REVERSE, dict(normalization="none", **MASKS)),
    "bf16_few_tokens": (True, RESIDENT | KEPT_REVERSE, FEW_TOKENS),
    "bf16_keys": (True, RESIDENT | KEPT_REVERSE, dict(masses=(0, 2, 0, 0), absent=0.3, heads=2)),
    "bf16_many_pivots": (True, STREAMING | KEPT_REVERSE, dict(r=100, n=300, m=200, **MASKS)),
    "f32": (False, REVERSE, dict(dtype="f32", **MASKS)),
}


def environment(machine=SERVER):
    """Of a lot-run whose kernels the Python program `machine` runs."""
    command = shlex.join([sys.executable, "-c", machine])
    return dict(FAKE_CUDA_MACHINE=f"PYTHONPATH={shlex.quote(str(HERE))} exec {command}",
                LD_LIBRARY_PATH=str(DRIVER), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def check_forward(folder, given, dtype, machine=SERVER):
    """Asserts that the result is the oracle's; the kernels that made it."""
    done = lot_run.run(folder, lot_run.module(given, False), list(given.operands().values()), 1,
                       environment=environment(machine), timeout=60)
    assert done.code == 0, done.text
    lot_testing.check(*done.results, given, dtype, lot_testing.GPU_OUTPUT_ROUNDING)
    return done.kernels


def check_backward(folder, given, dtype, machine=SERVER, residuals=False, mass_gradients=True):
    """Asserts that all gradients are the oracle's; the kernels that made them. With `residuals`
    the forward that leaves them is checked, too."""
    operands, dout = given.operands(), given.cotangent()
    wanted = [name for name in operands if mass_gradients or name not in lot_testing.MASSES]
    text = lot_run.module(given, True, residuals, mass_gradients)
    done = lot_run.run(folder, text, [dout, *operands.values()], len(wanted) + residuals,
                       environment=environment(machine), timeout=60)
    assert done.code == 0, done.text
    results = list(done.results)
    if residuals:
        lot_testing.check(results.pop(0), given, dtype, lot_testing.GPU_OUTPUT_ROUNDING)
    lot_testing.check_gradients(dict(zip(wanted, results)), given, dout, dtype,
                                rounding=lot_testing.GPU_OUTPUT_ROUNDING,
                                gradient_rounding=lot_testing.GPU_GRADIENT_ROUNDING)
    return done.kernels


@pytest.mark.parametrize("name", FORWARD)
def test_forward(name, tmp_path):
    kernels, options = FORWARD[name]
    assert check_forward(tmp_path, problem(**options), name.split("_")[0]) == kernels


def test_pivots_at_odd_addresses(tmp_path):
    """Rows that cannot be copied 16 bytes at a time are read one by one, with the same bits."""
    given = problem(heads=2)
    text, operands = lot_run.module(given, False), given.operands()
    pivots = operands["pivots"]
    heads, rows, columns = pivots.shape
    wide = np.full((heads, rows + 1, columns + 1), np.nan, pivots.dtype)
    wide[:, 1:, 1:] = pivots
    own, whole = f"tensor<?x{rows}x{columns}xbf16>", f"tensor<?x{rows + 1}x{columns + 1}xbf16>"
    lines = ["%first = arith.constant 0 : index", f"%heads = tensor.dim %wide, %first : {whole}",
             f"%pivots = tensor.extract_slice %wide[0, 1, 1] [%heads, {rows}, {columns}] [1, 1, 1]"
             f" : {whole} to {own}"]
    odd = text.replace(f"%pivots: {own})", f"%wide: {whole})")
    odd = odd.replace("{\n", "\n  ".join(["{", *lines, ""]), 1)
    results = []
    for module, array in ((text, pivots), (odd, wide)):
        done = lot_run.run(tmp_path, module, [*list(operands.values())[:3], array], 1,
                           environment=environment(), timeout=60)
        assert done.code == 0, done.text
        assert done.kernels == RESIDENT
        results += done.results
    lot_testing.check(results[1], given, "bf16", lot_testing.GPU_OUTPUT_ROUNDING)
    np.testing.assert_array_equal(*results)


#: A machine on which kernels that do problems again must have nothing to do.
NOT_AGAIN = f"""
import ptx_server
class Machine(ptx_server.Machine):
    def run(self):
        memory = self.memories["global"]
        if self.kernel.name == "again":
            memory.store = None
        super().run()
        vars(memory).pop("store", None)
ptx_server.Machine = Machine
{SERVER}"""


@pytest.mark.parametrize("options", [
    dict(n=128, m=1000, d=32, r=32, epsilon=0.1, half_steps=12),
    dict(n=500, m=400, d=64, dv=64, r=16, epsilon=0.1, half_steps=10, shift=1.0)])
def test_nothing_is_done_again(options, tmp_path):
    """Plans at a small epsilon are sharp, not too sharp."""
    check_backward(tmp_path, problem(**options), "bf16", NOT_AGAIN)


@pytest.mark.parametrize("name", BACKWARD)
def test_backward(name, tmp_path):
    kernels, options = BACKWARD[name]
    assert check_backward(tmp_path, problem(**options), name.split("_")[0]) == kernels


@pytest.mark.parametrize("name", RESIDUALS)
def test_backward_with_residuals(name, tmp_path):
    kernels, options = RESIDUALS[name]
    assert check_backward(tmp_path, problem(**options), name.split("_")[0],
                          residuals=True) == kernels


@pytest.mark.parametrize("name", GIVEN_MASSES)
def test_backward_without_mass_gradients(name, tmp_path):
    residuals, kernels, options = GIVEN_MASSES[name]
    assert check_backward(tmp_path, problem(**options), name.split("_")[0], residuals=residuals,
                          mass_gradients=False) == kernels


@pytest.mark.parametrize("options, residuals", [(dict(), True), (dict(heads=3), True),
                                                (dict(heads=3), False), (WIDE, True)],
                         ids=["one_round", "rounds", "recomputed", "log_domain"])
def test_spread_teams(options, residuals, tmp_path):
    """Where clusters would not all find room at once, blocks of a team are wherever there is some,
    take one problem after the other, and exchange the same sums."""
    given = problem(**{**options, "n": 2100, "m": 1500, "r": 32})
    operands, dout = given.operands(), given.cotangent()
    results = {}
    for multiprocessors in (3, 132):  # room for two teams of three blocks, or for all clusters
        log = tmp_path / f"{multiprocessors}.log"
        more = dict(FAKE_CUDA=f"multiprocessors={multiprocessors}", FAKE_CUDA_LOG=str(log))
        done = lot_run.run(tmp_path, lot_run.module(given, True, residuals),
                           [dout, *operands.values()], residuals + len(operands),
                           environment={**environment(), **more}, timeout=120)
        assert done.code == 0, done.text
        launches = re.findall(r"launch (\w+) grid 3 2 1 .* cooperative 1", log.read_text())
        assert launches == (["resident", "reverse"] if multiprocessors == 3 else [])
        results[multiprocessors] = done.results
    spread, clusters = results.values()
    if residuals:
        lot_testing.check(spread[0], given, "bf16", lot_testing.GPU_OUTPUT_ROUNDING)
    for one, other in zip(spread, clusters, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_kernel_is_reached():
    """The problems above launch every kernel that modules of their classes have."""
    there = set()
    for options, backward, residuals in (
            (dict(), False, False), (dict(), True, False), (MASKS, True, False),
            (dict(), True, True), (dict(dtype="f32"), False, False)):
        lowered = linalg_path.run_tool(
            [linalg_path.tool("lot-opt"), "--lot-to-nvgpu=chip=sm_90a"],
            lot_run.module(problem(**options), backward, residuals))
        for ptx in gpu_code.images(lowered):
            there |= set(re.findall(r"\.entry (\w+)\(", ptx))
    reached = set().union(*(kernels for kernels, _ in (*FORWARD.values(), *BACKWARD.values(),
                                                       *RESIDUALS.values())))
    assert there and reached == there


# --- What is wrong is noticed ---------------------------------------------------------------

WRONG = {
    "bf16": """
import ptx_instructions
halves = ptx_instructions.halves
# Of bf16 alone: half-steps divide by sums of f16 products.
ptx_instructions.halves = lambda words, dtype: (
    halves(words, dtype) * (1.01 if dtype == ptx_instructions.HALVES["bf16"] else 1))""",
    "f32": """
from ptx_elementwise import TABLE
fma = TABLE["fma.rn.f32"]
TABLE["fma.rn.f32"] = fma._replace(function=lambda a, b, c: fma.function(a, b, c) * 1.00001)""",
}


@pytest.mark.parametrize("dtype", WRONG)
def test_wrong_instructions(dtype, tmp_path):
    """Sums of products that are a little too large do not pass."""
    given = problem(dtype)
    with pytest.raises(AssertionError, match="relative error .*, tolerance"):
        check_forward(tmp_path, given, dtype, f"{WRONG[dtype]}\n{SERVER}")


LAUNCH = """
module attributes {{gpu.container_module}} {{
  func.func @run(%x: memref<?xf32>) -> memref<?xf32> {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %n = memref.dim %x, %c0 : memref<?xf32>
    %y = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@some_kernel blocks in (%c1, %c1, %c1) threads in (%c64, %c1, %c1)
        args(%y : memref<?xf32>)
    return %y : memref<?xf32>
  }}
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "{ptx}">]
}}
"""
HEADER = """.version 8.0
.target sm_80
.address_size 64
.visible .entry some_kernel(
  .param .b64 some_kernel_param_0, .param .b64 some_kernel_param_1,
  .param .b64 some_kernel_param_2, .param .b64 some_kernel_param_3,
  .param .b64 some_kernel_param_4
)
{
  mov.u32 %r1, %tid.x;
  ld.param.b64 %rd1, [some_kernel_param_1];
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  setp.gt.u32 %p1, %r1, 31;
"""


def run_ptx(folder, body):
    """A kernel of one block of 64 threads; %rd3 is each thread's place in the result."""
    ptx = f"{HEADER}{body}\n  ret;\n}}\n".replace("\n", "\\0A")
    return lot_run.run(folder, LAUNCH.format(ptx=ptx), [np.zeros(64, np.float32)], 1,
                       environment=environment(), timeout=60)


def test_hand_written_kernel(tmp_path):
    done = run_ptx(tmp_path, "cvt.rn.f32.u32 %r2, %r1; @%p1 neg.f32 %r2, %r2; "
                             "st.global.b32 [%rd3], %r2;")
    assert done.code == 0, done.text
    assert (done.results[0] == np.where(np.arange(64) > 31, -1, 1) * np.arange(64)).all()


@pytest.mark.parametrize("body, message", [
    ("st.global.b32 [%rd3+4], %r1;", "global memory: expected 4 allocated bytes, got the address "
                                     "0x[0-9a-f]+ in thread 63"),
    ("ld.global.v2.b32 {%r2, %r3}, [%rd3];", "global memory: expected an address aligned to 8 "
                                             "bytes, got 0x[0-9a-f]+ in thread 1"),
    ("st.shared.b32 [%rd2], %r1;", "shared memory: expected 4 allocated bytes, got the address "
                                   "0x0 in thread 0"),
    ("tanh.approx.f32 %r2, %r1;", "unknown instruction"),
    ("mov.b32 %r2, %clock;", "unknown operand %clock"),
    ("@%p1 bra $L1; bar.sync 0; $L1: ret;", "threads wait at barriers to which others do not come"),
    ("$L1: ld.acquire.gpu.global.b32 %r2, [%rd3]; setp.ne.b32 %p2, %r2, 1; @%p2 bra $L1;",
     "threads wait for what no other thread does"),
], ids=["outside", "misaligned", "shared", "instruction", "operand", "barrier", "polling"])
def test_faults_name_their_kernel(body, message, tmp_path):
    done = run_ptx(tmp_path, body)
    assert done.code != 0 and not done.results
    assert re.search(f"kernel some_kernel: .*{message}", done.text), done.text
    assert "launch of kernel 'some_kernel': cuLaunchKernelEx failed" in done.text
