// RUN: lot-opt %s -split-input-file -verify-diagnostics

// Generic forms that the custom syntax cannot spell: diagnosed, no crash.

func.func @solve_without_inits(%L: tensor<6x3xf32>) {
  // expected-error@+1 {{C32: expected two inits (prev and last) or three (and trajectory), got 0}}
  "lot.pivot_solve"(%L) <{first = #lot.marginal<tokens>, half_steps = 4 : i64,
      operandSegmentSizes = array<i32: 1, 0, 0, 0>}> : (tensor<6x3xf32>) -> ()
  return
}

// -----

func.func @sweep_without_inits(%L: memref<6x3xf32>) {
  // expected-error@+1 {{C42: expected two inits (max and sum) in the log domain, got 0}}
  "lot.sweep"(%L) <{domain = #lot.domain<log>,
      operandSegmentSizes = array<i32: 1, 0, 0, 0>}> : (memref<6x3xf32>) -> ()
  return
}

// -----

func.func @plan_without_init(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{expected 3 or more operands, but found 2}}
  "lot.plan"(%L, %y) <{conditional = #lot.marginal<tokens>,
      operandSegmentSizes = array<i32: 1, 0, 1, 0, 0, 0>}>
      : (tensor<6x3xf32>, tensor<3xf32>) -> ()
  return
}

// -----

func.func @plan_without_conditional(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{requires attribute 'conditional'}}
  %r = "lot.plan"(%L, %y, %L) <{
      operandSegmentSizes = array<i32: 1, 0, 1, 0, 0, 1>}>
      : (tensor<6x3xf32>, tensor<3xf32>, tensor<6x3xf32>) -> tensor<6x3xf32>
  return
}

// -----

func.func @segments(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{operand count (5) does not match with the total size (9) specified in attribute 'operandSegmentSizes'}}
  %r = "lot.attention"(%q, %q, %q, %z, %q) <{
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1>}>
      : (tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
         tensor<1x3x8xf32>, tensor<1x1x6x8xf32>) -> tensor<1x1x6x8xf32>
  return
}

// -----

func.func @two_results(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{C20: expected 1 results, got 2}}
  %r:2 = "lot.attention"(%q, %q, %q, %z, %q) <{
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 1>}>
      : (tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
         tensor<1x3x8xf32>, tensor<1x1x6x8xf32>)
      -> (tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>)
  return
}

// -----

func.func @attention_without_inits(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{C21: expected an init, or two with residuals, got 0}}
  "lot.attention"(%q, %q, %q, %z) <{
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0>}>
      : (tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>, tensor<1x3x8xf32>) -> ()
  return
}

// -----

func.func @attention_vjp_without_inits(%q: tensor<1x2x6x8xf32>, %z: tensor<2x3x8xf32>) {
  // expected-error@+1 {{C90: expected one init for each of query, key, value, pivots, got 0}}
  "lot.attention_vjp"(%q, %q, %q, %q, %z) <{
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>}>
      : (tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>,
         tensor<2x3x8xf32>) -> ()
  return
}
