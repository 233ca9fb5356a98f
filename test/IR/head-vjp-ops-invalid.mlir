// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C80 to C86 of the head ops of reverse mode (docs/spec.md).

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c80_adjoint(%tokens: memref<?x8xbf16>, %rows: memref<?x5xbf16>, %columns: memref<5x16xf32>,
    %pivots: memref<8x16xf32>, %tokenwise: memref<?xf32>, %factor: memref<?x3x64xf32>,
    %pivotwise: memref<3xf32>, %scaled: i1, %adjoint: memref<?x3x64xf64>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C80: expected element type 'f32' in adjoint, got 'f64'}}
  lot.head_adjoint {token_step, unit_numerator, schedule = #schedule}
      ins(%tokens, %rows, %columns, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<5x16xf32>, memref<8x16xf32>)
      mass(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %pivotwise, %pivotwise, %pivotwise, %pivotwise :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%adjoint, %tokenwise, %pivotwise : memref<?x3x64xf64>, memref<?xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c81_steps(%tokenwise: memref<?xf32>, %steps: memref<4x64xf32>, %n: index, %slot: index) {
  // expected-error@+1 {{C81: expected steps of rank 3, got 'memref<4x64xf32>'}}
  lot.head_first_step {schedule = #schedule} ins(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) outs(%steps : memref<4x64xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c82_adjoint(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>, %pivotwise: memref<3xf32>,
    %tokenwise: memref<?xf32>, %first: i1, %adjoint: memref<?x3x32xf32>, %partials: memref<?x160xf32>,
    %threads: index) {
  // expected-error@+1 {{C82: expected tiles of 64 tokens in adjoint, got 'memref<?x3x32xf32>'}}
  lot.head_log_adjoint_sweep {pivot_step, token_step, schedule = #schedule}
      ins(%tokens, %pivots, %pivotwise, %pivotwise, %pivotwise, %tokenwise, %tokenwise :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      first(%first) outs(%tokenwise, %adjoint, %pivotwise : memref<?xf32>, memref<?x3x32xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>) threads(%threads)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c83_columns(%tokens: memref<?x8xbf16>, %rows: memref<?x5xbf16>, %columns: memref<6x16xf32>,
    %pivots: memref<8x16xf32>, %tokenwise: memref<?xf32>, %factor: memref<?x3x64xf32>,
    %pivotwise: memref<3xf32>, %scaled: i1, %adjoint: memref<?x3x64xf32>, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C83: expected rows to have the head dim 6 of columns, got 5}}
  lot.head_adjoint {token_step, unit_numerator, schedule = #schedule}
      ins(%tokens, %rows, %columns, %pivots : memref<?x8xbf16>, memref<?x5xbf16>, memref<6x16xf32>, memref<8x16xf32>)
      mass(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      plan(%scaled, %factor, %pivotwise, %pivotwise, %pivotwise, %pivotwise :
           memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>, memref<3xf32>)
      outs(%adjoint, %tokenwise, %pivotwise : memref<?x3x64xf32>, memref<?xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c84_pivot_rows(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>, %pivot_rows: memref<3x8xf32>,
    %tokenwise: memref<?xf32>, %scaled: i1, %factor: memref<?x3x64xf32>, %steps: memref<?x4x64xf32>,
    %pivot_steps: memref<4x3xf32>, %adjoint: memref<?x3x64xf32>, %gradient: memref<?x8xbf16>,
    %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C84: expected pivot_rows to have 16 columns, those of tokens in whole vectors of 16, got 'memref<3x8xf32>'}}
  lot.head_score_gradient {clamp = 5.0 : f64, masked_tokens, schedule = #schedule}
      ins(%tokens, %pivots, %pivot_rows, %tokenwise :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3x8xf32>, memref<?xf32>)
      steps(%scaled, %factor, %steps, %pivot_steps : memref<?x3x64xf32>, memref<?x4x64xf32>, memref<4x3xf32>)
      outs(%adjoint, %gradient, %pivot_rows : memref<?x3x64xf32>, memref<?x8xbf16>, memref<3x8xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c85_adjoint_sweep(%factor: memref<?x3x64xf32>, %pivotwise: memref<3xf32>, %tokenwise: memref<?xf32>,
    %steps: memref<?x4x64xf32>, %n: index, %slot: index, %first: i1, %partials: memref<?x47xf32>) {
  // expected-error@+1 {{C85: expected rows of partials to hold 48 values, got 'memref<?x47xf32>'}}
  lot.head_adjoint_sweep {pivot_step, schedule = #schedule}
      ins(%factor, %pivotwise, %pivotwise, %tokenwise, %tokenwise :
          memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) first(%first)
      outs(%tokenwise, %steps, %pivotwise : memref<?xf32>, memref<?x4x64xf32>, memref<3xf32>)
      partials(%partials : memref<?x47xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c86_tile(%tokenwise: memref<?xf32>, %steps: memref<?x4x32xf32>, %n: index, %slot: index) {
  // expected-error@+1 {{C86: expected tiles of 64 tokens in steps, got 'memref<?x4x32xf32>'}}
  lot.head_first_step {schedule = #schedule} ins(%tokenwise, %tokenwise : memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) outs(%steps : memref<?x4x32xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c86_slots(%tokens: memref<?x8xbf16>, %pivots: memref<8x16xf32>, %pivot_rows: memref<3x16xf32>,
    %tokenwise: memref<?xf32>, %scaled: i1, %factor: memref<?x3x64xf32>, %steps: memref<?x4x64xf32>,
    %pivot_steps: memref<5x3xf32>, %adjoint: memref<?x3x64xf32>, %gradient: memref<?x8xbf16>,
    %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C86: expected pivot_steps to have the number of slots 4 of steps, got 5}}
  lot.head_score_gradient {clamp = 5.0 : f64, masked_tokens, schedule = #schedule}
      ins(%tokens, %pivots, %pivot_rows, %tokenwise :
          memref<?x8xbf16>, memref<8x16xf32>, memref<3x16xf32>, memref<?xf32>)
      steps(%scaled, %factor, %steps, %pivot_steps : memref<?x3x64xf32>, memref<?x4x64xf32>, memref<5x3xf32>)
      outs(%adjoint, %gradient, %pivot_rows : memref<?x3x64xf32>, memref<?x8xbf16>, memref<3x16xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}

// -----

#schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>

func.func @c86_dynamic(%factor: memref<?x3x64xf32>, %pivotwise: memref<3xf32>, %tokenwise: memref<?xf32>,
    %steps: memref<?x?x64xf32>, %n: index, %slot: index, %first: i1, %partials: memref<?x160xf32>) {
  // expected-error@+1 {{C86: expected a static number of slots in steps, got 'memref<?x?x64xf32>'}}
  lot.head_adjoint_sweep {pivot_step, schedule = #schedule}
      ins(%factor, %pivotwise, %pivotwise, %tokenwise, %tokenwise :
          memref<?x3x64xf32>, memref<3xf32>, memref<3xf32>, memref<?xf32>, memref<?xf32>)
      length(%n) slot(%slot) first(%first)
      outs(%tokenwise, %steps, %pivotwise : memref<?xf32>, memref<?x?x64xf32>, memref<3xf32>)
      partials(%partials : memref<?x160xf32>)
  return
}
