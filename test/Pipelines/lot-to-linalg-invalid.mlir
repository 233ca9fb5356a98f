// RUN: lot-opt %s --lot-to-linalg --split-input-file --verify-diagnostics

func.func @heads_not_known(%q: tensor<1x?x8x4xf32>, %k: tensor<1x?x8x4xf32>, %z: tensor<?x2x4xf32>,
    %i: tensor<1x?x8x4xf32>) -> tensor<1x?x8x4xf32> {
  // expected-error @below {{'lot.attention' op expected static heads of query and key or provably equal ones, got 'tensor<1x?x8x4xf32>' and 'tensor<1x?x8x4xf32>'; heads must be static where they are grouped}}
  %o = lot.attention ins(%q, %k, %k, %z : tensor<1x?x8x4xf32>, tensor<1x?x8x4xf32>,
      tensor<1x?x8x4xf32>, tensor<?x2x4xf32>) outs(%i : tensor<1x?x8x4xf32>) -> tensor<1x?x8x4xf32>
  return %o : tensor<1x?x8x4xf32>
}

// -----

func.func @pivot_heads_not_known(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x8x4xf32>, %z: tensor<?x2x4xf32>,
    %i: tensor<1x4x8x4xf32>) -> tensor<1x4x8x4xf32> {
  // expected-error @below {{'lot.attention' op expected static heads of query and pivots or provably equal ones}}
  %o = lot.attention ins(%q, %k, %k, %z : tensor<1x4x8x4xf32>, tensor<1x2x8x4xf32>,
      tensor<1x2x8x4xf32>, tensor<?x2x4xf32>) outs(%i : tensor<1x4x8x4xf32>) -> tensor<1x4x8x4xf32>
  return %o : tensor<1x4x8x4xf32>
}

// -----

func.func @buffers(%q: memref<1x2x8x4xf32>, %z: memref<2x2x4xf32>, %i: memref<1x2x8x4xf32>) {
  // expected-error @below {{'lot.attention' op expected tensors to rewrite, got memrefs; lot-to-linalg works on tensors, lot-to-cpu takes buffers}}
  lot.attention ins(%q, %q, %q, %z : memref<1x2x8x4xf32>, memref<1x2x8x4xf32>, memref<1x2x8x4xf32>,
      memref<2x2x4xf32>) outs(%i : memref<1x2x8x4xf32>)
  return
}

// -----

func.func @plan_on_buffers(%L: memref<8x4xf32>, %l: memref<4xf32>, %i: memref<8x4xf32>) {
  // expected-error @below {{'lot.plan' op expected tensors to rewrite, got memrefs}}
  lot.plan conditional<tokens> ins(%L : memref<8x4xf32>) prev(%l : memref<4xf32>)
      last(%l : memref<4xf32>) outs(%i : memref<8x4xf32>)
  return
}
