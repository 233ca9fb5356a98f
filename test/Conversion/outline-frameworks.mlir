// RUN: lot-opt %s --allow-unregistered-dialect --lot-outline-frameworks --split-input-file | FileCheck %s
// RUN: lot-opt %s --allow-unregistered-dialect --lot-outline-frameworks --split-input-file --lot-to-linalg | FileCheck %s --check-prefix=LINALG

// One function for equal ops, sizes from its arguments; what made the old
// destination goes, what others use of it stays.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %[[Q:.+]]: tensor<1x2x?x16xf32>, %[[K:.+]]: tensor<1x2x?x16xf32>, %[[Z:.+]]: tensor<2x5x16xf32>
// CHECK-NOT:     tensor.empty
// CHECK:         %[[A:.+]] = call @lot_attention(%[[Q]], %[[K]], %[[K]], %[[Z]])
// CHECK:         %[[N:.+]] = tensor.dim %[[Q]]
// CHECK:         %[[B:.+]] = call @lot_attention(%[[A]], %[[K]], %[[K]], %[[Z]])
// CHECK:         %[[C:.+]] = call @lot_attention_0(%[[B]], %[[B]], %[[B]], %[[Z]])
// CHECK:         %[[D:.+]]:4 = call @lot_attention_vjp(%[[C]], %[[Q]], %[[K]], %[[K]], %[[Z]])
// CHECK:         "some.use"(%[[N]])
// CHECK:         return %[[D]]#1
// CHECK:       func.func private @lot_attention(%[[FQ:.+]]: tensor<1x2x?x16xf32>, %[[FK:.+]]: tensor<1x2x?x16xf32>, %[[FV:.+]]: tensor<1x2x?x16xf32>, %[[FZ:.+]]: tensor<2x5x16xf32>) -> tensor<1x2x?x16xf32> {
// CHECK:         %[[FN:.+]] = tensor.dim %[[FQ]], %{{.*}}
// CHECK:         %[[INIT:.+]] = tensor.empty(%[[FN]])
// CHECK:         %[[O:.+]] = lot.attention {half_steps = 4 : i64} ins(%[[FQ]], %[[FK]], %[[FV]], %[[FZ]] : {{.*}}) outs(%[[INIT]] :
// CHECK:         return %[[O]]
// CHECK:       func.func private @lot_attention_0
// CHECK:         lot.attention {half_steps = 6 : i64}
// CHECK:       func.func private @lot_attention_vjp(%{{[^:]+}}: {{.+}}, %[[GQ:.+]]: tensor<1x2x?x16xf32>, %[[GK:[^:]+]]: tensor<1x2x?x16xf32>, %{{.*}}: tensor<1x2x?x16xf32>, %{{.*}}: tensor<2x5x16xf32>)
// CHECK:         lot.attention_vjp
// LINALG-NOT:  lot.
func.func @main(%q: tensor<1x2x?x16xf32>, %k: tensor<1x2x?x16xf32>, %z: tensor<2x5x16xf32>) -> tensor<1x2x?x16xf32> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<1x2x?x16xf32>
  %init = tensor.empty(%n) : tensor<1x2x?x16xf32>
  %a = lot.attention {half_steps = 4 : i64} ins(%q, %k, %k, %z : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>) outs(%init : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %n2 = tensor.dim %q, %c2 : tensor<1x2x?x16xf32>
  %init2 = tensor.empty(%n2) : tensor<1x2x?x16xf32>
  %b = lot.attention {half_steps = 4 : i64} ins(%a, %k, %k, %z : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>) outs(%init2 : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  // The destination is an input, too.
  %c = lot.attention {half_steps = 6 : i64} ins(%b, %b, %b, %z : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>) outs(%b : tensor<1x2x?x16xf32>) -> tensor<1x2x?x16xf32>
  %dz = tensor.empty() : tensor<2x5x16xf32>
  %d:4 = lot.attention_vjp ins(%c, %q, %k, %k, %z : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>) outs(%init, %k, %k, %dz : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>) -> tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<2x5x16xf32>
  "some.use"(%n2) : (index) -> ()
  return %d#1 : tensor<1x2x?x16xf32>
}

// -----

// The value twice here is two there: sizes are those of the operand, not of the
// value that it happens to be.

// CHECK-LABEL: func.func @twice
// CHECK:         call @lot_attention_vjp(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK:         call @lot_attention_vjp(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK:       func.func private @lot_attention_vjp(%{{[^:]+}}: {{.+}}, %[[Q:.+]]: tensor<1x2x?x4xf32>, %[[K:.+]]: tensor<1x2x?x4xf32>, %[[V:.+]]: tensor<1x2x?x4xf32>, %{{.*}}: tensor<2x5x4xf32>)
// CHECK-DAG:     %[[N:.+]] = tensor.dim %[[Q]]
// CHECK-DAG:     %[[DQ:.+]] = tensor.empty(%[[N]])
// CHECK-DAG:     %[[M:.+]] = tensor.dim %[[K]]
// CHECK-DAG:     %[[DK:.+]] = tensor.empty(%[[M]])
// CHECK:         lot.attention_vjp ins({{.*}}) outs(%[[DQ]], %[[DK]],
func.func @twice(%do: tensor<1x2x?x4xf32>, %x: tensor<1x2x?x4xf32>, %y: tensor<1x2x?x4xf32>, %z: tensor<2x5x4xf32>) -> (tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>) {
  %a:4 = lot.attention_vjp ins(%do, %x, %x, %x, %z : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>) outs(%x, %x, %x, %z : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>
  %b:4 = lot.attention_vjp ins(%do, %x, %y, %y, %z : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>) outs(%x, %y, %y, %z : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>, tensor<2x5x4xf32>
  return %a#1, %b#1 : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>
}

// -----

// A name that is taken; a module inside a module keeps its functions.

// CHECK-LABEL: func.func private @lot_attention()
// CHECK:         module {
// CHECK:           func.func @inner
// CHECK:             call @lot_attention(
// CHECK:           func.func private @lot_attention(
// CHECK:         func.func @outer
// CHECK:           call @lot_attention_0(
func.func private @lot_attention()
module {
  func.func @inner(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32> {
    %o = lot.attention ins(%x, %x, %x, %z : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) outs(%x : tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
    return %o : tensor<1x2x6x4xf32>
  }
}
func.func @outer(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32> {
  %o = lot.attention ins(%x, %x, %x, %z : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) outs(%x : tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
  return %o : tensor<1x2x6x4xf32>
}
