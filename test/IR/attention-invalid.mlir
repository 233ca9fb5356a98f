// RUN: lot-opt %s -split-input-file -verify-diagnostics

// One test for each constraint C1 to C20 of lot.attention (docs/spec.md) at
// least, named by its label. The valid op is
//   query 2x4x6x8, key 2x2x7x8, value 2x2x7x5, pivots 4x3x8, init 2x4x6x5.

func.func @c1_query(%q: tensor<4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C1: expected query of rank 4, got 'tensor<4x6x8xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c1_value(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5x1xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C1: expected value of rank 4, got 'tensor<2x2x7x5x1xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5x1xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c1_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C1: expected pivots of rank 3 or 4, got 'tensor<3x8xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c1_memref(%q: memref<2x4x6x8xf32>, %k: memref<2x7x8xf32>, %v: memref<2x2x7x5xf32>, %z: memref<4x3x8xf32>, %o: memref<2x4x6x5xf32>) {
  // expected-error@+1 {{C1: expected key of rank 4, got 'memref<2x7x8xf32>'}}
  lot.attention ins(%q, %k, %v, %z : memref<2x4x6x8xf32>, memref<2x7x8xf32>, memref<2x2x7x5xf32>, memref<4x3x8xf32>)
      outs(%o : memref<2x4x6x5xf32>)
  return
}

// -----

