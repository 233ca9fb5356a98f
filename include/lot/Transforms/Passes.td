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

#endif // LOT_TRANSFORMS_PASSES
