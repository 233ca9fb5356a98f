// RUN: lot-opt %s --lot-decompose-attention --canonicalize --cse | FileCheck %s --implicit-check-not=40x72 --implicit-check-not=lot.attention
// RUN: lot-opt %s --lot-decompose-attention=ops=attention | FileCheck %s --check-prefix=KEPT
// RUN: not lot-opt %s --lot-decompose-attention=ops=sweep 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: lot-opt %s --lot-decompose-attention --lot-expand-solve --canonicalize --cse | FileCheck %s --check-prefix=STEPS
// RUN: lot-opt %s --lot-decompose-attention --lot-expand-solve=unroll | FileCheck %s --check-prefix=UNROLL

// KEPT: lot.attention_vjp
// WRONG: lot-decompose-attention: expected ops among attention, attention_vjp, got sweep
// UNROLL-NOT: scf.for

// Both sides again with their trajectories, the adjoints in reverse, and four
// products for query, key and pivots, whose gradients add up.
// CHECK-LABEL: func.func @plain(
// CHECK-SAME:    %[[DO:[a-z0-9]+]]: tensor<2x3x40x6xf32>, %[[Q:[a-z0-9]+]]: tensor<2x3x40x8xf32>, %[[K:[a-z0-9]+]]: tensor<2x3x72x8xf32>, %[[V:[a-z0-9]+]]: tensor<2x3x72x6xf32>, %[[Z:[a-z0-9]+]]: tensor<3x5x8xf32>
// CHECK:         %[[L1:[a-z0-9_]+]] = linalg.generic
// CHECK:         %[[S1:[a-z0-9_]+]]:3 = lot.pivot_solve first<tokens> half_steps(9) {{.*}} tensor<2x3x5x5xf32>
// CHECK:         %[[R1:[a-z0-9_]+]] = lot.plan conditional<tokens> {{.*}} prev(%[[S1]]#0 {{.*}} last(%[[S1]]#1
// CHECK:         %[[S2:[a-z0-9_]+]]:3 = lot.pivot_solve first<pivots> half_steps(9) {{.*}} tensor<2x3x6x5xf32>
// CHECK:         %[[R2:[a-z0-9_]+]] = lot.plan conditional<pivots> {{.*}} prev(%[[S2]]#0 {{.*}} last(%[[S2]]#1
// CHECK:         %[[G:[a-z0-9_]+]]:3 = lot.glue_vjp ins(%[[DO]], %[[R1]], %[[R2]], %[[V]]
// CHECK:         %[[P1:[a-z0-9_]+]]:3 = lot.plan_vjp conditional<tokens> ins(%[[G]]#0,
// CHECK:         %[[B1:[a-z0-9_]+]] = lot.pivot_solve_vjp first<tokens> half_steps(9) ins(%[[P1]]#1, %[[P1]]#2, %{{[a-z0-9_]+}}, %[[S1]]#2
// CHECK:         %[[D1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[P1]]#0, %[[B1]]
// CHECK:         %[[E1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D1]]
// CHECK:         %[[P2:[a-z0-9_]+]]:3 = lot.plan_vjp conditional<pivots> ins(%[[G]]#1,
// CHECK:         %[[B2:[a-z0-9_]+]] = lot.pivot_solve_vjp first<pivots> half_steps(9) ins(%[[P2]]#1, %[[P2]]#2, %{{[a-z0-9_]+}}, %[[S2]]#2
// CHECK:         %[[D2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[P2]]#0, %[[B2]]
// CHECK:         %[[E2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D2]]
// CHECK:         %[[DQ:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[E1]], %[[Z]]
// CHECK:         %[[DK:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[E2]], %[[Z]]
// CHECK:         %[[DZ1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[E1]], %[[Q]]
// CHECK:         %[[DZ:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[E2]], %[[K]] {{.*}} outs(%[[DZ1]]
// CHECK:         return %[[DQ]], %[[DK]], %[[G]]#2, %[[DZ]]
//
// Backwards through the steps r-vectors are carried, those of all steps in one
// tensor [2, 3, P, 5]; the scores' gradient comes after the loop.
// STEPS-LABEL: func.func @plain(
// STEPS:         scf.for {{.*}} -> (tensor<2x3x5x5xf32>)
// STEPS:           lot.sweep domain<log>
// STEPS:         scf.for {{.*}} -> (tensor<2x3x6x5xf32>)
// STEPS:         %[[COT:[a-z0-9_]+]] = scf.for {{.*}} iter_args(%[[IN:[a-z0-9_]+]] = {{.*}} -> (tensor<2x3x4x5xf32>)
// STEPS:           %[[GRAD:[a-z0-9_]+]]:2 = lot.sweep_vjp ins(
// STEPS:           %[[ROW:[a-z0-9_]+]] = tensor.expand_shape %[[GRAD]]#1 {{.*}} into tensor<2x3x1x5xf32>
// STEPS:           %[[NEXT:[a-z0-9_]+]] = tensor.insert_slice %[[ROW]] into %[[IN]]
// STEPS:           scf.yield %[[NEXT]]
// STEPS:         linalg.generic {{.*}} outs(%{{[a-z0-9_]+}} : tensor<2x3x40x5xf32>)
func.func @plain(%do: tensor<2x3x40x6xf32>, %q: tensor<2x3x40x8xf32>, %k: tensor<2x3x72x8xf32>,
    %v: tensor<2x3x72x6xf32>, %z: tensor<3x5x8xf32>)
    -> (tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>, tensor<3x5x8xf32>) {
  %r:4 = lot.attention_vjp {half_steps = 9 : i64}
      ins(%do, %q, %k, %v, %z : tensor<2x3x40x6xf32>, tensor<2x3x40x8xf32>,
          tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>, tensor<3x5x8xf32>)
      outs(%q, %k, %v, %z : tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>, tensor<3x5x8xf32>)
      -> tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>, tensor<3x5x8xf32>
  return %r#0, %r#1, %r#2, %r#3 : tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>,
      tensor<2x3x72x6xf32>, tensor<3x5x8xf32>
}

