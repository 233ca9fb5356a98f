// Illegal schedules name the limit.
// RUN: lot-opt %s --lot-select-schedule=mcpu=haswell -split-input-file -verify-diagnostics
// REQUIRES: x86-registered-target

func.func @lanes(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>) {
  // expected-error@+1 {{illegal schedule for haswell: expected vectors of at most 256 bits, got 16 lanes of 'f32'}}
  lot.attention {schedule = #lot.cpu_schedule<token_tile = 64, lanes = 16, row_block = 4, vector_block = 2>}
    ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  return
}

// -----

func.func @tile(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>) {
  // expected-error@+1 {{illegal schedule: expected a token_tile of 4 x lanes = 32, got 64}}
  lot.attention {schedule = #lot.cpu_schedule<token_tile = 64, lanes = 8, row_block = 4, vector_block = 2>}
    ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  return
}

// -----

func.func @kind(%q: memref<2x4x?x16xf32>, %z: memref<4x5x16xf32>) {
  // expected-error@+1 {{expected schedule to be a #lot.cpu_schedule, got 7 : i64}}
  lot.attention {schedule = 7}
    ins(%q, %q, %q, %z : memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<2x4x?x16xf32>, memref<4x5x16xf32>)
    outs(%q : memref<2x4x?x16xf32>)
  return
}
