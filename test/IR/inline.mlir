// RUN: lot-opt %s -inline | FileCheck %s

// Functions with ops of the dialect are inlined.

// CHECK-LABEL: func.func @caller
// CHECK-NOT:     call
// CHECK:         %[[R:.+]] = lot.plan
// CHECK:         return %[[R]]
func.func @caller(%L: tensor<6x3xf32>, %y: tensor<3xf32>) -> tensor<6x3xf32> {
  %r = call @plan(%L, %y) : (tensor<6x3xf32>, tensor<3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

func.func private @plan(%L: tensor<6x3xf32>, %y: tensor<3xf32>)
    -> tensor<6x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}
