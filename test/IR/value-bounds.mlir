// RUN: lot-opt %s -transform-interpreter -canonicalize | FileCheck %s

// Analyses know which dims are equal: the minimum of a result's size and of an
// operand's is either of them. Sizes that need not be equal keep their min.

// CHECK-LABEL: func.func @attention
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<?x?x?x8xf32>, %[[K:[a-z0-9]+]]: tensor<?x?x?x8xf32>
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[M:.+]] = tensor.dim %[[K]], %[[C2]]
// CHECK-DAG:     %[[MIN:.+]] = affine.min #{{.+}}()[%{{.+}}, %[[M]]]
// CHECK-NOT:     affine.min
// CHECK:         return %[[B:.+]], %[[N:.+]], %[[NV:.+]], %[[MIN]] : index, index, index, index
func.func @attention(%q: tensor<?x?x?x8xf32>, %k: tensor<?x?x?x8xf32>,
    %v: tensor<?x?x?x5xf32>, %z: tensor<?x?x3x8xf32>, %la: tensor<?x?xf32>,
    %o: tensor<?x?x?x5xf32>) -> (index, index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = lot.attention
      ins(%q, %k, %v, %z : tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>,
          tensor<?x?x?x5xf32>, tensor<?x?x3x8xf32>)
      query_log_mass(%la : tensor<?x?xf32>)
      outs(%o : tensor<?x?x?x5xf32>) -> tensor<?x?x?x5xf32>
  %b = tensor.dim %r, %c0 : tensor<?x?x?x5xf32>
  %n = tensor.dim %r, %c2 : tensor<?x?x?x5xf32>
  %bz = tensor.dim %z, %c0 : tensor<?x?x3x8xf32>
  %nq = tensor.dim %q, %c2 : tensor<?x?x?x8xf32>
  %na = tensor.dim %la, %c1 : tensor<?x?xf32>
  %m = tensor.dim %k, %c2 : tensor<?x?x?x8xf32>
  %0 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%b, %bz]
  %1 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%n, %nq]
  %2 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%n, %na]
  %3 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%n, %m]
  return %0, %1, %2, %3 : index, index, index, index
}

// A static size of another operand bounds a dynamic one of the result.

// CHECK-LABEL: func.func @static_query
// CHECK:         %[[C6:.+]] = arith.constant 6 : index
// CHECK-NOT:     affine.min
// CHECK:         return %[[C6]]
func.func @static_query(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>,
    %o: tensor<1x1x?x8xf32>) -> index {
  %c2 = arith.constant 2 : index
  %r = lot.attention
      ins(%q, %q, %q, %z : tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
          tensor<1x1x6x8xf32>, tensor<1x3x8xf32>)
      outs(%o : tensor<1x1x?x8xf32>) -> tensor<1x1x?x8xf32>
  %n = tensor.dim %r, %c2 : tensor<1x1x?x8xf32>
  %0 = affine.min affine_map<()[s0] -> (s0, 6)>()[%n]
  return %0 : index
}

// CHECK-LABEL: func.func @plan
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<?x3xf32>
// CHECK-NOT:     affine.min
// CHECK:         return
// CHECK-LABEL: func.func @glue
func.func @plan(%L: tensor<?x3xf32>, %y: tensor<3xf32>, %o: tensor<?x3xf32>)
    -> index {
  %c0 = arith.constant 0 : index
  %R = lot.plan conditional<tokens> ins(%L : tensor<?x3xf32>)
      last(%y : tensor<3xf32>) outs(%o : tensor<?x3xf32>) -> tensor<?x3xf32>
  %n = tensor.dim %R, %c0 : tensor<?x3xf32>
  %nL = tensor.dim %L, %c0 : tensor<?x3xf32>
  %0 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%n, %nL]
  return %0 : index
}

// CHECK-NOT:     affine.min
// CHECK:         return
// CHECK-LABEL: func.func @pivot_solve
func.func @glue(%R1: tensor<1x2x?x3xf32>, %R2: tensor<1x2x?x3xf32>,
    %v: tensor<1x2x?x5xf32>, %o: tensor<1x2x?x5xf32>) -> index {
  %c2 = arith.constant 2 : index
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x?x3xf32>, tensor<1x2x?x3xf32>,
      tensor<1x2x?x5xf32>)
      outs(%o : tensor<1x2x?x5xf32>) -> tensor<1x2x?x5xf32>
  %n = tensor.dim %r, %c2 : tensor<1x2x?x5xf32>
  %n1 = tensor.dim %R1, %c2 : tensor<1x2x?x3xf32>
  %0 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%n, %n1]
  return %0 : index
}

// CHECK-NOT:     affine.min
// CHECK:         return
// CHECK-LABEL: func.func @sweep
func.func @pivot_solve(%L: tensor<?x?x3xf32>, %i: tensor<?x3xf32>,
    %j: tensor<?x3xf32>) -> index {
  %c0 = arith.constant 0 : index
  %r:2 = lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : tensor<?x?x3xf32>) outs(%i, %j : tensor<?x3xf32>, tensor<?x3xf32>)
      -> tensor<?x3xf32>, tensor<?x3xf32>
  %b = tensor.dim %r#1, %c0 : tensor<?x3xf32>
  %bL = tensor.dim %L, %c0 : tensor<?x?x3xf32>
  %0 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%b, %bL]
  return %0 : index
}

// CHECK-NOT:     affine.min
// CHECK:         return
func.func @sweep(%L: tensor<?x?x3xf32>, %m: tensor<?x3xf32>,
    %s: tensor<?x3xf32>) -> index {
  %c0 = arith.constant 0 : index
  %r:2 = lot.sweep domain<log> ins(%L : tensor<?x?x3xf32>)
      outs(%m, %s : tensor<?x3xf32>, tensor<?x3xf32>)
      -> tensor<?x3xf32>, tensor<?x3xf32>
  %b = tensor.dim %r#0, %c0 : tensor<?x3xf32>
  %bL = tensor.dim %L, %c0 : tensor<?x?x3xf32>
  %0 = affine.min affine_map<()[s0, s1] -> (s0, s1)>()[%b, %bL]
  return %0 : index
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %min = transform.structured.match ops{["affine.min"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.affine.simplify_min_max_affine_ops %min : !transform.any_op
    transform.yield
  }
}
