// RUN: lot-opt %s --allow-unregistered-dialect --pass-pipeline='builtin.module(gpu.module(lot-gpu-expand-math))' | FileCheck %s

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @scalars
  // CHECK-SAME: %[[X:[a-z0-9]+]]: f32
  gpu.func @scalars(%x: f32, %h: f16) kernel {
    // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%[[X]])
    %0 = math.exp2 %x : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f32"(%[[X]])
    %1 = math.log2 %x : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.sqrt.rn.f"(%[[X]])
    %2 = math.sqrt %x : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.ftz.f"(%[[X]])
    %3 = math.rsqrt %x : f32
    // CHECK: llvm.call_intrinsic "llvm.fabs.f32"(%[[X]])
    %4 = math.absf %x : f32
    // CHECK: llvm.call_intrinsic "llvm.floor.f32"(%[[X]])
    %5 = math.floor %x : f32
    // CHECK: llvm.call_intrinsic "llvm.ceil.f32"(%[[X]])
    %6 = math.ceil %x : f32
    // Other types and functions stay.
    // CHECK: math.exp2 %{{.*}} : f16
    %7 = math.exp2 %h : f16
    // CHECK: math.fma
    %8 = math.fma %x, %x, %x : f32
    // CHECK: "use"
    "use"(%0, %1, %2, %3, %4, %5, %6, %7, %8)
        : (f32, f32, f32, f32, f32, f32, f32, f16, f32) -> ()
    gpu.return
  }

  // Element by element, each to its place.
  // CHECK-LABEL: gpu.func @vectors
  // CHECK-SAME: %[[V:[a-z0-9]+]]: vector<2x2xf32>
  gpu.func @vectors(%v: vector<2x2xf32>) kernel {
    // CHECK: %[[X:.+]] = vector.extract %[[V]][1, 0]
    // CHECK: %[[E:.+]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%[[X]])
    // CHECK: %[[I:.+]] = vector.insert %[[E]], %{{.+}} [1, 0]
    // CHECK: %[[Y:.+]] = vector.extract %[[V]][1, 1]
    // CHECK: %[[F:.+]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"(%[[Y]])
    // CHECK: %[[R:.+]] = vector.insert %[[F]], %[[I]] [1, 1]
    // CHECK: "use"(%[[R]])
    %0 = math.exp2 %v : vector<2x2xf32>
    "use"(%0) : (vector<2x2xf32>) -> ()
    gpu.return
  }
}
