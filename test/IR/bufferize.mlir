// RUN: lot-opt %s -split-input-file \
// RUN:   -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   -canonicalize -cse -canonicalize | FileCheck %s

// The init's buffer is the result's: no allocation, no copy.

// CHECK-LABEL: func.func @attention_in_place
// CHECK-SAME:    %[[Q:[^ ]+]]: memref<1x4x?x8xf32>, %[[K:[^ ]+]]: memref<1x2x?x8xf32>,
// CHECK-SAME:    %[[V:[^ ]+]]: memref<1x2x?x5xf32>, %[[Z:[^ ]+]]: memref<4x3x8xf32>,
// CHECK-SAME:    %[[LA:[^ ]+]]: memref<1x?xf32>, %[[O:[^ ]+]]: memref<1x4x?x5xf32>) -> memref<1x4x?x5xf32>
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         lot.attention {epsilon = 5.000000e-01 : f64} ins(%[[Q]], %[[K]], %[[V]], %[[Z]] :
// CHECK-SAME:      query_log_mass(%[[LA]] : memref<1x?xf32>) outs(%[[O]] : memref<1x4x?x5xf32>){{$}}
// CHECK-NEXT:    return %[[O]]
func.func @attention_in_place(%q: tensor<1x4x?x8xf32>, %k: tensor<1x2x?x8xf32>,
    %v: tensor<1x2x?x5xf32>, %z: tensor<4x3x8xf32>, %la: tensor<1x?xf32>,
    %o: tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32> {
  %r = lot.attention {epsilon = 0.5 : f64}
      ins(%q, %k, %v, %z : tensor<1x4x?x8xf32>, tensor<1x2x?x8xf32>,
          tensor<1x2x?x5xf32>, tensor<4x3x8xf32>)
      query_log_mass(%la : tensor<1x?xf32>)
      outs(%o : tensor<1x4x?x5xf32>) -> tensor<1x4x?x5xf32>
  return %r : tensor<1x4x?x5xf32>
}

// -----

// The query is still read when the result is written, and rows of the result
// depend on all keys: an init that is also an input gets a buffer of its own.
// What the init held is not read, so it is not copied there.

// CHECK-LABEL: func.func @attention_init_is_query
// CHECK-SAME:    %[[Q:[^ ]+]]: memref<1x2x6x8xf32>, %[[Z:[^ ]+]]:
// CHECK:         %[[NEW:.+]] = memref.alloc() {{.*}} : memref<1x2x6x8xf32>
// CHECK-NOT:     memref.copy
// CHECK:         lot.attention ins(%[[Q]], %[[Q]], %[[Q]], %[[Z]] :
// CHECK-SAME:      outs(%[[NEW]] :
func.func @attention_init_is_query(%q: tensor<1x2x6x8xf32>,
    %z: tensor<2x3x8xf32>) -> tensor<1x2x6x8xf32> {
  %r = lot.attention
      ins(%q, %q, %q, %z : tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>,
          tensor<1x2x6x8xf32>, tensor<2x3x8xf32>)
      outs(%q : tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32>
  return %r : tensor<1x2x6x8xf32>
}

// -----

// What the init held is read later: the op must not write there.

// CHECK-LABEL: func.func @plan_init_read_later
// CHECK-SAME:    %[[L:[^ ]+]]: memref<?x3xf32>, %[[Y:[^ ]+]]: memref<3xf32>, %[[I:[^ ]+]]: memref<?x3xf32>
// CHECK:         %[[NEW:.+]] = memref.alloc(%{{.+}}) {{.*}} : memref<?x3xf32>
// CHECK-NOT:     memref.copy
// CHECK:         lot.plan conditional<pivots> ins(%[[L]] : memref<?x3xf32>) last(%[[Y]] : memref<3xf32>) outs(%[[NEW]] : memref<?x3xf32>){{$}}
// CHECK:         return %[[NEW]], %[[I]]
func.func @plan_init_read_later(%L: tensor<?x3xf32>, %y: tensor<3xf32>,
    %init: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %R = lot.plan conditional<pivots> ins(%L : tensor<?x3xf32>)
      last(%y : tensor<3xf32>) outs(%init : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %R, %init : tensor<?x3xf32>, tensor<?x3xf32>
}

// -----

// A sweep merges into its inits: it reads them, so a second sweep from the same
// start values needs a copy of them (plan above needs none).

// CHECK-LABEL: func.func @sweep_reads_its_inits
// CHECK-SAME:    %[[L:[^ ]+]]: memref<?x3xf32>, %[[M:[^ ]+]]: memref<3xf32>, %[[S:[^ ]+]]: memref<3xf32>
// CHECK-DAG:     %[[M1:.+]] = memref.alloc() {{.*}} : memref<3xf32>
// CHECK-DAG:     %[[S1:.+]] = memref.alloc() {{.*}} : memref<3xf32>
// CHECK-DAG:     memref.copy %[[M]], %[[M1]]
// CHECK-DAG:     memref.copy %[[S]], %[[S1]]
// CHECK:         lot.sweep domain<log> ins(%[[L]] : memref<?x3xf32>) outs(%[[M1]], %[[S1]] : memref<3xf32>, memref<3xf32>){{$}}
// CHECK:         lot.sweep domain<log> ins(%[[L]] : memref<?x3xf32>) prev(%[[M1]] : memref<3xf32>) outs(%[[M]], %[[S]] :
func.func @sweep_reads_its_inits(%L: tensor<?x3xf32>, %m: tensor<3xf32>,
    %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %m1, %s1 = lot.sweep domain<log> ins(%L : tensor<?x3xf32>)
      outs(%m, %s : tensor<3xf32>, tensor<3xf32>)
      -> tensor<3xf32>, tensor<3xf32>
  %m2, %s2 = lot.sweep domain<log> ins(%L : tensor<?x3xf32>)
      prev(%m1 : tensor<3xf32>)
      outs(%m, %s : tensor<3xf32>, tensor<3xf32>)
      -> tensor<3xf32>, tensor<3xf32>
  return %m2, %s2, %s1 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// -----

// Loop-carried (max, sum) pairs and tiles of a result are updated in place.

// CHECK-LABEL: func.func @sweep_in_loop
// CHECK-SAME:    %[[L:[^ ]+]]: memref<64x3xf32>, %[[M:[^ ]+]]: memref<3xf32>, %[[S:[^ ]+]]: memref<3xf32>
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         scf.for %[[I:[a-z0-9]+]] =
// CHECK-NOT:       memref.alloc
// CHECK:           %[[TILE:.+]] = memref.subview %[[L]][%[[I]], 0] [8, 3] [1, 1]
// CHECK-NEXT:      lot.sweep domain<log> ins(%[[TILE]] : {{.*}}) outs(%[[M]], %[[S]] :
// CHECK-NOT:       memref.copy
// CHECK:         return %[[M]], %[[S]]
func.func @sweep_in_loop(%L: tensor<64x3xf32>, %m: tensor<3xf32>,
    %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c64 = arith.constant 64 : index
  %r:2 = scf.for %i = %c0 to %c64 step %c8 iter_args(%mi = %m, %si = %s)
      -> (tensor<3xf32>, tensor<3xf32>) {
    %tile = tensor.extract_slice %L[%i, 0] [8, 3] [1, 1]
        : tensor<64x3xf32> to tensor<8x3xf32>
    %mo, %so = lot.sweep domain<log> ins(%tile : tensor<8x3xf32>)
        outs(%mi, %si : tensor<3xf32>, tensor<3xf32>)
        -> tensor<3xf32>, tensor<3xf32>
    scf.yield %mo, %so : tensor<3xf32>, tensor<3xf32>
  }
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @glue_tiles_in_loop
// CHECK-SAME:    %[[O:[^ ]+]]: memref<1x2x64x5xbf16>)
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         scf.for %[[I:[a-z0-9]+]] =
// CHECK-DAG:       %[[R1:.+]] = memref.subview %{{.+}}[0, 0, %[[I]], 0] [1, 2, 8, 3]
// CHECK-DAG:       %[[TILE:.+]] = memref.subview %[[O]][0, 0, %[[I]], 0] [1, 2, 8, 5]
// CHECK:           lot.glue ins(%[[R1]], {{.*}}) outs(%[[TILE]] :
// CHECK-NOT:       memref.copy
// CHECK:         return %[[O]]
func.func @glue_tiles_in_loop(%R1: tensor<1x2x64x3xf32>,
    %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xbf16>,
    %o: tensor<1x2x64x5xbf16>) -> tensor<1x2x64x5xbf16> {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %i = %c0 to %c64 step %c8 iter_args(%acc = %o)
      -> (tensor<1x2x64x5xbf16>) {
    %R1i = tensor.extract_slice %R1[0, 0, %i, 0] [1, 2, 8, 3] [1, 1, 1, 1]
        : tensor<1x2x64x3xf32> to tensor<1x2x8x3xf32>
    %oi = tensor.extract_slice %acc[0, 0, %i, 0] [1, 2, 8, 5] [1, 1, 1, 1]
        : tensor<1x2x64x5xbf16> to tensor<1x2x8x5xbf16>
    %t = lot.glue ins(%R1i, %R2, %v : tensor<1x2x8x3xf32>,
        tensor<1x2x7x3xf32>, tensor<1x2x7x5xbf16>)
        outs(%oi : tensor<1x2x8x5xbf16>) -> tensor<1x2x8x5xbf16>
    %next = tensor.insert_slice %t into %acc[0, 0, %i, 0] [1, 2, 8, 5]
        [1, 1, 1, 1] : tensor<1x2x8x5xbf16> into tensor<1x2x64x5xbf16>
    scf.yield %next : tensor<1x2x64x5xbf16>
  }
  return %r : tensor<1x2x64x5xbf16>
}

// -----

// Two results into one init cannot share its buffer.

// CHECK-LABEL: func.func @pivot_solve
// CHECK-SAME:    %[[L:[^ ]+]]: memref<2x?x3xf64>, %[[I:[^ ]+]]: memref<2x3xf64>)
// CHECK:         %[[NEW:.+]] = memref.alloc() {{.*}} : memref<2x3xf64>
// CHECK-NOT:     memref.copy
// CHECK:         lot.pivot_solve first<pivots> half_steps(4) ins(%[[L]] : memref<2x?x3xf64>) outs(%[[I]], %[[NEW]] : memref<2x3xf64>, memref<2x3xf64>){{$}}
func.func @pivot_solve(%L: tensor<2x?x3xf64>, %i: tensor<2x3xf64>)
    -> (tensor<2x3xf64>, tensor<2x3xf64>) {
  %prev, %last = lot.pivot_solve first<pivots> half_steps(4)
      ins(%L : tensor<2x?x3xf64>)
      outs(%i, %i : tensor<2x3xf64>, tensor<2x3xf64>)
      -> tensor<2x3xf64>, tensor<2x3xf64>
  return %prev, %last : tensor<2x3xf64>, tensor<2x3xf64>
}
