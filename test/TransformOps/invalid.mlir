// RUN: lot-opt %s --transform-interpreter --split-input-file --verify-diagnostics

module attributes {transform.with_named_sequence} {
  func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    // expected-note @+1 {{target op}}
    return %x : tensor<4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %r = transform.structured.match ops{["func.return"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{expected lot.pivot_solve or lot.pivot_solve_vjp, got func.return}}
    %loops, %sweeps = transform.lot.expand_solve %r : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    // expected-note @+1 {{target op}}
    return %x : tensor<4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %r = transform.structured.match ops{["func.return"]} in %root : (!transform.any_op) -> !transform.any_op
    // expected-error @+1 {{expected lot.attention or lot.attention_vjp, got func.return}}
    transform.lot.set_schedule %r schedule(#lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>) : !transform.any_op
    transform.yield
  }
}

// -----

// On buffers there are no formulas.
module attributes {transform.with_named_sequence} {
  func.func @f(%L: memref<6x3xf32>, %y: memref<3xf32>, %z: memref<3xf32>) {
    // expected-error @+1 {{expected tensors to rewrite, got memrefs}}
    lot.pivot_solve first<tokens> half_steps(6) ins(%L : memref<6x3xf32>) outs(%y, %z : memref<3xf32>, memref<3xf32>)
    return
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %s = transform.structured.match ops{["lot.pivot_solve"]} in %root : (!transform.any_op) -> !transform.any_op
    %loops, %sweeps = transform.lot.expand_solve %s : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    // expected-error @+1 {{expected schedule to be an attribute of the lot dialect, got 32 : i64}}
    transform.lot.set_schedule %root schedule(32 : i64) : !transform.any_op
    transform.yield
  }
}
