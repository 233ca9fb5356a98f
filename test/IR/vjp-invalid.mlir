// RUN: lot-opt %s -split-input-file -verify-diagnostics

// C90 and C91 of all vjps (docs/spec.md), and that the constraints of the forward
// ops hold for them.

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_inits(%q: !t, %k: !k, %z: !z, %la: tensor<1x6xf32>) {
  // expected-error@+1 {{C90: expected one init for each of query, key, value, pivots, query_log_mass, got 3}}
  %r:3 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      query_log_mass(%la : tensor<1x6xf32>) outs(%q, %k, %k : !t, !k, !k) -> !t, !k, !k
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_extra_init(%q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C90: expected one init for each of query, key, value, pivots, got 5}}
  %r:5 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%q, %k, %k, %z, %z : !t, !k, !k, !z, !z) -> !t, !k, !k, !z, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_residuals_rank(%q: !t, %z: !z, %res: tensor<5x1xf32>) {
  // expected-error@+1 {{C22: expected residuals of rank 1, got 'tensor<5x1xf32>'}}
  %r:4 = lot.attention_vjp ins(%q, %q, %q, %q, %z : !t, !t, !t, !t, !z)
      residuals(%res : tensor<5x1xf32>) outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_rank(%q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C91: expected the init of pivots of rank 3, got 'tensor<1x4x6x8xf32>'}}
  %r:4 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%q, %k, %k, %q : !t, !k, !k, !t) -> !t, !k, !k, !t
  return
}

// -----

!t = tensor<1x4x6x8xf16>
!k = tensor<1x2x7x8xf16>
!z = tensor<4x3x8xf32>
!w = tensor<1x4x6x8xf32>
func.func @attention_element_type(%q: !t, %k: !k, %z: !z, %w: !w) {
  // expected-error@+1 {{C91: expected element type 'f16' in the init of query, got 'f32'}}
  %r:4 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%w, %k, %k, %z : !w, !k, !k, !z) -> !w, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_size(%q: !t, %k: !k, %z: !z, %w: tensor<1x4x5x8xf32>) {
  // expected-error@+1 {{C9: expected the init of query to have the length 6 of query, got 5}}
  %r:4 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%w, %k, %k, %z : tensor<1x4x5x8xf32>, !k, !k, !z) -> tensor<1x4x5x8xf32>, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_cotangent(%q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C7: expected cotangent to have the heads 4 of query, got 2}}
  %r:4 = lot.attention_vjp ins(%k, %q, %k, %k, %z : !k, !t, !k, !k, !z)
      outs(%q, %k, %k, %z : !t, !k, !k, !z) -> !t, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_cotangent_type(%d: tensor<1x4x6x8xf64>, %q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C3: expected element type 'f32' in cotangent, got 'f64'}}
  %r:4 = lot.attention_vjp ins(%d, %q, %k, %k, %z : tensor<1x4x6x8xf64>, !t, !k, !k, !z)
      outs(%q, %k, %k, %z : !t, !k, !k, !z) -> !t, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<3x3x8xf32>
func.func @attention_heads(%q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C8: expected the heads of pivots to be those of query (4) or of key (2), got 3}}
  %r:4 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%q, %k, %k, %z : !t, !k, !k, !z) -> !t, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_epsilon(%q: !t, %k: !k, %z: !z) {
  // expected-error@+1 {{C15: expected epsilon > 0 and finite, got -1.000000e+00 : f64}}
  %r:4 = lot.attention_vjp {epsilon = -1.0 : f64} ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%q, %k, %k, %z : !t, !k, !k, !z) -> !t, !k, !k, !z
  return
}

// -----

