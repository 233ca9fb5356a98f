// REQUIRES: lot-run, numpy
// RUN: rm -rf %t && mkdir -p %t
// RUN: %npy "save('%t/a.npy', arange(35, dtype='f4').reshape(5, 7)); save('%t/b.npy', arange(21, dtype='f4').reshape(7, 3)); save('%t/s.npy', float32(3))"

// The summary names the entry, the arguments, the result and the compile time.
// RUN: lot-run %s --entry=matmul --input=%t/a.npy --input=%t/b.npy --output=%t/c.npy | FileCheck %s
// CHECK:      entry matmul
// CHECK-NEXT:   argument #0: 5x7 f32, {{.*}}a.npy
// CHECK-NEXT:   argument #1: 7x3 f32, {{.*}}b.npy
// CHECK-NEXT:   result #0: 5x3 f32, {{.*}}c.npy
// CHECK-NEXT: compiled in {{[0-9]+\.[0-9]+}} s
// CHECK-NOT:  time
// RUN: %npy "expect(load('%t/c.npy'), load('%t/a.npy') @ load('%t/b.npy'))"

// Times of repeated runs; the module from stdin; a number of threads.
// RUN: lot-run - --entry=matmul --input=%t/a.npy --input=%t/b.npy --output=%t/d.npy --time --threads=2 --mcpu=native < %s | FileCheck %s --check-prefix=TIME
// TIME: entry matmul
// TIME: time: min {{[0-9.]+}} ms, median {{[0-9.]+}} ms, {{[0-9]+}} runs
// RUN: %npy "expect(load('%t/d.npy'), load('%t/c.npy'))"

// No temporary file stays, and an old result is replaced.
// RUN: not lot-run %s --entry=matmul --input=%t/b.npy --input=%t/e.npy --output=%t/c.npy 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: lot-run: error: '{{.*}}e.npy': cannot read: No such file or directory
// RUN: %npy "save('%t/e.npy', ones((3, 2), 'f4'))"
// RUN: lot-run %s --entry=matmul --input=%t/b.npy --input=%t/e.npy --output=%t/c.npy
// RUN: %npy "expect(load('%t/c.npy'), load('%t/b.npy') @ load('%t/e.npy'))"
// RUN: ls %t | FileCheck %s --check-prefix=FILES
// FILES-NOT: tmp

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

// Sizes of zero run, too: no sum, no element.
// RUN: %npy "save('%t/a0.npy', zeros((2, 0), 'f4')); save('%t/b0.npy', zeros((0, 3), 'f4')); save('%t/c0.npy', zeros((0, 2), 'f4'))"
// RUN: lot-run %s --entry=matmul --input=%t/a0.npy --input=%t/b0.npy --output=%t/r0.npy
// RUN: %npy "expect(load('%t/r0.npy'), zeros((2, 3), 'f4'))"
// RUN: lot-run %s --entry=matmul --input=%t/c0.npy --input=%t/a0.npy --output=%t/r1.npy
// RUN: %npy "expect(load('%t/r1.npy'), zeros((0, 0), 'f4'))"

// Numbers among the arguments and results.
// RUN: lot-run %s --entry=numbers --input=%t/s.npy --input=%t/a.npy --output=%t/n0.npy --output=%t/n1.npy --output=%t/n2.npy
// RUN: %npy "expect(load('%t/n0.npy'), float32(6)); expect(load('%t/n1.npy'), load('%t/a.npy')); expect(load('%t/n2.npy'), int64(5))"
func.func @numbers(%s: f32, %a: tensor<?x7xf32>) -> (f32, tensor<?x7xf32>, index) {
  %c0 = arith.constant 0 : index
  %two = arith.addf %s, %s : f32
  %n = tensor.dim %a, %c0 : tensor<?x7xf32>
  return %two, %a, %n : f32, tensor<?x7xf32>, index
}
// RUN: lot-run %s --entry=one --input=%t/s.npy --output=%t/one.npy
// RUN: %npy "expect(load('%t/one.npy'), float32(9))"
func.func @one(%s: f32) -> f32 {
  %r = arith.mulf %s, %s : f32
  return %r : f32
}
