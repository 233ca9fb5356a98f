// RUN: lot-opt %s --transform-interpreter --canonicalize --cse --split-input-file | FileCheck %s

// Heads and the value dim of attention: every operand is cut where it has the dim.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:    %[[Q:[a-zA-Z0-9_]+]]: tensor<2x4x?x8xf32>, %[[K:[a-zA-Z0-9_]+]]: tensor<2x2x?x8xf32>, %[[V:[a-zA-Z0-9_]+]]: tensor<2x2x?x6xf32>, %[[Z:[a-zA-Z0-9_]+]]: tensor<4x5x8xf32>
// CHECK:         scf.for %[[B:[a-zA-Z0-9_]+]] =
// CHECK:           scf.for %[[H:[a-zA-Z0-9_]+]] =
// CHECK:             scf.for %[[E:[a-zA-Z0-9_]+]] =
// CHECK:               %[[KH:[a-zA-Z0-9_]+]] = affine.apply #{{.*}}[%[[H]]]
// CHECK:               %[[QT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[Q]][%[[B]], %[[H]], 0, 0] [1, 1, %{{.*}}, 8]
// CHECK:               %[[KT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[K]][%[[B]], %[[KH]], 0, 0] [1, 1, %{{.*}}, 8]
// CHECK:               %[[VT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[V]][%[[B]], %[[KH]], 0, %[[E]]] [1, 1, %{{.*}}, 3]
// CHECK:               %[[ZT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[Z]][%[[H]], 0, 0] [1, 5, 8]
// CHECK:               lot.attention ins(%[[QT]], %[[KT]], %[[VT]], %[[ZT]]
func.func @attention(%q: tensor<2x4x?x8xf32>, %k: tensor<2x2x?x8xf32>, %v: tensor<2x2x?x6xf32>,
    %z: tensor<4x5x8xf32>, %i: tensor<2x4x?x6xf32>) -> tensor<2x4x?x6xf32> {
  %o = lot.attention ins(%q, %k, %v, %z : tensor<2x4x?x8xf32>, tensor<2x2x?x8xf32>,
      tensor<2x2x?x6xf32>, tensor<4x5x8xf32>) outs(%i : tensor<2x4x?x6xf32>) -> tensor<2x4x?x6xf32>
  return %o : tensor<2x4x?x6xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.attention"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l:3 = transform.structured.tile_using_for %op tile_sizes [1, 1, 3]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-LABEL: func.func @solve(
// CHECK-SAME:    %[[L:[a-zA-Z0-9_]+]]: tensor<4x?x5xf32>
// CHECK:         scf.for %[[B:[a-zA-Z0-9_]+]] = {{.*}} -> (tensor<4x5xf32>, tensor<4x5xf32>)
// CHECK:           %[[LT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[L]][%[[B]], 0, 0] [2, %{{.*}}, 5]
// CHECK:           lot.pivot_solve first<tokens> half_steps(4) ins(%[[LT]]
func.func @solve(%L: tensor<4x?x5xf32>, %p: tensor<4x5xf32>, %l: tensor<4x5xf32>)
    -> (tensor<4x5xf32>, tensor<4x5xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<4x?x5xf32>)
      outs(%p, %l : tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>, tensor<4x5xf32>
  return %r#0, %r#1 : tensor<4x5xf32>, tensor<4x5xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.pivot_solve"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Parts of the tokens in parallel, each with its own pair, merged at the end.
// CHECK-LABEL: func.func @parts(
// CHECK-SAME:    %[[L:[a-zA-Z0-9_]+]]: tensor<2x100x5xf32>, %[[Y:[a-zA-Z0-9_]+]]: tensor<2x5xf32>, %[[A:[a-zA-Z0-9_]+]]: tensor<2x100xf32>, %[[M:[a-zA-Z0-9_]+]]: tensor<2x5xf32>, %[[S:[a-zA-Z0-9_]+]]: tensor<2x5xf32>)
// CHECK-DAG:     %[[NINF:[a-zA-Z0-9_]+]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[ZERO:[a-zA-Z0-9_]+]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG:     %[[MP0:[a-zA-Z0-9_]+]] = linalg.fill ins(%[[NINF]] : f32) {{.*}} -> tensor<4x2x5xf32>
// CHECK-DAG:     %[[SP0:[a-zA-Z0-9_]+]] = linalg.fill ins(%[[ZERO]] : f32) {{.*}} -> tensor<4x2x5xf32>
// CHECK:         %[[P:[a-zA-Z0-9_]+]]:2 = scf.forall (%[[T:[a-zA-Z0-9_]+]]) in (4) shared_outs(%[[MP:[a-zA-Z0-9_]+]] = %[[MP0]], %[[SP:[a-zA-Z0-9_]+]] = %[[SP0]])
// CHECK:           %[[M0:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[MP]][%[[T]], 0, 0] [1, 2, 5]
// CHECK:           %[[S0:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[SP]][%[[T]], 0, 0] [1, 2, 5]
// CHECK:           %[[LT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[L]][0, %{{.*}}, 0] [2, 25, 5]
// CHECK:           %[[AT:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[A]][0, %{{.*}}] [2, 25]
// CHECK:           lot.sweep domain<log> ins(%[[LT]] {{.*}} prev(%[[Y]] {{.*}} token_log_mass(%[[AT]] {{.*}} outs(%[[M0]], %[[S0]]
// CHECK:         %[[MAX:[a-zA-Z0-9_]+]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%[[P]]#0 {{.*}} outs(%[[M]]
// CHECK:           arith.maximumf
// CHECK:         %[[START:[a-zA-Z0-9_]+]] = linalg.generic {{.*}} ins(%[[S]], %[[M]], %[[MAX]]
// CHECK:         %[[SUM:[a-zA-Z0-9_]+]] = linalg.generic {{.*}}"reduction"{{.*}} ins(%[[P]]#1, %[[P]]#0, %[[MAX]] {{.*}} outs(%[[START]]
// CHECK:         return %[[MAX]], %[[SUM]]
func.func @parts(%L: tensor<2x100x5xf32>, %y: tensor<2x5xf32>, %a: tensor<2x100xf32>,
    %m: tensor<2x5xf32>, %s: tensor<2x5xf32>) -> (tensor<2x5xf32>, tensor<2x5xf32>) {
  %r:2 = lot.sweep domain<log> ins(%L : tensor<2x100x5xf32>) prev(%y : tensor<2x5xf32>)
      token_log_mass(%a : tensor<2x100xf32>)
      outs(%m, %s : tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>, tensor<2x5xf32>
  return %r#0, %r#1 : tensor<2x5xf32>, tensor<2x5xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["lot.sweep"]} in %m : (!transform.any_op) -> !transform.any_op
    %f:2, %t, %c:2, %l = transform.structured.tile_reduction_using_forall %op
        by num_threads = [0, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A plan is computed in the tile of the product that reads it.
// CHECK-LABEL: func.func @fuse_plan(
// CHECK:         scf.for
// CHECK:           lot.plan {{.*}} outs(%{{.*}} : tensor<20x5xf32>)
// CHECK:           linalg.matmul
// CHECK-NOT:     lot.plan
func.func @fuse_plan(%L: tensor<100x5xf32>, %p: tensor<5xf32>, %l: tensor<5xf32>, %g: tensor<5x8xf32>,
    %i: tensor<100x5xf32>, %o: tensor<100x8xf32>) -> tensor<100x8xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<100x5xf32>) prev(%p : tensor<5xf32>)
      last(%l : tensor<5xf32>) outs(%i : tensor<100x5xf32>) -> tensor<100x5xf32>
  %u = linalg.matmul ins(%r, %g : tensor<100x5xf32>, tensor<5x8xf32>) outs(%o : tensor<100x8xf32>) -> tensor<100x8xf32>
  return %u : tensor<100x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.matmul"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.fuse %op tile_sizes [20]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// A consumer that cuts the pivots gets the whole plan: rows are not cut.
// CHECK-LABEL: func.func @pivots_are_not_cut(
// CHECK:         lot.plan {{.*}} outs(%{{.*}} : tensor<100x6xf32>)
// CHECK:         scf.for
// CHECK-NOT:       lot.plan
func.func @pivots_are_not_cut(%L: tensor<100x6xf32>, %p: tensor<6xf32>, %l: tensor<6xf32>, %g: tensor<6x8xf32>,
    %i: tensor<100x6xf32>, %o: tensor<100x8xf32>) -> tensor<100x8xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<100x6xf32>) prev(%p : tensor<6xf32>)
      last(%l : tensor<6xf32>) outs(%i : tensor<100x6xf32>) -> tensor<100x6xf32>
  %u = linalg.matmul ins(%r, %g : tensor<100x6xf32>, tensor<6x8xf32>) outs(%o : tensor<100x8xf32>) -> tensor<100x8xf32>
  return %u : tensor<100x8xf32>
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.matmul"]} in %m : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.fuse %op tile_sizes [0, 0, 2]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// Residuals belong to all batch entries and heads: there are no loops.
// CHECK-LABEL: func.func @residuals_are_not_cut(
// CHECK-NOT:     scf.for
// CHECK:         lot.attention ins({{.*}}) outs(%{{.*}} : tensor<2x4x6x8xf32>, tensor<?xf32>)
// CHECK:         lot.attention_vjp ins({{.*}}) residuals({{.*}}) outs(
!t = tensor<2x4x6x8xf32>
!z = tensor<2x4x5x8xf32>
!r = tensor<?xf32>
func.func @residuals_are_not_cut(%q: !t, %z: !z, %x: !r) -> (!t, !t, !t, !z) {
  %o:2 = lot.attention ins(%q, %q, %q, %z : !t, !t, !t, !z) outs(%q, %x : !t, !r) -> !t, !r
  %g:4 = lot.attention_vjp ins(%o#0, %q, %q, %q, %z : !t, !t, !t, !t, !z) residuals(%o#1 : !r)
      outs(%q, %q, %q, %z : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %g#0, %g#1, %g#2, %g#3 : !t, !t, !t, !z
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%m: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["lot.attention", "lot.attention_vjp"]} in %m
        : (!transform.any_op) -> !transform.any_op
    %t = transform.structured.tile_using_for %ops tile_sizes []
        : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}
