// Code for AVX-512: whole registers, no call per element, also where LLVM prefers half of them.
// RUN: lot-opt %s --lot-to-cpu="mtriple=x86_64-linux-gnu mcpu=znver4 openmp=false" | mlir-translate --mlir-to-llvmir -o %t.ll
// RUN: llc %t.ll -mtriple=x86_64-linux-gnu -mcpu=znver4 -o - | FileCheck %s "--implicit-check-not={{call.*(exp|fma|max|min|sf2|hf2)}}"
// RUN: llc %t.ll -mtriple=x86_64-linux-gnu -mcpu=skylake-avx512 -o - | FileCheck %s "--implicit-check-not={{call.*(exp|fma|max|min|sf2|hf2)}}"
// REQUIRES: x86-registered-target

// The factor: score products and exponentials as polynomials.
// CHECK-LABEL: {{^}}lot_head_factor{{(_part)?}}:
// CHECK-NOT: call
// CHECK: vfmadd{{.*}}%zmm
// CHECK: vpslld $23, %zmm
// CHECK-NOT: call
// CHECK: .cfi_endproc

// A sweep of single precision: products with the factor, nothing else.
// CHECK-LABEL: {{^}}lot_head_sweep{{(_part)?}}:
// CHECK-NOT: call
// CHECK: vfmadd{{.*}}%zmm
// CHECK-NOT: call
// CHECK: .cfi_endproc

// CHECK: vfmadd{{[0-9]+}}pd {{.*}}%zmm
func.func @single(%q: memref<?x?x?x24xf32>, %z: memref<?x6x24xf32>, %o: memref<?x?x?x24xf32>) {
  lot.attention {epsilon = 0.5 : f64, half_steps = 6 : i64} ins(%q, %q, %q, %z : memref<?x?x?x24xf32>,
      memref<?x?x?x24xf32>, memref<?x?x?x24xf32>, memref<?x6x24xf32>) outs(%o : memref<?x?x?x24xf32>)
  return
}


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
