// RUN: lot-opt %s --lot-check-lowered=pipeline=lot-to-linalg --verify-diagnostics

func.func @left(%L: tensor<?x8xf32>, %l: tensor<8xf32>, %i: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{'lot.plan' is left after lot-to-linalg, which has no lowering for it}}
  %r = lot.plan conditional<tokens> ins(%L : tensor<?x8xf32>) prev(%l : tensor<8xf32>)
      last(%l : tensor<8xf32>) outs(%i : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
