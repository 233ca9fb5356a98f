//===- LotVjpOps.td - Reverse mode of the ops -----------------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vector-Jacobian products: from the cotangents of an op's results to those of
// its operands, exactly through the half-steps that ran (docs/semantics.md
// section 6). Each takes the cotangents, then the operands of its forward op,
// and has one init for each gradient. Gradients of lines without mass are 0.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTVJPOPS
#define LOT_IR_LOTVJPOPS

include "lot/IR/LotOperands.td"

def Lot_AttentionVjpOp : Lot_DpsOp<"attention_vjp"> {
  let summary = "gradients of lot.attention";
  let description = [{
    The gradients of `sum(cotangent * attention(query, key, value, pivots, ...))`
    with respect to query, key, value, pivots and every log mass that is given.
    Operands and attributes are those of `lot.attention`; `cotangent` is
    [B, Hq, n, dv] of the element type of query. There is one init for each
    gradient: query, key, value, pivots, then the given log masses in the order
    query, key, pivot, glue. With inits for the first four alone masses have no
    gradients. An init has the type of its operand, so gradients add up over query
    heads that share keys, and over batch and heads where pivots or masses are
    shared.

    Tokens and pivots without mass have gradients of exactly 0, and their data
    and cotangents are not read. Where `glue_log_mass` is absent its part is in
    the gradient of `pivot_log_mass`.

    `residuals` are those that `lot.attention` of the same operands and attributes
    left on the same target. They save time; without them, and on a target that
    keeps none, what they hold is computed again.

    Example:
    ```mlir
    %dq, %dk, %dv, %dz = lot.attention_vjp {half_steps = 10 : i64}
        ins(%do, %q, %k, %v, %z : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>,
            tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>, tensor<8x32x64xf32>)
        outs(%iq, %ik, %iv, %iz : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>,
             tensor<1x8x?x64xf32>, tensor<8x32x64xf32>)
        -> tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>,
           tensor<8x32x64xf32>
    ```

    Constraints: C1 to C20, C22, C90 and C91 of docs/spec.md.
  }];
  let arguments = !con((ins Lot_Shaped:$cotangent), Lot_AttentionInputs,
                       (ins Optional<Lot_Shaped>:$residuals,
                            Variadic<Lot_Shaped>:$inits),
                       Lot_AttentionAttributes);
  let assemblyFormat = [{
    attr-dict
    `ins` `(` $cotangent `,` $query `,` $key `,` $value `,` $pivots `:`
      type($cotangent) `,` type($query) `,` type($key) `,` type($value) `,`
      type($pivots) `)`
    oilist(
      `query_log_mass` `(` $query_log_mass `:` type($query_log_mass) `)`
      | `key_log_mass` `(` $key_log_mass `:` type($key_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`
      | `glue_log_mass` `(` $glue_log_mass `:` type($glue_log_mass) `)`
      | `residuals` `(` $residuals `:` type($residuals) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl,
      Lot_GradientsDecl, Lot_AttentionAccessors, [{
    /// Whether log masses are given and have gradients.
    bool hasMassGradients() { return getInits().size() > 4; }
  }]);
}

def Lot_PivotSolveVjpOp : Lot_DpsOp<"pivot_solve_vjp"> {
  let summary = "reverse mode through the Sinkhorn half-steps";
  let description = [{
    From the cotangents of `prev` and `last` of a `lot.pivot_solve` to those of
    scores, token_log_mass and pivot_log_mass (inits in this order; masses that
    are absent have none). `trajectory` [batch..., P + 1, r] is the forward's
    third result, and all that reverse mode needs of it.

    With y_s the potential after pivot step s, x_s the token potential it read
    (a function of the scores' row and of y_(s-1), 0 if there was no token step)
    and u_s the cotangent of y_s, for s = P, ..., 1:

        V_s = exp(L + x_s - logsum_s) u_s       logsum_s = pivot_log_mass - y_s
        x'_s = -sum_j V_s                       cotangent of x_s
        U_s = softmax_j(L + y_(s-1)) x'_s
        u_(s-1) += -sum_i U_s
        dL += -V_s - U_s

    Both are exponentials of sums that are at most 0, so nothing overflows
    whatever the scores are. The gradient of the scores is one contraction over
    the P steps of token vectors with pivot vectors; no n x r x P tensor exists.

    Example:
    ```mlir
    %dL = lot.pivot_solve_vjp first<tokens> half_steps(10)
        ins(%dprev, %dlast, %scores, %trajectory : tensor<8x32xf32>,
            tensor<8x32xf32>, tensor<8x?x32xf32>, tensor<8x6x32xf32>)
        outs(%init : tensor<8x?x32xf32>) -> tensor<8x?x32xf32>
    ```
    Constraints: C20, C30, C31, C33 to C36, C90 and C91 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$prev_cotangent, Lot_Shaped:$last_cotangent,
    Lot_Shaped:$scores, Lot_Shaped:$trajectory,
    Optional<Lot_Shaped>:$token_log_mass, Optional<Lot_Shaped>:$pivot_log_mass,
    Variadic<Lot_Shaped>:$inits,
    Lot_MarginalAttr:$first, I64Attr:$half_steps);
  let assemblyFormat = [{
    `first` `` $first `half_steps` `(` $half_steps `)` attr-dict
    `ins` `(` $prev_cotangent `,` $last_cotangent `,` $scores `,` $trajectory
      `:` type($prev_cotangent) `,` type($last_cotangent) `,` type($scores)
      `,` type($trajectory) `)`
    oilist(
      `token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_GradientsDecl, Lot_SolveAccessors);
}

def Lot_SweepVjpOp : Lot_DpsOp<"sweep_vjp"> {
  let summary = "reverse mode of one sweep in the log domain";
  let description = [{
    From the cotangent c of `log_sum`_j = max_j + log sum_j, the log-sum-exp that
    the two results of a log-domain `lot.sweep` stand for, to those of scores,
    prev and token_log_mass (inits in this order; what is absent has none):

        V_ij = exp(L_ij + x_i - log_sum_j) c_j
        x'_i = sum_j V_ij
        U_ij = exp(L_ij + prev_j - t_i) x'_i    t_i = logsumexp_j(L_ij + prev_j)
        scores: V - U     prev_j += -sum_i U_ij     token_log_mass: x'

    The gradient of `prev` is added to what its init holds, as a sweep merges
    into its inits: sweeps over parts of the tokens add up. Without `prev` x is 0
    and there is no U.

    Example:
    ```mlir
    %dL, %dy = lot.sweep_vjp
        ins(%c, %scores, %log_sum : tensor<8x32xf32>, tensor<8x?x32xf32>,
            tensor<8x32xf32>) prev(%y : tensor<8x32xf32>)
        outs(%i0, %i1 : tensor<8x?x32xf32>, tensor<8x32xf32>)
        -> tensor<8x?x32xf32>, tensor<8x32xf32>
    ```
    Constraints: C20, C40, C41, C45, C46, C90 and C91 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$cotangent, Lot_Shaped:$scores,
    Lot_Shaped:$log_sum, Optional<Lot_Shaped>:$prev,
    Optional<Lot_Shaped>:$token_log_mass, Variadic<Lot_Shaped>:$inits);
  let assemblyFormat = [{
    attr-dict `ins` `(` $cotangent `,` $scores `,` $log_sum `:`
      type($cotangent) `,` type($scores) `,` type($log_sum) `)`
    oilist(`prev` `(` $prev `:` type($prev) `)`
      | `token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_GradientsDecl);
}

def Lot_PlanVjpOp : Lot_DpsOp<"plan_vjp"> {
  let summary = "gradients of a conditional plan";
  let description = [{
    From the cotangent dR [batch..., n, r] of a `lot.plan` to those of scores,
    prev, last, token_log_mass and pivot_log_mass (inits in this order; what is
    absent has none). With E = R o dR, e_i its row sums and
    W_ij = exp(L_ij + prev_j - t_i):

        scores: E - W e     prev_j: -sum_i W_ij e_i     last_j: sum_i E_ij

    and, conditional on the pivots, e for the token mass (0 without `prev`) and
    -sum_i E_ij for the pivot mass; conditional on the tokens both are 0.

    Example:
    ```mlir
    %dL, %dprev, %dlast = lot.plan_vjp conditional<tokens>
        ins(%dR, %scores : tensor<8x?x32xf32>, tensor<8x?x32xf32>)
        prev(%p : tensor<8x32xf32>) last(%l : tensor<8x32xf32>)
        outs(%i0, %i1, %i2 : tensor<8x?x32xf32>, tensor<8x32xf32>,
             tensor<8x32xf32>)
        -> tensor<8x?x32xf32>, tensor<8x32xf32>, tensor<8x32xf32>
    ```
    Constraints: C20, C50 to C53, C90 and C91 of docs/spec.md.
  }];
  let arguments = (ins Lot_Shaped:$cotangent, Lot_Shaped:$scores,
    Optional<Lot_Shaped>:$prev, Lot_Shaped:$last,
    Optional<Lot_Shaped>:$token_log_mass, Optional<Lot_Shaped>:$pivot_log_mass,
    Variadic<Lot_Shaped>:$inits, Lot_MarginalAttr:$conditional);
  let assemblyFormat = [{
    `conditional` `` $conditional attr-dict
    `ins` `(` $cotangent `,` $scores `:` type($cotangent) `,` type($scores) `)`
    (`prev` `(` $prev^ `:` type($prev) `)`)?
    `last` `(` $last `:` type($last) `)`
    oilist(`token_log_mass` `(` $token_log_mass `:` type($token_log_mass) `)`
      | `pivot_log_mass` `(` $pivot_log_mass `:` type($pivot_log_mass) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_GradientsDecl);
}

def Lot_GlueVjpOp : Lot_DpsOp<"glue_vjp"> {
  let summary = "gradients of the glued coupling's product with the values";
  let description = [{
    From the cotangent [B, Hq, n, dv] of a `lot.glue` to those of query_plan,
    key_plan, value, query_log_mass and glue_log_ratio (inits in this order; what
    is absent has none). With u = R1 G, G = exp(ratio) R2^T V, and du the
    cotangent of u (the cotangent times `out_scale`, over the divisor of
    `row_sum` or times a):

        dR1 = du G^T     dG = R1^T du     dR2 = exp(ratio) V dG^T
        dV = R2 exp(ratio) dG (summed over the query heads of a value head)
        ratio_j: sum_e dG_je G_je

    `row_sum` acts as one more column of V that is 1; its cotangent is 0 where
    row_floor is the divisor. The cotangent's row of a query whose
    query_log_mass is -inf is not read.

    Example:
    ```mlir
    %dR1, %dR2, %dv = lot.glue_vjp ins(%do, %R1, %R2, %v :
        tensor<1x8x?x64xf32>, tensor<1x8x?x32xf32>, tensor<1x8x?x32xf32>,
        tensor<1x8x?x64xf32>)
        outs(%i0, %i1, %i2 : tensor<1x8x?x32xf32>, tensor<1x8x?x32xf32>,
             tensor<1x8x?x64xf32>)
        -> tensor<1x8x?x32xf32>, tensor<1x8x?x32xf32>, tensor<1x8x?x64xf32>
    ```
    Constraints: C20, C60 to C67, C90 and C91 of docs/spec.md.
  }];
  let arguments = !con((ins Lot_Shaped:$cotangent), Lot_GlueInputs,
                       (ins Variadic<Lot_Shaped>:$inits), Lot_GlueAttributes);
  let assemblyFormat = [{
    attr-dict `ins` `(` $cotangent `,` $query_plan `,` $key_plan `,` $value `:`
      type($cotangent) `,` type($query_plan) `,` type($key_plan) `,`
      type($value) `)`
    oilist(`query_log_mass` `(` $query_log_mass `:` type($query_log_mass) `)`
      | `glue_log_ratio` `(` $glue_log_ratio `:` type($glue_log_ratio) `)`)
    `outs` `(` $inits `:` type($inits) `)` (`->` type($results)^)?
  }];
  let extraClassDeclaration = !strconcat(
      Lot_InitsDecl, Lot_DimGroupsDecl, Lot_GradientsDecl);
}

#endif // LOT_IR_LOTVJPOPS
