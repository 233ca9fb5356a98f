// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_90 --canonicalize --cse | FileCheck %s
// Reverse mode of sequences that no cluster can keep, of a class with a packed
// factor.

// A sweep back takes one exponential an entry.
// CHECK: gpu.func @reverse_sweep
// CHECK: scf.for %{{.*}} step %c96 iter_args(
// CHECK: nvvm.cp.async.wait.group
// CHECK: nvvm.mma.sync
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: scf.yield

// Steps are multiples of the plan: exponentials of the rows' masses alone.
// CHECK: gpu.func @query_gradient
// CHECK: scf.for %{{.*}} step %c64 iter_args(
// CHECK: nvvm.cp.async.wait.group
// CHECK: scf.for %{{.*}} = %c0 to %c5 step %c1 iter_args(
// CHECK-COUNT-2: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-NOT: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: scf.yield
func.func @gradients(%do: memref<?x?x?x64xbf16>, %q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %dq: memref<?x?x?x64xbf16>, %dk: memref<?x?x?x64xbf16>, %dv: memref<?x?x?x64xbf16>, %dz: memref<?x32x64xbf16>) {
  lot.attention_vjp {half_steps = 10 : i64}
    ins(%do, %q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%dq, %dk, %dv, %dz : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
  return
}
