// The patches of a photo attend to each other through 16 pivots per head: the
// function of `make demo`. d = 16 features of a patch, dv = 192 numbers of an
// 8 x 8 patch in RGB, two heads; the number of patches is left to the call.
//
//   lot-opt photo.mlir --lot-to-linalg
//   lot-run photo.mlir --entry=photo --input=q.npy --input=k.npy \
//           --input=v.npy --input=pivots.npy --output=out.npy --time

func.func @photo(%q: tensor<1x2x?x16xf32>, %k: tensor<1x2x?x16xf32>,
                 %v: tensor<1x2x?x192xf32>, %pivots: tensor<2x16x16xf32>)
    -> tensor<1x2x?x192xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<1x2x?x16xf32>
  %init = tensor.empty(%n) : tensor<1x2x?x192xf32>
  %o = lot.attention {epsilon = 0.12 : f64, half_steps = 21 : i64}
      ins(%q, %k, %v, %pivots : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>,
          tensor<1x2x?x192xf32>, tensor<2x16x16xf32>)
      outs(%init : tensor<1x2x?x192xf32>) -> tensor<1x2x?x192xf32>
  return %o : tensor<1x2x?x192xf32>
}
