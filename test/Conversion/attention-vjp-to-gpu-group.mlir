// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// Reverse mode of sequences that no cluster can keep, on sm_90a: scores of 64
// tokens by wgmma, and all sweeps backwards in one launch.

// CHECK-LABEL: gpu.func @reverse_sweep({{.*}} kernel attributes {known_block_size = array<i32: 128, 1, 1>
// Rows are on their way before the kernels before have ended.
// CHECK: cp.async.cg.shared.global
// CHECK: nvvm.griddepcontrol wait
// All blocks of the problem's sweep before.
// CHECK: llvm.load {{.*}} atomic syncscope("device") acquire
// CHECK: scf.for %{{.*}} step %c64 iter_args(
// CHECK: nvvm.fence.proxy
// CHECK-NEXT: gpu.barrier
// CHECK-NOT: nvvm.mma.sync
// CHECK-COUNT-4: nvvm.wgmma.mma_async
// CHECK: nvvm.wgmma.wait.group.sync.aligned 0
// An entry takes one exponential.
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: scf.yield
// CHECK: llvm.atomicrmw add

// Four sweeps back from five.
// CHECK-LABEL: func.func @gradients
// CHECK: gpu.launch_func @lot_attention::@key_adjoint
// CHECK-NEXT: %[[KEYS:.*]] = arith.muli %{{.*}}, %c4 : index
// CHECK-NEXT: %[[QUERIES:.*]] = arith.muli %{{.*}}, %c4 : index
// CHECK-NEXT: %[[ALL:.*]] = arith.addi %[[KEYS]], %[[QUERIES]] : index
// CHECK-NEXT: gpu.launch_func @lot_attention::@reverse_sweep blocks in (%[[ALL]], %c1, %c1)
func.func @gradients(%do: memref<?x?x?x64xbf16>, %q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %dq: memref<?x?x?x64xbf16>, %dk: memref<?x?x?x64xbf16>, %dv: memref<?x?x?x64xbf16>, %dz: memref<?x32x64xbf16>) {
  lot.attention_vjp {half_steps = 10 : i64}
    ins(%do, %q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%dq, %dk, %dv, %dz : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
  return
}
