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
