// RUN: lot-opt %s --lot-expand-solve --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --lot-expand-solve=unroll --canonicalize | FileCheck %s --check-prefix=UNROLL

// UNROLL-LABEL: func.func @tokens_odd(
// UNROLL-NOT:     scf.for
// UNROLL-COUNT-2: lot.sweep

// Five half-steps: two pivot steps, a token step last. Both results are the
// potential that the last token step read; it is written in place.
// CHECK-LABEL: func.func @tokens_odd(
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<3x?x8xf32>
// CHECK-DAG:     %[[C2:[a-z0-9_]+]] = arith.constant 2 : index
// CHECK-DAG:     %[[ZERO:[a-z0-9_]+]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG:     %[[NINF:[a-z0-9_]+]] = arith.constant 0xFF800000 : f32
// CHECK:         %[[Y0:[a-z0-9_]+]] = linalg.fill ins(%[[ZERO]]
// CHECK:         %[[Y:[a-z0-9_]+]] = scf.for %{{.*}} to %[[C2]] step {{.*}} iter_args(%[[READ:[a-z0-9_]+]] = %[[Y0]]) -> (tensor<3x8xf32>)
// CHECK:           %[[M0:[a-z0-9_]+]] = linalg.fill ins(%[[NINF]]
// CHECK:           %[[P:[a-z0-9_]+]]:2 = lot.sweep domain<log> ins(%[[L]] {{.*}} prev(%[[READ]] {{.*}} outs(%[[M0]], %{{[a-z0-9_]+}} :
// CHECK:           %[[NEXT:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[P]]#0, %[[P]]#1 {{.*}} outs(%[[READ]]
// CHECK:             math.log
// CHECK:           scf.yield %[[NEXT]]
// CHECK:         return %[[Y]], %[[Y]]
func.func @tokens_odd(%L: tensor<3x?x8xf32>, %i: tensor<3x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(5) ins(%L : tensor<3x?x8xf32>)
      outs(%i, %i : tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x8xf32>, tensor<3x8xf32>
  return %r#0, %r#1 : tensor<3x8xf32>, tensor<3x8xf32>
}

// Six half-steps end with a pivot step, which is peeled.
// CHECK-LABEL: func.func @tokens_even(
// CHECK:         %[[PREV:[a-z0-9_]+]] = scf.for
// CHECK:           lot.sweep
// CHECK:         %[[P:[a-z0-9_]+]]:2 = lot.sweep {{.*}} prev(%[[PREV]]
// CHECK:         %[[LAST:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[P]]#0, %[[P]]#1
// CHECK:         return %[[PREV]], %[[LAST]]
func.func @tokens_even(%L: tensor<3x?x8xf32>, %i: tensor<3x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(6) ins(%L : tensor<3x?x8xf32>)
      outs(%i, %i : tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x8xf32>, tensor<3x8xf32>
  return %r#0, %r#1 : tensor<3x8xf32>, tensor<3x8xf32>
}

// With the pivots first, the first sweep has no potential to read.
// CHECK-LABEL: func.func @pivots_even(
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<3x?x8xf32>, %[[A:[a-z0-9]+]]: tensor<3x?xf32>, %[[W:[a-z0-9]+]]: tensor<3x8xf32>
// CHECK:         %[[P1:[a-z0-9_]+]]:2 = lot.sweep domain<log> ins(%[[L]] : tensor<3x?x8xf32>) token_log_mass(%[[A]]
// CHECK:         %[[Y1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[P1]]#0, %[[P1]]#1, %[[W]]
// CHECK:         %[[Y:[a-z0-9_]+]] = scf.for {{.*}} iter_args(%[[READ:[a-z0-9_]+]] = %[[Y1]])
// CHECK:           lot.sweep {{.*}} prev(%[[READ]] {{.*}} token_log_mass(%[[A]]
// CHECK:         return %[[Y]], %[[Y]]
func.func @pivots_even(%L: tensor<3x?x8xf32>, %a: tensor<3x?xf32>, %w: tensor<3x8xf32>, %i: tensor<3x8xf32>)
    -> (tensor<3x8xf32>, tensor<3x8xf32>) {
  %r:2 = lot.pivot_solve first<pivots> half_steps(6) ins(%L : tensor<3x?x8xf32>)
      token_log_mass(%a : tensor<3x?xf32>) pivot_log_mass(%w : tensor<3x8xf32>)
      outs(%i, %i : tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x8xf32>, tensor<3x8xf32>
  return %r#0, %r#1 : tensor<3x8xf32>, tensor<3x8xf32>
}

// One half-step of the tokens leaves the start: 0, or -inf without mass.
// CHECK-LABEL: func.func @tokens_one(
// CHECK-SAME:    %{{[a-z0-9]+}}: tensor<3x?x8xf32>, %[[W:[a-z0-9]+]]: tensor<3x8xf32>
// CHECK-NOT:     lot.sweep
// CHECK:         %[[Y0:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[W]]
// CHECK:           arith.select
// CHECK:         return %[[Y0]], %[[Y0]]
func.func @tokens_one(%L: tensor<3x?x8xf32>, %w: tensor<3x8xf32>, %i: tensor<3x8xf32>)
    -> (tensor<3x8xf32>, tensor<3x8xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(1) ins(%L : tensor<3x?x8xf32>)
      pivot_log_mass(%w : tensor<3x8xf32>)
      outs(%i, %i : tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x8xf32>, tensor<3x8xf32>
  return %r#0, %r#1 : tensor<3x8xf32>, tensor<3x8xf32>
}
