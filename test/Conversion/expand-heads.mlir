// One outlined function a lot.attention; in it a head is: key side, gather,
// query side, apply. No buffer of n x m, no stack slot in a loop.
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell --lot-expand-heads -split-input-file | FileCheck %s
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell --lot-expand-heads=parallel=false -split-input-file | FileCheck %s --check-prefix=SERIAL
// REQUIRES: x86-registered-target

// CHECK: func.func private @omp_get_max_threads() -> i32
// SERIAL-NOT: omp_get_max_threads

// CHECK-LABEL: func @even
// CHECK-SAME: (%[[Q:.*]]: memref<2x4x100x16xf32>, %[[K:.*]]: memref<2x4x70x16xf32>, %[[V:.*]]: memref<2x4x70x8xf32>, %[[Z:.*]]: memref<4x5x16xf32>, %[[O:.*]]: memref<2x4x100x8xf32>)
// CHECK: %[[ITEMS:.*]] = arith.muli
// CHECK: %[[LONGEST:.*]] = arith.maxui
// CHECK: %[[COUNT:.*]] = call @omp_get_max_threads
// CHECK: %[[INDEX:.*]] = arith.index_cast %[[COUNT]]
// CHECK: %[[THREADS:.*]] = arith.maxsi %[[INDEX]]
// Items that do not divide by the threads go one by one where that is quicker.
// CHECK: %[[REST:.*]] = arith.remui %[[ITEMS]], %[[THREADS]]
// CHECK: %[[SHARED:.*]] = arith.muli %[[REST]]
// CHECK: %[[QUICKER:.*]] = arith.cmpi ult, %[[SHARED]],
// CHECK: %[[WHOLE:.*]] = arith.subi %[[ITEMS]], %[[REST]]
// CHECK: %[[SPREAD:.*]] = arith.select %[[QUICKER]], %[[WHOLE]], %[[ITEMS]]
// CHECK: %[[TEAM:.*]] = arith.select %[[QUICKER]], %[[THREADS]], %[[ONE:.*]] : index
// CHECK: %[[WORKERS:.*]] = arith.maxui
// One block of memory, made and checked before anything runs in parallel.
// CHECK: cf.assert %{{.*}}, "lot.attention: expected a workspace of less than 2^46 bytes
// CHECK: %[[BYTES:.*]] = arith.muli %[[BASE:.*]], %[[WORKERS]]
// CHECK: %[[BLOCK:.*]] = memref.alloc(%[[BYTES]]) {alignment = 64 : i64} : memref<?xi8>
// CHECK: %[[ADDRESS:.*]] = memref.extract_aligned_pointer_as_index %[[BLOCK]]
// CHECK: %[[ALLOCATED:.*]] = arith.cmpi ne, %[[ADDRESS]]
// CHECK: cf.assert %[[ALLOCATED]], "lot.attention: cannot allocate the workspace
// CHECK: %[[SEVERAL:.*]] = arith.cmpi ugt, %[[WORKERS]], %[[ONE]]
// CHECK: %[[LEFT:.*]] = arith.select %[[SEVERAL]], %[[SPREAD]],
// CHECK: scf.if %[[SEVERAL]]
// CHECK:   scf.parallel (%[[W:.*]]) = (%{{.*}}) to (%[[WORKERS]]) step
// CHECK:     %[[START:.*]] = arith.muli %[[W]], %[[BASE]]
// CHECK:     func.call @lot_attention(%[[W]], %[[SPREAD]], %[[WORKERS]], %[[START]], %[[BLOCK]], %[[ONE]], %[[Q]], %[[K]], %[[V]], %[[Z]], %[[O]])
// CHECK: call @lot_attention(%[[LEFT]], %[[ITEMS]], %[[ONE]], %{{.*}}, %[[BLOCK]], %[[TEAM]], %[[Q]], %[[K]], %[[V]], %[[Z]], %[[O]])
// CHECK: memref.dealloc %[[BLOCK]]
// SERIAL-NOT: scf.parallel
func.func @even(%q: memref<2x4x100x16xf32>, %k: memref<2x4x70x16xf32>, %v: memref<2x4x70x8xf32>,
                %z: memref<4x5x16xf32>, %o: memref<2x4x100x8xf32>) {
  lot.attention {half_steps = 6 : i64} ins(%q, %k, %v, %z : memref<2x4x100x16xf32>, memref<2x4x70x16xf32>,
      memref<2x4x70x8xf32>, memref<4x5x16xf32>) outs(%o : memref<2x4x100x8xf32>)
  return
}

