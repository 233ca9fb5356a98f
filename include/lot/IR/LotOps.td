//===- LotOps.td - Ops of the lot dialect ---------------------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTOPS
#define LOT_IR_LOTOPS

include "lot/IR/LotOperands.td"
include "lot/IR/LotHeadOps.td"
include "lot/IR/LotVjpOps.td"

//===----------------------------------------------------------------------===//
// The whole operator
//===----------------------------------------------------------------------===//

def Lot_AttentionOp : Lot_DpsOp<"attention"> {
  let summary = "doubly-stochastic attention through r pivots";
  let description = [{
    `O = diag(1/a) P1 diag(1/w) P2 V` of the LOTFormer paper, with P1 and P2 the
    entropic plans between queries and pivots and between pivots and keys after
    `half_steps` Sinkhorn half-steps of regularisation `epsilon`
    (docs/semantics.md, sections 1 to 5).

    | operand | shape | element type |
    |---|---|---|
    | query | [B, Hq, n, d] | f16, bf16, f32 or f64 |
    | key | [B, Hk, m, d] | as query |
    | value | [B, Hk, m, dv] | as query |
    | pivots | [Hp, r, d] or [B, Hp, r, d] | as query, or the state type |
    | query_log_mass | [B, n] or [B, Hq, n] | state type |
    | key_log_mass | [B, m] or [B, Hk, m] | state type |
    | pivot_log_mass, glue_log_mass | [Hp, r] or [B, Hp, r] | state type |
    | init, result | [B, Hq, n, dv] | as query |
    | residuals (a second init, optional) | [any size] | f32 |

    The state type is f64 for f64 and f32 otherwise. A missing log mass is
    uniform (`-log` of the length); `-inf` marks an absent token or pivot, whose
    data are never read. `init` is only the destination: its values are not read.
    Hq is a multiple of Hk, and Hp is Hq or Hk. B, the heads, n and m may be
    dynamic; d, dv and r are static.

    `scale` multiplies the scores (default d^-1/2), `score_clamp` clips them to
    [-c, c] before the division by `epsilon`, `out_scale` multiplies the result.
    `normalization` is `query_mass` (the formula above), `row_sum` (rows divided
    by their sum, at least `row_floor`) or `none` (no division by a).

    With a second init the op also leaves `residuals`: whatever the target knows
    when it is done and `lot.attention_vjp` of the same operands and attributes
    would have to compute again. They mean something to that op on the same
    target only, and nothing to anyone else. How many values there are is the
    target's to say (`lotCudaGetResiduals` of the C API); a target that keeps nothing, such as
    the CPU or the decomposition, leaves the buffer as it is. An op with residuals
    has no loops to tile and is not split over devices.

    Example:
    ```mlir
    %o = lot.attention {epsilon = 0.1 : f64, half_steps = 10 : i64}
        ins(%q, %k, %v, %z : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>,
            tensor<1x8x?x64xf32>, tensor<8x32x64xf32>)
        outs(%init : tensor<1x8x?x64xf32>) -> tensor<1x8x?x64xf32>
    ```

    Constraints: C1 to C22 of docs/spec.md.
  }];
  let arguments = !con(Lot_AttentionInputs, (ins Variadic<Lot_Shaped>:$inits),
                       Lot_AttentionAttributes);
  let assemblyFormat = [{
    attr-dict
    `ins` `(` $query `,` $key `,` $value `,` $pivots `:`
      type($query) `,` type($key) `,` type($value) `,` type($pivots) `)`
    oilist(
      `query_log_mass` `(` $query_log_mass `:` type($query_log_mass) `)`
      | `key_log_mass` `(` $key_log_mass `:` type($key_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`
      | `glue_log_mass` `(` $glue_log_mass `:` type($glue_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_AttentionAccessors, [{
    ::mlir::Value getInit() { return getInits().front(); }
    /// Null without residuals.
    ::mlir::Value getResiduals() {
      return getInits().size() < 2 ? ::mlir::Value() : getInits()[1];
    }
  }]);
}

//===----------------------------------------------------------------------===//
// The formulas on scores L = (scale/epsilon) X Z^T, [batch..., tokens, pivots].
// A score of -inf marks an entry without mass: it takes no part in any sum.
//===----------------------------------------------------------------------===//

def Lot_PivotSolveOp : Lot_DpsOp<"pivot_solve"> {
  let summary = "Sinkhorn half-steps between tokens and pivots";
  let description = [{
    Runs `half_steps` alternating half-steps on the scores, `first` naming the
    marginal that the first one meets (queries start with `tokens`, keys with
    `pivots`; docs/semantics.md section 2), and returns what determines the plan:

    - `prev` [batch..., r]: the pivot potential that the last token step read
      (0 for live pivots if there was no token step),
    - `last` [batch..., r]: the last pivot potential,
    - with a third init, `trajectory` [batch..., P + 1, r]: the pivot potential
      at the start (0, or -inf without mass) and after each of the P pivot steps,
      which is all that reverse mode stores (`lot.pivot_solve_vjp`).

    Potentials are in units of epsilon. Token potentials are functions of their
    row of scores and of `prev`, so they are not stored.

    Operands: scores [batch..., n, r]; token_log_mass [batch..., n];
    pivot_log_mass [batch..., r]; all of one float type. A missing log mass is
    uniform. -inf in a log mass removes the line, whatever the scores hold.

    Example:
    ```mlir
    %prev, %last = lot.pivot_solve first<tokens> half_steps(10)
        ins(%scores : tensor<8x?x32xf32>)
        outs(%i0, %i1 : tensor<8x32xf32>, tensor<8x32xf32>)
        -> tensor<8x32xf32>, tensor<8x32xf32>
    ```
    Constraints: C20 and C30 to C36 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$scores,
    Optional<Lot_Shaped>:$token_log_mass, Optional<Lot_Shaped>:$pivot_log_mass,
    Variadic<Lot_Shaped>:$inits,
    Lot_MarginalAttr:$first, I64Attr:$half_steps);
  let assemblyFormat = [{
    `first` `` $first `half_steps` `(` $half_steps `)` attr-dict
    `ins` `(` $scores `:` type($scores) `)`
    oilist(
      `token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_SolveAccessors);
}

def Lot_SweepOp : Lot_DpsOp<"sweep", [
    DeclareOpInterfaceMethods<PartialReductionOpInterface, [
      "generateInitialTensorForPartialReduction", "tileToPartialReduction",
      "mergeReductions", "getPartialResultTilePosition"]>]> {
  let summary = "one pass over the tokens: a token step and the sums of the pivot step";
  let description = [{
    In the `log` domain, merges into (max, sum) [batch..., r] the terms
    `scores_ij + x_i` of every token i as a running log-sum-exp, with

        x_i = token_log_mass_i - logsumexp_j(scores_ij + prev_j)

    or `x_i = 0` (for tokens with mass) without `prev`: then the pivot
    potential is `y_j = pivot_log_mass_j - (max_j + log sum_j)`. Start values are
    max = -inf and sum = 0; a pivot that no token reaches keeps them.

    In the `scaling` domain `scores` hold the factor D >= 0, `prev` a pivot
    scaling, and the only result is `sum_j += sum_i D_ij a_i / (D prev)_i` with
    a_i = exp(token_log_mass_i), 0/0 = 0.

    (max, sum) pairs merge associatively, which is how tokens are tiled, and
    split over threads, blocks and devices. Pivots are never tiled: a token
    step needs its whole row (docs/semantics.md section 7).

    Example:
    ```mlir
    %max, %sum = lot.sweep domain<log>
        ins(%scores : tensor<8x?x32xf32>) prev(%y : tensor<8x32xf32>)
        outs(%m0, %s0 : tensor<8x32xf32>, tensor<8x32xf32>)
        -> tensor<8x32xf32>, tensor<8x32xf32>
    ```
    Constraints: C20 and C40 to C46 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$scores, Optional<Lot_Shaped>:$prev,
    Optional<Lot_Shaped>:$token_log_mass, Variadic<Lot_Shaped>:$inits,
    Lot_DomainAttr:$domain);
  let assemblyFormat = [{
    `domain` `` $domain attr-dict `ins` `(` $scores `:` type($scores) `)`
    oilist(`prev` `(` $prev `:` type($prev) `)`
      | `token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(Lot_InitsDecl, Lot_DimGroupsDecl);
}

def Lot_PlanOp : Lot_DpsOp<"plan"> {
  let summary = "entries of a conditional plan from the pivot potentials";
  let description = [{
    R [batch..., n, r] of a solved side, with t_i = logsumexp_j(scores_ij + prev_j):

        conditional = tokens:  R_ij = exp(scores_ij + last_j - t_i)
        conditional = pivots:  R_ij = exp(scores_ij + last_j - pivot_log_mass_j
                                          + token_log_mass_i - t_i)

    `tokens` is P1 / a of the query side, `pivots` is P2 / w of the key side
    (transposed: tokens are rows on both sides). Without `prev` no token step has
    been taken and `token_log_mass_i - t_i` is 0, or -inf for a token without
    mass. Entries without mass are 0 (docs/semantics.md section 2). Given the
    tokens, `pivot_log_mass` is not read: `last` is -inf for an absent pivot.

    Example:
    ```mlir
    %R = lot.plan conditional<tokens> ins(%scores : tensor<8x?x32xf32>)
        prev(%p : tensor<8x32xf32>) last(%l : tensor<8x32xf32>)
        outs(%init : tensor<8x?x32xf32>) -> tensor<8x?x32xf32>
    ```
    Constraints: C20 and C50 to C53 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$scores, Optional<Lot_Shaped>:$prev,
    Lot_Shaped:$last, Optional<Lot_Shaped>:$token_log_mass,
    Optional<Lot_Shaped>:$pivot_log_mass, Lot_Shaped:$init,
    Lot_MarginalAttr:$conditional);
  let assemblyFormat = [{
    `conditional` `` $conditional attr-dict `ins` `(` $scores `:` type($scores) `)`
    (`prev` `(` $prev^ `:` type($prev) `)`)?
    `last` `(` $last `:` type($last) `)`
    oilist(`token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`)
    `outs` `(` $init `:` type($init) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(Lot_OneInitDecl, Lot_DimGroupsDecl);
}

def Lot_GlueOp : Lot_DpsOp<"glue"> {
  let summary = "applies the glued coupling to the values";
  let description = [{
    `G = R2^T V`, `O = R1 G`, then the normalization and `out_scale`
    (docs/semantics.md section 3). The n x m coupling is never formed.

    | operand | shape |
    |---|---|
    | query_plan R1 | [B, Hq, n, r] |
    | key_plan R2 | [B, Hs, m, r], Hs = Hq or the value's heads Hk |
    | value | [B, Hk, m, dv], element type io or state |
    | query_log_mass | [B, Hq, n], read by `none` and by `row_sum` with a floor; uniform if absent |
    | glue_log_ratio | [B, Hs, r], log(w / w_glue): row j of R2 is multiplied by its exp |
    | init, result | [B, Hq, n, dv] |

    Example:
    ```mlir
    %o = lot.glue ins(%R1, %R2, %v : tensor<1x8x?x32xf32>,
        tensor<1x8x?x32xf32>, tensor<1x8x?x64xf32>)
        outs(%init : tensor<1x8x?x64xf32>) -> tensor<1x8x?x64xf32>
    ```
    Constraints: C20 and C60 to C67 of docs/spec.md.
  }];
  let arguments = !con(Lot_GlueInputs, (ins Lot_Shaped:$init),
                       Lot_GlueAttributes);
  let assemblyFormat = [{
    attr-dict `ins` `(` $query_plan `,` $key_plan `,` $value `:`
      type($query_plan) `,` type($key_plan) `,` type($value) `)`
    oilist(`query_log_mass` `(` $query_log_mass `:` type($query_log_mass) `)`
      | `glue_log_ratio` `(` $glue_log_ratio `:` type($glue_log_ratio) `)`)
    `outs` `(` $init `:` type($init) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(Lot_OneInitDecl, Lot_DimGroupsDecl);
}

#endif // LOT_IR_LOTOPS
