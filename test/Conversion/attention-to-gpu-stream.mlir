// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_90 --canonicalize --cse | FileCheck %s
// Sequences that no cluster can keep, of a class with a packed factor: rows of
// tokens come into a ring of each warp some tiles ahead of their use. (What sm_90a
// has beyond that is in attention-to-gpu-group.mlir.)

// CHECK: gpu.func @sweep
// CHECK: nvgpu.device_async_copy
// What a first sweep is relative to.
// CHECK: arith.maxnumf
// Pivots are in registers during the loop.
// CHECK: nvgpu.ldmatrix {{.*}} : memref<32x72xbf16,
// CHECK: scf.for %{{.*}} step %c96 iter_args(
// CHECK: nvgpu.device_async_copy
// CHECK: nvvm.cp.async.wait.group 3
// CHECK-NOT: memref<32x72xbf16,
// CHECK-NOT: arith.maxnumf
// CHECK: nvgpu.ldmatrix {{.*}} : memref<6x64x64xbf16,
// CHECK: nvvm.mma.sync {{.*}}C[%[[ZERO:.*]], %[[ZERO]], %[[ZERO]], %[[ZERO]]]
// An entry takes one exponential, without a maximum.
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-NOT: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: llvm.nvvm.rcp.approx.ftz.f
// CHECK-NOT: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: scf.yield
// Where a sum has lost something the block starts again, with a maximum.
// CHECK: %[[ANY:.*]] = nvvm.barrier {{.*}}
// CHECK: %[[LOST:.*]] = arith.cmpi ne, %[[ANY]], %c0_i32
// CHECK: scf.if %[[LOST]]
// CHECK: arith.maxnumf

// Rows of values have a ring, too; the plan's transpose is in registers.
// CHECK: gpu.func @gather
// CHECK: scf.for %{{.*}} step %c64 iter_args(
// CHECK: nvvm.cp.async.wait.group 6
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: nvgpu.ldmatrix {{.*}}transpose = true{{.*}} : memref<4x64x64xbf16,
// CHECK: vector.store %{{.*}} : memref<?x?x32x64xf32>, vector<4xf32>

// CHECK: gpu.func @apply
// CHECK: scf.for %{{.*}} step %c96 iter_args(
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: nvgpu.ldmatrix {{.*}} : memref<64x40xbf16,
// CHECK-NOT: scf.if
// CHECK-COUNT-4: "@$0 st.global.v4.b32
func.func @attention(%q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %o: memref<?x?x?x64xbf16>) {
  lot.attention {half_steps = 10 : i64}
    ins(%q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%o : memref<?x?x?x64xbf16>)
  return
}
