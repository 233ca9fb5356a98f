// Beside ops of dialects that nobody here knows: lot's ops are lowered and the
// others stay as they are, or there is an error that names what is in the way.

// RUN: lot-opt %s --allow-unregistered-dialect --lot-to-linalg | FileCheck %s
// RUN: lot-opt %s --allow-unregistered-dialect --lot-to-linalg=unroll | FileCheck %s
// RUN: not lot-opt %s --allow-unregistered-dialect --lot-to-cpu 2>&1 | FileCheck %s --check-prefix=BUFFERS
// RUN: not lot-opt %s --allow-unregistered-dialect --lot-differentiate 2>&1 | FileCheck %s --check-prefix=RULE
// RUN: not lot-opt %s --lot-to-linalg 2>&1 | FileCheck %s --check-prefix=ALLOW

// CHECK-LABEL: func.func @mixed
// CHECK-SAME:    %[[X:.+]]: tensor<1x2x6x4xf32>, %{{.*}}: tensor<2x3x4xf32>, %[[S:.+]]: !some.type<[1,2]>
// CHECK-NOT:     lot.
// CHECK:         %[[Q:.+]] = "some.op"(%[[X]], %[[S]]) {attr = #some.attr<"a">} : (tensor<1x2x6x4xf32>, !some.type<[1,2]>) -> tensor<1x2x6x4xf32>
// CHECK-NOT:     lot.
// CHECK:         linalg.generic {{.*}} ins(%[[Q]],
// CHECK-NOT:     lot.
// CHECK:         %[[R:.+]] = "some.region"(%{{.*}}) ({
// CHECK:         ^bb0(%[[Y:.+]]: tensor<1x2x6x4xf32>):
// CHECK:           linalg.generic {{.*}} ins(%[[Y]],
// CHECK-NOT:       lot.
// CHECK:           "some.yield"
// CHECK:         return %[[R]]

// BUFFERS: [[@LINE+5]]:{{[0-9]+}}: error: op was not bufferized
// RULE: [[@LINE+4]]:{{[0-9]+}}: error: 'some.op' op lot-differentiate: expected an op without side effects
// ALLOW: error: {{.*}}unregistered dialect

func.func @mixed(%x: tensor<1x2x6x4xf32>, %z: tensor<2x3x4xf32>, %s: !some.type<[1,2]>) -> tensor<1x2x6x4xf32> {
  %q = "some.op"(%x, %s) {attr = #some.attr<"a">} : (tensor<1x2x6x4xf32>, !some.type<[1,2]>) -> tensor<1x2x6x4xf32>
  %init = tensor.empty() : tensor<1x2x6x4xf32>
  %0 = lot.attention ins(%q, %x, %x, %z : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x3x4xf32>) outs(%init : tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
  %1 = "some.region"(%0) ({
  ^bb0(%y: tensor<1x2x6x4xf32>):
    %2 = lot.attention ins(%y, %x, %x, %z : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x3x4xf32>) outs(%init : tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
    "some.yield"(%2) : (tensor<1x2x6x4xf32>) -> ()
  }) : (tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
  return %1 : tensor<1x2x6x4xf32>
}
