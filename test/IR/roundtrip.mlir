// RUN: lot-opt %s | lot-opt | FileCheck %s
// RUN: lot-opt %s -mlir-print-op-generic | lot-opt | FileCheck %s
// RUN: lot-opt %s -emit-bytecode | lot-opt | FileCheck %s
// RUN: lot-opt %s -mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC

// CHECK-LABEL: func.func @attention
// CHECK-NEXT:    %[[R:.+]] = lot.attention ins(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>, tensor<1x8x?x32xf32>, tensor<8x16x64xf32>) outs(%{{.+}} : tensor<1x8x?x32xf32>) -> tensor<1x8x?x32xf32>
// CHECK-NEXT:    return %[[R]]
// GENERIC:       "lot.attention"(
// GENERIC-SAME:    <{epsilon = 1.000000e+00 : f64, half_steps = 5 : i64, normalization = #lot.normalization<query_mass>,
// GENERIC-SAME:    operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 1>,
// GENERIC-SAME:    out_scale = 1.000000e+00 : f64, row_floor = 0.000000e+00 : f64}>
func.func @attention(%q: tensor<1x8x?x64xf32>, %k: tensor<1x8x?x64xf32>,
    %v: tensor<1x8x?x32xf32>, %z: tensor<8x16x64xf32>,
    %o: tensor<1x8x?x32xf32>) -> tensor<1x8x?x32xf32> {
  %r = lot.attention
      ins(%q, %k, %v, %z : tensor<1x8x?x64xf32>, tensor<1x8x?x64xf32>,
          tensor<1x8x?x32xf32>, tensor<8x16x64xf32>)
      outs(%o : tensor<1x8x?x32xf32>) -> tensor<1x8x?x32xf32>
  return %r : tensor<1x8x?x32xf32>
}

// Everything given: grouped heads, all sizes dynamic, 16-bit io with masses and
// pivots in f32, pivots per batch, all attributes; the masses may come in any
// order.

// CHECK-LABEL: func.func @attention_all
// CHECK-NEXT:    lot.attention {epsilon = 1.000000e-01 : f64, half_steps = 10 : i64, normalization = #lot.normalization<row_sum>, out_scale = 5.000000e-01 : f64, row_floor = 2.500000e-01 : f64, scale = 1.250000e-01 : f64, schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 3, factor = recomputed>, score_clamp = 5.000000e+01 : f64}
// CHECK-SAME:      ins(%{{[^:]+}} : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x32xbf16>, tensor<?x?x16x64xf32>)
// CHECK-SAME:      query_log_mass(%{{.+}} : tensor<?x?x?xf32>) key_log_mass(%{{.+}} : tensor<?x?xf32>) pivot_log_mass(%{{.+}} : tensor<?x?x16xf32>) glue_log_mass(%{{.+}} : tensor<?x16xf32>)
// CHECK-SAME:      outs(%{{.+}} : tensor<?x?x?x32xbf16>) -> tensor<?x?x?x32xbf16>
// GENERIC-LABEL: sym_name = "attention_all"
// GENERIC:       "lot.attention"(
// GENERIC-SAME:    <{epsilon = 1.000000e-01 : f64, half_steps = 10 : i64,
// GENERIC-SAME:    normalization = #lot.normalization<row_sum>, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1>
func.func @attention_all(%q: tensor<?x?x?x64xbf16>, %k: tensor<?x?x?x64xbf16>,
    %v: tensor<?x?x?x32xbf16>, %z: tensor<?x?x16x64xf32>,
    %la: tensor<?x?x?xf32>, %lb: tensor<?x?xf32>, %lw: tensor<?x?x16xf32>,
    %lg: tensor<?x16xf32>, %o: tensor<?x?x?x32xbf16>)
    -> tensor<?x?x?x32xbf16> {
  %r = lot.attention {
        epsilon = 0.1 : f64, half_steps = 10 : i64, scale = 0.125 : f64,
        normalization = #lot.normalization<row_sum>, row_floor = 0.25 : f64,
        score_clamp = 50.0 : f64, out_scale = 0.5 : f64,
        schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16,
                                     row_block = 4, vector_block = 3,
                                     factor = recomputed>}
      ins(%q, %k, %v, %z : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>,
          tensor<?x?x?x32xbf16>, tensor<?x?x16x64xf32>)
      glue_log_mass(%lg : tensor<?x16xf32>)
      pivot_log_mass(%lw : tensor<?x?x16xf32>)
      key_log_mass(%lb : tensor<?x?xf32>)
      query_log_mass(%la : tensor<?x?x?xf32>)
      outs(%o : tensor<?x?x?x32xbf16>) -> tensor<?x?x?x32xbf16>
  return %r : tensor<?x?x?x32xbf16>
}

