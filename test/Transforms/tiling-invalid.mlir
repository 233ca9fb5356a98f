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

// -----

// Attention cannot be tiled by queries: it has loops over batch, heads and dv.
func.func @attention_has_no_query_loop(%q: tensor<1x2x8x4xf32>, %z: tensor<2x3x4xf32>,
    %i: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  // expected-note @below {{target op}}
  %o = lot.attention ins(%q, %q, %q, %z : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>,
      tensor<2x3x4xf32>) outs(%i : tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.attention"]} in %m : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{too many tiles provided, expected at most 3 found 4}}
    %t, %l:4 = transform.structured.tile_using_for %op tile_sizes [1, 1, 2, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Two of six query heads may belong to different key heads.
func.func @grouped_heads(%q: tensor<1x6x8x4xf32>, %k: tensor<1x2x8x4xf32>, %z: tensor<2x3x4xf32>,
    %i: tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32> {
  // expected-error @below {{expected a tile of one query head or of all where 3 query heads share one head of key}}
  // expected-error @below {{d to tile operation}}
  // expected-error @below {{failed to generate tiling loops}}
  %o = lot.attention ins(%q, %k, %k, %z : tensor<1x6x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>,
      tensor<2x3x4xf32>) outs(%i : tensor<1x6x8x4xf32>) -> tensor<1x6x8x4xf32>
  return %o : tensor<1x6x8x4xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.attention"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [0, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// dv = 6 in tiles of 4 would leave a tile of unknown size.
func.func @uneven_value_dim(%r1: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %i: tensor<1x2x8x6xf32>)
    -> tensor<1x2x8x6xf32> {
  // expected-error @below {{expected tiles of the value dim dv of one static size, got a dynamic one; choose a divisor of dv}}
  // expected-error @below {{d to tile operation}}
  // expected-error @below {{failed to generate tiling loops}}
  %o = lot.glue ins(%r1, %r1, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>)
      outs(%i : tensor<1x2x8x6xf32>) -> tensor<1x2x8x6xf32>
  return %o : tensor<1x2x8x6xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.glue"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [0, 0, 0, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// One accumulator for each token of a tile would be no sweep.
func.func @partial_in_loop(%L: tensor<10x6xf32>, %y: tensor<6xf32>, %m: tensor<6xf32>, %s: tensor<6xf32>)
    -> (tensor<6xf32>, tensor<6xf32>) {
  // expected-error @below {{expected tokens to be split into parallel parts or tiled by a plain loop, got a partial reduction inside a loop}}
  // expected-error @below {{d to tile operation}}
  // expected-error @below {{failed to generate tiling loops}}
  %r:2 = lot.sweep domain<log> ins(%L : tensor<10x6xf32>) prev(%y : tensor<6xf32>)
      outs(%m, %s : tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>, tensor<6xf32>
  return %r#0, %r#1 : tensor<6xf32>, tensor<6xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.sweep"]} in %m : (!transform.any_op) -> !transform.any_op
    // expected-error @below {{failed to tile using partial reduction}}
    %f:2, %t, %c:2, %l = transform.structured.tile_reduction_using_for %op by tile_sizes = [5]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}
