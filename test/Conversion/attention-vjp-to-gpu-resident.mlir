// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_80 | FileCheck %s --check-prefix=SM80
// A cluster keeps the plan of one side of a head in registers for all half-steps
// backwards: one exponential an entry, before them. Where a plan in f16 may have
// lost something, another kernel does the problem again from the tokens. With
// log masses, and on GPUs without clusters, there are no such kernels.

// SM80-NOT: @reverse(
// SM80-NOT: nvvm.mapa

// CHECK: gpu.func @reverse({{.*}}) kernel attributes {known_block_size = array<i32: 256, 1, 1>, nvvm.minctasm = 2 : i32}
// Problems of queries are first. Both sides have one code: what it reads is
// selected. Tokens and cotangents come as a stream.
// CHECK: scf.for %[[AT:[a-z0-9]+]] = %{{.*}} iter_args(%{{.*}} = %c0) -> (index) {
// CHECK: %[[IS_QUERY:.*]] = arith.cmpi ult, %[[AT]], %[[QUERIES:[a-z0-9]+]] : index
// CHECK: arith.select %[[IS_QUERY]], %{{.*}}, %{{.*}} : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1], offset: ?>>
// CHECK: %[[IS_KEY:.*]] = arith.cmpi uge, %[[AT]], %[[QUERIES]] : index
// CHECK: llvm.inline_asm has_side_effects {{.*}}"cp.async.cg.shared.global [$0+0], [$1], 16, $2;"
// Scores and their exponentials: a loop over the tiles, with their words.
// CHECK: scf.for %[[ROUND:.*]] = %c0_i32 to %c8_i32 step %c2_i32 iter_args(
// CHECK: nvvm.cp.async.wait.group
// CHECK: %[[SCORES:.*]] = nvvm.mma.sync
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// They go to those of the round.
// CHECK: scf.if
// CHECK: "// branch 0"
// CHECK: "// branch 2"
// CHECK: "// branch 4"
// CHECK: "// branch 6"
// Rows to come.
// CHECK: "cp.async.cg.shared.global [$0+24576], [$1], 16, $2;"
// R dG of keys; R G and R^T dO for dG of queries.
// CHECK: scf.if %[[IS_KEY]] ->
// CHECK: "@$0 st.global.v4.b32 [$1], {$2, $3, $4, $5};"
// CHECK: } else {
// CHECK: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK: vector.store %{{.*}} : memref<?x?x32x64xf32>, vector<4xf32>
// The half-steps: both row sums by one product, column sums in pairs of f16,
// exchanged with the blocks of the cluster. No exponential of an entry.
// CHECK: scf.for %{{.*}} = %c0 to %c5 step %c1
// CHECK: nvvm.mma.sync
// CHECK: math.fma %{{.*}} : vector<2xf16>
// CHECK: st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK-NOT: llvm.nvvm.ex2
// dQ, and whether this block may have lost something.
// CHECK: "@$0 st.global.v4.b32 [$1], {$2, $3, $4, $5};"
// CHECK: %[[LOST:.*]] = nvvm.barrier #nvvm.reduction<or>
// CHECK: memref.store %{{.*}} : memref<?x?xi32>
// CHECK: gpu.func @again(
// CHECK: memref.load %{{.*}} : memref<?x?xi32>
// CHECK: scf.if
// CHECK: nvvm.cluster.arrive

// CHECK-LABEL: func.func @gradients
// CHECK: scf.if %{{.*}} {
// CHECK: gpu.launch_func @lot_attention::@resident clusters in
// CHECK: gpu.launch_func @lot_attention::@resident_fold
// CHECK: gpu.launch_func @lot_attention::@reverse blocks in {{.*}}{lot.cooperative, lot.overlap}
// CHECK: gpu.launch_func @lot_attention::@reverse clusters in (%[[CLUSTER:.*]], %c1, %c1) blocks in
// CHECK: gpu.launch_func @lot_attention::@again clusters in (%[[CLUSTER]], %c1, %c1) blocks in
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@gather
// CHECK: gpu.launch_func @lot_attention::@fold
// CHECK: gpu.launch_func @lot_attention::@query_adjoint
// CHECK: gpu.launch_func @lot_attention::@key_gradient
// CHECK: }
// CHECK: gpu.launch_func @lot_attention::@pivot_gradient
func.func @gradients(%do: memref<?x?x?x64xbf16>, %q: memref<?x?x?x64xbf16>, %k: memref<?x?x?x64xbf16>, %v: memref<?x?x?x64xbf16>, %z: memref<?x32x64xbf16>, %dq: memref<?x?x?x64xbf16>, %dk: memref<?x?x?x64xbf16>, %dv: memref<?x?x?x64xbf16>, %dz: memref<?x32x64xbf16>) {
  lot.attention_vjp {half_steps = 10 : i64}
    ins(%do, %q, %k, %v, %z : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
    outs(%dq, %dk, %dv, %dz : memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x?x?x64xbf16>, memref<?x32x64xbf16>)
  return
}
