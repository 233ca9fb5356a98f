// lot-reduce cuts a module down to what a script still finds interesting: here
// the half-steps of one op.
// REQUIRES: lot-reduce
// RUN: lot-reduce %s --reduction-tree='traversal-mode=0 test=%S/Inputs/has_three_half_steps.sh' 2> %t.log | FileCheck %s

// CHECK-NOT:   @other
// CHECK-LABEL: func.func @wanted
// CHECK:         lot.pivot_solve first<tokens> half_steps(3)
// CHECK-NOT:     lot.plan
// CHECK-NOT:   @last

func.func @other(%L: tensor<6x3xf32>, %i: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(6) ins(%L : tensor<6x3xf32>) outs(%i, %i : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

func.func @wanted(%L: tensor<6x3xf32>, %i: tensor<3xf32>) -> tensor<3xf32> {
  %r:2 = lot.pivot_solve first<tokens> half_steps(3) ins(%L : tensor<6x3xf32>) outs(%i, %i : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  %e = tensor.empty() : tensor<6x3xf32>
  %R = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>) last(%i : tensor<3xf32>) outs(%e : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r#0 : tensor<3xf32>
}

func.func @last() {
  return
}
