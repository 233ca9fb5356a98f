// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C80 to C85 of the head ops (docs/spec.md).

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_mass(%log_mass: memref<?xf32>, %log2_mass: memref<?xbf16>,
    %mass: memref<?xf32>, %n: index) {
  // expected-error@+1 {{C80: expected element type 'f32' or 'f64' in log2_mass, got 'bf16'}}
  lot.head_mass {schedule = #schedule} log_mass(%log_mass : memref<?xf32>) length(%n)
      outs(%log2_mass, %mass : memref<?xbf16>, memref<?xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_log_mass(%log_mass: memref<?xf64>, %log2_mass: memref<?xf32>,
    %mass: memref<?xf32>, %n: index) {
  // expected-error@+1 {{C80: expected element type 'f32' in log_mass, got 'f64'}}
  lot.head_mass {schedule = #schedule} log_mass(%log_mass : memref<?xf64>) length(%n)
      outs(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_factor(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf64>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C80: expected element type 'f32' in factor, got 'f64'}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf64>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_tokens(%tokens: memref<?x8xi8>, %pivots: memref<8x16xf32>,
    %prev: memref<3xf32>, %log2_mass: memref<?xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C80: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in tokens, got 'i8'}}
  lot.head_log_sweep {schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xi8>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_value(%tokens: memref<?x8xbf16>, %value: memref<?x5xi8>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C80: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in value, got 'i8'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xi8>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_out(%tokens: memref<?x8xbf16>, %gathered: memref<3x16xf32>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>, %out: memref<?x5xi8>,
    %scaled: i1) {
  // expected-error@+1 {{C80: expected element type 'f16' or 'bf16' or 'f32' or 'f64' in out, got 'i8'}}
  lot.head_apply {normalization = #lot.normalization<query_mass>, row_floor = 0.0 : f64, out_scale = 1.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<3x16xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x5xi8>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_mass(%log_mass: memref<?xf32>, %log2_mass: memref<?xf32>,
    %mass: memref<1x?xf32>, %n: index) {
  // expected-error@+1 {{C81: expected mass of rank 1, got 'memref<1x?xf32>'}}
  lot.head_mass {schedule = #schedule} log_mass(%log_mass : memref<?xf32>) length(%n)
      outs(%log2_mass, %mass : memref<?xf32>, memref<1x?xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_factor(%factor: memref<?x64xf32>, %prev: memref<3xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C81: expected factor of rank 3, got 'memref<?x64xf32>'}}
  lot.head_sweep {schedule = #schedule} ins(%factor, %prev, %mass : memref<?x64xf32>, memref<3xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_tokens(%tokens: memref<1x?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C81: expected tokens of rank 2, got 'memref<1x?x8xbf16>'}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<1x?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf32>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_gathered(%tokens: memref<?x8xbf16>, %value: memref<?x5xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<48xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C81: expected gathered of rank 2, got 'memref<48xf32>'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<48xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c82_pivots(%factor: memref<?x?x64xf32>, %prev: memref<3xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C82: expected a static number of pivots r in factor, got 'memref<?x?x64xf32>'}}
  lot.head_sweep {schedule = #schedule} ins(%factor, %prev, %mass : memref<?x?x64xf32>, memref<3xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c82_tile(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x32xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C82: expected tiles of 64 tokens in factor, got 'memref<?x3x32xf32>'}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x32xf32>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c82_dynamic_tile(%tokens: memref<?x8xbf16>,
    %gathered: memref<3x16xf32>, %pivots: memref<8x16xf32>,
    %log2_mass: memref<?xf32>, %mass: memref<?xf32>, %factor: memref<?x3x?xf32>,
    %prev: memref<3xf32>, %post: memref<3xf32>, %log_prev: memref<3xf32>,
    %log_shift: memref<3xf32>, %out: memref<?x5xbf16>, %scaled: i1) {
  // expected-error@+1 {{C82: expected tiles of 64 tokens in factor, got 'memref<?x3x?xf32>'}}
  lot.head_apply {normalization = #lot.normalization<query_mass>, row_floor = 0.0 : f64, out_scale = 1.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<3x16xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x?xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x5xbf16>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_static(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %prev: memref<?xf32>, %log2_mass: memref<?xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected a static number of pivots r in prev, got 'memref<?xf32>'}}
  lot.head_log_sweep {schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xbf16>, memref<8x16xf32>, memref<?xf32>, memref<?xf32>)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_packed(%tokens: memref<?x8xbf16>, %pivots: memref<8x3xf32>,
    %prev: memref<3xf32>, %log2_mass: memref<?xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected pivots to have 16 columns, the number of pivots of prev in whole vectors, got 'memref<8x3xf32>'}}
  lot.head_log_sweep {schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xbf16>, memref<8x3xf32>, memref<3xf32>, memref<?xf32>)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_head_dim(%tokens: memref<?x16xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected tokens to have the head dim 8 of pivots, got 16}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x16xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf32>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_sums(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %prev: memref<3xf32>, %log2_mass: memref<?xf32>, %sums: memref<4xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected sums to have the number of pivots 3 of prev, got 4}}
  lot.head_log_sweep {schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>)
      outs(%sums : memref<4xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_sweep(%factor: memref<?x3x64xf32>, %prev: memref<4xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected prev to have the number of pivots 3 of factor, got 4}}
  lot.head_sweep {schedule = #schedule} ins(%factor, %prev, %mass : memref<?x3x64xf32>, memref<4xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_factor(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x4x64xf32>, %sums: memref<3xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected factor to have the number of pivots 3 of bias, got 4}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x4x64xf32>, memref<3xf32>) partials(%partials : memref<?x160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_gather_factor(%tokens: memref<?x8xbf16>,
    %value: memref<?x5xbf16>, %pivots: memref<8x16xf32>,
    %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x4x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected factor to have the number of pivots 3 of prev, got 4}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x4x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_plan(%tokens: memref<?x8xbf16>, %value: memref<?x5xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<4xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected log_shift to have the number of pivots 3 of prev, got 4}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<4xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_gathered(%tokens: memref<?x8xbf16>, %gathered: memref<4x16xf32>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>, %out: memref<?x5xbf16>,
    %scaled: i1) {
  // expected-error@+1 {{C83: expected gathered to have the number of pivots 3 of prev, got 4}}
  lot.head_apply {normalization = #lot.normalization<query_mass>, row_floor = 0.0 : f64, out_scale = 1.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<4x16xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x5xbf16>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_vectors(%tokens: memref<?x8xbf16>, %value: memref<?x5xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x8xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C84: expected gathered to have 16 columns, those of value in whole vectors of 16, got 'memref<3x8xf32>'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x8xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_dynamic(%tokens: memref<?x8xbf16>, %gathered: memref<3x?xf32>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>, %out: memref<?x5xbf16>,
    %scaled: i1) {
  // expected-error@+1 {{C84: expected gathered to have 16 columns, those of out in whole vectors of 16, got 'memref<3x?xf32>'}}
  lot.head_apply {normalization = #lot.normalization<query_mass>, row_floor = 0.0 : f64, out_scale = 1.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<3x?xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x5xbf16>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_value(%tokens: memref<?x8xbf16>, %value: memref<?x17xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C84: expected gathered to have 32 columns, those of value in whole vectors of 16, got 'memref<3x16xf32>'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x17xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_row_sum(%tokens: memref<?x8xbf16>, %value: memref<?x16xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C84: expected gathered to have 32 columns, those of value in whole vectors of 16 and one vector for row sums, got 'memref<3x16xf32>'}}
  lot.head_gather {row_sum, schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x16xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_out(%tokens: memref<?x8xbf16>, %gathered: memref<3x16xf32>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %out: memref<?x16xbf16>, %scaled: i1) {
  // expected-error@+1 {{C84: expected gathered to have 32 columns, those of out in whole vectors of 16 and one vector for row sums, got 'memref<3x16xf32>'}}
  lot.head_apply {normalization = #lot.normalization<row_sum>, row_floor = 0.5 : f64, out_scale = 2.0 : f64, schedule = #schedule}
      ins(%tokens, %gathered, %pivots : memref<?x8xbf16>, memref<3x16xf32>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%out : memref<?x16xbf16>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_value_dim(%tokens: memref<?x8xbf16>, %value: memref<?x?xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C84: expected a static value dim dv in value, got 'memref<?x?xbf16>'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x?xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_partials(%factor: memref<?x3x64xf32>, %prev: memref<3xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x160xf64>) {
  // expected-error@+1 {{C80: expected element type 'f32' in partials, got 'f64'}}
  lot.head_sweep {schedule = #schedule}
      ins(%factor, %prev, %mass : memref<?x3x64xf32>, memref<3xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x160xf64>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_partials(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %sums: memref<3xf32>, %partials: memref<160xf32>) {
  // expected-error@+1 {{C81: expected partials of rank 2, got 'memref<160xf32>'}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf32>, memref<3xf32>) partials(%partials : memref<160xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c85_sweep(%factor: memref<?x3x64xf32>, %prev: memref<3xf32>,
    %mass: memref<?xf32>, %sums: memref<3xf32>, %n: index, %partials: memref<?x47xf32>) {
  // expected-error@+1 {{C85: expected rows of partials to hold 48 values, got 'memref<?x47xf32>'}}
  lot.head_sweep {schedule = #schedule}
      ins(%factor, %prev, %mass : memref<?x3x64xf32>, memref<3xf32>, memref<?xf32>) length(%n)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x47xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c85_factor(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %bias: memref<3xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %sums: memref<3xf32>, %partials: memref<?x79xf32>) {
  // expected-error@+1 {{C85: expected rows of partials to hold 80 values, got 'memref<?x79xf32>'}}
  %range = lot.head_factor first<tokens> {schedule = #schedule}
      ins(%tokens, %pivots, %bias, %log2_mass, %mass :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      outs(%factor, %sums : memref<?x3x64xf32>, memref<3xf32>) partials(%partials : memref<?x79xf32>) -> f32
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c85_log_sweep(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>,
    %prev: memref<3xf32>, %log2_mass: memref<?xf32>, %sums: memref<3xf32>, %partials: memref<?x95xf32>) {
  // expected-error@+1 {{C85: expected rows of partials to hold 96 values, got 'memref<?x95xf32>'}}
  lot.head_log_sweep {schedule = #schedule}
      ins(%tokens, %pivots, %prev, %log2_mass : memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<?xf32>)
      outs(%sums : memref<3xf32>) partials(%partials : memref<?x95xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c85_gather(%tokens: memref<?x8xbf16>, %value: memref<?x5xbf16>,
    %pivots: memref<8x16xf32>, %log2_mass: memref<?xf32>, %mass: memref<?xf32>,
    %factor: memref<?x3x64xf32>, %prev: memref<3xf32>, %post: memref<3xf32>,
    %log_prev: memref<3xf32>, %log_shift: memref<3xf32>,
    %gathered: memref<3x16xf32>, %scaled: i1, %partials: memref<?x?xf32>) {
  // expected-error@+1 {{C85: expected rows of partials to hold 48 values, got 'memref<?x?xf32>'}}
  lot.head_gather {schedule = #schedule}
      ins(%tokens, %value, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<8x16xf32>)
      mass(%log2_mass, %mass : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %prev, %post, %log_prev, %log_shift :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%gathered : memref<3x16xf32>) partials(%partials : memref<?x?xf32>)
  return
}
