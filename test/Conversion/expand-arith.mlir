// Conversions of bf16 and rounded divisions are taken apart, maxima are left alone.
// RUN: lot-opt %s --lot-expand-arith | FileCheck %s
// RUN: lot-opt %s --lot-expand-arith --convert-to-llvm | mlir-translate --mlir-to-llvmir | llc -mtriple=x86_64 -mcpu=haswell | FileCheck %s --check-prefix=ASM
// REQUIRES: x86-registered-target

// CHECK-LABEL: func @conversions
// CHECK-NOT: arith.extf
// CHECK-NOT: arith.truncf
// CHECK: arith.shli %{{.*}}, %{{.*}} : vector<8xi32>
// CHECK: arith.shrui %{{.*}}, %{{.*}} : vector<8xi32>
// CHECK: return
func.func @conversions(%x: vector<8xbf16>, %y: vector<8xf32>) -> (vector<8xf32>, vector<8xbf16>) {
  %0 = arith.extf %x : vector<8xbf16> to vector<8xf32>
  %1 = arith.truncf %y : vector<8xf32> to vector<8xbf16>
  return %0, %1 : vector<8xf32>, vector<8xbf16>
}

// CHECK-LABEL: func @divisions
// CHECK-NOT: ceildiv
// CHECK: return
func.func @divisions(%a: index, %b: index) -> (index, index) {
  %0 = arith.ceildivui %a, %b : index
  %1 = arith.ceildivsi %a, %b : index
  return %0, %1 : index, index
}

// CHECK-LABEL: func @maxima
// CHECK: arith.maxnumf
// CHECK: arith.minnumf
// ASM-LABEL: {{^}}maxima:
// ASM: vmaxps %ymm
// ASM-NEXT: vminps %ymm
// ASM-NEXT: retq
func.func @maxima(%a: vector<8xf32>, %b: vector<8xf32>, %c: vector<8xf32>) -> vector<8xf32> {
  %0 = arith.maxnumf %a, %b fastmath<nnan,nsz> : vector<8xf32>
  %1 = arith.minnumf %0, %c fastmath<nnan,nsz> : vector<8xf32>
  return %1 : vector<8xf32>
}
