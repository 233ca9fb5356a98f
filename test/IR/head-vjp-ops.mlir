// RUN: lot-opt %s | lot-opt | FileCheck %s
// RUN: lot-opt %s -mlir-print-op-generic | lot-opt | FileCheck %s
// RUN: lot-opt %s -cse -canonicalize | FileCheck %s

// The steps of one head in reverse mode; as they write to buffers nothing
// removes them.

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

// CHECK-LABEL: func.func @adjoint(
// CHECK:         lot.head_adjoint {schedule = #{{.*}}, token_step, unit_numerator} ins({{.*}} : memref<?x8xbf16>, memref<?x5xbf16>, memref<5x16xf32>, memref<8x16xf32>) mass(
func.func @adjoint(%tokens: memref<?x8xbf16>, %rows: memref<?x5xbf16>, %columns: memref<5x16xf32>,
    %pivots: memref<8x16xf32>, %tokenwise: memref<?xf32>, %factor: memref<?x3x64xf32>,
    %pivotwise: memref<3xf32>, %scaled: i1, %adjoint: memref<?x3x64xf32>, %partials: memref<?x160xf32>) {
  lot.head_adjoint {token_step, unit_numerator, schedule = #schedule}
      ins(%tokens, %rows, %columns, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<5x16xf32>, memref<8x16xf32>)
      mass(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %pivotwise, %pivotwise, %pivotwise, %pivotwise :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%adjoint, %tokenwise, %pivotwise : memref<?x3x64xf32>, memref<?xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// CHECK-LABEL: func.func @adjoint_sweep(
// CHECK:         lot.head_adjoint_sweep {pivot_step, schedule = #{{.*}}} ins({{.*}}) length(%{{.+}}) slot(%{{.+}}) first(%{{.+}}) outs(
func.func @adjoint_sweep(%factor: memref<?x3x64xf32>, %pivotwise: memref<3xf32>, %tokenwise: memref<?xf32>,
    %steps: memref<?x4x64xf32>, %n: index, %slot: index, %first: i1, %partials: memref<?x160xf32>) {
  lot.head_adjoint_sweep {pivot_step, schedule = #schedule}
      ins(%factor, %pivotwise, %pivotwise, %tokenwise, %tokenwise :
          memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) first(%first)
      outs(%tokenwise, %steps, %pivotwise : memref<?xf32>, memref<?x4x64xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// CHECK-LABEL: func.func @log_adjoint_sweep(
// CHECK:         lot.head_log_adjoint_sweep {pivot_step, schedule = #{{.*}}, token_step} ins({{.*}}) first(%{{.+}}) outs({{.*}}) partials({{.*}}) threads(
func.func @log_adjoint_sweep(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>, %pivotwise: memref<3xf32>,
    %tokenwise: memref<?xf32>, %first: i1, %adjoint: memref<?x3x64xf32>, %partials: memref<?x160xf32>,
    %threads: index) {
  lot.head_log_adjoint_sweep {pivot_step, token_step, schedule = #schedule}
      ins(%tokens, %pivots, %pivotwise, %pivotwise, %pivotwise, %tokenwise, %tokenwise :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      first(%first) outs(%tokenwise, %adjoint, %pivotwise : memref<?xf32>, memref<?x3x64xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>) threads(%threads)
  return
}

// CHECK-LABEL: func.func @first_step(
// CHECK:         lot.head_first_step {schedule = #{{.*}}} ins({{.*}}) length(%{{.+}}) slot(%{{.+}}) outs(%{{.+}} : memref<?x4x64xf32>)
func.func @first_step(%tokenwise: memref<?xf32>, %steps: memref<?x4x64xf32>, %n: index, %slot: index) {
  lot.head_first_step {schedule = #schedule} ins(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) outs(%steps : memref<?x4x64xf32>)
  return
}

// CHECK-LABEL: func.func @score_gradient(
// CHECK:         lot.head_score_gradient {clamp = 5.000000e+00 : f64, masked_tokens, schedule = #{{.*}}} ins({{.*}}) steps(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : memref<?x3x64xf32>, memref<?x4x64xf32>, memref<4x3xf32>) outs(
func.func @score_gradient(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>, %pivot_rows: memref<3x16xf32>,
    %tokenwise: memref<?xf32>, %scaled: i1, %factor: memref<?x3x64xf32>, %steps: memref<?x4x64xf32>,
    %pivot_steps: memref<4x3xf32>, %adjoint: memref<?x3x64xf32>, %gradient: memref<?x8xbf16>,
    %partials: memref<?x160xf32>) {
  lot.head_score_gradient {clamp = 5.0 : f64, masked_tokens, schedule = #schedule}
      ins(%tokens, %pivots, %pivot_rows, %tokenwise :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3x16xf32>, memref<?xf32>)
      steps(%scaled, %factor, %steps, %pivot_steps : memref<?x3x64xf32>, memref<?x4x64xf32>, memref<4x3xf32>)
      outs(%adjoint, %gradient, %pivot_rows : memref<?x3x64xf32>, memref<?x8xbf16>, memref<3x16xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// CHECK-LABEL: func.func @mass_gradient(
// CHECK:         lot.head_mass_gradient {conditional, schedule = #{{.*}}} ins({{.*}}) more(%{{.+}} : memref<?xf32>) outs(%{{.+}} : memref<?xf32, strided<[?]>>)
func.func @mass_gradient(%tokenwise: memref<?xf32>, %out: memref<?xf32, strided<[?]>>) {
  lot.head_mass_gradient {conditional, schedule = #schedule}
      ins(%tokenwise, %tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>, memref<?xf32>)
      more(%tokenwise : memref<?xf32>) outs(%out : memref<?xf32, strided<[?]>>)
  return
}

// CHECK-LABEL: func.func @rows(
// CHECK:         lot.head_append_ones {schedule = #{{.*}}} ins(%{{.+}} : memref<?x5xbf16>) outs(%{{.+}} : memref<?x6xf32>)
// CHECK-NEXT:    lot.head_row_cotangent {out_scale = 2.000000e+00 : f64, row_floor = 5.000000e-01 : f64, schedule = #{{.*}}} ins(
func.func @rows(%value: memref<?x5xbf16>, %tokenwise: memref<?xf32>, %rows: memref<?x6xf32>) {
  lot.head_append_ones {schedule = #schedule} ins(%value : memref<?x5xbf16>) outs(%rows : memref<?x6xf32>)
  lot.head_row_cotangent {row_floor = 0.5 : f64, out_scale = 2.0 : f64, schedule = #schedule}
      ins(%value, %tokenwise, %tokenwise : memref<?x5xbf16>, memref<?xf32>, memref<?xf32>)
      outs(%rows, %tokenwise : memref<?x6xf32>, memref<?xf32>)
  return
}
