//===- Passes.td - The conversions of the lot project ----------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_CONVERSION_PASSES
#define LOT_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def LotSelectSchedule : Pass<"lot-select-schedule", "ModuleOp"> {
  let summary = "chooses how the CPU tiles lot.attention and its vjp";
  let description = [{
    Puts a `#lot.cpu_schedule` on every `lot.attention` and
    `lot.attention_vjp`, chosen from the vector
    width and registers of the processor `mcpu` ("native": this machine) of the
    architecture of `mtriple` (empty: this machine's). An attribute
    that is there is kept and checked against that processor.

    Before:
    ```mlir
    lot.attention ins(%q, %k, %v, %z : ...) outs(%o : ...)
    ```
    After, for a processor with AVX2:
    ```mlir
    lot.attention {schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8,
      row_block = 4, vector_block = 2>} ins(%q, %k, %v, %z : ...) outs(%o : ...)
    ```
  }];
  let options = [Option<"mcpu", "mcpu", "std::string", "\"native\"",
                        "target processor, as clang names it">,
                 Option<"mtriple", "mtriple", "std::string", "\"\"",
                        "target triple (default: this machine's)">];
}

def LotExpandHeads : Pass<"lot-expand-heads", "ModuleOp"> {
  let summary = "lot.attention on buffers to the passes over each head's tokens";
  let description = [{
    Replaces every bufferised `lot.attention` by a loop over batch x heads that
    calls an outlined function. That function solves the key side, gathers
    `G = R2 V`, and for every query head of the group solves the query side and
    applies `O = R1 G`, all by `lot.head_*` ops on a workspace of the worker.
    The safety rule (docs/semantics.md section 7) is control flow here: the
    score range of each head decides between the stored factor (path A), the
    factor rebuilt around the current potentials with a check after each sweep
    (path B), and the log domain (path C).

    `lot.attention_vjp` becomes the same forwards, keeping r values of each
    sweep, and then the half-steps backwards: on path A over the stored factor
    with one product of all steps at the end, elsewhere step by step in the log
    domain. Gradients of what heads or the batch share are written for each head
    and summed up in order.

    Before:
    ```mlir
    lot.attention {schedule = ...} ins(%q, %k, %v, %z : memref<...>, ...)
        outs(%o : memref<...>)
    ```
    After:
    ```mlir
    scf.parallel (%worker) = (%c0) to (%workers) step (%c1) {
      func.call @lot_attention(%worker, %workers, %q, %k, %v, %z, %o)
    }
    // in @lot_attention, for each head:
    %range = lot.head_factor first<pivots> ins(%key, %packed, %bias, ...)
        outs(%factor, %sums)
    %safe = arith.cmpf ole, %range, %limit
    %scaled = scf.for ... {          // half-steps in pairs
      lot.head_sweep ins(%factor, %prev, %mass) outs(%sums)
      ...                            // or lot.head_log_sweep where unsafe
    }
    lot.head_gather ins(%key, %value, ...) outs(%gathered)
    ...                              // the same on the query side
    lot.head_apply ins(%query, %gathered, ...) outs(%out)
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "cf::ControlFlowDialect",
                           "func::FuncDialect", "math::MathDialect",
                           "memref::MemRefDialect", "scf::SCFDialect"];
  let options = [Option<"parallel", "parallel", "bool", "true",
                        "one worker per OpenMP thread instead of one in all">];
}

def ConvertLotHeadToVector : Pass<"convert-lot-head-to-vector", "ModuleOp"> {
  let summary = "head ops to calls of vector code";
  let description = [{
    Replaces each `lot.head_*` op by a call of a private function that holds its
    loops over token tiles in scf, vector, arith, math and memref. Ops of the
    same types and attributes share a function.

    Before:
    ```mlir
    lot.head_sweep {schedule = ...} ins(%factor, %prev, %mass : ...)
        length(%n) outs(%sums : memref<32xf32>)
    ```
    After:
    ```mlir
    call @lot_head_sweep(%factor, %prev, %mass, %n, %sums)
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "math::MathDialect", "memref::MemRefDialect",
                           "scf::SCFDialect", "vector::VectorDialect"];
}

def LotExpandExp2 : Pass<"lot-expand-exp2"> {
  let summary = "math.exp2 to a polynomial and an exponent shift";
  let description = [{
    `2^x = 2^n 2^f` with n = round(x): a polynomial in f and an integer add to
    the exponent. Below the smallest normal exponent the result is the smallest
    normal power of two, not 0. f32 and f64, scalars and vectors; 1.5 ulp.
    (math.exp2 otherwise becomes a call for each lane.)

    Before:
    ```mlir
    %e = math.exp2 %x : vector<8xf32>
    ```
    After:
    ```mlir
    %n = ... // round to nearest by adding 1.5 * 2^23
    %p = math.fma ... // the polynomial, 6 steps
    %e = arith.bitcast (%p + (%n << 23))
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "math::MathDialect",
                           "vector::VectorDialect"];
}

def LotExpandArith : Pass<"lot-expand-arith"> {
  let summary = "bf16 conversions and rounded divisions to integer arithmetic";
  let description = [{
    The part of upstream's `arith-expand` that the way to LLVM needs. The whole
    of it would also take `arith.maxnumf` and `arith.minnumf` apart into four
    operations, where their flags make them one instruction. Without hardware
    for bf16 the code generator would call a function for each element.

    Before:
    ```mlir
    %y = arith.extf %x : vector<8xbf16> to vector<8xf32>
    %tiles = arith.ceildivui %n, %c32 : index
    %m = arith.maxnumf %a, %b fastmath<nnan,nsz> : vector<8xf32>
    ```
    After:
    ```mlir
    %b = arith.bitcast %x : vector<8xbf16> to vector<8xi16>
    %w = arith.extui %b : vector<8xi16> to vector<8xi32>
    %s = arith.shli %w, %c16 : vector<8xi32>
    %y = arith.bitcast %s : vector<8xi32> to vector<8xf32>
    %tiles = ... // n == 0 ? 0 : (n - 1) / 32 + 1
    %m = arith.maxnumf %a, %b fastmath<nnan,nsz> : vector<8xf32>
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "vector::VectorDialect"];
}

def LotGPUExpandMath : Pass<"lot-gpu-expand-math", "gpu::GPUModuleOp"> {
  let summary = "math functions of kernels to single instructions";
  let description = [{
    Upstream's lowering of the gpu dialect makes calls of libdevice out of these
    functions, which needs a CUDA toolkit, and code that is slower than the one
    instruction that the hardware has for each. f32 scalars and vectors (element
    by element): `exp2` and `log2` become the approximate instructions, which
    flush subnormal numbers to zero and are good to 2 ulp (`log2` near 1: 2^-22
    absolute), `sqrt` the rounded and `rsqrt` the approximate one; `absf`,
    `floor` and `ceil` are exact.

    Before:
    ```mlir
    %e = math.exp2 %x : f32
    ```
    After:
    ```mlir
    %e = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%x) : (f32) -> f32
    ```
  }];
  let dependentDialects = ["LLVM::LLVMDialect", "arith::ArithDialect",
                           "vector::VectorDialect"];
}

def LotGPUExternSharedMemory
    : Pass<"lot-gpu-extern-shared-memory", "gpu::GPUModuleOp"> {
  let summary = "dynamic shared memory begins after a block's static buffers";
  let description = [{
    `gpu.dynamic_shared_memory` is lowered to an array without elements that is
    private to the module, which places it among the static buffers of a kernel:
    what a launch adds would overlap them. As an external one it is where the
    launch puts the memory. It is aligned to 1024 bytes, which tiles swizzled by
    128 bytes need.

    Before:
    ```mlir
    llvm.mlir.global internal @__dynamic_shmem__0() {addr_space = 3 : i32,
      alignment = 16 : i64} : !llvm.array<0 x i8>
    ```
    After:
    ```mlir
    llvm.mlir.global external @__dynamic_shmem__0() {addr_space = 3 : i32,
      alignment = 1024 : i64} : !llvm.array<0 x i8>
    ```
  }];
  let dependentDialects = ["LLVM::LLVMDialect"];
}

def LotGPUSplitKernels : Pass<"lot-gpu-split-kernels", "ModuleOp"> {
  let summary = "a gpu.module for each kernel";
  let description = [{
    Kernels that share nothing need not be compiled together: passes over
    gpu.module run on all of them at the same time, and so do LLVM
    (`lot-gpu-modules-to-binary`) and the compiler in the driver. The module of
    kernel `@sweep` in `gpu.module @kernels` is `@kernels_sweep`, with the same
    targets. A gpu.module with other symbols than kernels is left as it is, one
    with a single kernel, too.

    Before:
    ```mlir
    gpu.module @kernels [#nvvm.target] {
      gpu.func @sweep() kernel { gpu.return }
      gpu.func @fold() kernel { gpu.return }
    }
    gpu.launch_func @kernels::@sweep blocks in (%b, %b, %b) threads in (...)
    ```
    After:
    ```mlir
    gpu.module @kernels_sweep [#nvvm.target] {
      gpu.func @sweep() kernel { gpu.return }
    }
    gpu.module @kernels_fold [#nvvm.target] {
      gpu.func @fold() kernel { gpu.return }
    }
    gpu.launch_func @kernels_sweep::@sweep blocks in (%b, %b, %b) threads in (...)
    ```
  }];
  let dependentDialects = ["gpu::GPUDialect"];
}

def LotGPUModulesToBinary : Pass<"lot-gpu-modules-to-binary", "ModuleOp"> {
  let summary = "gpu.modules to gpu.binaries with PTX, all at the same time";
  let description = [{
    As upstream's `gpu-module-to-binary{format=isa}`, which takes one module
    after the other; here each takes a thread of the context, if that has some.
    Binaries come in the order of the modules, at the end of the module.

    Before:
    ```mlir
    gpu.module @kernels_sweep [#nvvm.target] { llvm.func @sweep() ... }
    gpu.module @kernels_fold [#nvvm.target] { llvm.func @fold() ... }
    ```
    After:
    ```mlir
    gpu.binary @kernels_sweep [#gpu.object<#nvvm.target, assembly = "...">]
    gpu.binary @kernels_fold [#gpu.object<#nvvm.target, assembly = "...">]
    ```
  }];
  let dependentDialects = ["gpu::GPUDialect", "LLVM::LLVMDialect",
                           "NVVM::NVVMDialect"];
}

def LotGPUHostToLLVM : Pass<"lot-gpu-host-to-llvm", "ModuleOp"> {
  let summary = "the host side of kernels to calls of the CUDA runtime of lot";
  let description = [{
    Functions whose memrefs are memory of a GPU, to the LLVM dialect. A
    `gpu.launch_func` of a kernel that is in a `gpu.binary` becomes a call of
    `lotCudaLaunch`, with a table of the device code of all binaries, which the
    first launch loads together, and the place of this one in it; `memref.alloc`
    and `memref.dealloc` call `lotCudaAlloc` and `lotCudaFree`, `memref.copy`
    between buffers without gaps calls `lotCudaCopy`. Everything runs in the
    order of one stream, so no launch is waited for. A launch with the unit
    attribute `lot.cooperative` is a cooperative one; one with `lot.overlap` may
    begin while kernels before it run (programmatic dependent launch): its
    kernel waits for them itself. What would read or write device memory on the
    host is an error.

    Before:
    ```mlir
    %w = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@scale blocks in (%b, %c1, %c1)
        threads in (%c128, %c1, %c1) args(%w : memref<?xf32>)
    gpu.binary @kernels [#gpu.object<#nvvm.target, assembly = "...">]
    ```
    After:
    ```mlir
    llvm.mlir.global internal constant @kernels_image("...")
    llvm.mlir.global internal constant @lot_images() { // (address, size), ...
      ...
    }
    %w = llvm.call @lotCudaAlloc(%bytes) : (i64) -> !llvm.ptr
    %images = llvm.mlir.addressof @lot_images
    llvm.call @lotCudaLaunch(%images, %c0, %name, %b, %c1, %c1, %c128, %c1,
      %c1, %c0, %c0, %c0, %shared, %flags, %arguments, %count)
    ```
  }];
  let dependentDialects = ["LLVM::LLVMDialect"];
}

def LotImportFrameworks : Pass<"lot-import-frameworks"> {
  let summary = "StableHLO custom calls and torch operators to lot ops";
  let description = [{
    Other compilers keep an operator that they do not know as an op with a name.
    Two are known here by theirs, in generic form and of unregistered dialects
    (`--allow-unregistered-dialect`), and become `lot.attention` and
    `lot.attention_vjp`; every other op stays as it is. An op that is known and
    cannot be imported is an error that says what is unsupported.

    `stablehlo.custom_call @lot.attention` (and `@lot.attention_vjp`: the
    cotangent first, a result for each operand after it). The operands are query,
    key, value, pivots and the log masses that `masses` names; where sizes are
    symbolic, JAX appends the shape of each result, which is not needed. The
    configuration is `mhlo.backend_config`, or `backend_config` as a dictionary
    or a string of JSON, with the attributes of `lot.attention` as keys,
    `normalization` as a string, and `masses` as names with commas between them
    or as a list. What is missing has its default.

    Before:
    ```mlir
    %o = "stablehlo.custom_call"(%q, %k, %v, %z, %mass) <{
        call_target_name = "lot.attention", ...}> {mhlo.backend_config = {
        epsilon = 0.5 : f64, half_steps = 10 : i64, masses = "key_log_mass"}}
        : (tensor<1x8x?x64xf32>, ...) -> tensor<1x8x?x64xf32>
    ```
    After:
    ```mlir
    %init = tensor.empty(%n) : tensor<1x8x?x64xf32>
    %o = lot.attention {epsilon = 0.5 : f64, half_steps = 10 : i64}
        ins(%q, %k, %v, %z : ...) key_log_mass(%mass : ...) outs(%init : ...)
    ```

    `torch.operator "torch.lot.attention"` (and `"torch.lot.attention_backward"`,
    whose list of gradients is unpacked), with the arguments of the operators of
    lot.torch; attributes are constants.

    Before:
    ```mlir
    %o = "torch.operator"(%q, %k, %v, %z, %none, %none, %none, %none, %none,
        %epsilon, %half_steps, %normalization, %row_floor, %none, %out_scale)
        <{name = "torch.lot.attention"}>
    ```
    After:
    ```mlir
    %q_ = "torch_c.to_builtin_tensor"(%q)
        : (!torch.vtensor<[1,8,?,64],f32>) -> tensor<1x8x?x64xf32>
    ...
    %o_ = lot.attention {epsilon = 0.5 : f64} ins(%q_, %k_, %v_, %z_ : ...) ...
    %o = "torch_c.from_builtin_tensor"(%o_)
    ```

    With `shape-assertions`, JAX's checks of symbolic sizes, which other compilers
    do not know either, become assertions.

    Before:
    ```mlir
    "stablehlo.custom_call"(%holds, %n) <{call_target_name = "shape_assertion",
        ...}> {error_message = "..."} : (tensor<i1>, tensor<i32>) -> ()
    ```
    After:
    ```mlir
    %ok = tensor.extract %holds[] : tensor<i1>
    cf.assert %ok, "..."
    ```
  }];
  let options = [
    Option<"shapeAssertions", "shape-assertions", "bool", "false",
           "custom calls of JAX's @shape_assertion to cf.assert">
  ];
  let dependentDialects = ["arith::ArithDialect", "cf::ControlFlowDialect",
                           "lot::LotDialect", "tensor::TensorDialect"];
}

def LotOutlineFrameworks : Pass<"lot-outline-frameworks", "ModuleOp"> {
  let summary = "each lot.attention and its vjp to a private function";
  let description = [{
    Moves every `lot.attention` and `lot.attention_vjp` on tensors into a private
    function of its inputs; equal ones share a function. What lowers them then
    works in functions of their own, and the functions of the other compiler hold
    only its ops and a `func.call`.

    Before:
    ```mlir
    func.func @main(%q: tensor<1x8x?x64xf32>, ...) {
      %init = tensor.empty(%n) : tensor<1x8x?x64xf32>
      %o = lot.attention ins(%q, %k, %v, %z : ...) outs(%init : ...)
    ```
    After:
    ```mlir
    func.func @main(%q: tensor<1x8x?x64xf32>, ...) {
      %o = call @lot_attention(%q, %k, %v, %z) : ...
    ...
    func.func private @lot_attention(%q: tensor<1x8x?x64xf32>, ...) {
      %n = tensor.dim %q, %c2
      %init = tensor.empty(%n) : tensor<1x8x?x64xf32>
      %o = lot.attention ins(%q, %k, %v, %z : ...) outs(%init : ...)
      return %o
    }
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "lot::LotDialect", "tensor::TensorDialect"];
}

def ConvertLotAttentionToGPU
    : Pass<"convert-lot-attention-to-gpu", "ModuleOp"> {
  let summary = "lot.attention and its vjp on device buffers to kernels and launches";
  let description = [{
    Replaces every bufferised `lot.attention`, whose operands are memory of a
    GPU, by a gpu.module of five kernels and their launches:

    - `pack`: the pivots as the products read them, zeros for absent ones;
    - `sweep`, once for every two half-steps: a pass over the tokens of both
      sides of all heads, which recomputes the scores and adds up what the pivot
      step needs (the log-sum-exp over tokens of each pivot) chunk by chunk; for
      bf16 on sm_90a, with head dimensions up to 64, all of them in one launch,
      whose blocks wait for the pivot step of their own head and side, and with
      scores by `wgmma`, as `reverse_sweep` below;
    - `gather`: the parts of G = R2 V, a chunk of keys each; `fold`: their sum;
    - `apply`: O = R1 G.

    Each kernel begins by folding the sums that the one before left, in the order
    of the chunks. Chunks depend on the number of tokens alone, so results do not
    depend on the batch or on the order of blocks. Sizes of the batch, heads and
    tokens are arguments; head and value dimensions, the number of pivots, element
    types and attributes are compiled in. The safety rule (docs/semantics.md
    section 7) is a branch of a block: where a sum of plain exponentials could
    have lost something it adds up pairs (maximum, sum).

    On GPUs with clusters, the host code takes other kernels where both sides of a
    head fit in one (by the lengths of the call): for bf16 `resident`, both sides
    in one launch with the factor in registers as pairs of f16; for f16, f32 and
    dimensions that are no multiples of 8 `resident_keys`, `resident_fold` and
    `resident_queries`, with a factor of f32. Where fewer clusters than teams of
    as many blocks would run at once, `resident` and `reverse` become cooperative
    launches whose blocks exchange sums through device memory; the host code asks
    `lotCudaCountMultiprocessors`.

    `lot.attention_vjp` becomes the same forwards, which notes the pivot potential
    of every step, and then `query_adjoint`, `fold_gradient` and `key_adjoint`
    (dG, dV and the cotangents of the potentials), `reverse_sweep` once for every
    two half-steps, `query_gradient` and `key_gradient` (dQ, dK and parts of the
    gradients of pivots), and sums over what heads and the batch share, in a fixed
    order. Nothing of n x r elements is kept: tokens' scores and potentials are
    computed again in each pass. For bf16 without log masses, on GPUs with
    clusters and where both sides fit, `reverse` takes the place of those passes:
    both sides in one launch with the plan in registers, queries first, for whose
    dG keys wait. `again` does a problem again, in the log domain, where that plan
    may have lost something.

    Residuals hold the potentials of all problems, [problems, steps + 1, r] with
    the key side's first, then G and, for row sums, R2 1: the forward's kernels
    write them in the place of scratch memory. A `lot.attention_vjp` that has them
    begins with the reverse passes; `pack` lays out G for their products. Only
    gradients of log masses in bf16 need a more exact G and leave them alone.

    Rows of query, key, value and init must begin at multiples of 16 bytes where
    their length allows it, and their last stride be 1: assertions say so.

    Before:
    ```mlir
    lot.attention {half_steps = 10 : i64} ins(%q, %k, %v, %z : memref<...>, ...)
        outs(%o : memref<...>)
    ```
    After:
    ```mlir
    gpu.module @lot_attention [#nvvm.target<chip = "sm_90a">] {
      gpu.func @sweep(...) kernel { ... }  // nvvm.mma.sync, gpu.shuffle, ...
      ...
    }
    gpu.launch_func @lot_attention::@pack blocks in (%heads, ...) ...
    scf.for %step = %c0 to %c5 step %c1 { // sm_90a, d up to 64: one launch
      gpu.launch_func @lot_attention::@sweep blocks in (%chunks, ...) ...
    }
    gpu.launch_func @lot_attention::@gather ...
    gpu.launch_func @lot_attention::@fold ...
    gpu.launch_func @lot_attention::@apply ...
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "cf::ControlFlowDialect",
                           "gpu::GPUDialect", "LLVM::LLVMDialect",
                           "math::MathDialect", "memref::MemRefDialect",
                           "NVVM::NVVMDialect", "nvgpu::NVGPUDialect",
                           "scf::SCFDialect", "vector::VectorDialect"];
  let options = [Option<"chip", "chip", "std::string", "\"sm_90a\"",
                        "architecture, as nvcc names it">,
                 Option<"features", "features", "std::string", "\"+ptx80\"",
                        "features of LLVM's NVPTX target">,
                 Option<"optLevel", "opt-level", "unsigned", "3",
                        "level of LLVM and ptxas, 0 to 3">];
}

def LotExpandCopies : Pass<"lot-expand-copies"> {
  let summary = "copies between strided buffers to linalg.copy";
  let description = [{
    Upstream lowers a `memref.copy` of a strided buffer to a call of a function
    of MLIR's runtime library, which compiled code would have to be linked with.
    Copies between contiguous buffers stay: they become memcpy.

    Before:
    ```mlir
    memref.copy %row, %slice : memref<8x32xf32>
        to memref<8x32xf32, strided<[192, 1], offset: ?>>
    ```
    After:
    ```mlir
    linalg.copy ins(%row : memref<8x32xf32>)
        outs(%slice : memref<8x32xf32, strided<[192, 1], offset: ?>>)
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

def LotShardToMPI : Pass<"lot-shard-to-mpi", "::mlir::ModuleOp"> {
  let summary = "all-reduces of a partitioned module to MPI";
  let description = [{
    Lowers the `shard.all_reduce` that `shard-partition` leaves of lot ops to
    `mpi.allreduce`, and drops the grids. Communicators are made at the first
    use and kept; all processes of the grid make one of the axes that are
    reduced. The number of processes is checked there. Run it before a pipeline
    that bufferizes (`lot-to-cpu`). The module is marked as one for MPICH and
    the implementations with its ABI.

    (Upstream's `convert-shard-to-mpi` of LLVM 22 splits the communicator anew
    for each reduction and never frees one, and takes static shapes only.)

    A shard op other than `shard.all_reduce` is an error: it would mean that
    something other than sums over tokens has to be exchanged.

    Before:
    ```mlir
    shard.grid @grid(shape = 4)
    %max = shard.all_reduce %part on @grid grid_axes = [0] reduction = max
        : tensor<?x8x32xf32> -> tensor<?x8x32xf32>
    ```
    After:
    ```mlir
    func.func private @lot_mpi_comm_grid_0() -> i64 { ... }
    %send = bufferization.to_buffer %part read_only
    %receive = memref.alloc(%b) : memref<?x8x32xf32>
    %comm = call @lot_mpi_comm_grid_0()
    mpi.allreduce(%flat_send, %flat_receive, MPI_MAX, %comm)
    %max = bufferization.to_tensor %receive restrict writable
    ```
  }];
  let dependentDialects = [
    "arith::ArithDialect", "bufferization::BufferizationDialect",
    "cf::ControlFlowDialect", "DLTIDialect", "func::FuncDialect",
    "memref::MemRefDialect", "mpi::MPIDialect", "scf::SCFDialect",
    "tensor::TensorDialect"];
}

#endif // LOT_CONVERSION_PASSES
