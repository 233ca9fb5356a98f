// RUN: lot-opt %s --lot-decompose-ops --canonicalize --cse | FileCheck %s --implicit-check-not=lot. --implicit-check-not=40x72
// RUN: lot-opt %s --lot-decompose-ops=ops=sweep,plan | FileCheck %s --check-prefix=SOME
// RUN: not lot-opt %s --lot-decompose-ops=ops=softmax 2>&1 | FileCheck %s --check-prefix=WRONG

// WRONG: lot-decompose-ops: expected ops among attention, pivot_solve, sweep, plan, glue, attention_vjp, pivot_solve_vjp, sweep_vjp, plan_vjp, glue_vjp, got softmax

// SOME-NOT: lot.sweep
// SOME-NOT: lot.plan
// SOME:     lot.glue

// Row log-sum-exp with prev, token potential, then the merge into (max, sum).
// CHECK-LABEL: func.func @sweep(
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<?x8xf32>, %[[Y:[a-z0-9]+]]: tensor<8xf32>, %[[M:[a-z0-9]+]]: tensor<8xf32>, %[[S:[a-z0-9]+]]: tensor<8xf32>)
// CHECK-DAG:     %[[NINF:[a-z0-9_]+]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[ZERO:[a-z0-9_]+]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[TM:[a-z0-9_]+]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[L]], %[[Y]]
// CHECK:           %[[T:[a-z0-9_]+]] = arith.addf
// CHECK:           %[[DEAD:[a-z0-9_]+]] = arith.cmpf oeq, %[[P:[a-z0-9_]+]], %[[NINF]]
// CHECK:           %[[TERM:[a-z0-9_]+]] = arith.select %[[DEAD]], %[[P]], %[[T]]
// CHECK:           arith.maximumf %[[TERM]]
// CHECK:         %[[TS:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[L]], %[[Y]], %[[TM]]
// CHECK:           arith.select %{{.*}}, %[[ZERO]],
// CHECK:           math.exp
// CHECK:         %[[X:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[TM]], %[[TS]]
// CHECK:           math.log
// CHECK:         %[[FOUND:[a-z0-9_]+]] = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[L]], %[[X]]
// CHECK:         %[[START:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[M]], %[[FOUND]] {{.*}} outs(%[[S]]
// CHECK:         %[[MAX:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[FOUND]] {{.*}} outs(%[[M]]
// CHECK:         %[[SUM:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[L]], %[[X]], %[[MAX]] {{.*}} outs(%[[START]]
// CHECK:         return %[[MAX]], %[[SUM]]
func.func @sweep(%L: tensor<?x8xf32>, %y: tensor<8xf32>, %m: tensor<8xf32>, %s: tensor<8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) {
  %r:2 = lot.sweep domain<log> ins(%L : tensor<?x8xf32>) prev(%y : tensor<8xf32>)
      outs(%m, %s : tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>, tensor<8xf32>
  return %r#0, %r#1 : tensor<8xf32>, tensor<8xf32>
}

// CHECK-LABEL: func.func @scaling(
// CHECK-SAME:    %[[D:[a-z0-9]+]]: tensor<?x8xf32>, %[[P:[a-z0-9]+]]: tensor<8xf32>, %[[A:[a-z0-9]+]]: tensor<?xf32>, %[[S:[a-z0-9]+]]: tensor<8xf32>)
// CHECK:         %[[ROW:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D]], %[[P]]
// CHECK:         linalg.generic {{.*}} ins(%[[D]], %[[ROW]], %[[A]] {{.*}} outs(%[[S]]
// CHECK:           math.exp
// CHECK:           arith.divf
// CHECK:           arith.select
func.func @scaling(%D: tensor<?x8xf32>, %p: tensor<8xf32>, %a: tensor<?xf32>, %s: tensor<8xf32>)
    -> tensor<8xf32> {
  %r = lot.sweep domain<scaling> ins(%D : tensor<?x8xf32>) prev(%p : tensor<8xf32>)
      token_log_mass(%a : tensor<?xf32>) outs(%s : tensor<8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}

// CHECK-LABEL: func.func @plan(
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<?x8xf64>, %[[LAST:[a-z0-9]+]]: tensor<8xf64>, %[[W:[a-z0-9]+]]: tensor<8xf64>, %[[I:[a-z0-9]+]]: tensor<?x8xf64>)
// CHECK:         %[[COL:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[LAST]], %[[W]]
// CHECK:         linalg.generic {{.*}} ins(%[[L]], %[[COL]] {{.*}} outs(%[[I]]
// CHECK:           %[[E:[a-z0-9_]+]] = math.exp %{{.*}} : f64
// CHECK:           arith.select %{{.*}}, %{{.*}}, %[[E]]
func.func @plan(%L: tensor<?x8xf64>, %l: tensor<8xf64>, %w: tensor<8xf64>, %i: tensor<?x8xf64>) -> tensor<?x8xf64> {
  %r = lot.plan conditional<pivots> ins(%L : tensor<?x8xf64>) last(%l : tensor<8xf64>)
      pivot_log_mass(%w : tensor<8xf64>) outs(%i : tensor<?x8xf64>) -> tensor<?x8xf64>
  return %r : tensor<?x8xf64>
}

// G = R2^T V first: no product has both lengths.
// CHECK-LABEL: func.func @glue(
// CHECK-SAME:    %[[R1:[a-z0-9]+]]: tensor<1x4x40x8xf32>, %[[R2:[a-z0-9]+]]: tensor<1x4x72x8xf32>, %[[V:[a-z0-9]+]]: tensor<1x4x72x6xf16>
// CHECK:         %[[G:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[R2]], %[[V]] {{.*}} outs({{.*}} : tensor<1x4x8x6xf32>)
// CHECK:         %[[U:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[R1]], %[[G]] {{.*}} outs({{.*}} : tensor<1x4x40x6xf32>)
// CHECK:         %[[COLS:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[R2]] {{.*}} outs({{.*}} : tensor<1x4x8xf32>)
// CHECK:         %[[ROWS:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[R1]], %[[COLS]] {{.*}} outs({{.*}} : tensor<1x4x40xf32>)
// CHECK:         linalg.generic {{.*}} ins(%[[U]], %[[ROWS]]
// CHECK:           arith.divf
// CHECK:           arith.truncf {{.*}} : f32 to f16
func.func @glue(%r1: tensor<1x4x40x8xf32>, %r2: tensor<1x4x72x8xf32>, %v: tensor<1x4x72x6xf16>,
    %i: tensor<1x4x40x6xf16>) -> tensor<1x4x40x6xf16> {
  %r = lot.glue {normalization = #lot.normalization<row_sum>}
      ins(%r1, %r2, %v : tensor<1x4x40x8xf32>, tensor<1x4x72x8xf32>, tensor<1x4x72x6xf16>)
      outs(%i : tensor<1x4x40x6xf16>) -> tensor<1x4x40x6xf16>
  return %r : tensor<1x4x40x6xf16>
}
