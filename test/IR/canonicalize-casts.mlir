// RUN: lot-opt %s -canonicalize | FileCheck %s

// tensor.cast folds into the operands: static sizes reach the op.

// CHECK-LABEL: func.func @cast_operand
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<2x4x6x16xf32>
// CHECK-NOT:     tensor.cast
// CHECK:         lot.attention ins(%[[Q]], {{.*}} : tensor<2x4x6x16xf32>,
func.func @cast_operand(%q: tensor<2x4x6x16xf32>, %k: tensor<2x2x7x16xf32>,
    %v: tensor<2x2x7x5xf32>, %z: tensor<4x3x16xf32>, %o: tensor<2x4x?x5xf32>)
    -> tensor<2x4x?x5xf32> {
  %c = tensor.cast %q : tensor<2x4x6x16xf32> to tensor<2x4x?x16xf32>
  %r = lot.attention ins(%c, %k, %v, %z : tensor<2x4x?x16xf32>,
      tensor<2x2x7x16xf32>, tensor<2x2x7x5xf32>, tensor<4x3x16xf32>)
      outs(%o : tensor<2x4x?x5xf32>) -> tensor<2x4x?x5xf32>
  return %r : tensor<2x4x?x5xf32>
}

// CHECK-LABEL: func.func @cast_init
// CHECK-SAME:    %[[I:[a-z0-9]+]]: tensor<6x3xf32>)
// CHECK:         %[[R:.+]] = lot.plan conditional<tokens> ins({{.*}}) last({{.*}}) outs(%[[I]] : tensor<6x3xf32>) -> tensor<6x3xf32>
// CHECK:         %[[C:.+]] = tensor.cast %[[R]] : tensor<6x3xf32> to tensor<?x3xf32>
// CHECK:         return %[[C]]
func.func @cast_init(%L: tensor<6x3xf32>, %y: tensor<3xf32>,
    %init: tensor<6x3xf32>) -> tensor<?x3xf32> {
  %c = tensor.cast %init : tensor<6x3xf32> to tensor<?x3xf32>
  %R = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%c : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %R : tensor<?x3xf32>
}

// A cast that forgets nothing static is none of ours.

// CHECK-LABEL: func.func @cast_to_static
// CHECK:         %[[C:.+]] = tensor.cast
// CHECK:         lot.plan conditional<tokens> ins(%[[C]] : tensor<6x3xf32>)
func.func @cast_to_static(%L: tensor<?x3xf32>, %y: tensor<3xf32>,
    %init: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %c = tensor.cast %L : tensor<?x3xf32> to tensor<6x3xf32>
  %R = lot.plan conditional<tokens> ins(%c : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%init : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %R : tensor<6x3xf32>
}

// The same for buffers: sizes and strides.

// CHECK-LABEL: func.func @memref_cast
// CHECK-SAME:    %[[L:[a-z0-9]+]]: memref<6x3xf32>
// CHECK-SAME:    %[[I:[a-z0-9]+]]: memref<6x3xf32>)
// CHECK-NOT:     memref.cast
// CHECK:         lot.plan conditional<tokens> ins(%[[L]] : memref<6x3xf32>) {{.*}} outs(%[[I]] : memref<6x3xf32>)
func.func @memref_cast(%L: memref<6x3xf32>, %y: memref<3xf32>,
    %init: memref<6x3xf32>) {
  %c = memref.cast %L : memref<6x3xf32> to memref<?x3xf32, strided<[?, ?], offset: ?>>
  %d = memref.cast %init : memref<6x3xf32> to memref<?x3xf32>
  lot.plan conditional<tokens>
      ins(%c : memref<?x3xf32, strided<[?, ?], offset: ?>>)
      last(%y : memref<3xf32>) outs(%d : memref<?x3xf32>)
  return
}

// Nobody asks for the result.

// CHECK-LABEL: func.func @dead
// CHECK-NEXT:    return
func.func @dead(%L: tensor<6x3xf32>, %i: tensor<3xf32>) {
  %prev, %last = lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : tensor<6x3xf32>) outs(%i, %i : tensor<3xf32>, tensor<3xf32>)
      -> tensor<3xf32>, tensor<3xf32>
  return
}

// CHECK-LABEL: func.func @not_dead
// CHECK-NEXT:    lot.pivot_solve
func.func @not_dead(%L: memref<6x3xf32>, %p: memref<3xf32>, %l: memref<3xf32>) {
  lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : memref<6x3xf32>) outs(%p, %l : memref<3xf32>, memref<3xf32>)
  return
}
