// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_80 --canonicalize --cse | FileCheck %s
// Reverse mode: the forward's sweeps, then theirs backwards. Between launches
// there are r values a chunk and step, and a row of values a token; no buffer
// has a value for each pair of a token and a pivot, or of two tokens.

// CHECK: gpu.func @query_adjoint
// CHECK: gpu.func @fold_gradient
// CHECK: gpu.func @key_adjoint
// A step backwards: both weights are exponentials of sums; u is folded from the
// chunks' parts and the next one is written to the other slot.
// CHECK: gpu.func @reverse_sweep
// CHECK: nvvm.mma.sync
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: memref.store %{{.*}} : memref<2x?x?x32xf32>
// CHECK: gpu.func @query_gradient
// CHECK: gpu.func @key_gradient
// CHECK: gpu.func @pivot_gradient

// CHECK-LABEL: func.func @gradients
// CHECK-DAG: memref.alloc(%{{.*}}) {alignment = 128 : i64} : memref<?x6x32xf32>
// CHECK-NOT: memref.alloc{{.*}}memref<?x?x?x32xf32>
// CHECK: gpu.launch_func @lot_attention::@pack
// CHECK: scf.for %{{.*}} = %c0 to %c5 step %c1
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@gather
// CHECK: gpu.launch_func @lot_attention::@fold
// CHECK: gpu.launch_func @lot_attention::@query_adjoint
// CHECK: gpu.launch_func @lot_attention::@fold_gradient
// CHECK: gpu.launch_func @lot_attention::@key_adjoint
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1
// CHECK: gpu.launch_func @lot_attention::@reverse_sweep
// CHECK: gpu.launch_func @lot_attention::@query_gradient
// CHECK: gpu.launch_func @lot_attention::@key_gradient
// CHECK: gpu.launch_func @lot_attention::@pivot_gradient
// CHECK-NOT: lot.attention_vjp {
func.func @gradients(%do: memref<?x?x?x64xbf16>, %q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %dq: memref<?x?x?x64xbf16>, %dk: memref<?x?x?x64xbf16>, %dv: memref<?x?x?x64xbf16>, %dz: memref<?x32x64xbf16>) {
  lot.attention_vjp {half_steps = 10 : i64}
    ins(%do, %q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%dq, %dk, %dv, %dz : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
  return
}
