// A script in place of lot-select-schedule: the same schedule on the same ops.
// RUN: lot-opt %s --transform-preload-library=transform-library-paths=%S/Inputs/schedule.mlir --transform-interpreter | FileCheck %s
// RUN: lot-opt %s --transform-preload-library=transform-library-paths=%S/Inputs/schedule.mlir --transform-interpreter > %t.script
// RUN: lot-opt %s --lot-select-schedule=mcpu=x86-64-v3 > %t.pass
// RUN: diff %t.script %t.pass
// And the same code from there on, for the processor whose schedule it is.
// RUN: lot-opt %t.script --lot-to-cpu=mcpu=x86-64-v3 > %t.script.cpu
// RUN: lot-opt %s --lot-to-cpu=mcpu=x86-64-v3 > %t.pass.cpu
// RUN: diff %t.script.cpu %t.pass.cpu
// A schedule that is set is what the pipeline takes.
// RUN: sed 's/vector_block = 2/vector_block = 2, factor = recomputed/' %S/Inputs/schedule.mlir > %t.library.mlir
// RUN: lot-opt %s --transform-preload-library=transform-library-paths=%t.library.mlir --transform-interpreter --lot-to-cpu=mcpu=x86-64-v3 > %t.other.cpu
// RUN: not diff %t.other.cpu %t.pass.cpu > %t.diff
// REQUIRES: x86-registered-target

// CHECK: lot.attention {schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>}
// CHECK: lot.attention_vjp {schedule = #lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>}
func.func @f(%q: memref<1x2x?x8xf32>, %z: memref<2x5x8xf32>, %o: memref<1x2x?x8xf32>, %dz: memref<2x5x8xf32>,
    %dk: memref<1x2x?x8xf32>, %dv: memref<1x2x?x8xf32>, %dq: memref<1x2x?x8xf32>) {
  lot.attention ins(%q, %q, %q, %z : memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<2x5x8xf32>) outs(%o : memref<1x2x?x8xf32>)
  lot.attention_vjp ins(%o, %q, %q, %q, %z : memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<2x5x8xf32>)
      outs(%dq, %dk, %dv, %dz : memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<1x2x?x8xf32>, memref<2x5x8xf32>)
  return
}
