// RUN: lot-opt %s | lot-opt | FileCheck %s
// RUN: lot-opt %s -mlir-print-op-generic | lot-opt | FileCheck %s
// RUN: lot-opt %s -emit-bytecode | lot-opt | FileCheck %s
// RUN: lot-opt %s -resolve-ranked-shaped-type-result-dims | FileCheck %s --check-prefix=REIFY
// RUN: lot-opt %s -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s --check-prefix=BUFFERS

!t = tensor<2x4x?x8xbf16>
!k = tensor<2x2x?x8xbf16>
!v = tensor<2x2x?x6xbf16>
!o = tensor<2x4x?x6xbf16>
!z = tensor<2x5x8xf32>
!a = tensor<2x?xf32>
!w = tensor<2x2x5xf32>

// Everything given; the gradients are written into the inits' buffers.
// CHECK-LABEL: func.func @attention
// CHECK:         %{{.+}}:7 = lot.attention_vjp {epsilon = 1.000000e-01 : f64, half_steps = 6 : i64, normalization = #lot.normalization<row_sum>
// CHECK-SAME:      ins(%{{[^:]+}} : tensor<2x4x?x6xbf16>, tensor<2x4x?x8xbf16>, tensor<2x2x?x8xbf16>, tensor<2x2x?x6xbf16>, tensor<2x5x8xf32>)
// CHECK-SAME:      query_log_mass(%{{.+}} : tensor<2x?xf32>) pivot_log_mass(%{{.+}} : tensor<2x2x5xf32>) glue_log_mass(%{{.+}} : tensor<2x2x5xf32>)
// CHECK-SAME:      outs(%{{[^:]+}} : tensor<2x4x?x8xbf16>, tensor<2x2x?x8xbf16>, tensor<2x2x?x6xbf16>, tensor<2x5x8xf32>, tensor<2x?xf32>, tensor<2x2x5xf32>, tensor<2x2x5xf32>)
// REIFY-LABEL: func.func @attention
// REIFY-SAME:    %[[IK:[a-z0-9]+]]: tensor<2x2x?x8xbf16>, %{{[a-z0-9]+}}: tensor<2x2x?x6xbf16>, %{{[a-z0-9]+}}: tensor<2x5x8xf32>, %{{[a-z0-9]+}}: tensor<2x?xf32>, %{{[a-z0-9]+}}: tensor<2x2x5xf32>, %{{[a-z0-9]+}}: tensor<2x2x5xf32>)
// REIFY:         %[[M:.+]] = tensor.dim %[[IK]]
// REIFY:         return {{.*}}, %[[M]] :
// BUFFERS-LABEL: func.func @attention
// BUFFERS-NOT:     memref.alloc
// BUFFERS-NOT:     memref.copy
// BUFFERS:         lot.attention_vjp {{.*}} ins({{.*}} : memref<2x4x?x6xbf16>
// BUFFERS-SAME:      memref<2x2x5xf32>){{$}}
func.func @attention(%do: !o, %q: !t, %k: !k, %v: !v, %z: !z, %la: !a, %lw: !w, %lg: !w,
    %iq: !t, %ik: !k, %iv: !v, %iz: !z, %ila: !a, %ilw: !w, %ilg: !w)
    -> (!t, !k, !v, !z, !a, !w, !w, index) {
  %c2 = arith.constant 2 : index
  %r:7 = lot.attention_vjp {epsilon = 0.1 : f64, half_steps = 6 : i64, row_floor = 0.1 : f64,
      normalization = #lot.normalization<row_sum>} ins(%do, %q, %k, %v, %z : !o, !t, !k, !v, !z)
      query_log_mass(%la : !a) pivot_log_mass(%lw : !w) glue_log_mass(%lg : !w)
      outs(%iq, %ik, %iv, %iz, %ila, %ilw, %ilg : !t, !k, !v, !z, !a, !w, !w)
      -> !t, !k, !v, !z, !a, !w, !w
  %m = tensor.dim %r#1, %c2 : !k
  return %r#0, %r#1, %r#2, %r#3, %r#4, %r#5, %r#6, %m : !t, !k, !v, !z, !a, !w, !w, index
}

!res = tensor<?xf32>

// Residuals, and masses without gradients. The residuals' buffer is written in
// place and read.
// CHECK-LABEL: func.func @residuals
// CHECK:         %[[F:[a-z0-9]+]]:2 = lot.attention {{.*}} outs(%{{[^:]+}} : tensor<2x4x?x6xbf16>, tensor<?xf32>) -> tensor<2x4x?x6xbf16>, tensor<?xf32>
// CHECK:         %{{.+}}:4 = lot.attention_vjp {{.*}} query_log_mass(%{{.+}} : tensor<2x?xf32>) residuals(%[[F]]#1 : tensor<?xf32>)
// CHECK-SAME:      outs(%{{[^:]+}} : tensor<2x4x?x8xbf16>, tensor<2x2x?x8xbf16>, tensor<2x2x?x6xbf16>, tensor<2x5x8xf32>)
// BUFFERS-LABEL: func.func @residuals
// BUFFERS-SAME:    %[[R:[a-z0-9]+]]: memref<?xf32>)
// BUFFERS-NOT:     memref.alloc
// BUFFERS-NOT:     memref.copy
// BUFFERS:         lot.attention {{.*}} outs(%{{[^:]+}}, %[[R]] : memref<2x4x?x6xbf16>, memref<?xf32>){{$}}
// BUFFERS:         lot.attention_vjp {{.*}} residuals(%[[R]] : memref<?xf32>)
func.func @residuals(%do: !o, %q: !t, %k: !k, %v: !v, %z: !z, %la: !a, %io: !o, %iq: !t, %ik: !k, %iv: !v,
    %iz: !z, %ir: !res) -> (!o, !t, !k, !v, !z) {
  %o:2 = lot.attention {half_steps = 6 : i64} ins(%q, %k, %v, %z : !t, !k, !v, !z)
      query_log_mass(%la : !a) outs(%io, %ir : !o, !res) -> !o, !res
  %g:4 = lot.attention_vjp {half_steps = 6 : i64} ins(%do, %q, %k, %v, %z : !o, !t, !k, !v, !z)
      query_log_mass(%la : !a) residuals(%o#1 : !res) outs(%iq, %ik, %iv, %iz : !t, !k, !v, !z)
      -> !t, !k, !v, !z
  return %o#0, %g#0, %g#1, %g#2, %g#3 : !o, !t, !k, !v, !z
}

!L = tensor<2x?x5xf64>
!y = tensor<2x5xf64>
!x = tensor<2x?xf64>
!T = tensor<2x4x5xf64>

// CHECK-LABEL: func.func @solve
// CHECK:         %{{.+}}:3 = lot.pivot_solve first<pivots> half_steps(5) {{.*}} outs(%{{[^:]+}} : tensor<2x5xf64>, tensor<2x5xf64>, tensor<2x4x5xf64>)
// CHECK:         %{{.+}}:3 = lot.pivot_solve_vjp first<pivots> half_steps(5) ins(%{{[^:]+}} : tensor<2x5xf64>, tensor<2x5xf64>, tensor<2x?x5xf64>, tensor<2x4x5xf64>)
// CHECK-SAME:      token_log_mass(%{{.+}} : tensor<2x?xf64>) pivot_log_mass(%{{.+}} : tensor<2x5xf64>) outs(
func.func @solve(%L: !L, %a: !x, %w: !y, %T: !T, %dp: !y, %dl: !y) -> (!L, !x, !y) {
  %s:3 = lot.pivot_solve first<pivots> half_steps(5) ins(%L : !L) token_log_mass(%a : !x)
      pivot_log_mass(%w : !y) outs(%dp, %dl, %T : !y, !y, !T) -> !y, !y, !T
  %g:3 = lot.pivot_solve_vjp first<pivots> half_steps(5) ins(%dp, %dl, %L, %s#2 : !y, !y, !L, !T)
      token_log_mass(%a : !x) pivot_log_mass(%w : !y) outs(%L, %a, %w : !L, !x, !y) -> !L, !x, !y
  return %g#0, %g#1, %g#2 : !L, !x, !y
}

// What the init of prev's gradient holds is read: bufferization keeps it.
// CHECK-LABEL: func.func @sweep
// CHECK:         %{{.+}}:3 = lot.sweep_vjp ins(%{{[^:]+}} : tensor<2x5xf64>, tensor<2x?x5xf64>, tensor<2x5xf64>) prev(%{{.+}} : tensor<2x5xf64>) token_log_mass(%{{.+}} : tensor<2x?xf64>)
// BUFFERS-LABEL: func.func @sweep
// BUFFERS-SAME:    %[[Y:[a-z0-9]+]]: memref<2x5xf64>
// BUFFERS:         %[[NEW:.+]] = memref.alloc() {{.*}} : memref<2x5xf64>
// BUFFERS:         memref.copy %[[Y]], %[[NEW]]
// BUFFERS:         lot.sweep_vjp
func.func @sweep(%y: !y, %c: !y, %l: !y, %L: !L, %a: !x, %iL: !L, %ia: !x) -> (!L, !y, !x) {
  %g:3 = lot.sweep_vjp ins(%c, %L, %l : !y, !L, !y) prev(%y : !y) token_log_mass(%a : !x)
      outs(%iL, %y, %ia : !L, !y, !x) -> !L, !y, !x
  return %g#0, %g#1, %g#2 : !L, !y, !x
}

// CHECK-LABEL: func.func @plan
// CHECK:         %{{.+}}:4 = lot.plan_vjp conditional<pivots> ins(%{{.+}}, %{{.+}} : tensor<2x?x5xf64>, tensor<2x?x5xf64>) prev(%{{.+}} : tensor<2x5xf64>) last(%{{.+}} : tensor<2x5xf64>) pivot_log_mass(%{{.+}} : tensor<2x5xf64>)
func.func @plan(%dR: !L, %L: !L, %p: !y, %l: !y, %w: !y, %i: !y) -> (!L, !y, !y, !y) {
  %g:4 = lot.plan_vjp conditional<pivots> ins(%dR, %L : !L, !L) prev(%p : !y) last(%l : !y)
      pivot_log_mass(%w : !y) outs(%L, %i, %i, %i : !L, !y, !y, !y) -> !L, !y, !y, !y
  return %g#0, %g#1, %g#2, %g#3 : !L, !y, !y, !y
}

!r = tensor<1x4x?x3xf32>
!s = tensor<1x2x?x3xf32>
!u = tensor<1x2x?x5xf32>
!d = tensor<1x4x?x5xf32>
!j = tensor<1x2x3xf32>
// CHECK-LABEL: func.func @glue
// CHECK:         %{{.+}}:4 = lot.glue_vjp {normalization = #lot.normalization<none>, out_scale = 2.000000e+00 : f64} ins(
// CHECK-SAME:      glue_log_ratio(%{{.+}} : tensor<1x2x3xf32>) outs(
func.func @glue(%do: !d, %r: !r, %s: !s, %v: !u, %w: !j) -> (!r, !s, !u, !j) {
  %g:4 = lot.glue_vjp {normalization = #lot.normalization<none>, out_scale = 2.0 : f64}
      ins(%do, %r, %s, %v : !d, !r, !s, !u) glue_log_ratio(%w : !j)
      outs(%r, %s, %v, %w : !r, !s, !u, !j) -> !r, !s, !u, !j
  return %g#0, %g#1, %g#2, %g#3 : !r, !s, !u, !j
}
