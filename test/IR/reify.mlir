// RUN: lot-opt %s -resolve-shaped-type-result-dims | FileCheck %s
// RUN: lot-opt %s -resolve-ranked-shaped-type-result-dims | FileCheck %s

// Sizes of results are sizes of the inits; the ops are not needed for them.

// CHECK-LABEL: func.func @attention
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<?x4x?x5xf32>)
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK-DAG:     %[[C4:.+]] = arith.constant 4 : index
// CHECK-DAG:     %[[B:.+]] = tensor.dim %[[O]], %[[C0]]
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[O]], %[[C2]]
// CHECK:         return %[[B]], %[[C4]], %[[N]]
func.func @attention(%q: tensor<?x?x?x8xf32>, %k: tensor<?x?x?x8xf32>,
    %v: tensor<?x?x?x5xf32>, %z: tensor<?x3x8xf32>, %o: tensor<?x4x?x5xf32>)
    -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %r = lot.attention
      ins(%q, %k, %v, %z : tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>,
          tensor<?x?x?x5xf32>, tensor<?x3x8xf32>)
      outs(%o : tensor<?x4x?x5xf32>) -> tensor<?x4x?x5xf32>
  %b = tensor.dim %r, %c0 : tensor<?x4x?x5xf32>
  %h = tensor.dim %r, %c1 : tensor<?x4x?x5xf32>
  %n = tensor.dim %r, %c2 : tensor<?x4x?x5xf32>
  return %b, %h, %n : index, index, index
}

// CHECK-LABEL: func.func @second_result
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<?x?x3xf32>, %[[A:[a-z0-9]+]]: tensor<?x3xf32>, %[[B:[a-z0-9]+]]: tensor<?x3xf32>)
// CHECK:         %[[DIM:.+]] = tensor.dim %[[B]], %{{.+}} : tensor<?x3xf32>
// CHECK:         return %[[DIM]]
func.func @second_result(%L: tensor<?x?x3xf32>, %a: tensor<?x3xf32>,
    %b: tensor<?x3xf32>) -> index {
  %c0 = arith.constant 0 : index
  %r:2 = lot.pivot_solve first<tokens> half_steps(3)
      ins(%L : tensor<?x?x3xf32>) outs(%a, %b : tensor<?x3xf32>, tensor<?x3xf32>)
      -> tensor<?x3xf32>, tensor<?x3xf32>
  %d = tensor.dim %r#1, %c0 : tensor<?x3xf32>
  return %d : index
}

// Through a chain of ops down to the size itself.

// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index
// CHECK:         return %[[N]]
func.func @chain(%n: index, %L: tensor<?x3xf32>, %m: tensor<3xf32>) -> index {
  %c0 = arith.constant 0 : index
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %R = lot.plan conditional<pivots> ins(%L : tensor<?x3xf32>)
      last(%m : tensor<3xf32>) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %R2 = lot.plan conditional<pivots> ins(%L : tensor<?x3xf32>)
      last(%m : tensor<3xf32>) outs(%R : tensor<?x3xf32>) -> tensor<?x3xf32>
  %d = tensor.dim %R2, %c0 : tensor<?x3xf32>
  return %d : index
}