// CHECK-LABEL: func private @lot_attention(
// CHECK-SAME: %[[FIRST:.*]]: index, %[[END:.*]]: index, %[[STEP:.*]]: index, %[[BASE:.*]]: index, %[[BLOCK:.*]]: memref<?xi8>, %[[TEAM:.*]]: index,
// CHECK-NOT: memref<{{.*}}70x100
// CHECK-NOT: memref<{{.*}}100x70
// CHECK-NOT: memref.alloc(
// CHECK: %[[D:.*]] = memref.view %[[BLOCK]][%[[BASE]]][%{{.*}}] : memref<?xi8> to memref<?x5x32xf32>
// CHECK: %[[PARTIALS:.*]] = memref.view %[[BLOCK]]{{.*}} to memref<?x96xf32>
// CHECK: scf.for %{{.*}} = %[[FIRST]] to %[[END]] step %[[STEP]]
// CHECK-NOT: memref.alloca
// The key side starts with the pivots; its range decides.
// CHECK: %[[RANGE:.*]] = lot.head_factor first<pivots> {{.*}} outs(%[[D]], %[[SUMS:.*]] : {{.*}} partials(%[[PARTIALS]] : {{.*}} threads(%[[TEAM]])
// CHECK: %[[SAFE:.*]] = arith.cmpf ole, %[[RANGE]]
// CHECK: scf.if %[[SAFE]]
// CHECK: } else {
// CHECK: lot.head_log_sweep
// Two sweeps follow the first pivot step, scaled or redone in the log domain.
// CHECK: %[[KEYS:.*]]:2 = scf.for
// CHECK: lot.head_sweep {{.*}} ins(%[[D]],{{.*}} partials(%[[PARTIALS]] : {{.*}} threads(%[[TEAM]])
// CHECK: lot.head_log_sweep {{.*}}token_step
// CHECK: lot.head_factor first<pivots>
// CHECK: lot.head_gather {{.*}} plan(%[[KEYS]]#1, %[[D]],{{.*}} outs(%[[G:.*]] : memref<5x8xf32>)
// The query side reuses the factor's memory.
// CHECK: lot.head_factor first<tokens> {{.*}} outs(%[[D]],
// CHECK: %[[QUERIES:.*]]:2 = scf.for
// CHECK: lot.head_sweep {{.*}} ins(%[[D]],
// CHECK: lot.head_apply {{.*}} ins(%{{.*}}, %[[G]], {{.*}} plan(%[[QUERIES]]#1, %[[D]],
// CHECK-SAME: threads(%[[TEAM]])

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

// -----

// A recomputed factor: none in memory, every sweep in the log domain.
// CHECK-LABEL: func @recomputed
func.func @recomputed(%q: memref<1x2x?x16xf32>, %z: memref<2x5x16xf32>) {
  lot.attention {half_steps = 5 : i64, schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2, factor = recomputed>}
      ins(%q, %q, %q, %z : memref<1x2x?x16xf32>, memref<1x2x?x16xf32>, memref<1x2x?x16xf32>, memref<2x5x16xf32>)
      outs(%q : memref<1x2x?x16xf32>)
  return
}
// CHECK-LABEL: func private @lot_attention(
// CHECK: %[[NONE:.*]] = arith.constant 0 : index
// CHECK-NEXT: %[[D:.*]] = memref.view %{{.*}}[%{{.*}}][%[[NONE]]] : memref<?xi8> to memref<?x5x32xf32>
// CHECK-NOT: lot.head_factor
// CHECK-NOT: lot.head_sweep
// CHECK: lot.head_log_sweep
// CHECK: lot.head_log_sweep {{.*}}token_step
// CHECK: %[[NO:.*]] = arith.constant false
// CHECK: lot.head_gather {{.*}}plan(%[[NO]], %[[D]],
// CHECK-NOT: lot.head_factor
// CHECK-NOT: lot.head_sweep
// CHECK: lot.head_log_sweep {{.*}}token_step
// CHECK: %[[NEITHER:.*]] = arith.constant false
// CHECK: lot.head_apply {{.*}}plan(%[[NEITHER]], %[[D]],