!t = tensor<1x4x6x8xf32>
!k = tensor<1x2x7x8xf32>
!z = tensor<4x3x8xf32>
func.func @attention_mixed(%q: !t, %k: !k, %z: !z, %m: memref<1x4x6x8xf32>) {
  // expected-error@+1 {{C20: expected all operands to be tensors or all memrefs}}
  %r:4 = lot.attention_vjp ins(%q, %q, %k, %k, %z : !t, !t, !k, !k, !z)
      outs(%m, %k, %k, %z : memref<1x4x6x8xf32>, !k, !k, !z) -> !t, !k, !k, !z
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @solve_inits(%L: !L, %y: !y, %t: tensor<2x3x3xf32>, %a: tensor<2x6xf32>) {
  // expected-error@+1 {{C90: expected one init for each of scores, token_log_mass, got 1}}
  %r = lot.pivot_solve_vjp first<tokens> half_steps(4)
      ins(%y, %y, %L, %t : !y, !y, !L, tensor<2x3x3xf32>)
      token_log_mass(%a : tensor<2x6xf32>) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @solve_trajectory(%L: !L, %y: !y, %t: tensor<2x2x3xf32>) {
  // expected-error@+1 {{C36: expected trajectory to hold 3 potentials (the start and 2 pivot steps), got 'tensor<2x2x3xf32>'}}
  %r = lot.pivot_solve_vjp first<tokens> half_steps(4)
      ins(%y, %y, %L, %t : !y, !y, !L, tensor<2x2x3xf32>) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @solve_cotangent(%L: !L, %y: !y, %w: tensor<2x4xf32>, %t: tensor<2x3x3xf32>) {
  // expected-error@+1 {{C33: expected the cotangent of last to have the number of pivots 3 of scores, got 4}}
  %r = lot.pivot_solve_vjp first<tokens> half_steps(4)
      ins(%y, %w, %L, %t : !y, tensor<2x4xf32>, !L, tensor<2x3x3xf32>) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @solve_steps(%L: !L, %y: !y, %t: tensor<2x3x3xf32>) {
  // expected-error@+1 {{C35: expected half_steps >= 1, got 0}}
  %r = lot.pivot_solve_vjp first<tokens> half_steps(0)
      ins(%y, %y, %L, %t : !y, !y, !L, tensor<2x3x3xf32>) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @solve_gradient(%L: !L, %y: !y, %t: tensor<2x3x3xf32>, %w: tensor<2x5x3xf32>) {
  // expected-error@+1 {{C33: expected the init of scores to have the number of tokens 6 of scores, got 5}}
  %r = lot.pivot_solve_vjp first<tokens> half_steps(4)
      ins(%y, %y, %L, %t : !y, !y, !L, tensor<2x3x3xf32>)
      outs(%w : tensor<2x5x3xf32>) -> tensor<2x5x3xf32>
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @sweep_inits(%L: !L, %y: !y) {
  // expected-error@+1 {{C90: expected one init for each of scores, prev, got 1}}
  %r = lot.sweep_vjp ins(%y, %L, %y : !y, !L, !y) prev(%y : !y) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @sweep_types(%L: !L, %y: !y, %w: tensor<2x3xf64>) {
  // expected-error@+1 {{C41: expected element type 'f32' in log_sum, got 'f64'}}
  %r = lot.sweep_vjp ins(%y, %L, %w : !y, !L, tensor<2x3xf64>) outs(%L : !L) -> !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @sweep_init_rank(%L: !L, %y: !y) {
  // expected-error@+1 {{C91: expected the init of prev of rank 2, got 'tensor<2x6x3xf32>'}}
  %r:2 = lot.sweep_vjp ins(%y, %L, %y : !y, !L, !y) prev(%y : !y) outs(%L, %L : !L, !L) -> !L, !L
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @plan_inits(%L: !L, %y: !y) {
  // expected-error@+1 {{C90: expected one init for each of scores, prev, last, got 2}}
  %r:2 = lot.plan_vjp conditional<tokens> ins(%L, %L : !L, !L) prev(%y : !y) last(%y : !y)
      outs(%L, %y : !L, !y) -> !L, !y
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @plan_cotangent(%L: !L, %y: !y, %w: tensor<2x5x3xf32>) {
  // expected-error@+1 {{C52: expected cotangent to have the number of tokens 6 of scores, got 5}}
  %r:2 = lot.plan_vjp conditional<tokens> ins(%w, %L : tensor<2x5x3xf32>, !L) last(%y : !y)
      outs(%L, %y : !L, !y) -> !L, !y
  return
}

// -----

!L = tensor<2x6x3xf32>
!y = tensor<2x3xf32>
func.func @plan_cotangent_type(%L: !L, %y: !y, %w: tensor<2x6x3xf64>) {
  // expected-error@+1 {{C51: expected element type 'f32' in cotangent, got 'f64'}}
  %r:2 = lot.plan_vjp conditional<tokens> ins(%w, %L : tensor<2x6x3xf64>, !L) last(%y : !y)
      outs(%L, %y : !L, !y) -> !L, !y
  return
}

// -----

!r = tensor<1x4x6x3xf32>
!s = tensor<1x2x7x3xf32>
!v = tensor<1x2x7x5xf32>
!o = tensor<1x4x6x5xf32>
func.func @glue_inits(%r: !r, %s: !s, %v: !v, %o: !o, %w: tensor<1x2x3xf32>) {
  // expected-error@+1 {{C90: expected one init for each of query_plan, key_plan, value, glue_log_ratio, got 3}}
  %g:3 = lot.glue_vjp ins(%o, %r, %s, %v : !o, !r, !s, !v) glue_log_ratio(%w : tensor<1x2x3xf32>)
      outs(%r, %s, %v : !r, !s, !v) -> !r, !s, !v
  return
}

// -----

!r = tensor<1x4x6x3xf32>
!s = tensor<1x2x7x3xf32>
!v = tensor<1x2x7x5xf32>
!o = tensor<1x4x6x5xf32>
func.func @glue_value_type(%r: !r, %s: !s, %v: !v, %o: !o, %w: tensor<1x2x7x5xbf16>) {
  // expected-error@+1 {{C91: expected element type 'f32' in the init of value, got 'bf16'}}
  %g:3 = lot.glue_vjp ins(%o, %r, %s, %v : !o, !r, !s, !v)
      outs(%r, %s, %w : !r, !s, tensor<1x2x7x5xbf16>) -> !r, !s, tensor<1x2x7x5xbf16>
  return
}

// -----

!r = tensor<1x4x6x3xf32>
!s = tensor<1x2x7x3xf32>
!v = tensor<1x2x7x5xf32>
!o = tensor<1x4x6x5xf32>
func.func @glue_cotangent(%r: !r, %s: !s, %v: !v, %w: tensor<1x4x6x4xf32>) {
  // expected-error@+1 {{C65: expected cotangent to have the value dim 5 of value, got 4}}
  %g:3 = lot.glue_vjp ins(%w, %r, %s, %v : tensor<1x4x6x4xf32>, !r, !s, !v)
      outs(%r, %s, %v : !r, !s, !v) -> !r, !s, !v
  return
}

// -----

!r = tensor<1x4x6x3xf32>
!s = tensor<1x2x7x3xf32>
!v = tensor<1x2x7x5xf32>
!o = tensor<1x4x6x5xf32>
func.func @glue_results(%r: !r, %s: !s, %v: !v, %o: !o) {
  // expected-error@+1 {{C20: expected 3 results, got 2}}
  %g:2 = lot.glue_vjp ins(%o, %r, %s, %v : !o, !r, !s, !v) outs(%r, %s, %v : !r, !s, !v) -> !r, !s
  return
}
