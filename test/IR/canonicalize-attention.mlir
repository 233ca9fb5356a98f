// RUN: lot-opt %s -canonicalize | FileCheck %s

!query = tensor<2x4x6x16xf32>
!key = tensor<2x2x7x16xf32>
!value = tensor<2x2x7x5xf32>
!pivots = tensor<4x3x16xf32>
!out = tensor<2x4x6x5xf32>

// d^-1/2 is the default.

// CHECK-LABEL: func.func @default_scale
// CHECK:         lot.attention ins(
func.func @default_scale(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {scale = 0.25 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// Any other scale stays, also one that is only near.

// CHECK-LABEL: func.func @other_scale
// CHECK:         lot.attention {scale = 0.2500001 : f64} ins(
func.func @other_scale(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {scale = 0.2500001 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// A clamp at infinity clamps nothing.

// CHECK-LABEL: func.func @no_clamp
// CHECK:         lot.attention ins(
func.func @no_clamp(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {score_clamp = 0x7FF0000000000000 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// A finite one may.

// CHECK-LABEL: func.func @clamp
// CHECK:         lot.attention {score_clamp = 5.000000e+01 : f64} ins(
func.func @clamp(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {score_clamp = 50.0 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// row_floor is of row_sum only.

// CHECK-LABEL: func.func @floor_without_row_sum
// CHECK:         lot.attention {normalization = #lot.normalization<none>} ins(
func.func @floor_without_row_sum(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {normalization = #lot.normalization<none>, row_floor = 0.5 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// There it stays.

// CHECK-LABEL: func.func @floor_of_row_sum
// CHECK:         lot.attention {normalization = #lot.normalization<row_sum>, row_floor = 5.000000e-01 : f64} ins(
func.func @floor_of_row_sum(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention {normalization = #lot.normalization<row_sum>, row_floor = 0.5 : f64} ins(%q, %k, %v, %z : !query, !key, !value, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// Masses that are the uniform defaults, -log of 6, 7 and 3 rounded to f32.

// CHECK-LABEL: func.func @uniform_masses
// CHECK-NOT:     constant
// CHECK:         lot.attention ins({{.*}}) outs(
func.func @uniform_masses(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %la = arith.constant dense<0xBFE55860> : tensor<2x6xf32>
  %lb = arith.constant dense<0xBFF91395> : tensor<2x2x7xf32>
  %lw = arith.constant dense<0xBF8C9F54> : tensor<4x3xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) query_log_mass(%la : tensor<2x6xf32>)
      key_log_mass(%lb : tensor<2x2x7xf32>) pivot_log_mass(%lw : tensor<4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// One unit in the last place off, the length of the other side, not the same
// everywhere, not constant: they stay.

// CHECK-LABEL: func.func @other_masses
// CHECK:         lot.attention ins(
// CHECK-SAME:      query_log_mass(%{{[a-z0-9_]+}} : tensor<2x6xf32>)
// CHECK-SAME:      key_log_mass(%{{[a-z0-9_]+}} : tensor<2x2x7xf32>)
// CHECK-SAME:      pivot_log_mass(%{{[a-z0-9_]+}} : tensor<4x3xf32>)
// CHECK-SAME:      glue_log_mass(%{{[a-z0-9_]+}} : tensor<4x3xf32>)
func.func @other_masses(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out, %lg: tensor<4x3xf32>) -> !out {
  %la = arith.constant dense<0xBFE55861> : tensor<2x6xf32>
  %lb = arith.constant dense<0xBFE55860> : tensor<2x2x7xf32>
  %lw = arith.constant dense<[[0xBF8C9F54, 0xBF8C9F54, 0xBF8C9F54], [0xBF8C9F54, 0xBF8C9F54, 0xBF8C9F54],
      [0xBF8C9F54, 0xBF8C9F54, 0xBF8C9F54], [0xBF8C9F54, 0xBF8C9F54, 0.0]]> : tensor<4x3xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) query_log_mass(%la : tensor<2x6xf32>)
      key_log_mass(%lb : tensor<2x2x7xf32>) pivot_log_mass(%lw : tensor<4x3xf32>)
      glue_log_mass(%lg : tensor<4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// -log 6 rounded to f64 is uniform in f64,

// CHECK-LABEL: func.func @uniform_f64
// CHECK:         lot.attention ins({{.*}}) outs(
func.func @uniform_f64(%q: tensor<2x4x6x16xf64>, %k: tensor<2x2x7x16xf64>, %v: tensor<2x2x7x5xf64>,
    %z: tensor<4x3x16xf64>, %o: tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64> {
  %la = arith.constant dense<0xBFFCAB0BFA2A2002> : tensor<2x6xf64>
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x16xf64>, tensor<2x2x7x16xf64>,
      tensor<2x2x7x5xf64>, tensor<4x3x16xf64>) query_log_mass(%la : tensor<2x6xf64>)
      outs(%o : tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64>
  return %r : tensor<2x4x6x5xf64>
}

// rounded to f32 it is not.

// CHECK-LABEL: func.func @rounded_f64
// CHECK:         lot.attention ins({{.*}}) query_log_mass(
func.func @rounded_f64(%q: tensor<2x4x6x16xf64>, %k: tensor<2x2x7x16xf64>, %v: tensor<2x2x7x5xf64>,
    %z: tensor<4x3x16xf64>, %o: tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64> {
  %la = arith.constant dense<0xBFFCAB0C00000000> : tensor<2x6xf64>
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x16xf64>, tensor<2x2x7x16xf64>,
      tensor<2x2x7x5xf64>, tensor<4x3x16xf64>) query_log_mass(%la : tensor<2x6xf64>)
      outs(%o : tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64>
  return %r : tensor<2x4x6x5xf64>
}

// The glue takes the mass of the pivots by default:

// CHECK-LABEL: func.func @glue_is_pivot
// CHECK-SAME:    %[[LW:[^ ]+]]: tensor<4x3xf32>)
// CHECK:         lot.attention ins({{.*}}) pivot_log_mass(%[[LW]] : tensor<4x3xf32>) outs(
func.func @glue_is_pivot(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out, %lw: tensor<4x3xf32>) -> !out {
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) pivot_log_mass(%lw : tensor<4x3xf32>)
      glue_log_mass(%lw : tensor<4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// if both are uniform,

// CHECK-LABEL: func.func @glue_is_uniform
// CHECK:         lot.attention ins({{.*}}) outs(
func.func @glue_is_uniform(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %lg = arith.constant dense<0xBF8C9F54> : tensor<4x3xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) glue_log_mass(%lg : tensor<4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// but not if only its own is.

// CHECK-LABEL: func.func @glue_is_uniform_pivot_is_not
// CHECK:         lot.attention ins({{.*}}) pivot_log_mass({{.*}}) glue_log_mass(
func.func @glue_is_uniform_pivot_is_not(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out, %lw: tensor<4x3xf32>) -> !out {
  %lg = arith.constant dense<0xBF8C9F54> : tensor<4x3xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) pivot_log_mass(%lw : tensor<4x3xf32>)
      glue_log_mass(%lg : tensor<4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// No mass on a side: zero.

// CHECK-LABEL: func.func @no_query_mass
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x6x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[O]] : tensor<2x4x6x5xf32>)
// CHECK:         return %[[FILL]]
func.func @no_query_mass(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %l = arith.constant dense<0xFF800000> : tensor<2x6xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) query_log_mass(%l : tensor<2x6xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}


// CHECK-LABEL: func.func @no_key_mass
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x6x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[O]] : tensor<2x4x6x5xf32>)
// CHECK:         return %[[FILL]]
func.func @no_key_mass(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %l = arith.constant dense<0xFF800000> : tensor<2x2x7xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) key_log_mass(%l : tensor<2x2x7xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}


// CHECK-LABEL: func.func @no_pivot_mass
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x6x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[O]] : tensor<2x4x6x5xf32>)
// CHECK:         return %[[FILL]]
func.func @no_pivot_mass(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %l = arith.constant dense<0xFF800000> : tensor<2x4x3xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) pivot_log_mass(%l : tensor<2x4x3xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// The same for a fill of a dynamic size.

// CHECK-LABEL: func.func @filled_mass
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x?x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[O]] : tensor<2x4x?x5xf32>)
// CHECK:         return %[[FILL]]
func.func @filled_mass(%q: tensor<2x4x?x16xf32>, %k: !key, %v: !value,
    %z: !pivots, %o: tensor<2x4x?x5xf32>, %e: tensor<2x?xf32>) -> tensor<2x4x?x5xf32> {
  %none = arith.constant 0xFF800000 : f32
  %l = linalg.fill ins(%none : f32) outs(%e : tensor<2x?xf32>) -> tensor<2x?xf32>
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x?x16xf32>, !key, !value, !pivots) query_log_mass(%l : tensor<2x?xf32>)
      outs(%o : tensor<2x4x?x5xf32>) -> tensor<2x4x?x5xf32>
  return %r : tensor<2x4x?x5xf32>
}

// Some absent tokens are no reason, nor is +inf.

// CHECK-LABEL: func.func @some_mass
// CHECK:         lot.attention ins({{.*}}) query_log_mass({{.*}}) key_log_mass(
func.func @some_mass(%q: !query, %k: !key, %v: !value,
    %z: !pivots, %o: !out) -> !out {
  %la = arith.constant dense<[[0xFF800000, 0.0, 0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000],
      [0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000]]> : tensor<2x6xf32>
  %lb = arith.constant dense<0x7F800000> : tensor<2x7xf32>
  %r = lot.attention ins(%q, %k, %v, %z : !query, !key, !value, !pivots) query_log_mass(%la : tensor<2x6xf32>)
      key_log_mass(%lb : tensor<2x7xf32>)
      outs(%o : !out) -> !out
  return %r : !out
}

// No keys: zero.

// CHECK-LABEL: func.func @no_keys
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x6x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[O]] : tensor<2x4x6x5xf32>)
// CHECK:         return %[[FILL]]
func.func @no_keys(%q: !query, %k: tensor<2x2x0x16xf32>, %v: tensor<2x2x0x5xf32>,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention ins(%q, %k, %v, %z : !query, tensor<2x2x0x16xf32>,
      tensor<2x2x0x5xf32>, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}


// CHECK-LABEL: func.func @no_keys_memref
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x4x6x5xf32>
// CHECK-NOT:     lot.attention
// CHECK:         linalg.fill ins(%{{[a-z0-9_]+}} : f32) outs(%[[O]] : memref<2x4x6x5xf32>)
func.func @no_keys_memref(%q: memref<2x4x6x16xf32>, %k: memref<2x2x0x16xf32>, %v: memref<2x2x0x5xf32>,
    %z: memref<4x3x16xf32>, %o: memref<2x4x6x5xf32>) {
  lot.attention ins(%q, %k, %v, %z : memref<2x4x6x16xf32>, memref<2x2x0x16xf32>,
      memref<2x2x0x5xf32>, memref<4x3x16xf32>)
      outs(%o : memref<2x4x6x5xf32>)
  return
}

// No queries, no batch: nothing to compute.

// CHECK-LABEL: func.func @no_queries
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x4x0x5xf32>
// CHECK-NEXT:    return %[[O]]
func.func @no_queries(%q: tensor<2x4x0x16xf32>, %k: !key, %v: !value,
    %z: !pivots, %o: tensor<2x4x0x5xf32>) -> tensor<2x4x0x5xf32> {
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x0x16xf32>, !key, !value, !pivots)
      outs(%o : tensor<2x4x0x5xf32>) -> tensor<2x4x0x5xf32>
  return %r : tensor<2x4x0x5xf32>
}


// CHECK-LABEL: func.func @no_batch
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<0x4x6x5xf32>
// CHECK-NEXT:    return %[[O]]
func.func @no_batch(%q: tensor<0x4x6x16xf32>, %k: tensor<0x2x7x16xf32>, %v: tensor<0x2x7x5xf32>,
    %z: !pivots, %o: tensor<0x4x6x5xf32>) -> tensor<0x4x6x5xf32> {
  %r = lot.attention ins(%q, %k, %v, %z : tensor<0x4x6x16xf32>, tensor<0x2x7x16xf32>,
      tensor<0x2x7x5xf32>, !pivots)
      outs(%o : tensor<0x4x6x5xf32>) -> tensor<0x4x6x5xf32>
  return %r : tensor<0x4x6x5xf32>
}


// CHECK-LABEL: func.func @no_queries_memref
// CHECK-NEXT:    return
func.func @no_queries_memref(%q: memref<2x4x0x16xf32>, %k: memref<2x2x7x16xf32>, %v: memref<2x2x7x5xf32>,
    %z: memref<4x3x16xf32>, %o: memref<2x4x0x5xf32>) {
  lot.attention ins(%q, %k, %v, %z : memref<2x4x0x16xf32>, memref<2x2x7x16xf32>,
      memref<2x2x7x5xf32>, memref<4x3x16xf32>)
      outs(%o : memref<2x4x0x5xf32>)
  return
}

// A dynamic length may be anything.

// CHECK-LABEL: func.func @dynamic_keys
// CHECK:         lot.attention
func.func @dynamic_keys(%q: !query, %k: tensor<2x2x?x16xf32>, %v: tensor<2x2x?x5xf32>,
    %z: !pivots, %o: !out) -> !out {
  %r = lot.attention ins(%q, %k, %v, %z : !query, tensor<2x2x?x16xf32>,
      tensor<2x2x?x5xf32>, !pivots)
      outs(%o : !out) -> !out
  return %r : !out
}

// Residuals that nobody reads are dropped; those that are read stay as they
// are, also where there is no mass.

// CHECK-LABEL: func.func @unread_residuals
// CHECK:         %[[R:.+]] = lot.attention {{.*}} outs(%{{.+}} : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
// CHECK-NEXT:    return %[[R]]
func.func @unread_residuals(%q: !query, %k: tensor<2x2x?x16xf32>, %v: tensor<2x2x?x5xf32>,
    %z: !pivots, %o: !out, %x: tensor<?xf32>) -> !out {
  %r:2 = lot.attention {half_steps = 3 : i64} ins(%q, %k, %v, %z : !query, tensor<2x2x?x16xf32>,
      tensor<2x2x?x5xf32>, !pivots) outs(%o, %x : !out, tensor<?xf32>) -> !out, tensor<?xf32>
  return %r#0 : !out
}

// CHECK-LABEL: func.func @read_residuals
// CHECK:         %[[R:.+]]:2 = lot.attention
// CHECK:         return %[[R]]#0, %[[R]]#1
func.func @read_residuals(%q: !query, %k: tensor<2x2x0x16xf32>, %v: tensor<2x2x0x5xf32>,
    %z: !pivots, %o: !out, %x: tensor<?xf32>) -> (!out, tensor<?xf32>) {
  %r:2 = lot.attention ins(%q, %k, %v, %z : !query, tensor<2x2x0x16xf32>,
      tensor<2x2x0x5xf32>, !pivots) outs(%o, %x : !out, tensor<?xf32>) -> !out, tensor<?xf32>
  return %r#0, %r#1 : !out, tensor<?xf32>
}
