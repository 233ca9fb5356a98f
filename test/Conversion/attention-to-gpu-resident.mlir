// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --convert-lot-attention-to-gpu=chip=sm_80 | FileCheck %s --check-prefix=SM80
// For f16 a cluster keeps one side of a head in f32 registers for all half-steps: the tokens
// are read before the loop over sweeps, and only r sums a block cross it. GPUs
// without clusters have no such kernels.

// SM80-NOT: resident
// SM80-NOT: nvvm.mapa

// CHECK: gpu.func @resident_keys({{.*}}) kernel attributes {known_block_size = array<i32: 256, 1, 1>, nvvm.minctasm = 2 : i32}
// The scores of all tiles, and their exponentials.
// CHECK: %[[DOTS:.*]] = nvvm.mma.sync
// CHECK: llvm.nvvm.ex2.approx.ftz.f32
// The sweeps: no score is computed in them but where the log domain has to be,
// and the sums go to all blocks of the cluster.
// CHECK: scf.for %{{.*}} = %c1 to %c5 step %c1 {
// CHECK-NOT: nvvm.mma.sync
// CHECK: math.fma
// CHECK: %[[LOST:.*]] = nvvm.barrier #nvvm.reduction<or>
// CHECK: %[[REDO:.*]] = arith.cmpi ne, %[[LOST]]
// CHECK: scf.if %[[REDO]]
// CHECK: nvvm.mbarrier.arrive.expect_tx
// CHECK: nvvm.mapa
// CHECK: st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: gpu.func @resident_queries

// CHECK-LABEL: func.func @attention
// CHECK: scf.if %{{.*}} {
// CHECK: gpu.launch_func @lot_attention::@resident_keys clusters in (%[[CLUSTER:.*]], %c1, %c1) blocks in
// CHECK: gpu.launch_func @lot_attention::@resident_fold
// CHECK: gpu.launch_func @lot_attention::@resident_queries clusters in (%[[CLUSTER]], %c1, %c1) blocks in
// CHECK: } else {
// CHECK: gpu.launch_func @lot_attention::@sweep
// CHECK: gpu.launch_func @lot_attention::@gather
// CHECK: gpu.launch_func @lot_attention::@fold
// CHECK: gpu.launch_func @lot_attention::@apply
func.func @attention(%q: memref<?x?x?x64xf16>, %k: memref<?x?x?x64xf16>, %v: memref<?x?x?x64xf16>, %z: memref<?x32x64xf16>, %o: memref<?x?x?x64xf16>) {
  lot.attention {half_steps = 10 : i64}
    ins(%q, %k, %v, %z : memref<?x?x?x64xf16>, memref<?x?x?x64xf16>, memref<?x?x?x64xf16>, memref<?x32x64xf16>)
    outs(%o : memref<?x?x?x64xf16>)
  return
}
