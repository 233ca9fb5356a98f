//===- Passes.td - Passes of the lot project ------------------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TRANSFORMS_PASSES
#define LOT_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def LotDecomposeAttention : Pass<"lot-decompose-attention"> {
  let summary = "lot.attention and its vjp to scores, pivot solves, plans and glue";
  let description = [{
    Replaces every `lot.attention` on tensors by its formula: two score products
    (linalg), two `lot.pivot_solve`, two `lot.plan` and one `lot.glue`; and every
    `lot.attention_vjp` by the adjoint of that.

    Before:
    ```mlir
    %o = lot.attention ins(%q, %k, %v, %z : ...) outs(%init : ...)
    ```
    After:
    ```mlir
    %L1 = linalg.generic ... ins(%q, %z)              // scores of the queries
    %L2 = linalg.generic ... ins(%k, %z)              // scores of the keys
    %prev1, %last1 = lot.pivot_solve first<tokens> ... ins(%L1)
    %prev2, %last2 = lot.pivot_solve first<pivots> ... ins(%L2)
    %R1 = lot.plan conditional<tokens> ins(%L1) prev(%prev1) last(%last1)
    %R2 = lot.plan conditional<pivots> ins(%L2) prev(%prev2) last(%last2)
    %o = lot.glue ins(%R1, %R2, %v) outs(%init)
    ```
    Before:
    ```mlir
    %dq, %dk, %dv, %dz = lot.attention_vjp ins(%do, %q, %k, %v, %z : ...) outs(...)
    ```
    After, where the trajectory is the pivot potential of each step (r-sized):
    ```mlir
    %prev1, %last1, %trajectory1 = lot.pivot_solve first<tokens> ... ins(%L1)
    %R1 = lot.plan conditional<tokens> ins(%L1) prev(%prev1) last(%last1)
    ...                                               // the key side: L2, R2
    %dR1, %dR2, %dv = lot.glue_vjp ins(%do, %R1, %R2, %v)
    %dL, %dprev, %dlast = lot.plan_vjp conditional<tokens> ins(%dR1, %L1) ...
    %dL_ = lot.pivot_solve_vjp first<tokens> ... ins(%dprev, %dlast, %L1, %trajectory1)
    %dS1 = linalg.generic ... ins(%dL, %dL_)          // their sum, scaled
    ...                                               // the key side: dS2
    %dq = linalg.generic ... ins(%dS1, %z)
    %dk = linalg.generic ... ins(%dS2, %z)
    %dz_ = linalg.generic ... ins(%dS1, %q)
    %dz = linalg.generic ... ins(%dS2, %k) outs(%dz_)
    ```
  }];
  let options = [
    ListOption<"ops", "ops", "std::string",
               "which of attention, attention_vjp to rewrite (default: both)">
  ];
}

def LotExpandSolve : Pass<"lot-expand-solve"> {
  let summary = "lot.pivot_solve and its vjp to a loop of sweeps";
  let description = [{
    Replaces every `lot.pivot_solve` on tensors by a loop over its half-steps.
    The loop carries pivot potentials only (r-vectors): token potentials are
    recomputed inside `lot.sweep`.

    Before:
    ```mlir
    %prev, %last = lot.pivot_solve first<tokens> half_steps(10)
        ins(%L : tensor<8x?x32xf32>) outs(%i, %i : ...)
    ```
    After (an even number of half-steps ends with a pivot step, which is peeled:
    the plan needs the potential before it too):
    ```mlir
    %prev = scf.for %s = %c0 to %c4 step %c1 iter_args(%y = %y0)
        -> (tensor<8x32xf32>) {
      %max, %sum = lot.sweep domain<log> ins(%L) prev(%y) outs(%ninf, %zero)
      %next = linalg.generic ... ins(%max, %sum) outs(%y)  // log w - logsumexp
      scf.yield %next
    }
    %max, %sum = lot.sweep domain<log> ins(%L) prev(%prev) outs(%ninf, %zero)
    %last = linalg.generic ... ins(%max, %sum)
    ```

    Every `lot.pivot_solve_vjp` becomes a loop that goes back through the pivot
    steps and carries the r-sized cotangents of their potentials; the gradient of
    the scores is formed after it, for all steps at once.

    Before:
    ```mlir
    %dL = lot.pivot_solve_vjp first<tokens> half_steps(10)
        ins(%dprev, %dlast, %L, %trajectory : ...) outs(%i)
    ```
    After:
    ```mlir
    %dY = scf.for %s = %c0 to %c4 step %c1 iter_args(%dY = %seeds)
        -> (tensor<8x5x32xf32>) {
      %log_sum = linalg.generic ... ins(%y_s)              // log w - y
      %_, %dy = lot.sweep_vjp ins(%minus_dy_s, %L, %log_sum) prev(%y_before)
          outs(%empty, %dy_before)
      %next = tensor.insert_slice %dy into %dY ...
      scf.yield %next
    }
    ...                                                    // x, t, dx of all steps
    %V = linalg.generic ... ins(%L, %x, %log_sums, %dY)    // summed over the steps
    %dL = linalg.generic ... ins(%L, %t, %ys, %dx) outs(%V)
    ```

    `unroll` leaves no loop: for compilers that cannot carry a tensor of dynamic
    size (here: a dynamic batch) from one iteration to the next.
  }];
  let options = [
    Option<"unroll", "unroll", "bool", "false", "unroll the half-steps">
  ];
}

