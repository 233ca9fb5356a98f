// RUN: lot-opt %s --lot-to-linalg | FileCheck %s --implicit-check-not=lot.
// RUN: lot-opt %s --lot-to-linalg=unroll | FileCheck %s --implicit-check-not=lot.
// RUN: lot-opt %s --lot-to-cpu | FileCheck %s --check-prefix=CPU --implicit-check-not=lot.attention

// Static sizes of 1 beside the loop over half-steps: a batch, a head, a token or
// a pivot of one, whatever the number of half-steps.

!t = tensor<1x1x3x4xf32>
!z = tensor<1x2x4xf32>
!t1 = tensor<1x1x1x4xf32>
!z1 = tensor<1x1x4xf32>

// CHECK-LABEL: func.func @steps_1(
// CPU-LABEL: llvm.func @steps_1(
func.func @steps_1(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 1 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @steps_2(
// CPU-LABEL: llvm.func @steps_2(
func.func @steps_2(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 2 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @steps_3(
// CPU-LABEL: llvm.func @steps_3(
func.func @steps_3(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 3 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @steps_4(
// CPU-LABEL: llvm.func @steps_4(
func.func @steps_4(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 4 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @steps_5(
// CPU-LABEL: llvm.func @steps_5(
func.func @steps_5(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 5 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @steps_6(
// CPU-LABEL: llvm.func @steps_6(
func.func @steps_6(%do: !t, %q: !t, %z: !z) -> (!t, !t, !t, !z) {
  %r:4 = lot.attention_vjp {half_steps = 6 : i64} ins(%do, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// CHECK-LABEL: func.func @ones_1(
// CPU-LABEL: llvm.func @ones_1(
func.func @ones_1(%do: !t1, %q: !t1, %z: !z1) -> (!t1, !t1, !t1, !z1) {
  %r:4 = lot.attention_vjp {half_steps = 1 : i64} ins(%do, %q, %q, %q, %z : !t1, !t1, !t1, !t1, !z1)
      outs(%q, %q, %q, %z : !t1, !t1, !t1, !z1) -> !t1, !t1, !t1, !z1
  return %r#0, %r#1, %r#2, %r#3 : !t1, !t1, !t1, !z1
}

// CHECK-LABEL: func.func @ones_2(
// CPU-LABEL: llvm.func @ones_2(
func.func @ones_2(%do: !t1, %q: !t1, %z: !z1) -> (!t1, !t1, !t1, !z1) {
  %r:4 = lot.attention_vjp {half_steps = 2 : i64} ins(%do, %q, %q, %q, %z : !t1, !t1, !t1, !t1, !z1)
      outs(%q, %q, %q, %z : !t1, !t1, !t1, !z1) -> !t1, !t1, !t1, !z1
  return %r#0, %r#1, %r#2, %r#3 : !t1, !t1, !t1, !z1
}

// CHECK-LABEL: func.func @ones_5(
// CPU-LABEL: llvm.func @ones_5(
func.func @ones_5(%do: !t1, %q: !t1, %z: !z1) -> (!t1, !t1, !t1, !z1) {
  %r:4 = lot.attention_vjp {half_steps = 5 : i64} ins(%do, %q, %q, %q, %z : !t1, !t1, !t1, !t1, !z1)
      outs(%q, %q, %q, %z : !t1, !t1, !t1, !z1) -> !t1, !t1, !t1, !z1
  return %r#0, %r#1, %r#2, %r#3 : !t1, !t1, !t1, !z1
}
