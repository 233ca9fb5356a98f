// REQUIRES: lot-run, numpy
// A check that fails while compiled code runs is an error, and the process
// lives on.
// RUN: rm -rf %t && mkdir -p %t && split-file %s %t
// RUN: %npy "save('%t/a.npy', ones((2, 3), 'f4')); save('%t/b.npy', ones((4, 2), 'f4')); save('%t/n.npy', int64(3)); save('%t/m.npy', int64(-3))"

// Sizes that do not fit each other: found by the op's runtime verification.
// RUN: not lot-run %t/matmul.mlir --entry=matmul --input=%t/a.npy --input=%t/b.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=MATMUL
// MATMUL: lot-run: error: function 'matmul': {{.*}}matmul.mlir:9: 'linalg.matmul' op dimension #0 of input/output operand #1 is incompatible

// An assertion in the module; it holds, it fails.
// RUN: lot-run %t/assert.mlir --entry=positive --input=%t/n.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), int64(3))"
// RUN: rm %t/r.npy
// RUN: not lot-run %t/assert.mlir --entry=positive --input=%t/m.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=ASSERT
// ASSERT: lot-run: error: function 'positive': expected a positive number
// In a loop, in a function that is called, not in the first round.
// RUN: not lot-run %t/assert.mlir --entry=loop --input=%t/n.npy --output=%t/r.npy 2>&1 | FileCheck %s --check-prefix=ASSERT-LOOP
// ASSERT-LOOP: lot-run: error: function 'loop': expected a positive number

// In a parallel loop it cannot be left: refused.
// RUN: not lot-run %t/parallel.mlir --entry=f --input=%t/a.npy 2>&1 | FileCheck %s --check-prefix=PARALLEL
// PARALLEL: lot-run: error: lot-to-cpu failed: {{.*}}parallel.mlir:6:{{.*}} 'cf.assert' op cannot be in a parallel loop: the runtime cannot leave the loop when it fails; expected it before the loop

// Also in what such a loop calls.
// RUN: not lot-run %t/called.mlir --entry=f --input=%t/a.npy 2>&1 | FileCheck %s --check-prefix=CALLED
// CALLED: lot-run: error: lot-to-cpu failed: {{.*}}called.mlir:4:{{.*}} 'cf.assert' op cannot be in a parallel loop

// RUN: not ls %t/r.npy

//--- matmul.mlir
func.func @matmul(%a: tensor<?x?xf32>, %b: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %a, %c0 : tensor<?x?xf32>
  %n = tensor.dim %b, %c1 : tensor<?x?xf32>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %r = linalg.matmul ins(%a, %b : tensor<?x?xf32>, tensor<?x?xf32>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}
//--- assert.mlir
func.func private @check(%n: i64) -> i64 {
  %zero = arith.constant 0 : i64
  %ok = arith.cmpi sgt, %n, %zero : i64
  cf.assert %ok, "expected a positive number"
  return %n : i64
}
func.func @positive(%n: i64) -> i64 {
  %r = call @check(%n) : (i64) -> i64
  return %r : i64
}
func.func @loop(%n: i64) -> i64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %one = arith.constant 1 : i64
  %r = scf.for %i = %c0 to %c9 step %c1 iter_args(%m = %n) -> i64 {
    %k = func.call @check(%m) : (i64) -> i64
    %next = arith.subi %k, %one : i64
    scf.yield %next : i64
  }
  return %r : i64
}
//--- parallel.mlir
func.func @f(%x: memref<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  scf.forall (%i) in (%c8) {
    %ok = arith.cmpi ne, %i, %c0 : index
    cf.assert %ok, "never"
  }
  return
}
//--- called.mlir
func.func private @inner(%i: index) {
  %c0 = arith.constant 0 : index
  %ok = arith.cmpi ne, %i, %c0 : index
  cf.assert %ok, "never"
  return
}
func.func private @outer(%i: index) {
  call @inner(%i) : (index) -> ()
  return
}
func.func @f(%x: memref<?x?xf32>) {
  %c8 = arith.constant 8 : index
  scf.forall (%i) in (%c8) {
    func.call @outer(%i) : (index) -> ()
  }
  return
}
