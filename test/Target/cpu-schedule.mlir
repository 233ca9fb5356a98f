// The schedule follows the processor; one that is there is kept and checked.
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell -split-input-file -verify-diagnostics | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: lot-opt %s --lot-select-schedule=mcpu=znver4 -split-input-file | FileCheck %s --check-prefixes=CHECK,AVX512
// RUN: not lot-opt %s --lot-select-schedule=mcpu=pentium9 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: expected mcpu to be a processor of x86_64, got 'pentium9'
// A 32-bit processor, which LLVM knows as well.
// RUN: not lot-opt %s --lot-select-schedule=mcpu=pentium4 2>&1 | FileCheck %s --check-prefix=SMALL
// SMALL: error: expected mcpu to be a processor of x86_64, got 'pentium4'
// REQUIRES: x86-registered-target

// CHECK-LABEL: func @chosen
func.func @chosen(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>, %d: memref<2x4x?x16xf64>, %y: memref<4x5x16xf64>) {
  // AVX2: lot.attention {schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>} ins({{.*}}memref<2x4x?x16xf32>
  // AVX512: lot.attention {schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 4>} ins({{.*}}memref<2x4x?x16xf32>
  lot.attention ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  // AVX2: lot.attention {schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 2>} ins({{.*}}memref<2x4x?x16xf64>
  // AVX512: lot.attention {schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 4>} ins({{.*}}memref<2x4x?x16xf64>
  lot.attention ins(%d, %d, %d, %y : memref<2x4x?x16xf64>, memref<2x4x?x16xf64>, memref<2x4x?x16xf64>, memref<4x5x16xf64>)
    outs(%d : memref<2x4x?x16xf64>)
  return
}

// -----

// CHECK-LABEL: func @kept
func.func @kept(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>) {
  // CHECK: schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 2, vector_block = 1>
  lot.attention {schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 2, vector_block = 1>}
    ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  return
}
