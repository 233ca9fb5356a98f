// A script in place of passes: the sweeps of a solve over tiles of tokens, as
// lot-tile-tokens makes them with the CPU's tile.
// RUN: lot-opt %s --transform-preload-library=transform-library-paths=%S/Inputs/expand-solve.mlir --transform-interpreter --canonicalize --cse > %t.script
// RUN: lot-opt %s --lot-expand-solve --lot-tile-tokens=tile=32 --canonicalize --cse > %t.passes
// RUN: diff %t.script %t.passes
// RUN: FileCheck %s < %t.script

// CHECK-LABEL: func.func @solve
// CHECK:         scf.for %{{.+}} = %{{.+}} to %{{.+}} step %{{.+}} iter_args(%[[Y:.+]] =
// CHECK:           scf.for {{.*}} step %c32 iter_args(
// CHECK:             %[[TILE:.+]] = tensor.extract_slice {{.*}} : tensor<8x?x5xf32> to tensor<8x?x5xf32>
// CHECK:             lot.sweep domain<log> ins(%[[TILE]] : tensor<8x?x5xf32>) prev(%[[Y]]
func.func @solve(%L: tensor<8x?x5xf32>, %i: tensor<8x5xf32>) -> (tensor<8x5xf32>, tensor<8x5xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(6) ins(%L : tensor<8x?x5xf32>) outs(%i, %i : tensor<8x5xf32>, tensor<8x5xf32>) -> tensor<8x5xf32>, tensor<8x5xf32>
  return %r#0, %r#1 : tensor<8x5xf32>, tensor<8x5xf32>
}
