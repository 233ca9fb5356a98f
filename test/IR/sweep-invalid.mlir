// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C20 and C40 to C46 of lot.sweep (docs/spec.md). The valid op is
//   scores 2x6x3, prev, max and sum 2x3.

func.func @c40_rank_1(%scores: tensor<3xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C40: expected scores of rank 2 or 3 or 4, got 'tensor<3xf32>'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c40_memref(%scores: memref<1x1x2x6x3xf32>, %prev: memref<2x3xf32>, %max: memref<2x3xf32>, %sum: memref<2x3xf32>) {
  // expected-error@+1 {{C40: expected scores of rank 2 or 3 or 4, got 'memref<1x1x2x6x3xf32>'}}
  lot.sweep domain<log> ins(%scores : memref<1x1x2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      outs(%max, %sum : memref<2x3xf32>, memref<2x3xf32>)
  return
}

// -----

func.func @c41_type(%scores: tensor<2x6x3xf16>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C41: expected element type 'f32' or 'f64' in scores, got 'f16'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf16>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c41_mixed(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf64>) {
  // expected-error@+1 {{C41: expected element type 'f32' in the init of sum, got 'f64'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf64>) -> tensor<2x3xf32>, tensor<2x3xf64>
  return
}

// -----

func.func @c41_prev(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf64>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C41: expected element type 'f32' in prev, got 'f64'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf64>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c42_one_init(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C42: expected two inits (max and sum) in the log domain, got 1}}
  %r = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%sum : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @c42_three_inits(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C42: expected two inits (max and sum) in the log domain, got 3}}
  %r:3 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum, %sum : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c43_two_inits(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C43: expected one init (sum) in the scaling domain, got 2}}
  %r:2 = lot.sweep domain<scaling> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c44_no_prev(%scores: tensor<2x6x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C44: expected prev in the scaling domain, got none}}
  %r = lot.sweep domain<scaling> ins(%scores : tensor<2x6x3xf32>)
      outs(%sum : tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @c45_rank(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %la: tensor<6xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C45: expected token_log_mass of rank 2, got 'tensor<6xf32>'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      token_log_mass(%la : tensor<6xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c45_batch(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %max: tensor<3x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C45: expected the init of max to have the batch size 2 of scores, got 3}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<3x3xf32>, tensor<2x3xf32>) -> tensor<3x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c45_tokens(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %la: tensor<2x5xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C45: expected token_log_mass to have the number of tokens 6 of scores, got 5}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      token_log_mass(%la : tensor<2x5xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c45_pivots(%scores: tensor<2x6x3xf32>, %prev: tensor<2x4xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C45: expected prev to have the number of pivots 3 of scores, got 4}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x4xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c45_scaling(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %sum: tensor<2x4xf32>) {
  // expected-error@+1 {{C45: expected the init of sum to have the number of pivots 3 of scores, got 4}}
  %r = lot.sweep domain<scaling> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%sum : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @c45_memref(%scores: memref<2x6x3xf32>, %prev: memref<2x3xf32>, %max: memref<2x3xf32>, %sum: memref<1x3xf32>) {
  // expected-error@+1 {{C45: expected the init of sum to have the batch size 2 of scores, got 1}}
  lot.sweep domain<log> ins(%scores : memref<2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      outs(%max, %sum : memref<2x3xf32>, memref<1x3xf32>)
  return
}

// -----

func.func @c46_dynamic(%scores: tensor<2x6x?xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C46: expected a static number of pivots r in scores, got 'tensor<2x6x?xf32>'}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x?xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c46_none(%scores: tensor<2x6x0xf32>, %prev: tensor<2x0xf32>, %max: tensor<2x0xf32>, %sum: tensor<2x0xf32>) {
  // expected-error@+1 {{C46: expected number of pivots r of scores >= 1, got 0}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x0xf32>)
      prev(%prev : tensor<2x0xf32>)
      outs(%max, %sum : tensor<2x0xf32>, tensor<2x0xf32>) -> tensor<2x0xf32>, tensor<2x0xf32>
  return
}

// -----

func.func @c20_mixed(%scores: tensor<2x6x3xf32>, %prev: memref<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  %r:2 = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : memref<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @c20_results(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %max: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected 2 results, got 1}}
  %r = lot.sweep domain<log> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%max, %sum : tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @c20_result_type(%scores: tensor<2x6x3xf32>, %prev: tensor<2x3xf32>, %sum: tensor<2x3xf32>) {
  // expected-error@+1 {{C20: expected the result type to be the init's type 'tensor<2x3xf32>', got 'tensor<2x?xf32>'}}
  %r = lot.sweep domain<scaling> ins(%scores : tensor<2x6x3xf32>)
      prev(%prev : tensor<2x3xf32>)
      outs(%sum : tensor<2x3xf32>) -> tensor<2x?xf32>
  return
}
