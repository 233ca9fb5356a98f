// RUN: lot-opt %s --convert-lot-attention-to-gpu --split-input-file --verify-diagnostics

func.func @tensors(%q: tensor<1x2x8x4xf32>, %z: tensor<2x3x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  // expected-error @+1 {{'lot.attention' op cannot be converted on tensors: bufferize first (pipeline lot-to-nvgpu)}}
  %r = lot.attention ins(%q, %q, %q, %z : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<2x3x4xf32>)
    outs(%o : tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

func.func @double(%q: memref<1x2x8x4xf64>, %z: memref<2x3x4xf64>, %o: memref<1x2x8x4xf64>) {
  // expected-error @+1 {{'lot.attention' op expected query of f16, bf16 or f32 on a GPU, got 'f64'}}
  lot.attention ins(%q, %q, %q, %z : memref<1x2x8x4xf64>, memref<1x2x8x4xf64>, memref<1x2x8x4xf64>, memref<2x3x4xf64>)
    outs(%o : memref<1x2x8x4xf64>)
  return
}

// -----

func.func @dim(%q: memref<1x2x8x300xf32>, %z: memref<2x3x300xf32>, %o: memref<1x2x8x300xf32>) {
  // expected-error @+1 {{'lot.attention' op expected a head dimension of at most 256 on a GPU, got 300}}
  lot.attention ins(%q, %q, %q, %z : memref<1x2x8x300xf32>, memref<1x2x8x300xf32>, memref<1x2x8x300xf32>, memref<2x3x300xf32>)
    outs(%o : memref<1x2x8x300xf32>)
  return
}

// -----

func.func @pivots(%q: memref<1x2x8x4xf32>, %z: memref<2x257x4xf32>, %o: memref<1x2x8x4xf32>) {
  // expected-error @+1 {{'lot.attention' op expected a number of pivots of at most 256 on a GPU, got 257}}
  lot.attention ins(%q, %q, %q, %z : memref<1x2x8x4xf32>, memref<1x2x8x4xf32>, memref<1x2x8x4xf32>, memref<2x257x4xf32>)
    outs(%o : memref<1x2x8x4xf32>)
  return
}