// Where the clip was active there is no gradient.
// CHECK-LABEL: func.func @clamp(
// CHECK:         math.absf
// CHECK-NEXT:    %[[IN:.+]] = arith.cmpf ole
// CHECK-NEXT:    arith.select %[[IN]]
func.func @clamp(%do: tensor<1x1x4x6xf32>, %q: tensor<1x1x4x8xf32>, %v: tensor<1x1x4x6xf32>,
    %z: tensor<1x5x8xf32>) -> tensor<1x1x4x8xf32> {
  %r:4 = lot.attention_vjp {score_clamp = 2.0 : f64}
      ins(%do, %q, %q, %v, %z : tensor<1x1x4x6xf32>, tensor<1x1x4x8xf32>,
          tensor<1x1x4x8xf32>, tensor<1x1x4x6xf32>, tensor<1x5x8xf32>)
      outs(%q, %q, %v, %z : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x6xf32>, tensor<1x5x8xf32>)
      -> tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x6xf32>, tensor<1x5x8xf32>
  return %r#0 : tensor<1x1x4x8xf32>
}

!t = tensor<2x3x40x8xf32>
!z = tensor<3x5x8xf32>
!a = tensor<2x40xf32>
!r = tensor<?xf32>

// The forward's residuals are what its init holds and the vjp does not read them.
// Masses without gradients are masses all the same.
// CHECK-LABEL: func.func @residuals(
// CHECK-SAME:    %[[MASS:[a-z0-9]+]]: tensor<2x40xf32>, %[[R:[a-z0-9]+]]: tensor<?xf32>
// CHECK-NOT:     %[[R]]
// CHECK:         lot.glue ins
// CHECK-NOT:     %[[R]]
// CHECK:         lot.pivot_solve_vjp first<tokens> {{.*}} token_log_mass(
// CHECK:         return {{.*}}, %[[R]] :
func.func @residuals(%q: !t, %z: !z, %a: !a, %r: !r) -> (!t, !t, !t, !z, !r) {
  %o:2 = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) query_log_mass(%a : !a)
      outs(%q, %r : !t, !r) -> !t, !r
  %g:4 = lot.attention_vjp ins(%o#0, %q, %q, %q, %z : !t, !t, !t, !t, !z) query_log_mass(%a : !a)
      residuals(%o#1 : !r) outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %g#0, %g#1, %g#2, %g#3, %o#1 : !t, !t, !t, !z, !r
}
