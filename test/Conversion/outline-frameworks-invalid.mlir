// RUN: lot-opt %s --allow-unregistered-dialect --lot-outline-frameworks --split-input-file --verify-diagnostics
// RUN: not lot-opt %s --allow-unregistered-dialect --pass-pipeline='builtin.module(func.func(lot-outline-frameworks))' 2>&1 | FileCheck %s

// It adds functions to the module.
// CHECK: 'LotOutlineFrameworks' restricted to 'builtin.module'

// No call in here would find its function.

func.func @unknown_region(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  "some.region"() ({
    // expected-error @below {{lot-outline-frameworks: expected a builtin.module as the nearest symbol table, got none}}
    %o = lot.attention ins(%x, %x, %x, %z : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) outs(%x : tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
    "some.use"(%o) : (tensor<1x2x6x4xf32>) -> ()
  }) : () -> ()
  return
}
