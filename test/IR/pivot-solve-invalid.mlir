// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C20 and C30 to C36 of lot.pivot_solve (docs/spec.md). The valid op is
//   scores 2x6x3, prev and last 2x3.

func.func @c30_rank_1(%scores: tensor<3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C30: expected scores of rank 2 or 3 or 4, got 'tensor<3xf32>'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c30_rank_5(%scores: tensor<1x1x2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C30: expected scores of rank 2 or 3 or 4, got 'tensor<1x1x2x6x3xf32>'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<1x1x2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c30_memref(%scores: memref<3xf32>, %prev: memref<2x3xf32>, %last: memref<2x3xf32>) {
  // expected-error@+1 {{C30: expected scores of rank 2 or 3 or 4, got 'memref<3xf32>'}}
  lot.pivot_solve first<tokens> half_steps(4) ins(%scores : memref<3xf32>)
      outs(%prev, %last : memref<2x3xf32>, memref<2x3xf32>)
  return
}

// -----

func.func @c31_type(%scores: tensor<2x6x3xbf16>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C31: expected element type 'f32' or 'f64' in scores, got 'bf16'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xbf16>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c31_mixed(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf64>) {
  // expected-error@+1 {{C31: expected element type 'f32' in the init of last, got 'f64'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<2x3xf32>, tensor<2x3xf64>
  return
}

// -----

func.func @c31_mass(%scores: tensor<2x6x3xf32>, %la: tensor<2x6xf64>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C31: expected element type 'f32' in token_log_mass, got 'f64'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      token_log_mass(%la : tensor<2x6xf64>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c32_one_init(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>) {
  // expected-error@+1 {{C32: expected two inits (prev and last) or three (and trajectory), got 1}}
  %r = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @c32_three_inits(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C36: expected the init of trajectory of rank 3, got 'tensor<2x3xf32>'}}
  %r:3 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last, %last : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @trajectory_type(%L: tensor<2x6x3xf32>, %i: tensor<2x3xf32>, %t: tensor<2x3x3xf64>) {
  // expected-error@+1 {{C31: expected element type 'f32' in the init of trajectory, got 'f64'}}
  %r:3 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<2x6x3xf32>)
      outs(%i, %i, %t : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x3xf64>)
      -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3x3xf64>
  return
}

// -----

func.func @trajectory_steps(%L: tensor<2x6x3xf32>, %i: tensor<2x3xf32>, %t: tensor<2x4x3xf32>) {
  // expected-error@+1 {{C36: expected the init of trajectory to hold 3 potentials (the start and 2 pivot steps), got 'tensor<2x4x3xf32>'}}
  %r:3 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<2x6x3xf32>)
      outs(%i, %i, %t : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x4x3xf32>)
      -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x4x3xf32>
  return
}

// -----

func.func @trajectory_dynamic_steps(%L: tensor<2x6x3xf32>, %i: tensor<2x3xf32>, %t: tensor<2x?x3xf32>) {
  // expected-error@+1 {{C36: expected the init of trajectory to hold 3 potentials (the start and 2 pivot steps), got 'tensor<2x?x3xf32>'}}
  %r:3 = lot.pivot_solve first<pivots> half_steps(3) ins(%L : tensor<2x6x3xf32>)
      outs(%i, %i, %t : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x?x3xf32>)
      -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x?x3xf32>
  return
}

// -----

func.func @trajectory_batch(%L: tensor<2x6x3xf32>, %i: tensor<2x3xf32>, %t: tensor<1x3x3xf32>) {
  // expected-error@+1 {{C36: expected the init of trajectory to have the batch size 2 of scores, got 1}}
  %r:3 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<2x6x3xf32>)
      outs(%i, %i, %t : tensor<2x3xf32>, tensor<2x3xf32>, tensor<1x3x3xf32>)
      -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<1x3x3xf32>
  return
}

// -----

func.func @c33_rank(%scores: tensor<2x6x3xf32>, %lw: tensor<3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C33: expected pivot_log_mass of rank 2, got 'tensor<3xf32>'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      pivot_log_mass(%lw : tensor<3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c33_batch(%scores: tensor<2x6x3xf32>, %prev: tensor<1x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C33: expected the init of prev to have the batch size 2 of scores, got 1}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<1x3xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c33_tokens(%scores: tensor<2x6x3xf32>, %la: tensor<2x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C33: expected token_log_mass to have the number of tokens 6 of scores, got 3}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      token_log_mass(%la : tensor<2x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c33_pivots(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x4xf32>) {
  // expected-error@+1 {{C33: expected the init of last to have the number of pivots 3 of scores, got 4}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>, tensor<2x4xf32>
  return
}

// -----

func.func @c33_memref(%scores: memref<2x6x3xf32>, %lw: memref<2x6xf32>, %prev: memref<2x3xf32>, %last: memref<2x3xf32>) {
  // expected-error@+1 {{C33: expected pivot_log_mass to have the number of pivots 3 of scores, got 6}}
  lot.pivot_solve first<tokens> half_steps(4) ins(%scores : memref<2x6x3xf32>)
      pivot_log_mass(%lw : memref<2x6xf32>)
      outs(%prev, %last : memref<2x3xf32>, memref<2x3xf32>)
  return
}

// -----

func.func @c34_dynamic(%scores: tensor<2x6x?xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C34: expected a static number of pivots r in scores, got 'tensor<2x6x?xf32>'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x?xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c34_none(%scores: tensor<2x6x0xf32>, %prev: tensor<2x0xf32>, %last: tensor<2x0xf32>) {
  // expected-error@+1 {{C34: expected number of pivots r of scores >= 1, got 0}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x0xf32>)
      outs(%prev, %last : tensor<2x0xf32>, tensor<2x0xf32>) -> tensor<2x0xf32>, tensor<2x0xf32>
  return
}

// -----

func.func @c35_zero(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C35: expected half_steps >= 1, got 0}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(0) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c35_negative(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C35: expected half_steps >= 1, got -2}}
  %r:2 = lot.pivot_solve first<pivots> half_steps(-2) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c20_mixed(%scores: memref<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : memref<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c20_no_result(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected 2 results, got 0}}
  lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>)
  return
}

// -----

func.func @c20_result_type(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected the result type to be the init's type 'tensor<2x3xf32>', got 'tensor<?x3xf32>'}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<2x6x3xf32>)
      outs(%prev, %last : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<?x3xf32>
  return
}
