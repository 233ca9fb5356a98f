// LOTFormer attention at static and at dynamic sizes.
//
//   lot-opt attention.mlir --lot-to-linalg
//   lot-run attention.mlir --entry=dynamic --input=q.npy --input=k.npy \
//           --input=v.npy --input=pivots.npy --output=out.npy

// All sizes known: batch 1, 2 heads, 96 queries, 80 keys, d = dv = 16, 8 pivots
// per head.
func.func @static(%q: tensor<1x2x96x16xf32>, %k: tensor<1x2x80x16xf32>,
                  %v: tensor<1x2x80x16xf32>, %pivots: tensor<2x8x16xf32>)
    -> tensor<1x2x96x16xf32> {
  %init = tensor.empty() : tensor<1x2x96x16xf32>
  %o = lot.attention {half_steps = 10 : i64}
      ins(%q, %k, %v, %pivots : tensor<1x2x96x16xf32>, tensor<1x2x80x16xf32>,
          tensor<1x2x80x16xf32>, tensor<2x8x16xf32>)
      outs(%init : tensor<1x2x96x16xf32>) -> tensor<1x2x96x16xf32>
  return %o : tensor<1x2x96x16xf32>
}

// One function for any batch and any number of queries and keys.
func.func @dynamic(%q: tensor<?x2x?x16xf32>, %k: tensor<?x2x?x16xf32>,
                   %v: tensor<?x2x?x16xf32>, %pivots: tensor<2x8x16xf32>)
    -> tensor<?x2x?x16xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %batch = tensor.dim %q, %c0 : tensor<?x2x?x16xf32>
  %n = tensor.dim %q, %c2 : tensor<?x2x?x16xf32>
  %init = tensor.empty(%batch, %n) : tensor<?x2x?x16xf32>
  %o = lot.attention {half_steps = 10 : i64}
      ins(%q, %k, %v, %pivots : tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>,
          tensor<?x2x?x16xf32>, tensor<2x8x16xf32>)
      outs(%init : tensor<?x2x?x16xf32>) -> tensor<?x2x?x16xf32>
  return %o : tensor<?x2x?x16xf32>
}

// Padded keys: mass 0, whose logarithm is -inf. What the padding holds, NaN
// included, is not read. Fewer key heads than query heads share them.
func.func @padded(%q: tensor<?x4x?x16xf32>, %k: tensor<?x2x?x16xf32>,
                  %v: tensor<?x2x?x8xf32>, %pivots: tensor<4x8x16xf32>,
                  %key_log_mass: tensor<?x?xf32>) -> tensor<?x4x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %batch = tensor.dim %q, %c0 : tensor<?x4x?x16xf32>
  %n = tensor.dim %q, %c2 : tensor<?x4x?x16xf32>
  %init = tensor.empty(%batch, %n) : tensor<?x4x?x8xf32>
  %o = lot.attention {epsilon = 0.5 : f64, half_steps = 9 : i64,
                      normalization = #lot.normalization<row_sum>}
      ins(%q, %k, %v, %pivots : tensor<?x4x?x16xf32>, tensor<?x2x?x16xf32>,
          tensor<?x2x?x8xf32>, tensor<4x8x16xf32>)
      key_log_mass(%key_log_mass : tensor<?x?xf32>)
      outs(%init : tensor<?x4x?x8xf32>) -> tensor<?x4x?x8xf32>
  return %o : tensor<?x4x?x8xf32>
}
