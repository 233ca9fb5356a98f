// RUN: lot-opt %s --transform-interpreter --split-input-file --verify-diagnostics

// Pivots and, for attention, queries are not loops: there is nothing to cut.
func.func @sweep_has_no_pivot_loop(%L: tensor<10x6xf32>, %y: tensor<6xf32>, %m: tensor<6xf32>,
    %s: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  // expected-note @below {{target op}}
  %r:2 = lot.sweep domain<log> ins(%L : tensor<10x6xf32>) prev(%y : tensor<6xf32>)
      outs(%m, %s : tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>, tensor<6xf32>
  return %r#0, %r#1 : tensor<6xf32>, tensor<6xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.sweep"]} in %m : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{too many tiles provided, expected at most 1 found 2}}
    %t, %l:2 = transform.structured.tile_using_for %op tile_sizes [5, 3]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
