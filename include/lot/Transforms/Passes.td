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
  let summary = "lot.attention to scores, pivot solves, plans and glue";
  let description = [{
    Replaces every `lot.attention` on tensors by its formula: two score products
    (linalg), two `lot.pivot_solve`, two `lot.plan` and one `lot.glue`.

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
  }];
}

def LotExpandSolve : Pass<"lot-expand-solve"> {
  let summary = "lot.pivot_solve to a loop of sweeps";
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
  }];
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
