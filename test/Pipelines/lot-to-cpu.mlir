// From tensors and from buffers to the LLVM dialect alone, with no n x m buffer.
// RUN: lot-opt %s --lot-to-cpu=mcpu=haswell | FileCheck %s
// RUN: lot-opt %s --lot-to-cpu="mcpu=haswell openmp=false" | FileCheck %s --check-prefix=SERIAL
// RUN: lot-opt %s --lot-to-cpu=mcpu=haswell | mlir-translate --mlir-to-llvmir | llc -mcpu=haswell -O1 -filetype=obj -o %t.o
// RUN: not lot-opt %s --lot-to-cpu=mcpu=nonesuch 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// REQUIRES: x86-registered-target
// UNKNOWN: expected mcpu to be a processor of x86_64, got 'nonesuch'

// CHECK-NOT: lot.attention
// CHECK-NOT: memref
// CHECK-NOT: 1031x2053
// CHECK-DAG: llvm.func @omp_get_max_threads
// CHECK-DAG: llvm.func @tensors
// CHECK-DAG: omp.parallel
// CHECK-DAG: llvm.func @buffers
// CHECK-NOT: unrealized_conversion_cast
// SERIAL-NOT: omp
// SERIAL-NOT: unrealized_conversion_cast

func.func @tensors(%q: tensor<1x2x1031x16xf32>, %k: tensor<1x2x2053x16xf32>, %v: tensor<1x2x2053x16xf32>,
                   %z: tensor<2x5x16xf32>, %i: tensor<1x2x1031x16xf32>) -> tensor<1x2x1031x16xf32> {
  %o = lot.attention ins(%q, %k, %v, %z : tensor<1x2x1031x16xf32>, tensor<1x2x2053x16xf32>,
      tensor<1x2x2053x16xf32>, tensor<2x5x16xf32>) outs(%i : tensor<1x2x1031x16xf32>) -> tensor<1x2x1031x16xf32>
  return %o : tensor<1x2x1031x16xf32>
}

func.func @buffers(%q: memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>, %z: memref<?x5x16xf32>,
                   %la: memref<?x?xf32>, %o: memref<?x?x?x16xbf16>) {
  lot.attention ins(%q, %q, %q, %z : memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>,
      memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>, memref<?x?x?x16xbf16, strided<[?, ?, ?, 1], offset: ?>>,
      memref<?x5x16xf32>) query_log_mass(%la : memref<?x?xf32>) outs(%o : memref<?x?x?x16xbf16>)
  return
}

// The formulas go through linalg.
func.func @formulas(%scores: tensor<8x?x5xf32>, %i: tensor<8x5xf32>) -> (tensor<8x5xf32>, tensor<8x5xf32>) {
  %prev, %last = lot.pivot_solve first<tokens> half_steps(4) ins(%scores : tensor<8x?x5xf32>)
      outs(%i, %i : tensor<8x5xf32>, tensor<8x5xf32>) -> tensor<8x5xf32>, tensor<8x5xf32>
  return %prev, %last : tensor<8x5xf32>, tensor<8x5xf32>
}

// Keys without mass: no solve is compiled.
// CHECK-LABEL: llvm.func @no_keys
// CHECK-NOT: omp.parallel
// CHECK: llvm.return
func.func @no_keys(%q: tensor<1x2x9x16xf32>, %k: tensor<1x2x0x16xf32>, %z: tensor<2x5x16xf32>,
                   %i: tensor<1x2x9x16xf32>) -> tensor<1x2x9x16xf32> {
  %o = lot.attention ins(%q, %k, %k, %z : tensor<1x2x9x16xf32>, tensor<1x2x0x16xf32>, tensor<1x2x0x16xf32>,
      tensor<2x5x16xf32>) outs(%i : tensor<1x2x9x16xf32>) -> tensor<1x2x9x16xf32>
  return %o : tensor<1x2x9x16xf32>
}
