// RUN: lot-opt %s --lot-expand-exp2 | FileCheck %s

// CHECK-LABEL: func @vector
// CHECK-SAME: (%[[X:.*]]: vector<8xf32>)
func.func @vector(%x: vector<8xf32>) -> vector<8xf32> {
  // CHECK: %[[LOW:.*]] = arith.constant dense<-1.260000e+02>
  // CHECK: %[[C:.*]] = arith.maxnumf %[[X]], %[[LOW]]
  // CHECK: %[[MAGIC:.*]] = arith.constant dense<0x4B400000>
  // CHECK: %[[T:.*]] = arith.addf %[[C]], %[[MAGIC]]
  // CHECK: %[[N:.*]] = arith.subf %[[T]], %[[MAGIC]]
  // CHECK: %[[F:.*]] = arith.subf %[[C]], %[[N]]
  // CHECK-COUNT-6: vector.fma %{{.*}}, %[[F]], %{{.*}} : vector<8xf32>
  // CHECK: %[[B:.*]] = arith.bitcast %[[T]] : vector<8xf32> to vector<8xi32>
  // CHECK: %[[E:.*]] = arith.shli %[[B]], %{{.*}} : vector<8xi32>
  // CHECK: %[[S:.*]] = arith.addi %{{.*}}, %[[E]]
  // CHECK: %[[R:.*]] = arith.bitcast %[[S]] : vector<8xi32> to vector<8xf32>
  // CHECK-NOT: math.exp2
  // CHECK: return %[[R]]
  %e = math.exp2 %x : vector<8xf32>
  return %e : vector<8xf32>
}

// A scalar is also kept below overflow; double has 13 terms.
// CHECK-LABEL: func @scalar
func.func @scalar(%x: f64) -> f64 {
  // CHECK: arith.maxnumf
  // CHECK: arith.minnumf
  // CHECK-COUNT-13: arith.mulf
  // CHECK-NOT: math.exp2
  %e = math.exp2 %x : f64
  return %e : f64
}

// f16 is left to whoever knows how.
// CHECK-LABEL: func @half
func.func @half(%x: f16) -> f16 {
  // CHECK: math.exp2
  %e = math.exp2 %x : f16
  return %e : f16
}
