// RUN: lot-opt %s --lot-buffers-to-tensors | FileCheck %s

// CHECK-LABEL: func.func @vjp(
// CHECK-SAME:    %[[DO:[a-z0-9]+]]: memref<1x2x?x6xf32>, %[[Q:[a-z0-9]+]]: memref<1x2x?x8xf32>, %[[V:[a-z0-9]+]]: memref<1x2x?x6xf32>, %[[Z:[a-z0-9]+]]: memref<2x5x8xf32>, %[[DQ:[a-z0-9]+]]: memref<1x2x?x8xf32>
// CHECK:         %[[TDO:.+]] = bufferization.to_tensor %[[DO]] restrict
// CHECK:         %[[TQ:.+]] = bufferization.to_tensor %[[Q]] restrict
// CHECK-NOT:     bufferization.to_tensor %[[DQ]]
// CHECK:         %[[R:.+]]:4 = lot.attention_vjp ins(%[[TDO]], %[[TQ]],
// CHECK:         bufferization.materialize_in_destination %[[R]]#0 in restrict writable %[[DQ]]
// CHECK-NOT:     lot.attention_vjp
func.func @vjp(%do: memref<1x2x?x6xf32>, %q: memref<1x2x?x8xf32>, %v: memref<1x2x?x6xf32>,
    %z: memref<2x5x8xf32>, %dq: memref<1x2x?x8xf32>, %dk: memref<1x2x?x8xf32>,
    %dv: memref<1x2x?x6xf32>, %dz: memref<2x5x8xf32>) {
  lot.attention_vjp ins(%do, %q, %q, %v, %z : memref<1x2x?x6xf32>, memref<1x2x?x8xf32>,
      memref<1x2x?x8xf32>, memref<1x2x?x6xf32>, memref<2x5x8xf32>)
      outs(%dq, %dk, %dv, %dz : memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<1x2x?x6xf32>, memref<2x5x8xf32>)
  return
}

// lot.attention has code of its own on buffers.
// CHECK-LABEL: func.func @forward(
// CHECK-NEXT:    lot.attention ins(%{{.*}} : memref
func.func @forward(%q: memref<1x2x?x8xf32>, %z: memref<2x5x8xf32>, %o: memref<1x2x?x8xf32>) {
  lot.attention ins(%q, %q, %q, %z : memref<1x2x?x8xf32>, memref<1x2x?x8xf32>,
      memref<1x2x?x8xf32>, memref<2x5x8xf32>) outs(%o : memref<1x2x?x8xf32>)
  return
}
