// Code for AArch64: NEON, with SVE or without, no call per element.
// RUN: lot-opt %s --lot-to-cpu="mtriple=aarch64-linux-gnu openmp=false" | mlir-translate --mlir-to-llvmir -o %t.ll
// RUN: llc %t.ll -mtriple=aarch64-linux-gnu -o - | FileCheck %s "--implicit-check-not={{bl.*(exp|fma|max|min|sf2|hf2)}}"
// RUN: llc %t.ll -mtriple=aarch64-linux-gnu -mcpu=neoverse-v1 -o - | FileCheck %s "--implicit-check-not={{bl.*(exp|fma|max|min|sf2|hf2)}}"
// REQUIRES: aarch64-registered-target

// The factor: score products and exponentials as polynomials.
// CHECK-LABEL: {{^}}lot_head_factor{{(_part)?}}:
// CHECK-NOT: {{bl[[:space:]]}}
// CHECK: fmla v{{[0-9]+}}.4s
// CHECK: shl v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, #23
// CHECK-NOT: {{bl[[:space:]]}}
// CHECK: .cfi_endproc

// A sweep of single precision: products with the factor, nothing else.
// CHECK-LABEL: {{^}}lot_head_sweep{{(_part)?}}:
// CHECK-NOT: {{bl[[:space:]]}}
// CHECK: fmla v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, v{{[0-9]+}}.4s
// CHECK-NOT: {{bl[[:space:]]}}
// CHECK: .cfi_endproc

func.func @single(%q: memref<?x?x?x24xf32>, %k: memref<?x?x?x24xf32>, %v: memref<?x?x?x24xf32>,
                  %z: memref<?x6x24xf32>, %o: memref<?x?x?x24xf32>) attributes {llvm.emit_c_interface} {
  lot.attention {epsilon = 0.5 : f64, half_steps = 6 : i64} ins(%q, %k, %v, %z : memref<?x?x?x24xf32>,
      memref<?x?x?x24xf32>, memref<?x?x?x24xf32>, memref<?x6x24xf32>) outs(%o : memref<?x?x?x24xf32>)
  return
}

// CHECK: fmla v{{[0-9]+}}.2d
func.func @double(%q: memref<?x?x?x8xf64>, %z: memref<?x5x8xf64>, %o: memref<?x?x?x8xf64>) {
  lot.attention ins(%q, %q, %q, %z : memref<?x?x?x8xf64>, memref<?x?x?x8xf64>, memref<?x?x?x8xf64>, memref<?x5x8xf64>)
      outs(%o : memref<?x?x?x8xf64>)
  return
}

func.func @half(%q: memref<?x?x?x8xf16>, %z: memref<?x5x8xf32>, %o: memref<?x?x?x8xf16>) {
  lot.attention ins(%q, %q, %q, %z : memref<?x?x?x8xf16>, memref<?x?x?x8xf16>, memref<?x?x?x8xf16>, memref<?x5x8xf32>)
      outs(%o : memref<?x?x?x8xf16>)
  return
}

func.func @brain(%q: memref<?x?x?x8xbf16>, %z: memref<?x5x8xf32>, %o: memref<?x?x?x8xbf16>) {
  lot.attention ins(%q, %q, %q, %z : memref<?x?x?x8xbf16>, memref<?x?x?x8xbf16>, memref<?x?x?x8xbf16>, memref<?x5x8xf32>)
      outs(%o : memref<?x?x?x8xbf16>)
  return
}
