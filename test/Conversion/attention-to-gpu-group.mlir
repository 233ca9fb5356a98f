// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_90 \
// RUN:   | FileCheck %s --check-prefix=NONE
// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_100a \
// RUN:   | FileCheck %s --check-prefix=NONE
// Sequences that no cluster can keep, on sm_90a, which has wgmma: four warps
// multiply 64 tokens with all pivots, from shared memory.

// NONE-NOT: wgmma
// NONE-NOT: nvvm.fence.proxy

// CHECK-LABEL: gpu.func @sweep({{.*}} kernel attributes {known_block_size = array<i32: 128, 1, 1>, nvvm.minctasm = 4 : i32}
// The sweep, and the block's place in it.
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: arith.divui
// Rows are on their way before the kernels before have ended.
// CHECK: cp.async.cg.shared.global
// CHECK: nvvm.griddepcontrol wait
// The potentials that the problem's sweep before leaves.
// CHECK: scf.while
// CHECK: llvm.load {{.*}} atomic syncscope("device") acquire
// CHECK: gpu.barrier
// Two tiles of each warp between two barriers.
// CHECK: scf.for %[[AT:.*]] = %{{.*}} to %[[END:.*]] step %c128 iter_args(
// CHECK-NEXT: nvvm.cp.async.wait.group 0
// CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// CHECK-NEXT: gpu.barrier
// Of tiles past the chunk nothing is read, but of both where one is in it.
// CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[AT]], %c128
// CHECK-NEXT: %[[SOME:.*]] = arith.cmpi ult, %[[NEXT]], %[[END]]
// CHECK: scf.if %[[SOME]]
// CHECK-COUNT-4: cp.async.cg.shared.global
// CHECK: nvgpu.device_async_create_group
// CHECK: scf.if %[[SOME]]
// CHECK-COUNT-4: cp.async.cg.shared.global
// CHECK: nvgpu.device_async_create_group
// CHECK-NOT: nvgpu.ldmatrix
// CHECK-NOT: nvvm.mma.sync
// CHECK: nvvm.wgmma.fence.aligned
// CHECK-NEXT: %[[FIRST:.*]] = nvvm.wgmma.mma_async %{{.*}}, %{{.*}}, %{{.*}}, <m = 64, n = 32, k = 16>, D[<f32>, <zero>], A[<bf16>, <one>, <row>], B[<bf16>, <one>, <col>]
// CHECK: %[[SECOND:.*]] = nvvm.wgmma.mma_async %{{.*}}, %{{.*}}, %[[FIRST]], <m = 64, n = 32, k = 16>, D[<f32>, <one>]
// CHECK: %[[THIRD:.*]] = nvvm.wgmma.mma_async %{{.*}}, %{{.*}}, %[[SECOND]],
// CHECK: %[[FOURTH:.*]] = nvvm.wgmma.mma_async %{{.*}}, %{{.*}}, %[[THIRD]],
// CHECK-NEXT: nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT: nvvm.wgmma.wait.group.sync.aligned 0
// CHECK: %[[SUM:.*]] = llvm.extractvalue %[[FOURTH]][0]
// What is made of them comes after the wait.
// CHECK: %[[READY:.*]] = llvm.inline_asm has_side_effects {{.*}} %[[SUM]],
// CHECK: %[[DOT:.*]] = llvm.extractvalue %[[READY]][0]
// CHECK: math.fma %[[DOT]],
// An entry takes one exponential, without a maximum.
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-NOT: arith.maxnumf
// CHECK: nvvm.wgmma.mma_async
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-NOT: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: scf.yield
// The last block of a problem tells the next sweep when it has its potentials.
// CHECK: llvm.atomicrmw add
// CHECK: memref.store %{{.*}}, %{{.*}} : memref<?x6x32xf32>
// CHECK: llvm.atomicrmw add

// Rows of values have a ring of each warp.
// CHECK-LABEL: gpu.func @gather
// CHECK: scf.for %{{.*}} step %c64 iter_args(
// CHECK: nvvm.wgmma.mma_async
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: nvgpu.ldmatrix {{.*}}transpose = true{{.*}} : memref<4x64x64xbf16,

// CHECK-LABEL: gpu.func @apply
// CHECK: scf.for %{{.*}} step %c128 iter_args(
// CHECK: nvvm.wgmma.mma_async
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: nvgpu.ldmatrix {{.*}} : memref<64x40xbf16,
// CHECK-NOT: scf.if
// CHECK-COUNT-4: "@$0 st.global.v4.b32

// All sweeps are one launch.
// CHECK-LABEL: func.func @attention
// CHECK: %[[KEYS:.*]] = arith.muli %{{.*}}, %c5 : index
// CHECK: %[[QUERIES:.*]] = arith.muli %{{.*}}, %c5 : index
// CHECK: %[[ALL:.*]] = arith.addi %[[KEYS]], %[[QUERIES]] : index
// CHECK-NOT: scf.for
// CHECK: gpu.launch_func @lot_attention::@sweep blocks in (%[[ALL]], %c1, %c1) threads in (%c128, %c1, %c1)
// CHECK-SAME: lot.overlap
func.func @attention(%q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %o: memref<?x?x?x64xbf16>) {
  lot.attention {half_steps = 10 : i64}
    ins(%q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%o : memref<?x?x?x64xbf16>)
  return
}