def LotTileTokens : Pass<"lot-tile-tokens"> {
  let summary = "sweep, plan and glue to loops over tiles of tokens";
  let description = [{
    Tiles the tokens of every `lot.sweep`, `lot.plan` and `lot.glue` on tensors
    through `TilingInterface`; the last tile may be shorter. A sweep's (max, sum)
    pairs are carried from tile to tile. The tokens of a glue are its queries;
    G = R2^T V does not depend on the tile, so after lot-decompose-ops
    loop-invariant-code-motion takes it out of the loop. An absent log mass stays
    uniform over all tokens. Ops with at most `tile` tokens are left as they are.

    Before:
    ```mlir
    %max, %sum = lot.sweep domain<log> ins(%L : tensor<8x?x32xf32>) prev(%y)
        outs(%m0, %s0)
    ```
    After:
    ```mlir
    %max, %sum = scf.for %i = %c0 to %n step %c64 iter_args(%m = %m0, %s = %s0) {
      %size = affine.min (d0) -> (64, n - d0) (%i)
      %tile = tensor.extract_slice %L[0, %i, 0] [8, %size, 32] [1, 1, 1]
      %mass = linalg.fill ins(%log_n)              // -log n, not -log 64
      %next:2 = lot.sweep domain<log> ins(%tile) prev(%y) token_log_mass(%mass)
          outs(%m, %s)
      scf.yield %next#0, %next#1
    }
    ```
  }];
  let options = [
    Option<"tile", "tile", "int64_t", "64", "tokens of one tile">
  ];
}

def LotDecomposeOps : Pass<"lot-decompose-ops"> {
  let summary = "what is left of the lot dialect to linalg";
  let description = [{
    Rewrites lot ops on tensors to linalg, tensor, arith, math and scf through
    their `AggregatedOpInterface`, until none of the named ops is left. `ops`
    names those to rewrite (default: all), without the `lot.` prefix.

    Before:
    ```mlir
    %max, %sum = lot.sweep domain<log> ins(%L) prev(%y) outs(%m0, %s0)
    ```
    After:
    ```mlir
    %tmax = linalg.generic ... ins(%L, %y)           // max_j (L_ij + y_j)
    %tsum = linalg.generic ... ins(%L, %y, %tmax)    // sum_j exp(L_ij + y_j - max)
    %x = linalg.generic ... ins(%tmax, %tsum)        // log a_i - (max + log sum)
    %max = linalg.generic ... ins(%L, %x) outs(%m0)
    %sum = linalg.generic ... ins(%L, %x, %max) outs(%s0)
    ```
  }];
  let options = [
    ListOption<"ops", "ops", "std::string",
               "ops to rewrite, e.g. sweep,plan (default: all)">
  ];
}

def LotDifferentiate : Pass<"lot-differentiate", "::mlir::ModuleOp"> {
  let summary = "the value-and-vjp function of a function with lot.attention";
  let description = [{
    For every function with a `lot.attention` (or the one that `function` names)
    makes `@<name>_vjp`: it takes the function's arguments and the cotangents of
    its results, and returns its results and the gradients of the arguments that
    are tensors of floats. The function itself stays.

    The function is one block on tensors. Between arguments and results there may
    be `lot.attention`, any number of them, `arith.addf`, `subf`, `mulf`, `negf`
    and `tensor.cast`; whatever does not depend on an argument's elements (sizes,
    constants, `tensor.empty`) is free. Anything else is an error that names the
    op. A value with several uses gets the sum of their cotangents; an argument
    that nothing depends on, such as a destination, gets zeros.

    Before:
    ```mlir
    func.func @f(%q, %k, %v, %z, %init) -> tensor<1x8x?x64xf32> {
      %o = lot.attention ins(%q, %k, %v, %z) outs(%init)
      return %o
    }
    ```
    After, beside @f:
    ```mlir
    func.func @f_vjp(%q, %k, %v, %z, %init, %do) -> (o, dq, dk, dv, dz, dinit) {
      %o = lot.attention ins(%q, %k, %v, %z) outs(%init)
      %dq, %dk, %dv, %dz = lot.attention_vjp ins(%do, %q, %k, %v, %z)
          outs(%empty, ...)
      %zero = linalg.fill ...                          // %init: not read
      return %o, %dq, %dk, %dv, %dz, %zero
    }
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", "\"\"",
           "the function to differentiate (default: all with lot.attention)">
  ];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect"];
}

def LotBuffersToTensors : Pass<"lot-buffers-to-tensors"> {
  let summary = "lot.attention_vjp on buffers to the op on tensors";
  let description = [{
    Ops on buffers for which a pipeline has no code of their own, only formulas
    on tensors: reads the buffers as tensors, and writes the results into the
    inits. One-shot bufferization then makes buffers of the formulas.

    Before:
    ```mlir
    lot.attention_vjp ins(%do, %q, ... : memref<...>) outs(%dq, ... : memref<...>)
    ```
    After:
    ```mlir
    %do_t = bufferization.to_tensor %do restrict
    %q_t = bufferization.to_tensor %q restrict
    %dq_t, ... = lot.attention_vjp ins(%do_t, %q_t, ...) outs(%empty, ...) -> ...
    bufferization.materialize_in_destination %dq_t in restrict writable %dq
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def LotCheckLowered : Pass<"lot-check-lowered"> {
  let summary = "fails if a lot op is left";
  let description = [{
    The last pass of a pipeline: every lot op that is still there is an error
    that names the op and the pipeline. The IR is not changed.
  }];
  let options = [
    Option<"pipeline", "pipeline", "std::string", "\"this pipeline\"",
           "the pipeline to name in the error">
  ];
}

#endif // LOT_TRANSFORMS_PASSES
