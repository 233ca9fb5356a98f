// RUN: lot-opt %s -generate-runtime-verification -canonicalize -cse | FileCheck %s

// One assertion for each pair of dims that the verifier could not compare.

// CHECK-LABEL: func.func @attention
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<?x?x?x8xf32>, %[[K:[a-z0-9]+]]: tensor<?x?x?x8xf32>, %[[V:[a-z0-9]+]]: tensor<?x?x?x5xf32>, %[[Z:[a-z0-9]+]]: tensor<?x3x8xf32>, %[[LA:[a-z0-9]+]]: tensor<?x?xf32>, %[[O:[a-z0-9]+]]: tensor<?x?x?x5xf32>)
// CHECK-DAG:     %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.+]] = arith.constant 2 : index
// CHECK:         %[[QB:.+]] = tensor.dim %[[Q]], %[[C0]]
// CHECK:         %[[KB:.+]] = tensor.dim %[[K]], %[[C0]]
// CHECK:         %[[EQ:.+]] = arith.cmpi eq, %[[QB]], %[[KB]]
// CHECK:         cf.assert %[[EQ]], "{{.*}}C6: expected key to have the batch size of query
// CHECK:         cf.assert {{.*}}C6: expected value to have the batch size of query
// CHECK:         cf.assert {{.*}}C6: expected init to have the batch size of query
// CHECK:         cf.assert {{.*}}C6: expected query_log_mass to have the batch size of query
// CHECK:         cf.assert {{.*}}C7: expected init to have the heads of query
// CHECK:         cf.assert {{.*}}C7: expected value to have the heads of key
// CHECK:         cf.assert {{.*}}C9: expected init to have the length of query
// CHECK:         %[[LN:.+]] = tensor.dim %[[LA]], %[[C1]]
// CHECK:         arith.cmpi eq, %{{.+}}, %[[LN]]
// CHECK:         cf.assert {{.*}}C9: expected query_log_mass to have the length of query
// CHECK:         cf.assert {{.*}}C10: expected value to have the length of key
// CHECK-NOT:     cf.assert {{.*}}{{C1[1-4]}}
// Heads of the queries are a multiple of those of the keys, without a division
// by zero where there are no keys' heads.
// CHECK:         arith.maxui
// CHECK:         arith.remui
// CHECK:         cf.assert {{.*}}C7: expected the heads of query to be a multiple of the heads of key
// CHECK:         arith.ori
// CHECK:         cf.assert {{.*}}C8: expected the heads of pivots to be those of query or of key
// CHECK:         lot.attention
func.func @attention(%q: tensor<?x?x?x8xf32>, %k: tensor<?x?x?x8xf32>,
    %v: tensor<?x?x?x5xf32>, %z: tensor<?x3x8xf32>, %la: tensor<?x?xf32>,
    %o: tensor<?x?x?x5xf32>) -> tensor<?x?x?x5xf32> {
  %r = lot.attention
      ins(%q, %k, %v, %z : tensor<?x?x?x8xf32>, tensor<?x?x?x8xf32>,
          tensor<?x?x?x5xf32>, tensor<?x3x8xf32>)
      query_log_mass(%la : tensor<?x?xf32>)
      outs(%o : tensor<?x?x?x5xf32>) -> tensor<?x?x?x5xf32>
  return %r : tensor<?x?x?x5xf32>
}

// What the verifier has compared is not compared again.

// CHECK-LABEL: func.func @static
// CHECK-NOT:     cf.assert
// CHECK:         lot.attention
func.func @static(%q: tensor<1x2x6x8xf32>, %z: tensor<2x3x8xf32>)
    -> tensor<1x2x6x8xf32> {
  %r = lot.attention
      ins(%q, %q, %q, %z : tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>,
          tensor<1x2x6x8xf32>, tensor<2x3x8xf32>)
      outs(%q : tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32>
  return %r : tensor<1x2x6x8xf32>
}

// Only n is dynamic here, and a static size is compared with a dynamic one.
// Buffers are checked like tensors.

// CHECK-LABEL: func.func @sweep
// CHECK-SAME:    %[[L:[a-z0-9]+]]: memref<2x?x3xf32>, %[[LA:[a-z0-9]+]]: memref<2x6xf32>
// CHECK-DAG:     %[[C1:.+]] = arith.constant 1 : index
// CHECK-DAG:     %[[C6:.+]] = arith.constant 6 : index
// CHECK:         %[[N:.+]] = memref.dim %[[L]], %[[C1]]
// CHECK:         %[[EQ:.+]] = arith.cmpi eq, %[[N]], %[[C6]]
// CHECK:         cf.assert %[[EQ]], "{{.*}}C45: expected token_log_mass to have the number of tokens of scores
// CHECK-NOT:     cf.assert
// CHECK:         lot.sweep
func.func @sweep(%L: memref<2x?x3xf32>, %la: memref<2x6xf32>,
    %m: memref<2x3xf32>, %s: memref<2x3xf32>) {
  lot.sweep domain<log> ins(%L : memref<2x?x3xf32>)
      token_log_mass(%la : memref<2x6xf32>)
      outs(%m, %s : memref<2x3xf32>, memref<2x3xf32>)
  return
}

// CHECK-LABEL: func.func @pivot_solve
// CHECK:         cf.assert {{.*}}C33: expected token_log_mass to have the batch size of scores
// CHECK:         cf.assert {{.*}}C33: expected the init of prev to have the batch size of scores
// CHECK:         cf.assert {{.*}}C33: expected the init of last to have the batch size of scores
// CHECK:         cf.assert {{.*}}C33: expected token_log_mass to have the number of tokens of scores
// CHECK-NOT:     cf.assert
// CHECK:         lot.pivot_solve
func.func @pivot_solve(%L: tensor<?x?x3xf32>, %la: tensor<?x?xf32>,
    %i: tensor<?x3xf32>, %j: tensor<?x3xf32>)
    -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : tensor<?x?x3xf32>) token_log_mass(%la : tensor<?x?xf32>)
      outs(%i, %j : tensor<?x3xf32>, tensor<?x3xf32>)
      -> tensor<?x3xf32>, tensor<?x3xf32>
  return %r#0, %r#1 : tensor<?x3xf32>, tensor<?x3xf32>
}

// CHECK-LABEL: func.func @plan
// CHECK:         cf.assert {{.*}}C52: expected init to have the number of tokens of scores
// CHECK-NOT:     cf.assert
// CHECK:         lot.plan
func.func @plan(%L: tensor<?x3xf32>, %y: tensor<3xf32>, %R: tensor<?x3xf32>)
    -> tensor<?x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<?x3xf32>)
      last(%y : tensor<3xf32>) outs(%R : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// CHECK-LABEL: func.func @glue
// CHECK:         cf.assert {{.*}}C64: expected init to have the length of query_plan
// CHECK:         cf.assert {{.*}}C64: expected value to have the length of key_plan
// CHECK:         cf.assert {{.*}}C63: expected the heads of query_plan to be a multiple of the heads of value
// CHECK:         cf.assert {{.*}}C63: expected the heads of key_plan to be those of query_plan or of value
// CHECK-NOT:     cf.assert
// CHECK:         lot.glue
func.func @glue(%R1: tensor<1x4x?x3xf32>, %R2: tensor<1x?x?x3xf32>,
    %v: tensor<1x?x?x5xf32>, %o: tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32> {
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x4x?x3xf32>, tensor<1x?x?x3xf32>,
      tensor<1x?x?x5xf32>)
      outs(%o : tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32>
  return %r : tensor<1x4x?x5xf32>
}
