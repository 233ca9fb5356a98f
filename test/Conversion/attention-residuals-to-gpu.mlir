// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// What the forward knows goes to the residuals, potentials of every sweep and
// R2 V, from which the vjp begins. Their size is checked.

!t = memref<?x?x?x64xbf16>
!z = memref<?x32x64xbf16>
!r = memref<?xf32>

// Kernels that store states and G in place, without scratch of their own.
// CHECK: gpu.func @pack
// CHECK: %[[FOUR:.*]] = vector.load %{{.*}} : memref<?x32x64xf32, strided<[2048, 64, 1], offset: ?>>, vector<4xf32>
// CHECK: %[[ROUNDED:.*]] = arith.truncf %[[FOUR]] : vector<4xf32> to vector<4xbf16>
// CHECK: vector.store %[[ROUNDED]], %{{.*}} : memref<?x32x96xbf16>, vector<4xbf16>
// CHECK: memref.store %{{.*}} : memref<?x64x32xbf16>
// CHECK: gpu.func @reverse(
// CHECK-LABEL: func.func @both(
// CHECK-SAME:    %[[R:[a-z0-9]+]]: memref<?xf32>
// CHECK: cf.assert %{{.*}}, "lot.attention: expected residuals with rows that begin at multiples of 16 bytes"
// CHECK: %[[STATES:.*]] = memref.reinterpret_cast %[[R]] to offset: [0], sizes: [%[[ALL:.*]], 4, 32], strides: [128, 32, 1]
// CHECK: %[[STATES_AT:.*]] = memref.cast %[[STATES]]
// CHECK: %[[AT:.*]] = arith.muli %[[ALL]], %c128
// CHECK: %[[G:.*]] = memref.reinterpret_cast %[[R]] to offset: [%[[AT]]], sizes: [%{{.*}}, 32, 64], strides: [2048, 64, 1]
// CHECK: cf.assert %{{.*}}, "lot.attention: expected residuals of the size that lotCudaGetResiduals tells, got fewer"
// CHECK: scf.if
// CHECK: gpu.launch_func @lot_attention::@resident {{.*}}%[[STATES_AT]] : memref<?x4x32xf32, strided<[128, 32, 1], offset: ?>>
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@fold {{.*}}%[[G]] : memref<?x32x64xf32, strided<[2048, 64, 1], offset: ?>>
// CHECK: gpu.launch_func @lot_attention_0::@pack
// CHECK-NOT: @resident
// CHECK-NOT: @sweep
// CHECK-NOT: @gather
// CHECK: gpu.launch_func @lot_attention_0::@reverse 
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention_0::@query_adjoint
func.func @both(%q: !t, %z: !z, %o: !t, %r: !r, %dq: !t, %dk: !t, %dv: !t, %dz: !z) {
  lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%o, %r : !t, !r)
  lot.attention_vjp ins(%o, %q, %q, %q, %z : !t, !t, !t, !t, !z) residuals(%r : !r)
    outs(%dq, %dk, %dv, %dz : !t, !t, !t, !z)
  return
}

// Gradients of masses need a more exact R2 V than that of bf16 products. Where
// nobody asks for them there are tensor cores.
// CHECK-LABEL: func.func @masses(
// CHECK: gpu.launch_func {{.*}}@gather
// CHECK: gpu.launch_func {{.*}}@key_mass
// CHECK: gpu.launch_func {{.*}}@pack
// CHECK-NOT: @gather
// CHECK: gpu.launch_func {{.*}}@key_gradient
// CHECK-NOT: @key_mass
// CHECK: return
func.func @masses(%q: !t, %z: !z, %m: memref<?x?xf32>, %r: !r, %dq: !t, %dk: !t, %dv: !t, %dz: !z,
                  %dm: memref<?x?xf32>) {
  lot.attention_vjp ins(%q, %q, %q, %q, %z : !t, !t, !t, !t, !z) key_log_mass(%m : memref<?x?xf32>)
    residuals(%r : !r) outs(%dq, %dk, %dv, %dz, %dm : !t, !t, !t, !z, memref<?x?xf32>)
  lot.attention_vjp ins(%q, %q, %q, %q, %z : !t, !t, !t, !t, !z) key_log_mass(%m : memref<?x?xf32>)
    residuals(%r : !r) outs(%dq, %dk, %dv, %dz : !t, !t, !t, !z)
  return
}
