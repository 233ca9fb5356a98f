// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_80 | FileCheck %s --check-prefix=SM80
// Both sides of a head in one launch, the factor in registers as words of two
// f16: half-steps are products with it. GPUs without clusters have no such
// kernels.

// SM80-NOT: resident
// SM80-NOT: nvvm.mapa

// Blocks have 512 threads or half of them.
// CHECK: gpu.func @resident(%{{.*}}: index, %[[SPREAD:[a-z0-9]+]]: i1, {{.*}}) kernel attributes {nvvm.maxntid = array<i32: 512, 1, 1>}
// The next kernel may start.
// CHECK: nvvm.griddepcontrol launch_dependents
// A team, which is a cluster or lies anywhere, takes one problem after the other.
// CHECK: %[[BLOCK:.*]] = gpu.block_id y
// CHECK: %[[CLUSTER:.*]] = gpu.cluster_id x
// CHECK: %[[TEAM:.*]] = arith.select %[[SPREAD]], %[[BLOCK]], %[[CLUSTER]] : index
// CHECK: scf.for %{{.*}} = %[[TEAM]] to %{{.*}} iter_args(%{{.*}} = %c0) -> (index) {
// Pivots come as they are, and tokens are copied, before it waits for anything.
// 16 bytes at a time where rows allow it.
// CHECK-NOT: nvvm.griddepcontrol
// CHECK: scf.if %[[ALIGNED:.*]] -> (vector<8xbf16>) {
// CHECK: nvgpu.device_async_copy %{{.*}} : memref<?x?x32x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
// CHECK: } else {
// CHECK: memref.load %{{.*}} : memref<?x?x32x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
// CHECK: llvm.inline_asm {{.*}}"cp.async.cg.shared.global
// A block that is alone has no cluster to send to.
// CHECK: %[[ALONE:[a-z0-9]+]] = arith.cmpi eq, %{{.*}}, %c1 : index
// CHECK-NEXT: %[[BYMAIL:[a-z0-9]+]] = arith.ori %[[SPREAD]], %[[ALONE]] : i1
// CHECK: nvvm.cluster.arrive.relaxed
// Key blocks have a reference of their own.
// CHECK: scf.if %[[ISKEY:.*]] -> (f32)
// The half-steps carry 64 words of the factor.
// CHECK: %[[SWEEPS:.*]]:69 = scf.for %{{.*}} = %c0 to %{{.*}} step %c1 iter_args(
// CHECK: %[[SWEPT:.*]]:66 = scf.if %[[STALE:.*]] -> (i32,
// The first factor is made from rows that came through shared memory, straight
// into registers; no pivot can be absent: nothing is added to scores.
// CHECK: scf.if %{{.*}} -> (i32,
// CHECK: nvvm.cp.async.wait.group
// CHECK: nvgpu.ldmatrix {{.*}}transpose = false
// CHECK: nvvm.mma.sync {{.*}} C[%[[ZERO:.*]], %[[ZERO]], %[[ZERO]], %[[ZERO]]] {{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: arith.truncf %{{.*}} : vector<2xf32> to vector<2xf16>
// CHECK: llvm.inline_asm {{.*}}"cp.async.cg.shared.global
// Others are made in a loop, by way of local memory.
// CHECK: } else {
// CHECK: scf.for
// CHECK: nvvm.mma.sync {{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// CHECK: memref.store %{{.*}} : memref<64xi32>
// CHECK: memref.load %{{.*}} : memref<64xi32>
// The first values follow the tokens.
// CHECK: scf.if %[[ISKEY]] {
// CHECK: cp.async.cg.shared.global
// CHECK: } else {
// A sweep reads no token and takes no exponential: row sums by mma, column sums
// by f16 multiply-adds, of the warp by mma of ones with their transposes.
// CHECK-NOT: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-NOT: async
// CHECK: nvvm.prmt
// CHECK: nvvm.mma.sync {{.*}}(vector<2xf16>, vector<2xf16>, f32)
// CHECK: llvm.nvvm.rcp.approx.ftz.f
// CHECK: gpu.shuffle idx
// CHECK: math.fma %{{.*}}, %{{.*}}, %{{.*}} : vector<2xf16>
// CHECK: llvm.inline_asm {{.*}}"movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: nvvm.mma.sync {{.*}}(vector<2xf16>, vector<2xf16>, f32)
// CHECK-NOT: gpu.shuffle
// The sums go to all blocks of the team, by memory of the device where it is no
// cluster; the first of them need what the kernel before leaves.
// CHECK: nvvm.cluster.wait
// CHECK: nvvm.griddepcontrol wait
// CHECK: scf.if %[[BYMAIL]] {
// CHECK: llvm.store %{{.*}} atomic syncscope("device") monotonic
// CHECK: scf.while
// CHECK: llvm.load %{{.*}} atomic syncscope("device") monotonic
// CHECK: } else {
// CHECK: nvvm.mbarrier.arrive.expect_tx
// CHECK: nvvm.mapa
// CHECK: st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32
// CHECK: nvvm.mbarrier.try_wait.parity
// Where potentials have moved far, the factor is made again; where one has lost
// something, the log domain has to do.
// CHECK: nvvm.redux.sync umax
// CHECK: %[[STALE2:.*]] = nvvm.vote.sync any
// A factor that is to be made again ends here.
// CHECK: arith.select %[[STALE2]], %c0_i32, %{{.*}} : i32
// CHECK: scf.if %[[STALE2]]
// CHECK: %[[LOST:.*]] = nvvm.vote.sync any
// CHECK: scf.if %[[LOST]]
// Keys leave parts of G and say so; queries wait for them.
// CHECK: scf.if %[[ISKEY]] {
// CHECK: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: llvm.atomicrmw add
// CHECK: } else {
// CHECK: llvm.load %{{.*}} atomic syncscope("device") acquire
// Rows go out without branches.
// CHECK: nvvm.mma.sync {{.*}}(vector<2xf16>, vector<2xf16>, f32)
// CHECK: llvm.inline_asm {{.*}}"@$0 st.global.v4.b32

// CHECK-LABEL: func.func @attention
// CHECK: gpu.launch_func @lot_attention::@pack
// CHECK-NOT: lot.overlap
// CHECK: scf.if %{{.*}} {
// CHECK: call @lotCudaCountMultiprocessors()
// CHECK: scf.if
// CHECK: gpu.launch_func @lot_attention::@resident blocks in (%[[SIZE:[a-z0-9]+]], %{{[a-z0-9]+}}, %c1) {{.*}}{lot.cooperative, lot.overlap}
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention::@resident clusters in (%[[SIZE]], %c1, %c1) blocks in {{.*}}{lot.overlap}
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@gather
// CHECK: gpu.launch_func @lot_attention::@fold
// CHECK: gpu.launch_func @lot_attention::@apply
func.func @attention(%q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %o: memref<?x?x?x64xbf16>) {
  lot.attention {half_steps = 10 : i64}
    ins(%q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%o : memref<?x?x?x64xbf16>)
  return
}
