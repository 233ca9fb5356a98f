// RUN: lot-opt %s --convert-lot-attention-to-gpu --canonicalize --cse | FileCheck %s
// Gradients of log masses, in bf16, are small differences of large sums: what
// they are made of is the sum of three values of 16 bits. Products are on
// tensor cores all the same.

// G, beside each other in its rows.
// CHECK: gpu.func @fold(
// CHECK: memref.store %[[G:.*]], %{{.*}}[%{{.*}}, %[[J:.*]], %[[C:.*]]] : memref<?x32x32xf32>
// CHECK: %[[HIGH:.*]] = arith.truncf %[[G]] : f32 to bf16
// CHECK: memref.store %[[HIGH]], %[[ROWS:.*]][%{{.*}}, %[[J]], %[[C]]] : memref<?x32x96xbf16>
// CHECK: %[[TAKEN:.*]] = arith.extf %[[HIGH]]
// CHECK: %[[LEFT:.*]] = arith.subf %[[G]], %[[TAKEN]]
// CHECK: %[[MIDDLE:.*]] = arith.truncf %[[LEFT]] : f32 to bf16
// CHECK: %[[NEXT:.*]] = arith.addi %[[C]], %c32
// CHECK: memref.store %[[MIDDLE]], %[[ROWS]][%{{.*}}, %[[J]], %[[NEXT]]] : memref<?x32x96xbf16>
// CHECK: %[[TAKEN:.*]] = arith.extf %[[MIDDLE]]
// CHECK: %[[LOW:.*]] = arith.subf %[[LEFT]], %[[TAKEN]]
// CHECK: arith.truncf %[[LOW]] : f32 to bf16
// CHECK: gpu.return

// dO . G of 8 pivots: two products of 16 columns for each of the parts. Tiles
// without a live token are left out.
// CHECK: gpu.func @query_adjoint(
// CHECK-SAME: memref<?x32x96xbf16>
// CHECK: scf.for %{{.*}} step %c64 iter_args(
// CHECK: nvvm.cp.async.wait.group
// CHECK: %[[SOME:.*]] = nvvm.vote.sync any
// CHECK: scf.if %[[SOME]]
// CHECK: %[[DOTS:.*]] = nvvm.mma.sync A[%[[DO:.*]], %{{.*}}, %{{.*}}, %{{.*}}] B[%{{.*}}] C[%cst{{.*}}, %cst{{.*}}, %cst{{.*}}, %cst
// The plan: what rounding leaves of a value is rounded next.
// CHECK: %[[P:.*]] = arith.truncf %{{.*}} : vector<2xf32> to vector<2xbf16>
// CHECK: vector.bitcast %[[P]]
// CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : vector<2xbf16> to vector<2xf32>
// CHECK: %[[BACK:.*]] = vector.extract %[[WIDE]][0]
// CHECK: %[[REST:.*]] = arith.subf %{{.*}}, %[[BACK]] : f32
// CHECK: %[[PAIR:.*]] = vector.from_elements %[[REST]], %{{.*}} : vector<2xf32>
// CHECK: arith.truncf %[[PAIR]] : vector<2xf32> to vector<2xbf16>
// CHECK: %[[FIRST:.*]] = nvvm.mma.sync A[%[[HIGH0:.*]], %{{.*}}, %{{.*}}, %{{.*}}] B[%[[DO0:.*]], %[[DO1:.*]]] C[
// CHECK: %[[SUM:.*]] = llvm.extractvalue %[[FIRST]][0]
// CHECK: nvvm.mma.sync A[%{{.*}}] B[%[[DO0]], %[[DO1]]] C[
// CHECK: nvvm.mma.sync A[%{{.*}}] B[%[[DO0]], %[[DO1]]] C[%[[SUM]],

// All threads add up what half-steps passed on to a pivot.
// CHECK: gpu.func @pivot_mass(
// CHECK: memref.store %{{.*}}, %{{.*}} : memref<8x32xf32, #gpu.address_space<workgroup>>
// CHECK: gpu.barrier
func.func @gradients(%do: memref<?x?x?x32xbf16>, %q: memref<?x?x?x32xbf16>, %k: memref<?x?x?x32xbf16>, %v: memref<?x?x?x32xbf16>, %z: memref<?x32x32xbf16>, %la: memref<?x?xf32>, %lw: memref<?x32xf32>, %dq: memref<?x?x?x32xbf16>, %dk: memref<?x?x?x32xbf16>, %dv: memref<?x?x?x32xbf16>, %dz: memref<?x32x32xbf16>, %dla: memref<?x?xf32>, %dlw: memref<?x32xf32>) {
  lot.attention_vjp {half_steps = 5 : i64}
    ins(%do, %q, %k, %v, %z : memref<?x?x?x32xbf16>, memref<?x?x?x32xbf16>, memref<?x?x?x32xbf16>, memref<?x?x?x32xbf16>, memref<?x32x32xbf16>) query_log_mass(%la : memref<?x?xf32>) pivot_log_mass(%lw : memref<?x32xf32>)
    outs(%dq, %dk, %dv, %dz, %dla, %dlw : memref<?x?x?x32xbf16>, memref<?x?x?x32xbf16>, memref<?x?x?x32xbf16>, memref<?x32x32xbf16>, memref<?x?xf32>, memref<?x32xf32>)
  return
}