// CHECK-LABEL: func.func @attention_buffers
// CHECK-NEXT:    lot.attention {normalization = #lot.normalization<none>} ins(%{{[^:]+}} : memref<2x8x6x64xf16, strided<[?, ?, ?, 1], offset: ?>>, memref<2x4x7x64xf16>, memref<2x4x7x32xf16>, memref<4x16x64xf16>) key_log_mass(%{{.+}} : memref<2x7xf32>) outs(%{{.+}} : memref<2x8x6x32xf16>){{$}}
func.func @attention_buffers(
    %q: memref<2x8x6x64xf16, strided<[?, ?, ?, 1], offset: ?>>,
    %k: memref<2x4x7x64xf16>, %v: memref<2x4x7x32xf16>,
    %z: memref<4x16x64xf16>, %lb: memref<2x7xf32>, %o: memref<2x8x6x32xf16>) {
  lot.attention {normalization = #lot.normalization<none>}
      ins(%q, %k, %v, %z : memref<2x8x6x64xf16, strided<[?, ?, ?, 1], offset: ?>>,
          memref<2x4x7x64xf16>, memref<2x4x7x32xf16>, memref<4x16x64xf16>)
      key_log_mass(%lb : memref<2x7xf32>)
      outs(%o : memref<2x8x6x32xf16>)
  return
}

// f64 keeps its state in f64. Numbers that need all their digits survive.

// CHECK-LABEL: func.func @attention_f64
// CHECK-NEXT:    lot.attention {epsilon = 1.000000e-01 : f64, scale = 0.30000000000000004 : f64} ins({{.*}}) query_log_mass(%{{.+}} : tensor<1x6xf64>)
func.func @attention_f64(%q: tensor<1x1x6x1xf64>, %z: tensor<1x1x1xf64>,
    %la: tensor<1x6xf64>) -> tensor<1x1x6x1xf64> {
  %r = lot.attention {epsilon = 0.1000000000000000055511151231257827 : f64,
                      scale = 0.30000000000000004 : f64}
      ins(%q, %q, %q, %z : tensor<1x1x6x1xf64>, tensor<1x1x6x1xf64>,
          tensor<1x1x6x1xf64>, tensor<1x1x1xf64>)
      query_log_mass(%la : tensor<1x6xf64>)
      outs(%q : tensor<1x1x6x1xf64>) -> tensor<1x1x6x1xf64>
  return %r : tensor<1x1x6x1xf64>
}

// CHECK-LABEL: func.func @pivot_solve
// CHECK-NEXT:    %{{.+}}:2 = lot.pivot_solve first<tokens> half_steps(10) ins(%{{.+}} : tensor<8x?x32xf32>) outs(%{{.+}}, %{{.+}} : tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<8x32xf32>, tensor<8x32xf32>
// CHECK-NEXT:    lot.pivot_solve first<pivots> half_steps(1) ins({{.*}}) token_log_mass(%{{.+}} : tensor<8x?xf32>) pivot_log_mass(%{{.+}} : tensor<8x32xf32>) outs(
// GENERIC-LABEL: sym_name = "pivot_solve"
// GENERIC:       "lot.pivot_solve"(%{{.+}}) <{first = #lot.marginal<tokens>, half_steps = 10 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 2>}>
// GENERIC:       "lot.pivot_solve"(%{{.+}}) <{first = #lot.marginal<pivots>, half_steps = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 2>}>
func.func @pivot_solve(%L: tensor<8x?x32xf32>, %la: tensor<8x?xf32>,
    %lw: tensor<8x32xf32>, %i: tensor<8x32xf32>) {
  %prev, %last = lot.pivot_solve first<tokens> half_steps(10)
      ins(%L : tensor<8x?x32xf32>)
      outs(%i, %i : tensor<8x32xf32>, tensor<8x32xf32>)
      -> tensor<8x32xf32>, tensor<8x32xf32>
  %p2, %l2 = lot.pivot_solve first<pivots> half_steps(1)
      ins(%L : tensor<8x?x32xf32>)
      pivot_log_mass(%lw : tensor<8x32xf32>)
      token_log_mass(%la : tensor<8x?xf32>)
      outs(%i, %i : tensor<8x32xf32>, tensor<8x32xf32>)
      -> tensor<8x32xf32>, tensor<8x32xf32>
  return
}

// No batch dim, one, two; tensors and buffers.

// CHECK-LABEL: func.func @sweep
// CHECK-NEXT:    lot.sweep domain<log> ins(%{{.+}} : tensor<?x32xf64>) outs(%{{.+}}, %{{.+}} : tensor<32xf64>, tensor<32xf64>) -> tensor<32xf64>, tensor<32xf64>
// CHECK-NEXT:    lot.sweep domain<scaling> ins(%{{.+}} : tensor<?x32xf64>) prev(%{{.+}} : tensor<32xf64>) token_log_mass(%{{.+}} : tensor<?xf64>) outs(%{{.+}} : tensor<32xf64>) -> tensor<32xf64>
// CHECK-NEXT:    lot.sweep domain<log> ins(%{{.+}} : memref<2x?x9x32xf32>) outs(%{{.+}}, %{{.+}} : memref<2x?x32xf32>, memref<2x?x32xf32>){{$}}
func.func @sweep(%L: tensor<?x32xf64>, %la: tensor<?xf64>, %y: tensor<32xf64>,
    %L2: memref<2x?x9x32xf32>, %m: memref<2x?x32xf32>,
    %s: memref<2x?x32xf32>) {
  %a:2 = lot.sweep domain<log> ins(%L : tensor<?x32xf64>)
      outs(%y, %y : tensor<32xf64>, tensor<32xf64>)
      -> tensor<32xf64>, tensor<32xf64>
  %b = lot.sweep domain<scaling> ins(%L : tensor<?x32xf64>)
      token_log_mass(%la : tensor<?xf64>) prev(%y : tensor<32xf64>)
      outs(%y : tensor<32xf64>) -> tensor<32xf64>
  lot.sweep domain<log> ins(%L2 : memref<2x?x9x32xf32>)
      outs(%m, %s : memref<2x?x32xf32>, memref<2x?x32xf32>)
  return
}

// CHECK-LABEL: func.func @plan
// CHECK-NEXT:    lot.plan conditional<tokens> ins(%{{.+}} : tensor<8x?x32xf32>) prev(%{{.+}} : tensor<8x32xf32>) last(%{{.+}} : tensor<8x32xf32>) outs(%{{.+}} : tensor<8x?x32xf32>) -> tensor<8x?x32xf32>
// CHECK-NEXT:    lot.plan conditional<pivots> ins(%{{.+}} : tensor<8x?x32xf32>) last(%{{.+}} : tensor<8x32xf32>) token_log_mass(%{{.+}} : tensor<8x?xf32>) pivot_log_mass(%{{.+}} : tensor<8x32xf32>) outs(
func.func @plan(%L: tensor<8x?x32xf32>, %y: tensor<8x32xf32>,
    %la: tensor<8x?xf32>) {
  %a = lot.plan conditional<tokens> ins(%L : tensor<8x?x32xf32>)
      prev(%y : tensor<8x32xf32>) last(%y : tensor<8x32xf32>)
      outs(%L : tensor<8x?x32xf32>) -> tensor<8x?x32xf32>
  %b = lot.plan conditional<pivots> ins(%L : tensor<8x?x32xf32>)
      last(%y : tensor<8x32xf32>) token_log_mass(%la : tensor<8x?xf32>)
      pivot_log_mass(%y : tensor<8x32xf32>)
      outs(%L : tensor<8x?x32xf32>) -> tensor<8x?x32xf32>
  return
}

// CHECK-LABEL: func.func @glue
// CHECK-NEXT:    lot.glue ins(%{{.+}}, %{{.+}}, %{{.+}} : tensor<1x8x?x32xf32>, tensor<1x2x?x32xf32>, tensor<1x2x?x64xf16>) outs(%{{.+}} : tensor<1x8x?x64xf16>) -> tensor<1x8x?x64xf16>
// CHECK-NEXT:    lot.glue {normalization = #lot.normalization<row_sum>, out_scale = 2.000000e+00 : f64, row_floor = 5.000000e-01 : f64} ins({{.*}} : tensor<1x8x?x32xf32>, tensor<1x8x?x32xf32>, tensor<1x2x?x64xf16>) query_log_mass(%{{.+}} : tensor<1x8x?xf32>) glue_log_ratio(%{{.+}} : tensor<1x8x32xf32>) outs(
func.func @glue(%R1: tensor<1x8x?x32xf32>, %R2: tensor<1x2x?x32xf32>,
    %R2h: tensor<1x8x?x32xf32>, %v: tensor<1x2x?x64xf16>,
    %la: tensor<1x8x?xf32>, %ratio: tensor<1x8x32xf32>,
    %o: tensor<1x8x?x64xf16>) {
  %a = lot.glue ins(%R1, %R2, %v : tensor<1x8x?x32xf32>, tensor<1x2x?x32xf32>,
      tensor<1x2x?x64xf16>)
      outs(%o : tensor<1x8x?x64xf16>) -> tensor<1x8x?x64xf16>
  %b = lot.glue {normalization = #lot.normalization<row_sum>,
                 row_floor = 0.5 : f64, out_scale = 2.0 : f64}
      ins(%R1, %R2h, %v : tensor<1x8x?x32xf32>, tensor<1x8x?x32xf32>,
      tensor<1x2x?x64xf16>)
      query_log_mass(%la : tensor<1x8x?xf32>)
      glue_log_ratio(%ratio : tensor<1x8x32xf32>)
      outs(%o : tensor<1x8x?x64xf16>) -> tensor<1x8x?x64xf16>
  return
}
