// Each head op is a call; ops of one signature share their function.
// RUN: lot-opt %s --convert-lot-head-to-vector -split-input-file | FileCheck %s

#schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>

// CHECK-LABEL: func @sweeps
// CHECK-SAME: (%[[D:.*]]: memref<?x5x32xf32>, %[[P:.*]]: memref<5xf32>, %[[M:.*]]: memref<?xf32>, %[[S:.*]]: memref<5xf32>, %[[N:.*]]: index, %[[C:.*]]: memref<?x40xf32>)
func.func @sweeps(%D: memref<?x5x32xf32>, %p: memref<5xf32>, %m: memref<?xf32>, %s: memref<5xf32>, %n: index,
                  %partials: memref<?x40xf32>) {
  // CHECK: call @lot_head_sweep(%[[D]], %[[P]], %[[M]], %[[N]], %[[S]], %[[C]])
  // CHECK: call @lot_head_sweep(%[[D]], %[[S]], %[[M]], %[[N]], %[[P]], %[[C]])
  lot.head_sweep {schedule = #schedule} ins(%D, %p, %m : memref<?x5x32xf32>, memref<5xf32>, memref<?xf32>)
      length(%n) outs(%s : memref<5xf32>) partials(%partials : memref<?x40xf32>)
  lot.head_sweep {schedule = #schedule} ins(%D, %s, %m : memref<?x5x32xf32>, memref<5xf32>, memref<?xf32>)
      length(%n) outs(%p : memref<5xf32>) partials(%partials : memref<?x40xf32>)
  return
}

// Chunks [first, end) of a fused sweep: pivot sums of one tile beside token sums
// of the next; the token scalings are what the loops over chunks and tiles
// carry; the sums of a chunk go to its row; no exponential.
// CHECK: func.func private @lot_head_sweep_part(%[[D:.*]]: memref<?x5x32xf32>, %[[P:.*]]: memref<5xf32>, %[[M:.*]]: memref<?xf32>, %[[N:.*]]: index, %[[S:.*]]: memref<5xf32>, %[[C:.*]]: memref<?x40xf32>, %[[FIRST:.*]]: index, %[[END:.*]]: index)
// CHECK-SAME: passthrough = ["noinline"]
// CHECK-NOT: math.exp2
// CHECK: scf.for %[[CHUNK:[a-z0-9]+]] = %[[FIRST]] to %[[END]] step %{{.*}} iter_args(%{{.*}} = {{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK:   %[[ROW:.*]] = memref.subview %[[C]][%[[CHUNK]], 0] [1, 40] [1, 1]
// CHECK:   %[[LANESUMS:.*]] = memref.expand_shape %[[ROW]] {{.*}} into memref<5x8xf32
// CHECK:   scf.for %[[T:[a-z0-9]+]] = {{.*}} iter_args(%[[S0:[a-z0-9]+]] = {{.*}}, %{{.*}} = {{.*}}, %{{.*}} = {{.*}}, %{{.*}} = {{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK:     %[[NEXT:.*]] = arith.minsi
// CHECK:     scf.for %[[J:[a-z0-9]+]] =
// CHECK:       %[[SUM:.*]] = vector.load %[[LANESUMS]][%[[J]],
// CHECK:       %[[PJ:.*]] = memref.load %[[P]][%[[J]]]
// CHECK:       %[[SPLAT:.*]] = vector.broadcast %[[PJ]]
// CHECK:       %[[HERE:.*]] = vector.load %[[D]][%[[T]], %[[J]],
// CHECK:       vector.fma %[[HERE]], %[[S0]], %[[SUM]]
// CHECK:       %[[THERE:.*]] = vector.load %[[D]][%[[NEXT]], %[[J]],
// CHECK:       vector.fma %[[THERE]], %[[SPLAT]],
// CHECK:   scf.yield
// CHECK: return

// Without threads all chunks in one call; then their rows are added in order.
// CHECK: func.func private @lot_head_sweep(%[[D:.*]]: memref<?x5x32xf32>, %[[P:.*]]: memref<5xf32>, %[[M:.*]]: memref<?xf32>, %[[N:.*]]: index, %[[S:.*]]: memref<5xf32>, %[[C:.*]]: memref<?x40xf32>)
// CHECK-NOT: scf.parallel
// CHECK: %[[TILES:.*]] = arith.ceildivui %[[N]],
// CHECK: %[[LEAST:.*]] = arith.ceildivui %[[TILES]],
// CHECK: %[[PER:.*]] = arith.maxui %[[LEAST]],
// CHECK: %[[CHUNKS:.*]] = arith.ceildivui %[[TILES]], %[[PER]]
// CHECK: %[[COUNT:.*]] = arith.maxui %[[CHUNKS]],
// CHECK: call @lot_head_sweep_part(%[[D]], %[[P]], %[[M]], %[[N]], %[[S]], %[[C]], %{{.*}}, %[[COUNT]])
// CHECK: memref.subview %[[C]][%{{.*}}, 0]
// CHECK: scf.for %[[OTHER:[a-z0-9]+]] = %{{.*}} to %[[COUNT]]
// CHECK:   memref.subview %[[C]][%[[OTHER]], 0]
// CHECK:   scf.for
// CHECK:     arith.addf
// CHECK: scf.for %[[J:[a-z0-9]+]] =
// CHECK:   %[[TOTAL:.*]] = vector.reduction <add>
// CHECK:   memref.store %[[TOTAL]], %[[S]][%[[J]]]
// CHECK-NOT: func.func private @lot_head_sweep

// -----

#schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>

// With threads each of them takes a range of the chunks; where there is but one
// part, no parallel region.
// CHECK-LABEL: func @shared
func.func @shared(%D: memref<?x5x32xf32>, %p: memref<5xf32>, %m: memref<?xf32>, %s: memref<5xf32>, %n: index,
                  %partials: memref<?x40xf32>, %threads: index) {
  lot.head_sweep {schedule = #schedule} ins(%D, %p, %m : memref<?x5x32xf32>, memref<5xf32>, memref<?xf32>)
      length(%n) outs(%s : memref<5xf32>) partials(%partials : memref<?x40xf32>) threads(%threads)
  return
}
// CHECK: func.func private @lot_head_sweep_part(
// CHECK-SAME: %{{[a-z0-9]+}}: memref<?x40xf32>, %{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index)
// CHECK: func.func private @lot_head_sweep(
// CHECK-SAME: %[[C:[a-z0-9]+]]: memref<?x40xf32>, %[[THREADS:[a-z0-9]+]]: index)
// CHECK: %[[PARTS:.*]] = arith.minsi %[[THREADS]], %[[COUNT:.*]] : index
// CHECK: %[[SEVERAL:.*]] = arith.cmpi sgt, %[[PARTS]],
// CHECK: scf.if %[[SEVERAL]] {
// CHECK:   scf.parallel (%[[PART:.*]]) = (%{{.*}}) to (%[[PARTS]]) step
// CHECK:     %[[A:.*]] = arith.muli %[[PART]], %[[COUNT]]
// CHECK:     %[[FIRST:.*]] = arith.divui %[[A]], %[[PARTS]]
// CHECK:     %[[FOLLOWING:.*]] = arith.addi %[[PART]],
// CHECK:     %[[B:.*]] = arith.muli %[[FOLLOWING]], %[[COUNT]]
// CHECK:     %[[END:.*]] = arith.divui %[[B]], %[[PARTS]]
// CHECK:     func.call @lot_head_sweep_part({{.*}}, %[[C]], %[[FIRST]], %[[END]])
// CHECK: } else {
// CHECK:   func.call @lot_head_sweep_part({{.*}}, %[[C]], %{{.*}}, %[[COUNT]])

// -----

#schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>

// The factor: pack, product, row maximum, one exponential an entry, sums.
// CHECK-LABEL: func @factor
func.func @factor(%x: memref<?x16xbf16>, %z: memref<16x8xf32>, %y: memref<5xf32>, %lm: memref<?xf32>,
                  %m: memref<?xf32>, %D: memref<?x5x32xf32>, %s: memref<5xf32>, %partials: memref<?x160xf32>) -> f32 {
  %range = lot.head_factor first<tokens> {masked_tokens, schedule = #schedule}
      ins(%x, %z, %y, %lm, %m : memref<?x16xbf16>, memref<16x8xf32>, memref<5xf32>, memref<?xf32>, memref<?xf32>)
      outs(%D, %s : memref<?x5x32xf32>, memref<5xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return %range : f32
}
// CHECK: func.func private @lot_head_factor_part(%[[X:.*]]: memref<?x16xbf16>, %[[Z:.*]]: memref<16x8xf32>,
// CHECK: %[[ROWS:.*]] = memref.alloca() {{.*}} : memref<32x16xf32>
// CHECK: %[[PRODUCTS:.*]] = memref.alloca() {{.*}} : memref<32x8xf32>
// A tile without a live token is only filled.
// CHECK: %[[ANY:.*]] = arith.cmpf ogt
// CHECK: scf.if %[[ANY]]
// bf16 rows are converted first,
// CHECK: %[[ROW:.*]] = vector.load %[[X]][%{{.*}}, %{{.*}}] : memref<?x16xbf16>, vector<8xbf16>
// CHECK: arith.extf %[[ROW]] : vector<8xbf16> to vector<8xf32>
// CHECK: %[[READ:.*]] = memref.cast %[[ROWS]]
// the next rows are asked for,
// CHECK: memref.prefetch %[[X]]
// and each entry of a row meets a vector of pivots;
// CHECK: %[[PIVOTS:.*]] = vector.load %[[Z]][%[[K:.*]], %{{.*}}] : memref<16x8xf32>, vector<8xf32>
// CHECK: memref.load %[[READ]][%{{.*}}, %[[K]]]
// CHECK: vector.fma %{{.*}}, %[[PIVOTS]]
// CHECK: vector.store %{{.*}}, %[[PRODUCTS]]
// then tokens go to the lanes, and what absent ones have read is not used.
// CHECK: vector.load %[[PRODUCTS]]
// CHECK: vector.shuffle
// CHECK: %[[SCORE:.*]] = arith.select
// CHECK: %[[BIASED:.*]] = arith.addf %[[SCORE]]
// CHECK: vector.store %[[BIASED]], %[[D:.*]][
// CHECK: arith.maxnumf
// CHECK-COUNT-4: math.exp2
// CHECK-NOT: math.exp2
// CHECK: vector.reduction <maximumf>

// -----

#schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>

// Value products: f32 rows are read and written where they are, but for the
// last tile; eleven columns are two vectors, the second from column 3 on.
// CHECK-LABEL: func @values
func.func @values(%x: memref<?x16xf32>, %v: memref<?x11xf32>, %z: memref<16x8xf32>, %lm: memref<?xf32>,
                  %m: memref<?xf32>, %D: memref<?x5x32xf32>, %c: i1, %y: memref<5xf32>, %g: memref<5x16xf32>,
                  %o: memref<?x11xf32>, %partials: memref<?x160xf32>) {
  lot.head_gather {token_step, schedule = #schedule}
      ins(%x, %v, %z : memref<?x16xf32>, memref<?x11xf32>, memref<16x8xf32>)
      mass(%lm, %m : memref<?xf32>, memref<?xf32>)
      plan(%c, %D, %y, %y, %y, %y : memref<?x5x32xf32>, memref<5xf32>, memref<5xf32>, memref<5xf32>, memref<5xf32>)
      outs(%g : memref<5x16xf32>) partials(%partials : memref<?x160xf32>)
  lot.head_apply {normalization = #lot.normalization<query_mass>, row_floor = 0.0 : f64, out_scale = 1.0 : f64,
                  schedule = #schedule}
      ins(%x, %g, %z : memref<?x16xf32>, memref<5x16xf32>, memref<16x8xf32>)
      mass(%lm, %m : memref<?xf32>, memref<?xf32>)
      plan(%c, %D, %y, %y, %y, %y : memref<?x5x32xf32>, memref<5xf32>, memref<5xf32>, memref<5xf32>, memref<5xf32>)
      outs(%o : memref<?x11xf32>)
  return
}
// CHECK: func.func private @lot_head_gather_part(%{{.*}}: memref<?x16xf32>, %[[V:[a-z0-9]+]]: memref<?x11xf32>,
// CHECK: %[[COPY:.*]] = memref.alloca() {{.*}} : memref<32x11xf32>
// CHECK: %[[VALUES:.*]] = scf.if %{{.*}} -> (memref<32x11xf32, strided<[?, 1], offset: ?>>)
// CHECK:   memref.subview %[[V]]
// CHECK: } else {
// CHECK:   vector.store %{{.*}}, %[[COPY]]
// CHECK: %[[SECOND:.*]] = arith.minsi %{{.*}}, %c3
// CHECK: vector.load %[[VALUES]][%{{.*}}, %[[SECOND]]]
// CHECK: func.func private @lot_head_apply_part(
// CHECK-SAME: %[[D:[a-z0-9]+]]: memref<?x5x32xf32>
// CHECK-SAME: %[[O:[a-z0-9]+]]: memref<?x11xf32>,
// CHECK: memref.subview %[[O]]
// The plan is read from the factor; only the log form makes a copy.
// CHECK: %[[PLAN:.*]]:5 = scf.if
// CHECK:   memref.subview %[[D]]
// CHECK: } else {
// CHECK:   math.exp2
// CHECK: memref.load %[[PLAN]]#0
// CHECK: vector.fma
// CHECK: vector.store