func.func @c2_query_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %la: tensor<6xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C2: expected query_log_mass of rank 2 or 3, got 'tensor<6xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      query_log_mass(%la : tensor<6xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c2_glue_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lg: tensor<1x2x4x3xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C2: expected glue_log_mass of rank 2 or 3, got 'tensor<1x2x4x3xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      glue_log_mass(%lg : tensor<1x2x4x3xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c3_query_type(%q: tensor<2x4x6x8xi32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C3: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in query, got 'i32'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xi32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c3_fp8(%q: tensor<2x4x6x8xf8E4M3FN>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C3: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in query, got 'f8E4M3FN'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf8E4M3FN>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c3_mixed(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xbf16>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C3: expected element type 'f32' in value, got 'bf16'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xbf16>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c3_init(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf64>) {
  // expected-error@+1 {{C3: expected element type 'f32' in init, got 'f64'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64>
  return
}

// -----

func.func @c4_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf64>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C4: expected element type 'f32' in pivots, got 'f64'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf64>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c4_pivots_of_bf16(%q: tensor<2x4x6x8xbf16>, %k: tensor<2x2x7x8xbf16>, %v: tensor<2x2x7x5xbf16>, %z: tensor<4x3x8xf16>, %o: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C4: expected element type 'bf16' or 'f32' in pivots, got 'f16'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xbf16>, tensor<2x2x7x8xbf16>, tensor<2x2x7x5xbf16>, tensor<4x3x8xf16>)
      outs(%o : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c5_key_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lb: tensor<2x7xf64>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C5: expected element type 'f32' in key_log_mass, got 'f64'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      key_log_mass(%lb : tensor<2x7xf64>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c5_state_type(%q: tensor<2x4x6x8xbf16>, %k: tensor<2x2x7x8xbf16>, %v: tensor<2x2x7x5xbf16>, %z: tensor<4x3x8xbf16>, %lw: tensor<4x3xbf16>, %o: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C5: expected element type 'f32' in pivot_log_mass, got 'bf16'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xbf16>, tensor<2x2x7x8xbf16>, tensor<2x2x7x5xbf16>, tensor<4x3x8xbf16>)
      pivot_log_mass(%lw : tensor<4x3xbf16>)
      outs(%o : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c6_key(%q: tensor<2x4x6x8xf32>, %k: tensor<3x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected key to have the batch size 2 of query, got 3}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<3x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c6_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<1x4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected pivots to have the batch size 2 of query, got 1}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<1x4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c6_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %la: tensor<1x6xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected query_log_mass to have the batch size 2 of query, got 1}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      query_log_mass(%la : tensor<1x6xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c6_pivot_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lw: tensor<5x4x3xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected pivot_log_mass to have the batch size 2 of query, got 5}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      pivot_log_mass(%lw : tensor<5x4x3xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c6_memref(%q: memref<2x4x6x8xf32>, %k: memref<2x2x7x8xf32>, %v: memref<2x2x7x5xf32>, %z: memref<4x3x8xf32>, %o: memref<1x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected init to have the batch size 2 of query, got 1}}
  lot.attention ins(%q, %k, %v, %z : memref<2x4x6x8xf32>, memref<2x2x7x8xf32>, memref<2x2x7x5xf32>, memref<4x3x8xf32>)
      outs(%o : memref<1x4x6x5xf32>)
  return
}

// -----

func.func @c6_behind_dynamic(%q: tensor<?x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<3x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C6: expected value to have the batch size 2 of key, got 3}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<?x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<3x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c7_multiple(%q: tensor<2x4x6x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C7: expected the heads of query to be a multiple of the heads of key, got 4 and 3}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x3x7x8xf32>, tensor<2x3x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c7_more_key_heads(%q: tensor<2x4x6x8xf32>, %k: tensor<2x8x7x8xf32>, %v: tensor<2x8x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C7: expected the heads of query to be a multiple of the heads of key, got 4 and 8}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x8x7x8xf32>, tensor<2x8x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c7_no_key_heads(%q: tensor<2x4x6x8xf32>, %k: tensor<2x0x7x8xf32>, %v: tensor<2x0x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C7: expected the heads of query to be a multiple of the heads of key, got 4 and 0}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x0x7x8xf32>, tensor<2x0x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c7_value(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x4x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C7: expected value to have the heads 2 of key, got 4}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x4x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c7_init(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x2x6x5xf32>) {
  // expected-error@+1 {{C7: expected init to have the heads 4 of query, got 2}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x2x6x5xf32>) -> tensor<2x2x6x5xf32>
  return
}

// -----

func.func @c7_key_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lb: tensor<2x4x7xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C7: expected key_log_mass to have the heads 2 of key, got 4}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      key_log_mass(%lb : tensor<2x4x7xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c8_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<1x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C8: expected the heads of pivots to be those of query (4) or of key (2), got 1}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<1x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c8_glue_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lg: tensor<2x3xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C8: expected glue_log_mass to have the heads 4 of pivots, got 2}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      glue_log_mass(%lg : tensor<2x3xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c9_init(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x7x5xf32>) {
  // expected-error@+1 {{C9: expected init to have the length 6 of query, got 7}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x7x5xf32>) -> tensor<2x4x7x5xf32>
  return
}

// -----

func.func @c9_query_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %la: tensor<2x7xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C9: expected query_log_mass to have the length 6 of query, got 7}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      query_log_mass(%la : tensor<2x7xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c10_value(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x6x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C10: expected value to have the length 7 of key, got 6}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x6x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c10_key_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lb: tensor<2x2x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C10: expected key_log_mass to have the length 7 of key, got 8}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      key_log_mass(%lb : tensor<2x2x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c11_key(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x16xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C11: expected key to have the head dim 8 of query, got 16}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x16xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c11_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x4xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C11: expected pivots to have the head dim 8 of query, got 4}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x4xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c12_init(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x8xf32>) {
  // expected-error@+1 {{C12: expected init to have the value dim 5 of value, got 8}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x8xf32>) -> tensor<2x4x6x8xf32>
  return
}

// -----

func.func @c13_pivot_log_mass(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %lw: tensor<4x4xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C13: expected pivot_log_mass to have the number of pivots 3 of pivots, got 4}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      pivot_log_mass(%lw : tensor<4x4xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c14_head_dim(%q: tensor<2x4x6x?xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C14: expected a static head dim d in query, got 'tensor<2x4x6x?xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x?xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c14_no_head_dim(%q: tensor<2x4x6x0xf32>, %k: tensor<2x2x7x0xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x0xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C14: expected head dim d of query >= 1, got 0}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x0xf32>, tensor<2x2x7x0xf32>, tensor<2x2x7x5xf32>, tensor<4x3x0xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c14_value_dim(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x?xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C14: expected a static value dim dv in value, got 'tensor<2x2x7x?xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x?xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c14_no_value_dim(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x0xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x0xf32>) {
  // expected-error@+1 {{C14: expected value dim dv of value >= 1, got 0}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x0xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x0xf32>) -> tensor<2x4x6x0xf32>
  return
}

// -----

func.func @c14_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x?x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C14: expected a static number of pivots r in pivots, got 'tensor<4x?x8xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x?x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c14_no_pivots(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x0x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C14: expected number of pivots r of pivots >= 1, got 0}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x0x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c15_zero(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C15: expected epsilon > 0 and finite, got 0.000000e+00}}
  %r = lot.attention {epsilon = 0.0 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c15_negative(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C15: expected epsilon > 0 and finite, got -1.0}}
  %r = lot.attention {epsilon = -1.0 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c15_nan(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C15: expected epsilon > 0 and finite, got 0x7FF8000000000000}}
  %r = lot.attention {epsilon = 0x7FF8000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c15_inf(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C15: expected epsilon > 0 and finite, got 0x7FF0000000000000}}
  %r = lot.attention {epsilon = 0x7FF0000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c16_zero(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C16: expected half_steps >= 1, got 0}}
  %r = lot.attention {half_steps = 0 : i64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c16_negative(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C16: expected half_steps >= 1, got -3}}
  %r = lot.attention {half_steps = -3 : i64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c17_negative(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C17: expected row_floor >= 0 and finite, got -1.000000e-03}}
  %r = lot.attention {normalization = #lot.normalization<row_sum>, row_floor = -0.001 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c17_nan(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C17: expected row_floor >= 0 and finite, got 0x7FF8000000000000}}
  %r = lot.attention {row_floor = 0x7FF8000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c18_negative(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C18: expected score_clamp >= 0, got -5.0}}
  %r = lot.attention {score_clamp = -5.0 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c18_nan(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C18: expected score_clamp >= 0, got 0x7FF8000000000000}}
  %r = lot.attention {score_clamp = 0x7FF8000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c19_scale(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C19: expected a finite scale, got 0x7FF0000000000000}}
  %r = lot.attention {scale = 0x7FF0000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c19_out_scale(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C19: expected a finite out_scale, got 0x7FF8000000000000}}
  %r = lot.attention {out_scale = 0x7FF8000000000000 : f64} ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c20_mixed(%q: tensor<2x4x6x8xf32>, %k: memref<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, memref<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c20_no_result(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C20: expected 1 results, got 0}}
  lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>)
  return
}

// -----

func.func @c20_result_on_memref(%q: memref<2x4x6x8xf32>, %k: memref<2x2x7x8xf32>, %v: memref<2x2x7x5xf32>, %z: memref<4x3x8xf32>, %o: memref<2x4x6x5xf32>) {
  // expected-error@+1 {{C20: expected 0 results, got 1}}
  %r = lot.attention ins(%q, %k, %v, %z : memref<2x4x6x8xf32>, memref<2x2x7x8xf32>, memref<2x2x7x5xf32>, memref<4x3x8xf32>)
      outs(%o : memref<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c20_result_type(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C20: expected the result type to be the init's type 'tensor<2x4x6x5xf32>', got 'tensor<2x4x?x5xf32>'}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o : tensor<2x4x6x5xf32>) -> tensor<2x4x?x5xf32>
  return
}

// -----

func.func @c21_three_inits(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>, %x: tensor<?xf32>) {
  // expected-error@+1 {{C21: expected an init, or two with residuals, got 3}}
  %r:3 = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o, %x, %x : tensor<2x4x6x5xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<2x4x6x5xf32>, tensor<?xf32>, tensor<?xf32>
  return
}

// -----

func.func @c22_residuals_rank(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>) {
  // expected-error@+1 {{C22: expected residuals of rank 1, got 'tensor<2x4x6x5xf32>'}}
  %r:2 = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o, %o : tensor<2x4x6x5xf32>, tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>, tensor<2x4x6x5xf32>
  return
}

// -----

func.func @c22_residuals_type(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>, %x: tensor<9xf64>) {
  // expected-error@+1 {{C22: expected element type 'f32' in residuals, got 'f64'}}
  %r:2 = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o, %x : tensor<2x4x6x5xf32>, tensor<9xf64>) -> tensor<2x4x6x5xf32>, tensor<9xf64>
  return
}

// -----

func.func @c20_one_result_of_two(%q: tensor<2x4x6x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x8xf32>, %o: tensor<2x4x6x5xf32>, %x: tensor<?xf32>) {
  // expected-error@+1 {{C20: expected 2 results, got 1}}
  %r = lot.attention ins(%q, %k, %v, %z : tensor<2x4x6x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>, tensor<4x3x8xf32>)
      outs(%o, %x : tensor<2x4x6x5xf32>, tensor<?xf32>) -> tensor<2x4x6x5xf32>
  return
}
