// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_80 --canonicalize --cse | FileCheck %s
// The launches of one lot.attention, and what its kernels are made of. Sizes of
// the batch, heads and tokens are values; nothing has n x m elements.

// CHECK: gpu.container_module
// CHECK: gpu.module @lot_attention [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx80">]
// CHECK-NOT: memref<?x?x?x?x?x
// CHECK: gpu.func @pack({{.*}}) kernel attributes {known_block_size = array<i32: 256, 1, 1>}

// A sweep: scores by mma from pivots in shared memory, the token step within
// four lanes, sums over rows within the eight others, one partial a chunk; the
// last block of a head folds them.
// CHECK: gpu.func @sweep
// CHECK: %[[SHARED:.*]] = gpu.dynamic_shared_memory
// CHECK: %[[PIVOTS:.*]] = memref.view %[[SHARED]]{{.*}} to memref<32x96xbf16, #gpu.address_space<workgroup>>
// CHECK: gpu.barrier
// CHECK: %[[B:.*]] = vector.load %[[PIVOTS]]{{.*}}alignment = 16
// CHECK: nvvm.mma.sync {{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>{{.*}}shape = #nvvm.shape<m = 16, n = 8, k = 16>
// CHECK: gpu.shuffle xor
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: memref.store %{{.*}} : memref<?x?x32xf32>
// CHECK: llvm.fence syncscope("device") acq_rel
// CHECK: llvm.atomicrmw add
// CHECK: llvm.fence syncscope("device") acq_rel
// CHECK: memref.store %{{.*}} : memref<?x6x32xf32>

// G = R2 V: the plan's transpose in registers, the values by ldmatrix.
// CHECK: gpu.func @gather
// CHECK: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: nvgpu.ldmatrix {{.*}}transpose = true
// CHECK: nvvm.mma.sync
// CHECK: memref.store %{{.*}} : memref<?x?x32x64xf32>
// CHECK: gpu.func @fold
// CHECK: gpu.func @apply
// CHECK: vector.store %{{.*}} : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>, vector<8xbf16>

// CHECK-LABEL: func.func @attention
// CHECK: cf.assert %{{.*}}, "lot.attention: expected query with rows that begin at multiples of 16 bytes"
// CHECK: gpu.launch_func @lot_attention::@pack
// CHECK: scf.for %{{.*}} = %c0 to %c5 step %c1
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@gather
// CHECK: gpu.launch_func @lot_attention::@fold
// CHECK: gpu.launch_func @lot_attention::@apply
// CHECK-NOT: lot.attention {
func.func @attention(%q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %o: memref<?x?x?x64xbf16>) {
  lot.attention {half_steps = 10 : i64}
    ins(%q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%o : memref<?x?x?x64xbf16>)
  return
}
