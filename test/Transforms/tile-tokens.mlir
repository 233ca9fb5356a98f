// RUN: lot-opt %s --lot-tile-tokens=tile=64 --canonicalize --cse | FileCheck %s
// RUN: lot-opt %s --lot-tile-tokens=tile=64 --lot-decompose-ops \
// RUN:   --loop-invariant-code-motion | FileCheck %s --check-prefix=HOIST
// RUN: not lot-opt %s --lot-tile-tokens=tile=0 2>&1 | FileCheck %s --check-prefix=ZERO

// ZERO: lot-tile-tokens: expected tile >= 1, got 0

// The pairs are carried; the uniform log mass stays that of all tokens.
// CHECK-LABEL: func.func @sweep(
// CHECK-SAME:    %[[L:[a-zA-Z0-9_]+]]: tensor<2x?x5xf32>, %[[Y:[a-zA-Z0-9_]+]]: tensor<2x5xf32>,
// CHECK-SAME:    %[[M:[a-zA-Z0-9_]+]]: tensor<2x5xf32>, %[[S:[a-zA-Z0-9_]+]]: tensor<2x5xf32>)
// CHECK:         %[[N:[a-zA-Z0-9_]+]] = tensor.dim %[[L]]
// CHECK:         scf.for %[[I:[a-zA-Z0-9_]+]] = %{{.*}} to %[[N]] step %{{.*}} iter_args(%[[MI:[a-zA-Z0-9_]+]] = %[[M]], %[[SI:[a-zA-Z0-9_]+]] = %[[S]])
// CHECK:           %[[SIZE:[a-zA-Z0-9_]+]] = affine.min
// CHECK:           %[[TILE:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[L]][0, %[[I]], 0] [2, %[[SIZE]], 5]
// CHECK:           %[[LEN:[a-zA-Z0-9_]+]] = arith.maxsi %[[N]]
// CHECK:           %[[INT:[a-zA-Z0-9_]+]] = arith.index_cast %[[LEN]]
// CHECK:           %[[REAL:[a-zA-Z0-9_]+]] = arith.sitofp %[[INT]]
// CHECK:           %[[LOG:[a-zA-Z0-9_]+]] = math.log %[[REAL]]
// CHECK:           %[[NEG:[a-zA-Z0-9_]+]] = arith.negf %[[LOG]]
// CHECK:           %[[MASS:[a-zA-Z0-9_]+]] = linalg.fill ins(%[[NEG]]
// CHECK:           %[[NEXT:[a-zA-Z0-9_]+]]:2 = lot.sweep domain<log> ins(%[[TILE]]
// CHECK-SAME:        prev(%[[Y]]
// CHECK-SAME:        token_log_mass(%[[MASS]]
// CHECK-SAME:        outs(%[[MI]], %[[SI]]
// CHECK:           scf.yield %[[NEXT]]#0, %[[NEXT]]#1
func.func @sweep(%L: tensor<2x?x5xf32>, %y: tensor<2x5xf32>,
    %m: tensor<2x5xf32>, %s: tensor<2x5xf32>) -> (tensor<2x5xf32>, tensor<2x5xf32>) {
  %r:2 = lot.sweep domain<log> ins(%L : tensor<2x?x5xf32>) prev(%y : tensor<2x5xf32>)
      outs(%m, %s : tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>, tensor<2x5xf32>
  return %r#0, %r#1 : tensor<2x5xf32>, tensor<2x5xf32>
}

// Without prev no potential is read, so no mass is made up.
// CHECK-LABEL: func.func @first_sweep(
// CHECK:         scf.for
// CHECK-NOT:       linalg.fill
// CHECK:           lot.sweep
// CHECK-NOT:       token_log_mass
func.func @first_sweep(%L: tensor<100x5xf64>, %m: tensor<5xf64>, %s: tensor<5xf64>)
    -> (tensor<5xf64>, tensor<5xf64>) {
  %r:2 = lot.sweep domain<log> ins(%L : tensor<100x5xf64>)
      outs(%m, %s : tensor<5xf64>, tensor<5xf64>) -> tensor<5xf64>, tensor<5xf64>
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}

// CHECK-LABEL: func.func @scaling(
// CHECK-SAME:    %[[D:[a-zA-Z0-9_]+]]: tensor<100x5xf32>, %[[P:[a-zA-Z0-9_]+]]: tensor<5xf32>, %[[A:[a-zA-Z0-9_]+]]: tensor<100xf32>, %[[S:[a-zA-Z0-9_]+]]: tensor<5xf32>)
// CHECK:         scf.for %[[I:[a-zA-Z0-9_]+]] = {{.*}} iter_args(%[[SI:[a-zA-Z0-9_]+]] = %[[S]])
// CHECK:           %[[DI:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[D]][%[[I]], 0]
// CHECK:           %[[AI:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[A]][%[[I]]]
// CHECK:           lot.sweep domain<scaling> ins(%[[DI]] {{.*}} prev(%[[P]] {{.*}} token_log_mass(%[[AI]] {{.*}} outs(%[[SI]]
func.func @scaling(%D: tensor<100x5xf32>, %p: tensor<5xf32>, %a: tensor<100xf32>,
    %s: tensor<5xf32>) -> tensor<5xf32> {
  %r = lot.sweep domain<scaling> ins(%D : tensor<100x5xf32>) prev(%p : tensor<5xf32>)
      token_log_mass(%a : tensor<100xf32>) outs(%s : tensor<5xf32>) -> tensor<5xf32>
  return %r : tensor<5xf32>
}

// CHECK-LABEL: func.func @plan(
// CHECK-SAME:    %[[L:[a-zA-Z0-9_]+]]: tensor<2x?x5xf32>, %[[P:[a-zA-Z0-9_]+]]: tensor<2x5xf32>, %[[LAST:[a-zA-Z0-9_]+]]: tensor<2x5xf32>, %[[INIT:[a-zA-Z0-9_]+]]: tensor<2x?x5xf32>)
// CHECK:         scf.for %[[I:[a-zA-Z0-9_]+]] = {{.*}} iter_args(%[[OUT:[a-zA-Z0-9_]+]] = %[[INIT]])
// CHECK:           %[[LI:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[L]][0, %[[I]], 0]
// CHECK:           %[[OI:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[OUT]][0, %[[I]], 0]
// CHECK:           %[[MASS:[a-zA-Z0-9_]+]] = linalg.fill
// CHECK:           %[[R:[a-zA-Z0-9_]+]] = lot.plan conditional<pivots> ins(%[[LI]] {{.*}} prev(%[[P]] {{.*}} last(%[[LAST]] {{.*}} token_log_mass(%[[MASS]] {{.*}} outs(%[[OI]]
// CHECK:           %[[NEXT:[a-zA-Z0-9_]+]] = tensor.insert_slice %[[R]] into %[[OUT]]
// CHECK:           scf.yield %[[NEXT]]
func.func @plan(%L: tensor<2x?x5xf32>, %p: tensor<2x5xf32>, %l: tensor<2x5xf32>,
    %i: tensor<2x?x5xf32>) -> tensor<2x?x5xf32> {
  %r = lot.plan conditional<pivots> ins(%L : tensor<2x?x5xf32>) prev(%p : tensor<2x5xf32>)
      last(%l : tensor<2x5xf32>) outs(%i : tensor<2x?x5xf32>) -> tensor<2x?x5xf32>
  return %r : tensor<2x?x5xf32>
}

// Given the tokens, the plan does not depend on their masses.
// CHECK-LABEL: func.func @plan_given_tokens(
// CHECK:         scf.for
// CHECK-NOT:       linalg.fill
// CHECK:           lot.plan conditional<tokens>
func.func @plan_given_tokens(%L: tensor<?x5xf32>, %p: tensor<5xf32>, %l: tensor<5xf32>,
    %i: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<?x5xf32>) prev(%p : tensor<5xf32>)
      last(%l : tensor<5xf32>) outs(%i : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %r : tensor<?x5xf32>
}

// The queries are tiled; the key plan and the values are not.
// CHECK-LABEL: func.func @glue(
// CHECK-SAME:    %[[R1:[a-zA-Z0-9_]+]]: tensor<1x4x?x5xf32>, %[[R2:[a-zA-Z0-9_]+]]: tensor<1x2x?x5xf32>, %[[V:[a-zA-Z0-9_]+]]: tensor<1x2x?x8xf32>
// CHECK:         scf.for
// CHECK:           %[[R1I:[a-zA-Z0-9_]+]] = tensor.extract_slice %[[R1]]
// CHECK:           lot.glue {{.*}} ins(%[[R1I]], %[[R2]], %[[V]]

// HOIST-LABEL: func.func @glue(
// HOIST-SAME:    %{{.*}}: tensor<1x4x?x5xf32>, %[[R2:[a-zA-Z0-9_]+]]: tensor<1x2x?x5xf32>, %[[V:[a-zA-Z0-9_]+]]: tensor<1x2x?x8xf32>
// HOIST:         %[[G:[a-zA-Z0-9_]+]] = linalg.generic {{.*}} ins(%[[R2]], %[[V]]
// HOIST:         scf.for
// HOIST:           linalg.generic {{.*}} ins(%{{.*}}, %[[G]]
func.func @glue(%r1: tensor<1x4x?x5xf32>, %r2: tensor<1x2x?x5xf32>, %v: tensor<1x2x?x8xf32>,
    %i: tensor<1x4x?x8xf32>) -> tensor<1x4x?x8xf32> {
  %r = lot.glue {normalization = #lot.normalization<none>}
      ins(%r1, %r2, %v : tensor<1x4x?x5xf32>, tensor<1x2x?x5xf32>, tensor<1x2x?x8xf32>)
      outs(%i : tensor<1x4x?x8xf32>) -> tensor<1x4x?x8xf32>
  return %r : tensor<1x4x?x8xf32>
}

// One tile is enough: no loop.
// CHECK-LABEL: func.func @short(
// CHECK-NOT:     scf.for
// CHECK:         lot.plan
func.func @short(%L: tensor<64x5xf32>, %p: tensor<5xf32>, %l: tensor<5xf32>,
    %i: tensor<64x5xf32>) -> tensor<64x5xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<64x5xf32>) prev(%p : tensor<5xf32>)
      last(%l : tensor<5xf32>) outs(%i : tensor<64x5xf32>) -> tensor<64x5xf32>
  return %r : tensor<64x5xf32>
}
