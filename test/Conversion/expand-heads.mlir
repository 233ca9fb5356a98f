// One outlined function a lot.attention; in it a head is: key side, gather,
// query side, apply. No buffer of n x m, no stack slot in a loop.
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell --lot-expand-heads -split-input-file | FileCheck %s
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell --lot-expand-heads=parallel=false -split-input-file | FileCheck %s --check-prefix=SERIAL
// REQUIRES: x86-registered-target

// CHECK: func.func private @omp_get_max_threads() -> i32
// SERIAL-NOT: omp_get_max_threads

// CHECK-LABEL: func @even
// CHECK-SAME: (%[[Q:.*]]: memref<2x4x100x16xf32>, %[[K:.*]]: memref<2x4x70x16xf32>, %[[V:.*]]: memref<2x4x70x8xf32>, %[[Z:.*]]: memref<4x5x16xf32>, %[[O:.*]]: memref<2x4x100x8xf32>)
// CHECK: %[[THREADS:.*]] = call @omp_get_max_threads
// CHECK: scf.parallel (%[[W:.*]]) = (%{{.*}}) to (%[[WORKERS:.*]]) step
// CHECK: func.call @lot_attention(%[[W]], %[[WORKERS]], %[[Q]], %[[K]], %[[V]], %[[Z]], %[[O]])
func.func @even(%q: memref<2x4x100x16xf32>, %k: memref<2x4x70x16xf32>, %v: memref<2x4x70x8xf32>,
                %z: memref<4x5x16xf32>, %o: memref<2x4x100x8xf32>) {
  lot.attention {half_steps = 6 : i64} ins(%q, %k, %v, %z : memref<2x4x100x16xf32>, memref<2x4x70x16xf32>,
      memref<2x4x70x8xf32>, memref<4x5x16xf32>) outs(%o : memref<2x4x100x8xf32>)
  return
}

// CHECK-LABEL: func private @lot_attention(
// CHECK-NOT: memref<{{.*}}70x100
// CHECK-NOT: memref<{{.*}}100x70
// CHECK: %[[D:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x5x32xf32>
// CHECK: scf.for
// CHECK-NOT: memref.alloca
// The key side starts with the pivots; its range decides.
// CHECK: %[[RANGE:.*]] = lot.head_factor first<pivots> {{.*}} outs(%[[D]], %[[SUMS:.*]] :
// CHECK: %[[SAFE:.*]] = arith.cmpf ole, %[[RANGE]]
// CHECK: scf.if %[[SAFE]]
// CHECK: } else {
// CHECK: lot.head_log_sweep
// Two sweeps follow the first pivot step, scaled or redone in the log domain.
// CHECK: %[[KEYS:.*]]:2 = scf.for
// CHECK: lot.head_sweep {{.*}} ins(%[[D]],
// CHECK: lot.head_log_sweep {{.*}}token_step
// CHECK: lot.head_factor first<pivots>
// CHECK: lot.head_gather {{.*}} plan(%[[KEYS]]#1, %[[D]],{{.*}} outs(%[[G:.*]] : memref<5x8xf32>)
// The query side reuses the factor's memory.
// CHECK: lot.head_factor first<tokens> {{.*}} outs(%[[D]],
// CHECK: %[[QUERIES:.*]]:2 = scf.for
// CHECK: lot.head_sweep {{.*}} ins(%[[D]],
// CHECK: lot.head_apply {{.*}} ins(%{{.*}}, %[[G]], {{.*}} plan(%[[QUERIES]]#1, %[[D]],
// CHECK: memref.dealloc %[[D]]

// -----

// One half-step: a softmax on either side, the keys in the log domain.
// CHECK-LABEL: func @one
func.func @one(%q: memref<1x1x?x16xf64>, %z: memref<1x5x16xf64>) {
  lot.attention {half_steps = 1 : i64} ins(%q, %q, %q, %z : memref<1x1x?x16xf64>, memref<1x1x?x16xf64>,
      memref<1x1x?x16xf64>, memref<1x5x16xf64>) outs(%q : memref<1x1x?x16xf64>)
  return
}
// CHECK-LABEL: func private @lot_attention(
// CHECK-NOT: lot.head_sweep
// CHECK: lot.head_log_sweep {schedule
// CHECK-NOT: token_step
// CHECK: lot.head_gather
// CHECK: lot.head_factor first<tokens>
// CHECK-NOT: lot.head_sweep
// CHECK: lot.head_apply