// -----

// Gradients: the key side and G, the query side forwards and backwards, the key
// side backwards. What the batch shares has a place for each head, summed up
// after the workers; nothing else is allocated beside the workspace.
// CHECK-LABEL: func @gradients
// CHECK-SAME: %[[DQ:[a-z0-9]+]]: memref<1x2x?x16xf32>, %[[DK:[a-z0-9]+]]: memref<1x2x?x16xf32>, %[[DV:[a-z0-9]+]]: memref<1x2x?x8xf32>, %[[DZ:[a-z0-9]+]]: memref<2x5x16xf32>)
// CHECK: %[[PLACES:.*]] = memref.alloc({{.*}}) {{.*}} : memref<?x?x5x16xf32>
// CHECK: %[[BLOCK:.*]] = memref.alloc({{.*}}) {{.*}} : memref<?xi8>
// CHECK: call @lot_attention_vjp({{.*}} %[[DQ]], %[[DK]], %[[DV]], %[[PLACES]])
// CHECK: memref.dealloc %[[BLOCK]]
// CHECK: scf.for
// CHECK: %[[SUM:.*]] = scf.for
// CHECK:   memref.load %[[PLACES]]
// CHECK: memref.store %[[SUM]], %[[DZ]]
// CHECK: memref.dealloc %[[PLACES]]
func.func @gradients(%do: memref<1x2x?x8xf32>, %q: memref<1x2x?x16xf32>, %v: memref<1x2x?x8xf32>, %z: memref<2x5x16xf32>,
    %dq: memref<1x2x?x16xf32>, %dk: memref<1x2x?x16xf32>, %dv: memref<1x2x?x8xf32>, %dz: memref<2x5x16xf32>) {
  lot.attention_vjp {half_steps = 6 : i64}
      ins(%do, %q, %q, %v, %z : memref<1x2x?x8xf32>, memref<1x2x?x16xf32>, memref<1x2x?x16xf32>, memref<1x2x?x8xf32>, memref<2x5x16xf32>)
      outs(%dq, %dk, %dv, %dz : memref<1x2x?x16xf32>, memref<1x2x?x16xf32>, memref<1x2x?x8xf32>, memref<2x5x16xf32>)
  return
}
// CHECK-LABEL: func private @lot_attention_vjp(
// CHECK-NOT: memref.alloc(
// CHECK: lot.head_factor first<pivots> {{.*}} tops(
// CHECK: lot.head_gather {{.*}} outs(%[[G:.*]] : memref<5x8xf32>)
// CHECK: lot.head_factor first<tokens>
// CHECK: lot.head_adjoint {{.*}} outs(%[[E:.*]], %[[XB:.*]], %[[YB:.*]] :
// CHECK: lot.head_gather {{.*}}unit_numerator
// The query side's last half-step is of the pivots: sweeps only.
// CHECK: scf.if
// CHECK-NOT: lot.head_first_step
// CHECK: lot.head_adjoint_sweep {pivot_step,
// CHECK: } else {
// CHECK: lot.head_log_adjoint_sweep {pivot_step, {{.*}}token_step}
// CHECK: lot.head_score_gradient {{.*}} outs(%[[E]],
// CHECK: lot.head_adjoint {{.*}} outs(%[[E]],
// CHECK: lot.head_apply {mass_numerator,
// The key side's last half-step is of the tokens, its first of the pivots.
// CHECK: scf.if
// CHECK: lot.head_adjoint_sweep {schedule
// CHECK: lot.head_adjoint_sweep {pivot_step,
// CHECK: lot.head_first_step
// CHECK: } else {
// CHECK: lot.head_log_adjoint_sweep {schedule = #{{.*}}, token_step}
// CHECK: lot.head_log_adjoint_sweep {pivot_step, schedule = #{{.*}}, token_step}
// CHECK: lot.head_log_adjoint_sweep {pivot_step, schedule = #{{[^>]*}}>} ins(
// CHECK: lot.head_score_gradient
