// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C20 and C50 to C53 of lot.plan (docs/spec.md). The valid op is
//   scores and init 2x6x3, prev and last 2x3.

func.func @c50_rank_5(%scores: tensor<1x1x2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C50: expected scores of rank 2 or 3 or 4, got 'tensor<1x1x2x6x3xf32>'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<1x1x2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c50_memref(%scores: memref<3xf32>, %prev: memref<2x3xf32>, %last: memref<2x3xf32>, %init: memref<2x6x3xf32>) {
  // expected-error@+1 {{C50: expected scores of rank 2 or 3 or 4, got 'memref<3xf32>'}}
  lot.plan conditional<pivots> ins(%scores : memref<3xf32>)
      prev(%prev : memref<2x3xf32>)
      last(%last : memref<2x3xf32>)
      outs(%init : memref<2x6x3xf32>)
  return
}

// -----

func.func @c51_type(%scores: tensor<2x6x3xi32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C51: expected element type 'f32' or 'f64' in scores, got 'i32'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xi32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c51_last(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf64>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C51: expected element type 'f32' in last, got 'f64'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf64>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c51_init(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xbf16>) {
  // expected-error@+1 {{C51: expected element type 'f32' in init, got 'bf16'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xbf16>) -> tensor<2x6x3xbf16>
  return
}

// -----

func.func @c52_rank(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C52: expected last of rank 2, got 'tensor<3xf32>'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c52_batch(%scores: tensor<2x6x3xf32>, %prev: tensor<1x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C52: expected prev to have the batch size 2 of scores, got 1}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<1x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c52_tokens(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %la: tensor<2x7xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C52: expected token_log_mass to have the number of tokens 6 of scores, got 7}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      token_log_mass(%la : tensor<2x7xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c52_pivots(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %lw: tensor<2x4xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C52: expected pivot_log_mass to have the number of pivots 3 of scores, got 4}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      pivot_log_mass(%lw : tensor<2x4xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c52_memref(%scores: memref<2x6x3xf32>, %prev: memref<2x3xf32>, %last: memref<2x6xf32>, %init: memref<2x6x3xf32>) {
  // expected-error@+1 {{C52: expected last to have the number of pivots 3 of scores, got 6}}
  lot.plan conditional<pivots> ins(%scores : memref<2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      last(%last : memref<2x6xf32>)
      outs(%init : memref<2x6x3xf32>)
  return
}

// -----

func.func @c52_init_rank(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<6x3xf32>) {
  // expected-error@+1 {{C52: expected init of rank 3, got 'tensor<6x3xf32>'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<6x3xf32>) -> tensor<6x3xf32>
  return
}

// -----

func.func @c52_init_tokens(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x3x3xf32>) {
  // expected-error@+1 {{C52: expected init to have the number of tokens 6 of scores, got 3}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  return
}

// -----

func.func @c52_init_pivots(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x6xf32>) {
  // expected-error@+1 {{C52: expected init to have the number of pivots 3 of scores, got 6}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x6xf32>) -> tensor<2x6x6xf32>
  return
}

// -----

func.func @c52_init_memref(%scores: memref<2x6x3xf32>, %prev: memref<2x3xf32>, %last: memref<2x3xf32>, %init: memref<4x6x3xf32>) {
  // expected-error@+1 {{C52: expected init to have the batch size 2 of scores, got 4}}
  lot.plan conditional<pivots> ins(%scores : memref<2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      last(%last : memref<2x3xf32>)
      outs(%init : memref<4x6x3xf32>)
  return
}

// -----

func.func @c53_dynamic(%scores: tensor<2x6x?xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C53: expected a static number of pivots r in scores, got 'tensor<2x6x?xf32>'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x?xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c53_none(%scores: tensor<2x6x0xf32>, %prev: tensor<2x0xf32>, %last: tensor<2x0xf32>, %init: tensor<2x6x0xf32>) {
  // expected-error@+1 {{C53: expected number of pivots r of scores >= 1, got 0}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x0xf32>)
      prev(%prev : tensor<2x0xf32>)
      last(%last : tensor<2x0xf32>)
      outs(%init : tensor<2x6x0xf32>) -> tensor<2x6x0xf32>
  return
}

// -----

func.func @c20_mixed(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: memref<2x6x3xf32>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : memref<2x6x3xf32>)
  return
}

// -----

func.func @c20_no_result(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C20: expected 1 results, got 0}}
  lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>)
  return
}

// -----

func.func @c20_result_on_memref(%scores: memref<2x6x3xf32>, %prev: memref<2x3xf32>, %last: memref<2x3xf32>, %init: memref<2x6x3xf32>) {
  // expected-error@+1 {{C20: expected 0 results, got 1}}
  %r = lot.plan conditional<pivots> ins(%scores : memref<2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      last(%last : memref<2x3xf32>)
      outs(%init : memref<2x6x3xf32>) -> tensor<2x6x3xf32>
  return
}

// -----

func.func @c20_result_type(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %last: tensor<2x3xf32>, %init: tensor<2x6x3xf32>) {
  // expected-error@+1 {{C20: expected the result type to be the init's type 'tensor<2x6x3xf32>', got 'tensor<2x?x3xf32>'}}
  %r = lot.plan conditional<pivots> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      last(%last : tensor<2x3xf32>)
      outs(%init : tensor<2x6x3xf32>) -> tensor<2x?x3xf32>
  return
}
