// RUN: lot-opt %s --lot-differentiate | FileCheck %s
// RUN: lot-opt %s --lot-differentiate --lot-to-linalg | FileCheck %s --check-prefix=LINALG --implicit-check-not=lot.
// RUN: lot-opt %s --lot-differentiate=function=twice | FileCheck %s --check-prefix=ONE

// LINALG-LABEL: func.func @layer_vjp(
// LINALG-LABEL: func.func @twice_vjp(
// ONE-NOT: @layer_vjp
// ONE: func.func @twice_vjp

!t = tensor<1x2x?x8xf32>
!z = tensor<2x5x8xf32>
!a = tensor<1x?xf32>

// The function stays; beside it one that returns the value and the gradients of
// its arguments. The destination's values are not read.
// CHECK-LABEL: func.func @layer(
// CHECK-LABEL: func.func @layer_vjp(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<1x2x?x8xf32>, %[[K:[a-z0-9]+]]: tensor<1x2x?x8xf32>, %[[V:[a-z0-9]+]]: tensor<1x2x?x8xf32>, %[[Z:[a-z0-9]+]]: tensor<2x5x8xf32>, %[[LA:[a-z0-9]+]]: tensor<1x?xf32>, %[[I:[a-z0-9]+]]: tensor<1x2x?x8xf32>, %[[DO:[a-z0-9]+]]: tensor<1x2x?x8xf32>)
// CHECK:         %[[O:.+]] = lot.attention {{.*}} ins(%[[Q]], %[[K]], %[[V]], %[[Z]] {{.*}} query_log_mass(%[[LA]]
// CHECK:         %[[G:.+]]:5 = lot.attention_vjp {epsilon = 1.000000e-01 : f64, half_steps = 7 : i64} ins(%[[DO]], %[[Q]], %[[K]], %[[V]], %[[Z]] {{.*}} query_log_mass(%[[LA]]
// CHECK:         %[[ZERO:.+]] = linalg.fill
// CHECK:         return %[[O]], %[[G]]#0, %[[G]]#1, %[[G]]#2, %[[G]]#3, %[[G]]#4, %[[ZERO]]
func.func @layer(%q: !t, %k: !t, %v: !t, %z: !z, %la: !a, %i: !t) -> !t {
  %o = lot.attention {epsilon = 0.1 : f64, half_steps = 7 : i64} ins(%q, %k, %v, %z : !t, !t, !t, !z)
      query_log_mass(%la : !a) outs(%i : !t) -> !t
  return %o : !t
}

// Two layers with a residual connection; one tensor is query, key and value, and
// all its cotangents are added.
// CHECK-LABEL: func.func @twice_vjp(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x2x?x8xf32>, %[[Z:[a-z0-9]+]]: tensor<2x5x8xf32>, %[[DY:[a-z0-9]+]]: tensor<1x2x?x8xf32>)
// CHECK:         %[[H:.+]] = lot.attention ins(%[[X]], %[[X]], %[[X]], %[[Z]]
// CHECK:         %[[R:.+]] = arith.addf %[[X]], %[[H]]
// CHECK:         %[[Y:.+]] = lot.attention ins(%[[R]], %[[R]], %[[R]], %[[Z]]
// CHECK:         %[[G2:.+]]:4 = lot.attention_vjp ins(%[[DY]], %[[R]], %[[R]], %[[R]], %[[Z]]
// CHECK:         %[[S:.+]] = arith.addf %[[G2]]#0, %[[G2]]#1
// CHECK:         %[[DR:.+]] = arith.addf %[[S]], %[[G2]]#2
// CHECK:         %[[G1:.+]]:4 = lot.attention_vjp ins(%[[DR]], %[[X]], %[[X]], %[[X]], %[[Z]]
// CHECK:         %[[A:.+]] = arith.addf %[[DR]], %[[G1]]#0
// CHECK:         %[[B:.+]] = arith.addf %[[A]], %[[G1]]#1
// CHECK:         %[[DX:.+]] = arith.addf %[[B]], %[[G1]]#2
// CHECK:         %[[DZ:.+]] = arith.addf %[[G2]]#3, %[[G1]]#3
// CHECK:         return %[[Y]], %[[DX]], %[[DZ]]
func.func @twice(%x: !t, %z: !z) -> !t {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c2 : !t
  %i = tensor.empty(%n) : !t
  %h = lot.attention ins(%x, %x, %x, %z : !t, !t, !t, !z) outs(%i : !t) -> !t
  %r = arith.addf %x, %h : !t
  %y = lot.attention ins(%r, %r, %r, %z : !t, !t, !t, !z) outs(%i : !t) -> !t
  return %y : !t
}
