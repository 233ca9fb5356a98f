// RUN: lot-opt %s | lot-opt | FileCheck %s
// RUN: lot-opt %s -mlir-print-op-generic | lot-opt | FileCheck %s
// RUN: lot-opt %s -emit-bytecode | lot-opt | FileCheck %s
// RUN: lot-opt %s -cse -canonicalize | FileCheck %s

// The steps of one head: they print as they are read, and as they write to
// buffers nothing removes them.

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

// CHECK-LABEL: func.func @mass
// CHECK:         lot.head_mass {schedule = #{{.*}}} log_mass(%{{.+}} : memref<?xf32>) length(%{{.+}}) outs(%{{.+}}, %{{.+}} : memref<?xf32>, memref<?xf32>)
func.func @mass(%log_mass: memref<?xf32>, %log2_mass: memref<?xf32>,
    %mass: memref<?xf32>, %n: index) {
  lot.head_mass {schedule = #schedule} log_mass(%log_mass : memref<?xf32>) length(%n)
      outs(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @factor
// CHECK:         %{{.+}} = lot.head_factor first<tokens> {clamp = 5.000000e+01 : f64, masked_pivots, masked_tokens, schedule = #{{.*}}} ins({{.*}} : memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>) outs(%{{.+}}, %{{.+}} : memref<?x3x64xf32>, memref<3xf32>) partials(%{{.+}} : memref<?x160xf32>) -> f32
func.func @factor(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  %range = lot.head_factor first<tokens> {clamp = 50.0 : f64, masked_tokens, masked_pivots, schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf32>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// CHECK-LABEL: func.func @sweep
// CHECK-SAME:      %[[THREADS:[a-z0-9]+]]: index)
// CHECK:         lot.head_sweep {schedule = #{{.*}}} ins({{.*}} : memref<?x3x64xf32>, memref<3xf32>, memref<?xf32>) length(%{{.+}}) outs(%{{.+}} : memref<3xf32>) partials(%{{.+}} : memref<?x160xf32>) threads(%[[THREADS]])
func.func @sweep(%factor: memref<?x3x64xf32>, %prev: memref<3xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x160xf32>,
    %threads: index) {
  lot.head_sweep {schedule = #schedule} ins(%factor, %prev, %mass : memref<?x3x64xf32>, memref<3xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>) threads(%threads)
  return
}

// CHECK-LABEL: func.func @log_sweep
// CHECK:         lot.head_log_sweep {schedule = #{{.*}}, token_step} ins({{.*}} : memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>) outs(%{{.+}} : memref<3xf32>)
func.func @log_sweep(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %prev: memref<3xf32>, %log2_mass: memref<?xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  lot.head_log_sweep {token_step, schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// CHECK-LABEL: func.func @gather
// CHECK:         lot.head_gather {row_sum, schedule = #{{.*}}, token_step} ins({{.*}} : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>) mass({{.*}} : memref<?xf32>, memref<?xf32>) plan({{.*}} : memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>) outs(%{{.+}} : memref<3x32xf32>)
func.func @gather(%tokens: memref<?x8xbf16>, %value: memref<?x5xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x32xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  lot.head_gather {row_sum, token_step, schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x32xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// CHECK-LABEL: func.func @apply
// CHECK:         lot.head_apply {normalization = #lot.normalization<row_sum>, out_scale = 2.000000e+00 : f64, row_floor = 5.000000e-01 : f64, schedule = #{{.*}}} ins({{.*}} : memref<?x8xbf16>, memref<3x32xf32>, memref<8x16xf32>) mass({{.*}}) plan({{.*}}) outs(%{{.+}} : memref<?x5xbf16>)
func.func @apply(%tokens: memref<?x8xbf16>, %gathered: memref<3x32xf32>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>, %out: memref<?x5xbf16>,
    %scaled: i1) {
  lot.head_apply {normalization = #lot.normalization<row_sum>, row_floor = 0.5 : f64, out_scale = 2.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<3x32xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x5xbf16>)
  return
}
