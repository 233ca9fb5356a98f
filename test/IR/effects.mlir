// RUN: lot-opt %s -cse | FileCheck %s --check-prefix=CSE
// RUN: lot-opt %s -loop-invariant-code-motion | FileCheck %s --check-prefix=LICM

// On tensors the ops are pure: two equal ones are one, and one that does not
// depend on the loop leaves it.

// CSE-LABEL: func.func @equal_tensors
// CSE:         %[[R:.+]] = lot.plan
// CSE-NOT:     lot.plan
// CSE:         return %[[R]], %[[R]]
func.func @equal_tensors(%L: tensor<6x3xf32>, %y: tensor<3xf32>)
    -> (tensor<6x3xf32>, tensor<6x3xf32>) {
  %a = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  %b = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %a, %b : tensor<6x3xf32>, tensor<6x3xf32>
}

// Ops that differ in an attribute are not equal.

// CSE-LABEL: func.func @different_attributes
// CSE:         lot.plan conditional<tokens>
// CSE:         lot.plan conditional<pivots>
func.func @different_attributes(%L: tensor<6x3xf32>, %y: tensor<3xf32>)
    -> (tensor<6x3xf32>, tensor<6x3xf32>) {
  %a = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  %b = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>)
      last(%y : tensor<3xf32>) outs(%L : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %a, %b : tensor<6x3xf32>, tensor<6x3xf32>
}

// LICM-LABEL: func.func @loop_of_tensors
// LICM:         lot.attention
// LICM:         scf.for
// LICM-NOT:     lot.attention
func.func @loop_of_tensors(%q: tensor<1x1x6x8xf32>, %z: tensor<1x3x8xf32>,
    %i: tensor<1x1x6x8xf32>, %n: index) -> tensor<1x1x6x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %s = %c0 to %n step %c1 iter_args(%acc = %i)
      -> tensor<1x1x6x8xf32> {
    %o = lot.attention
        ins(%q, %q, %q, %z : tensor<1x1x6x8xf32>, tensor<1x1x6x8xf32>,
            tensor<1x1x6x8xf32>, tensor<1x3x8xf32>)
        outs(%i : tensor<1x1x6x8xf32>) -> tensor<1x1x6x8xf32>
    %sum = arith.addf %acc, %o : tensor<1x1x6x8xf32>
    scf.yield %sum : tensor<1x1x6x8xf32>
  }
  return %r : tensor<1x1x6x8xf32>
}

// On buffers they read and write: they stay where they are, and what is read
// around them is not merged.

// CSE-LABEL: func.func @equal_buffers
// CSE:         lot.sweep
// CSE:         lot.sweep
// LICM-LABEL: func.func @equal_buffers
func.func @equal_buffers(%L: memref<6x3xf32>, %m: memref<3xf32>,
    %s: memref<3xf32>) {
  lot.sweep domain<log> ins(%L : memref<6x3xf32>)
      outs(%m, %s : memref<3xf32>, memref<3xf32>)
  lot.sweep domain<log> ins(%L : memref<6x3xf32>)
      outs(%m, %s : memref<3xf32>, memref<3xf32>)
  return
}

// CSE-LABEL: func.func @load_around
// CSE:         %[[A:.+]] = memref.load %[[R:.+]][
// CSE:         lot.plan {{.*}} outs(%[[R]] :
// CSE:         %[[B:.+]] = memref.load %[[R]][
// CSE:         return %[[A]], %[[B]]
func.func @load_around(%L: memref<6x3xf32>, %y: memref<3xf32>,
    %R: memref<6x3xf32>) -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %a = memref.load %R[%c0, %c0] : memref<6x3xf32>
  lot.plan conditional<tokens> ins(%L : memref<6x3xf32>)
      last(%y : memref<3xf32>) outs(%R : memref<6x3xf32>)
  %b = memref.load %R[%c0, %c0] : memref<6x3xf32>
  return %a, %b : f32, f32
}

// LICM-LABEL: func.func @loop_of_buffers
// LICM:         scf.for
// LICM-NEXT:      lot.glue
func.func @loop_of_buffers(%R: memref<1x1x6x3xf32>, %v: memref<1x1x6x8xf32>,
    %o: memref<1x1x6x8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %s = %c0 to %n step %c1 {
    lot.glue ins(%R, %R, %v : memref<1x1x6x3xf32>, memref<1x1x6x3xf32>,
        memref<1x1x6x8xf32>) outs(%o : memref<1x1x6x8xf32>)
  }
  return
}

// Residuals are written by the one and read by the other: what was loaded before
// is loaded again.

// CSE-LABEL: func.func @residuals
// CSE-SAME:    %[[R:[a-z0-9]+]]: memref<?xf32>
// CSE:         memref.load %[[R]]
// CSE:         lot.attention ins
// CSE:         memref.load %[[R]]
// CSE-NEXT:    lot.attention_vjp
func.func @residuals(%q: memref<1x1x6x8xf32>, %z: memref<1x3x8xf32>, %r: memref<?xf32>,
    %o: memref<1x1x6x8xf32>, %a: memref<1x1x6x8xf32>, %b: memref<1x1x6x8xf32>,
    %c: memref<1x1x6x8xf32>, %d: memref<1x3x8xf32>) -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %x = memref.load %r[%c0] : memref<?xf32>
  lot.attention
      ins(%q, %q, %q, %z : memref<1x1x6x8xf32>, memref<1x1x6x8xf32>, memref<1x1x6x8xf32>, memref<1x3x8xf32>)
      outs(%o, %r : memref<1x1x6x8xf32>, memref<?xf32>)
  %y = memref.load %r[%c0] : memref<?xf32>
  lot.attention_vjp
      ins(%o, %q, %q, %q, %z : memref<1x1x6x8xf32>, memref<1x1x6x8xf32>, memref<1x1x6x8xf32>,
          memref<1x1x6x8xf32>, memref<1x3x8xf32>)
      residuals(%r : memref<?xf32>)
      outs(%a, %b, %c, %d : memref<1x1x6x8xf32>, memref<1x1x6x8xf32>, memref<1x1x6x8xf32>, memref<1x3x8xf32>)
  return %x, %y : f32, f32
}
