// Other architectures: NEON, with SVE or without, has vectors of 128 bits and 32 registers.
// RUN: lot-opt %s --lot-select-schedule=mtriple=aarch64-linux-gnu | FileCheck %s --check-prefix=NEON
// RUN: lot-opt %s --lot-select-schedule="mtriple=aarch64-linux-gnu mcpu=neoverse-v1" | FileCheck %s --check-prefix=NEON
// RUN: lot-opt %s --lot-select-schedule="mtriple=arm64-apple-darwin mcpu=apple-m1" | FileCheck %s --check-prefix=NEON
// RUN: lot-opt %s --lot-select-schedule="mtriple=x86_64-linux-gnu mcpu=x86-64" | FileCheck %s --check-prefix=SSE
// RUN: lot-opt %s --lot-select-schedule="mtriple=x86_64-linux-gnu mcpu=znver4" | FileCheck %s --check-prefix=AVX512
// REQUIRES: aarch64-registered-target, x86-registered-target

// A processor of this machine is none of another.
// RUN: not lot-opt %s --lot-select-schedule="mtriple=aarch64-linux-gnu mcpu=haswell" 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: expected mcpu to be a processor of aarch64, got 'haswell'
// RUN: not lot-opt %s --lot-select-schedule=mtriple=pdp11 2>&1 | FileCheck %s --check-prefix=TRIPLE
// TRIPLE: error: expected mtriple to be a target of this LLVM, got 'pdp11'

func.func @attention(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>, %d: memref<2x4x?x16xf64>, %y: memref<4x5x16xf64>,
                     %b: memref<2x4x?x16xbf16>) {
  // NEON: schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 4>
  // SSE: schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 2>
  // AVX512: schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 4>
  lot.attention ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  // NEON: schedule = #lot.cpu_schedule<token_tile = 8, lanes = 2, row_block = 4, vector_block = 4>
  // SSE: schedule = #lot.cpu_schedule<token_tile = 8, lanes = 2, row_block = 4, vector_block = 2>
  // AVX512: schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 4>
  lot.attention ins(%d, %d, %d, %y : memref<2x4x?x16xf64>, memref<2x4x?x16xf64>, memref<2x4x?x16xf64>, memref<4x5x16xf64>)
    outs(%d : memref<2x4x?x16xf64>)
  // NEON: schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 4>
  // SSE: schedule = #lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 4, vector_block = 2>
  // AVX512: schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 4>
  lot.attention ins(%b, %b, %b, %z : memref<2x4x?x16xbf16>, memref<2x4x?x16xbf16>, memref<2x4x?x16xbf16>, memref<4x5x16xf32>)
    outs(%b : memref<2x4x?x16xbf16>)
  return
}
