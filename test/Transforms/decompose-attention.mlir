// RUN: lot-opt %s --lot-decompose-attention --canonicalize --cse | FileCheck %s --implicit-check-not=40x72 --implicit-check-not=lot.attention

// Plain: two score products, a solve and a plan of each, the glue.
// CHECK-LABEL: func.func @plain(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<2x3x40x8xf32>, %[[K:[a-z0-9]+]]: tensor<2x3x72x8xf32>, %[[V:[a-z0-9]+]]: tensor<2x3x72x6xf32>, %[[Z:[a-z0-9]+]]: tensor<3x5x8xf32>, %[[I:[a-z0-9]+]]: tensor<2x3x40x6xf32>
// CHECK-DAG:     %[[FACTOR:[a-z0-9_]+]] = arith.constant 5.000000e+00 : f32
// CHECK:         %[[D1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[Q]], %[[Z]]
// CHECK:         %[[L1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D1]]
// CHECK:           arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK:         %[[D2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[K]], %[[Z]]
// CHECK:         %[[L2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D2]]
// CHECK:         %[[S1:[a-z0-9_]+]]:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%[[L1]]
// CHECK:         %[[R1:[a-z0-9_]+]] = lot.plan conditional<tokens> ins(%[[L1]] {{.*}} prev(%[[S1]]#0 {{.*}} last(%[[S1]]#1
// CHECK:         %[[S2:[a-z0-9_]+]]:2 = lot.pivot_solve first<pivots> half_steps(4) ins(%[[L2]]
// CHECK:         %[[R2:[a-z0-9_]+]] = lot.plan conditional<pivots> ins(%[[L2]] {{.*}} prev(%[[S2]]#0 {{.*}} last(%[[S2]]#1
// CHECK:         %[[O:[a-z0-9_]+]] = lot.glue ins(%[[R1]], %[[R2]], %[[V]] {{.*}} outs(%[[I]]
// CHECK:         return %[[O]]
func.func @plain(%q: tensor<2x3x40x8xf32>, %k: tensor<2x3x72x8xf32>, %v: tensor<2x3x72x6xf32>,
    %z: tensor<3x5x8xf32>, %i: tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32> {
  %o = lot.attention {scale = 0.5 : f64, epsilon = 0.1 : f64, half_steps = 4 : i64}
      ins(%q, %k, %v, %z : tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>,
          tensor<3x5x8xf32>) outs(%i : tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32>
  return %o : tensor<2x3x40x6xf32>
}

// At one half-step the key side has not taken a token step.
// CHECK-LABEL: func.func @one_step(
// CHECK:         lot.plan conditional<tokens> {{.*}} prev(
// CHECK:         %[[S2:[a-z0-9_]+]]:2 = lot.pivot_solve first<pivots> half_steps(1)
// CHECK:         lot.plan conditional<pivots> ins(%{{[a-z0-9_]+}} : tensor<2x3x72x5xf32>) last(%[[S2]]#1
func.func @one_step(%q: tensor<2x3x40x8xf32>, %k: tensor<2x3x72x8xf32>, %v: tensor<2x3x72x6xf32>,
    %z: tensor<3x5x8xf32>, %i: tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32> {
  %o = lot.attention {half_steps = 1 : i64}
      ins(%q, %k, %v, %z : tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>,
          tensor<3x5x8xf32>) outs(%i : tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32>
  return %o : tensor<2x3x40x6xf32>
}

// 16-bit operands are widened before they are multiplied; what has no mass is
// replaced by a select, in the scores and in the values; the clamp comes before
// the division by epsilon.
// CHECK-LABEL: func.func @masses(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<2x3x40x8xbf16>, %[[K:[a-z0-9]+]]: tensor<2x3x72x8xbf16>, %[[V:[a-z0-9]+]]: tensor<2x3x72x6xbf16>, %[[Z:[a-z0-9]+]]: tensor<3x5x8xf32>
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<2x40xf32>, %[[B:[a-z0-9]+]]: tensor<2x3x72xf32>, %[[W:[a-z0-9]+]]: tensor<3x5xf32>, %[[G:[a-z0-9]+]]: tensor<3x5xf32>
// CHECK-DAG:     %[[NINF:[a-z0-9_]+]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[C:[a-z0-9_]+]] = arith.constant 2.000000e+00 : f32
// CHECK-DAG:     %[[EPS:[a-z0-9_]+]] = arith.constant 4.000000e+00 : f32
// CHECK:         %[[LA:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[A]] {{.*}} outs({{.*}} : tensor<2x3x40xf32>)
// CHECK:         %[[LW:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[W]] {{.*}} outs({{.*}} : tensor<2x3x5xf32>)
// CHECK:         %[[D1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[Q]], %[[Z]]
// CHECK:         ^bb0(%[[X:[a-z0-9_]+]]: bf16, %[[Y:[a-z0-9_]+]]: f32, %[[ACC:[a-z0-9_]+]]: f32):
// CHECK:           %[[XE:[a-z0-9_]+]] = arith.extf %[[X]] : bf16 to f32
// CHECK:           arith.mulf %[[XE]], %[[Y]]
// CHECK:         %[[L1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D1]], %[[LA]], %[[LW]]
// CHECK:           arith.minimumf %{{.*}}, %[[C]]
// CHECK:           arith.maximumf
// CHECK:           %[[SCORE:[a-z0-9_]+]] = arith.mulf %{{.*}}, %[[EPS]]
// CHECK:           %[[DEAD:[a-z0-9_]+]] = arith.cmpf oeq, %{{.*}}, %[[NINF]]
// CHECK:           arith.select %[[DEAD]], %[[NINF]], %[[SCORE]]
// CHECK:         lot.pivot_solve first<tokens> {{.*}} ins(%[[L1]] {{.*}} token_log_mass(%[[LA]] {{.*}} pivot_log_mass(%[[LW]]
// CHECK:         lot.pivot_solve first<pivots> {{.*}} token_log_mass(%[[B]] {{.*}} pivot_log_mass(%[[LW]]
// CHECK:         %[[R2:[a-z0-9_]+]] = lot.plan conditional<pivots> {{.*}} token_log_mass(%[[B]] {{.*}} pivot_log_mass(%[[LW]]
// CHECK:         %[[LIVE:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[V]], %[[B]]
// CHECK:           arith.select
// CHECK:         %[[LG:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[G]]
// CHECK:         %[[RATIO:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[LG]], %[[LW]]
// CHECK:         lot.glue {{.*}} ins(%{{.*}}, %[[R2]], %[[LIVE]] {{.*}} query_log_mass(%[[LA]] {{.*}} glue_log_ratio(%[[RATIO]]
func.func @masses(%q: tensor<2x3x40x8xbf16>, %k: tensor<2x3x72x8xbf16>, %v: tensor<2x3x72x6xbf16>,
    %z: tensor<3x5x8xf32>, %a: tensor<2x40xf32>, %b: tensor<2x3x72xf32>, %w: tensor<3x5xf32>,
    %g: tensor<3x5xf32>, %i: tensor<2x3x40x6xbf16>) -> tensor<2x3x40x6xbf16> {
  %o = lot.attention {epsilon = 0.25 : f64, score_clamp = 2.0 : f64,
                      normalization = #lot.normalization<none>}
      ins(%q, %k, %v, %z : tensor<2x3x40x8xbf16>, tensor<2x3x72x8xbf16>, tensor<2x3x72x6xbf16>,
          tensor<3x5x8xf32>)
      query_log_mass(%a : tensor<2x40xf32>) key_log_mass(%b : tensor<2x3x72xf32>)
      pivot_log_mass(%w : tensor<3x5xf32>) glue_log_mass(%g : tensor<3x5xf32>)
      outs(%i : tensor<2x3x40x6xbf16>) -> tensor<2x3x40x6xbf16>
  return %o : tensor<2x3x40x6xbf16>
}

// Pivots of the key heads: the key side is solved once per key head, the query
// side once per query head.
// CHECK-LABEL: func.func @grouped_shared(
// CHECK:         tensor.expand_shape %{{.*}} {{\[\[}}0], [1, 2], [3], [4]]
// CHECK:         tensor.collapse_shape
// CHECK:         lot.pivot_solve first<tokens> {{.*}} ins(%{{[a-z0-9_]+}} : tensor<2x6x?x5xf32>)
// CHECK:         lot.pivot_solve first<pivots> {{.*}} ins(%{{[a-z0-9_]+}} : tensor<2x3x?x5xf32>)
func.func @grouped_shared(%q: tensor<2x6x?x8xf32>, %k: tensor<2x3x?x8xf32>, %v: tensor<2x3x?x6xf32>,
    %z: tensor<3x5x8xf32>, %i: tensor<2x6x?x6xf32>) -> tensor<2x6x?x6xf32> {
  %o = lot.attention ins(%q, %k, %v, %z : tensor<2x6x?x8xf32>, tensor<2x3x?x8xf32>,
      tensor<2x3x?x6xf32>, tensor<3x5x8xf32>) outs(%i : tensor<2x6x?x6xf32>) -> tensor<2x6x?x6xf32>
  return %o : tensor<2x6x?x6xf32>
}

// CHECK-LABEL: func.func @grouped_own(
// CHECK:         lot.pivot_solve first<tokens> {{.*}} ins(%{{[a-z0-9_]+}} : tensor<2x6x?x5xf32>)
// CHECK:         lot.pivot_solve first<pivots> {{.*}} ins(%{{[a-z0-9_]+}} : tensor<2x6x?x5xf32>)
func.func @grouped_own(%q: tensor<2x6x?x8xf32>, %k: tensor<2x3x?x8xf32>, %v: tensor<2x3x?x6xf32>,
    %z: tensor<2x6x5x8xf32>, %i: tensor<2x6x?x6xf32>) -> tensor<2x6x?x6xf32> {
  %o = lot.attention ins(%q, %k, %v, %z : tensor<2x6x?x8xf32>, tensor<2x3x?x8xf32>,
      tensor<2x3x?x6xf32>, tensor<2x6x5x8xf32>) outs(%i : tensor<2x6x?x6xf32>) -> tensor<2x6x?x6xf32>
  return %o : tensor<2x6x?x6xf32>
}

// Dynamic heads that are the same value's are equal.
// CHECK-LABEL: func.func @dynamic_heads(
// CHECK:         lot.glue
func.func @dynamic_heads(%q: tensor<2x?x40x8xf32>, %z: tensor<?x5x8xf32>, %i: tensor<2x?x40x8xf32>)
    -> tensor<2x?x40x8xf32> {
  %o = lot.attention ins(%q, %q, %q, %z : tensor<2x?x40x8xf32>, tensor<2x?x40x8xf32>,
      tensor<2x?x40x8xf32>, tensor<?x5x8xf32>) outs(%i : tensor<2x?x40x8xf32>) -> tensor<2x?x40x8xf32>
  return %o : tensor<2x?x40x8xf32>
}
