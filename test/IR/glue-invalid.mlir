// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C20 and C60 to C67 of lot.glue (docs/spec.md). The valid op is
//   query_plan 2x4x6x3 and key_plan 2x2x7x3 in f32,
//   value 2x2x7x5 and init 2x4x6x5 in bf16.

func.func @c60_query_plan(%r1: tensor<4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C60: expected query_plan of rank 4, got 'tensor<4x6x3xf32>'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c60_query_log_mass(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %la: tensor<2x6xf32>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C60: expected query_log_mass of rank 3, got 'tensor<2x6xf32>'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      query_log_mass(%la : tensor<2x6xf32>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c60_memref(%r1: memref<2x4x6x3xf32>, %r2: memref<2x2x7x3xf32>, %v: memref<2x7x5xbf16>, %init: memref<2x4x6x5xbf16>) {
  // expected-error@+1 {{C60: expected value of rank 4, got 'memref<2x7x5xbf16>'}}
  lot.glue ins(%r1, %r2, %v : memref<2x4x6x3xf32>, memref<2x2x7x3xf32>, memref<2x7x5xbf16>)
      outs(%init : memref<2x4x6x5xbf16>)
  return
}

// -----

func.func @c61_init(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xi8>) {
  // expected-error@+1 {{C61: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in init, got 'i8'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xi8>) -> tensor<2x4x6x5xi8>
  return
}

// -----

func.func @c61_value(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C61: expected element type 'bf16' or 'f32' in value, got 'f16'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c61_plan(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xbf16>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C61: expected element type 'f32' in key_plan, got 'bf16'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xbf16>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c61_ratio(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %ratio: tensor<2x2x3xf64>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C61: expected element type 'f32' in glue_log_ratio, got 'f64'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      glue_log_ratio(%ratio : tensor<2x2x3xf64>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c61_f64(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xf64>, %init: tensor<2x4x6x5xf64>) {
  // expected-error@+1 {{C61: expected element type 'f64' in query_plan, got 'f32'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xf64>)
      outs(%init : tensor<2x4x6x5xf64>) -> tensor<2x4x6x5xf64>
  return
}

// -----

func.func @c62_value(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<1x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C62: expected value to have the batch size 2 of query_plan, got 1}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<1x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c62_memref(%r1: memref<2x4x6x3xf32>, %r2: memref<2x2x7x3xf32>, %v: memref<2x2x7x5xbf16>, %init: memref<3x4x6x5xbf16>) {
  // expected-error@+1 {{C62: expected init to have the batch size 2 of query_plan, got 3}}
  lot.glue ins(%r1, %r2, %v : memref<2x4x6x3xf32>, memref<2x2x7x3xf32>, memref<2x2x7x5xbf16>)
      outs(%init : memref<3x4x6x5xbf16>)
  return
}

// -----

func.func @c63_multiple(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x3x7x3xf32>, %v: tensor<2x3x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C63: expected the heads of query_plan to be a multiple of the heads of value, got 4 and 3}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x3x7x3xf32>, tensor<2x3x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c63_no_heads(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x0x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C63: expected the heads of query_plan to be a multiple of the heads of value, got 4 and 0}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x0x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c63_key_plan(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x1x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C63: expected the heads of key_plan to be those of query_plan (4) or of value (2), got 1}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x1x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c63_init(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x2x6x5xbf16>) {
  // expected-error@+1 {{C63: expected init to have the heads 4 of query_plan, got 2}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x2x6x5xbf16>) -> tensor<2x2x6x5xbf16>
  return
}

// -----

func.func @c63_ratio(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %ratio: tensor<2x4x3xf32>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C63: expected glue_log_ratio to have the heads 2 of key_plan, got 4}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      glue_log_ratio(%ratio : tensor<2x4x3xf32>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c64_init(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x7x5xbf16>) {
  // expected-error@+1 {{C64: expected init to have the length 6 of query_plan, got 7}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x7x5xbf16>) -> tensor<2x4x7x5xbf16>
  return
}

// -----

func.func @c64_value(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x6x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C64: expected value to have the length 7 of key_plan, got 6}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x6x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c64_mass(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %la: tensor<2x4x7xf32>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C64: expected query_log_mass to have the length 6 of query_plan, got 7}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      query_log_mass(%la : tensor<2x4x7xf32>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c65_pivots(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x4xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C65: expected key_plan to have the number of pivots 3 of query_plan, got 4}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x4xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c65_value_dim(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x6xbf16>) {
  // expected-error@+1 {{C65: expected init to have the value dim 5 of value, got 6}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x6xbf16>) -> tensor<2x4x6x6xbf16>
  return
}

// -----

func.func @c65_dynamic(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x?xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C65: expected a static number of pivots r in key_plan, got 'tensor<2x2x7x?xf32>'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x?xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c65_none(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x0xbf16>, %init: tensor<2x4x6x0xbf16>) {
  // expected-error@+1 {{C65: expected value dim dv of value >= 1, got 0}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x0xbf16>)
      outs(%init : tensor<2x4x6x0xbf16>) -> tensor<2x4x6x0xbf16>
  return
}

// -----

func.func @c66_negative(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C66: expected row_floor >= 0 and finite, got -1.0}}
  %r = lot.glue {row_floor = -1.0 : f64} ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c66_nan(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C66: expected row_floor >= 0 and finite, got 0x7FF8000000000000}}
  %r = lot.glue {row_floor = 0x7FF8000000000000 : f64} ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c67_inf(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C67: expected a finite out_scale, got 0x7FF0000000000000}}
  %r = lot.glue {out_scale = 0x7FF0000000000000 : f64} ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c20_mixed(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: memref<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, memref<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xbf16>
  return
}

// -----

func.func @c20_no_result(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C20: expected 1 results, got 0}}
  lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>)
  return
}

// -----

func.func @c20_result_type(%r1: tensor<2x4x6x3xf32>, %r2: tensor<2x2x7x3xf32>, %v: tensor<2x2x7x5xbf16>, %init: tensor<2x4x6x5xbf16>) {
  // expected-error@+1 {{C20: expected the result type to be the init's type 'tensor<2x4x6x5xbf16>', got 'tensor<2x4x6x5xf32>'}}
  %r = lot.glue ins(%r1, %r2, %v : tensor<2x4x6x3xf32>, tensor<2x2x7x3xf32>, tensor<2x2x7x5xbf16>)
      outs(%init : tensor<2x4x6x5xbf16>) -> tensor<2x4x6x5xf32>
  return
}
