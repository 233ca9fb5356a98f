// RUN: lot-opt %s --lot-expand-copies | FileCheck %s

// CHECK-LABEL: func.func @strided
// CHECK-SAME:    %[[X:.+]]: memref<8x32xf32>, %[[Y:.+]]: memref<8x32xf32, strided<[192, 1], offset: ?>>, %[[Z:.+]]: memref<8x32xf32>
// CHECK:         linalg.copy ins(%[[X]] : memref<8x32xf32>) outs(%[[Y]] : memref<8x32xf32, strided<[192, 1], offset: ?>>)
// CHECK:         linalg.copy ins(%[[Y]] : {{.*}}) outs(%[[Z]]
// CHECK:         memref.copy %[[X]], %[[Z]]
func.func @strided(%x: memref<8x32xf32>, %y: memref<8x32xf32, strided<[192, 1], offset: ?>>, %z: memref<8x32xf32>) {
  memref.copy %x, %y : memref<8x32xf32> to memref<8x32xf32, strided<[192, 1], offset: ?>>
  memref.copy %y, %z : memref<8x32xf32, strided<[192, 1], offset: ?>> to memref<8x32xf32>
  memref.copy %x, %z : memref<8x32xf32> to memref<8x32xf32>
  return
}
