// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// f32 stays f32: multiply-adds, no tensor core and no TF32. Two launches of a
// module each have kernels of their own.

// CHECK-NOT: nvvm.mma.sync
// CHECK-DAG: gpu.module @lot_attention [
// CHECK-DAG: gpu.module @lot_attention_0 [
// CHECK-NOT: nvvm.mma.sync
// CHECK: func.func @twice
// CHECK: gpu.launch_func @[[FIRST:lot_attention[_0-9]*]]::@pack
// CHECK: gpu.launch_func @[[FIRST]]::@apply
// CHECK: gpu.launch_func @[[SECOND:lot_attention[_0-9]*]]::@pack
// CHECK: gpu.launch_func @[[SECOND]]::@apply
func.func @twice(%q: memref<?x?x?x33xf32>, %v: memref<?x?x?x20xf32>, %z: memref<?x7x33xf32>, %la: memref<?x?xf32>, %lw: memref<?x7xf32>, %o: memref<?x?x?x20xf32>) {
  lot.attention {half_steps = 3 : i64}
    ins(%q, %q, %v, %z : memref<?x?x?x33xf32>, memref<?x?x?x33xf32>, memref<?x?x?x20xf32>, memref<?x7x33xf32>)
    query_log_mass(%la : memref<?x?xf32>) pivot_log_mass(%lw : memref<?x7xf32>)
    outs(%o : memref<?x?x?x20xf32>)
  lot.attention {half_steps = 1 : i64}
    ins(%q, %q, %v, %z : memref<?x?x?x33xf32>, memref<?x?x?x33xf32>, memref<?x?x?x20xf32>, memref<?x7x33xf32>)
    outs(%o : memref<?x?x?x20xf32>)
  return
}
