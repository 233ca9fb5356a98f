// RUN: lot-opt %s --lot-to-linalg | mlir-opt
// RUN: lot-opt %s --lot-to-linalg=unroll | FileCheck %s --check-prefix=UNROLL

// UNROLL-NOT: scf.for

// Everywhere: upstream dialects only, in the forms that other compilers take; no
// tensor has both lengths; loops carry pivot potentials only.
// DEFINE: %{nots} = --implicit-check-not=lot. --implicit-check-not=vector. \
// DEFINE:   --implicit-check-not=scf.forall --implicit-check-not=linalg.exp \
// DEFINE:   --implicit-check-not=linalg.elementwise --implicit-check-not=40x72 \
// DEFINE:   --implicit-check-not=72x40 --implicit-check-not='-> (tensor<2x3x40' \
// DEFINE:   --implicit-check-not='-> (tensor<2x3x72' \
// DEFINE:   --implicit-check-not='-> (tensor<2x3x?' --implicit-check-not='?x?'

// RUN: lot-opt %s --lot-to-linalg | FileCheck %s %{nots}

// CHECK-LABEL: func.func @static(
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: tensor<2x3x40x8xf32>, %[[K:[a-z0-9]+]]: tensor<2x3x72x8xf32>, %[[V:[a-z0-9]+]]: tensor<2x3x72x6xf32>, %[[Z:[a-z0-9]+]]: tensor<3x5x8xf32>
// CHECK:         %[[D1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[Q]], %[[Z]]
// CHECK:         %[[L1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D1]]
// CHECK:         %[[D2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[K]], %[[Z]]
// CHECK:         %[[L2:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[D2]]
// CHECK:         %[[Y1:[a-z0-9_]+]] = scf.for {{.*}} iter_args(%[[READ1:[a-z0-9_]+]] = %{{[a-z0-9_]+}}) -> (tensor<2x3x5xf32>)
// CHECK:           linalg.generic {{.*}} ins(%[[L1]], %[[READ1]]
// CHECK:           %[[NEXT1:[a-z0-9_]+]] = linalg.generic {{.*}} outs(%[[READ1]] : tensor<2x3x5xf32>)
// CHECK:           scf.yield %[[NEXT1]] : tensor<2x3x5xf32>
// CHECK:         %[[R1:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[L1]], {{.*}} outs({{.*}} : tensor<2x3x40x5xf32>)
// CHECK:         scf.for {{.*}} -> (tensor<2x3x5xf32>)
// CHECK:           linalg.generic {{.*}} ins(%[[L2]], %{{[a-z0-9_]+}} :
// CHECK:           scf.yield %{{[a-z0-9_]+}} : tensor<2x3x5xf32>
// CHECK:         %[[G:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%[[R2:[a-z0-9_]+]], %[[V]] {{.*}} outs({{.*}} : tensor<2x3x5x6xf32>)
// CHECK:         %[[O:[a-z0-9_]+]] = linalg.generic {{.*}} ins(%{{[a-z0-9_]+}}, %[[G]]
// CHECK:         return %[[O]]
func.func @static(%q: tensor<2x3x40x8xf32>, %k: tensor<2x3x72x8xf32>, %v: tensor<2x3x72x6xf32>,
    %z: tensor<3x5x8xf32>, %i: tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32> {
  %o = lot.attention {half_steps = 9 : i64}
      ins(%q, %k, %v, %z : tensor<2x3x40x8xf32>, tensor<2x3x72x8xf32>, tensor<2x3x72x6xf32>,
          tensor<3x5x8xf32>) outs(%i : tensor<2x3x40x6xf32>) -> tensor<2x3x40x6xf32>
  return %o : tensor<2x3x40x6xf32>
}

// -log n is taken at run time; nothing has two dynamic lengths.
// CHECK-LABEL: func.func @dynamic(
// CHECK:         scf.for {{.*}} -> (tensor<2x3x5xf32>)
// CHECK:           arith.index_cast
// CHECK:           arith.sitofp
// CHECK:           math.log
// CHECK:           scf.yield %{{[a-z0-9_]+}} : tensor<2x3x5xf32>
// CHECK:         return
func.func @dynamic(%q: tensor<2x3x?x8xf32>, %k: tensor<2x3x?x8xf32>, %v: tensor<2x3x?x6xf32>,
    %z: tensor<3x5x8xf32>, %i: tensor<2x3x?x6xf32>) -> tensor<2x3x?x6xf32> {
  %o = lot.attention {half_steps = 9 : i64}
      ins(%q, %k, %v, %z : tensor<2x3x?x8xf32>, tensor<2x3x?x8xf32>, tensor<2x3x?x6xf32>,
          tensor<3x5x8xf32>) outs(%i : tensor<2x3x?x6xf32>) -> tensor<2x3x?x6xf32>
  return %o : tensor<2x3x?x6xf32>
}

// Keys without mass: a fill, no products.
// CHECK-LABEL: func @no_keys
// CHECK-NOT: linalg.generic
// CHECK: linalg.fill
// CHECK: return
func.func @no_keys(%q: tensor<1x2x9x16xf32>, %k: tensor<1x2x0x16xf32>, %z: tensor<2x5x16xf32>,
                   %i: tensor<1x2x9x16xf32>) -> tensor<1x2x9x16xf32> {
  %o = lot.attention ins(%q, %k, %k, %z : tensor<1x2x9x16xf32>, tensor<1x2x0x16xf32>, tensor<1x2x0x16xf32>,
      tensor<2x5x16xf32>) outs(%i : tensor<1x2x9x16xf32>) -> tensor<1x2x9x16xf32>
  return %o : tensor<1x2x9x16xf32>
}
