// REQUIRES: lot-plugin
// RUN: mlir-opt %s --load-dialect-plugin=%lot_plugin \
// RUN:   --pass-pipeline='builtin.module(one-shot-bufferize{bufferize-function-boundaries})' \
// RUN:   | FileCheck %s --check-prefix=BUFFERIZE
// RUN: mlir-opt %s --load-dialect-plugin=%lot_plugin \
// RUN:   --pass-pipeline='builtin.module(generate-runtime-verification)' \
// RUN:   | FileCheck %s --check-prefix=VERIFY

// The models come with the plugin: upstream's passes work in a stock mlir-opt.

// BUFFERIZE: lot.plan {{.*}} : memref<?x3xf32,
// VERIFY: cf.assert {{.*}}C52: expected init to have the number of tokens of scores
func.func @plan(%L: tensor<?x3xf32>, %y: tensor<3xf32>, %o: tensor<?x3xf32>)
    -> tensor<?x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<?x3xf32>)
      last(%y : tensor<3xf32>) outs(%o : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}
