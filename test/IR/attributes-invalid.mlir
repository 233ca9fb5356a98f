// RUN: lot-opt %s -split-input-file -verify-diagnostics

// Text that names an attribute value which does not exist.

// expected-error@+2 {{expected ::mlir::lot::Normalization to be one of: query_mass, row_sum, none}}
// expected-error@+1 {{failed to parse Lot_NormalizationAttr parameter}}
func.func private @unknown_normalization() attributes {a = #lot.normalization<softmax>}

// -----

func.func @unknown_marginal(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+2 {{expected ::mlir::lot::Marginal to be one of: tokens, pivots}}
  // expected-error@+1 {{failed to parse Lot_MarginalAttr parameter}}
  %r = lot.plan conditional<queries> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return
}

// -----

func.func @unknown_domain(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+2 {{expected ::mlir::lot::Domain to be one of: log, scaling}}
  // expected-error@+1 {{failed to parse Lot_DomainAttr parameter}}
  %r:2 = lot.sweep domain<linear> ins(%L : tensor<6x3xf32>)
      outs(%y, %y : tensor<3xf32>, tensor<3xf32>)
      -> tensor<3xf32>, tensor<3xf32>
  return
}

// -----

func.func @unknown_mass(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+2 {{expected 'outs'}}
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) query_log_mass(%y : tensor<3xf32>)
      outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return
}

// -----

// A clause comes once.

func.func @twice(%L: tensor<6x3xf32>, %la: tensor<6xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{`token_log_mass` clause can appear at most once in the expansion of the oilist directive}}
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) token_log_mass(%la : tensor<6xf32>)
      token_log_mass(%la : tensor<6xf32>)
      outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return
}

// -----

func.func @half_steps_not_a_number(%L: tensor<6x3xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{expected attribute value}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(many)
      ins(%L : tensor<6x3xf32>) outs(%y, %y : tensor<3xf32>, tensor<3xf32>)
      -> tensor<3xf32>, tensor<3xf32>
  return
}

// -----

// Attributes of a wrong kind.

func.func @epsilon_type(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{attribute 'epsilon' failed to satisfy constraint: 64-bit float attribute}}
  %r = lot.attention {epsilon = 1.0 : f32}
      ins(%q, %q, %q, %z : tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
          tensor<1x1x6x8xf32>, tensor<1x3x8xf32>)
      outs(%q : tensor<1x1x6x8xf32>) -> tensor<1x1x6x8xf32>
  return
}

// -----

func.func @normalization_type(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{attribute 'normalization' failed to satisfy constraint: what divides a row of the glued coupling}}
  %r = lot.attention {normalization = "row_sum"}
      ins(%q, %q, %q, %z : tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
          tensor<1x1x6x8xf32>, tensor<1x3x8xf32>)
      outs(%q : tensor<1x1x6x8xf32>) -> tensor<1x1x6x8xf32>
  return
}

// -----

// Operands that are no shaped values at all.

func.func @unranked(%q: tensor<*xf32>, %z: tensor<1x3x8xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor or strided memref, but got 'tensor<*xf32>'}}
  %r = lot.attention
      ins(%q, %q, %q, %z : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>,
          tensor<1x3x8xf32>)
      outs(%z : tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  return
}

// -----

// A layout that is no stride and offset.

func.func @layout(%L: memref<6x3xf32, affine_map<(i, j) -> (i floordiv 2, j)>>,
    %y: memref<3xf32>, %R: memref<6x3xf32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor or strided memref}}
  lot.plan conditional<tokens>
      ins(%L : memref<6x3xf32, affine_map<(i, j) -> (i floordiv 2, j)>>)
      last(%y : memref<3xf32>) outs(%R : memref<6x3xf32>)
  return
}

// -----

// The schedule's own checks.

// expected-error@+1 {{expected lanes to be a power of two of at most 64}}
func.func private @lanes() attributes {s = #lot.cpu_schedule<token_tile = 96, lanes = 12, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected lanes to be a power of two of at most 64}}
func.func private @lanes_128() attributes {s = #lot.cpu_schedule<token_tile = 128, lanes = 128, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected lanes to be a power of two of at most 64}}
func.func private @no_lanes() attributes {s = #lot.cpu_schedule<token_tile = 128, lanes = 0, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected token_tile to be a positive multiple of lanes of at most 1024}}
func.func private @tile() attributes {s = #lot.cpu_schedule<token_tile = 40, lanes = 16, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected token_tile to be a positive multiple of lanes of at most 1024}}
func.func private @no_tile() attributes {s = #lot.cpu_schedule<token_tile = 0, lanes = 16, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected token_tile to be a positive multiple of lanes of at most 1024}}
func.func private @big_tile() attributes {s = #lot.cpu_schedule<token_tile = 2048, lanes = 16, row_block = 4, vector_block = 2>}

// -----

// expected-error@+1 {{expected row_block and vector_block to be positive with a product of at most 64}}
func.func private @blocks() attributes {s = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 16, vector_block = 8>}

// -----

// expected-error@+1 {{expected row_block and vector_block to be positive with a product of at most 64}}
func.func private @negative_block() attributes {s = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = -1, vector_block = -1>}

// -----

// expected-error@+1 {{struct is missing required parameter: row_block}}
func.func private @missing() attributes {s = #lot.cpu_schedule<token_tile = 64, lanes = 16>}

// -----

// expected-error@+2 {{expected ::mlir::lot::FactorStorage to be one of: stored, recomputed}}
// expected-error@+1 {{failed to parse Lot_CPUScheduleAttr parameter 'factor'}}
func.func private @factor() attributes {s = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2, factor = kept>}
