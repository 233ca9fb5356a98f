// RUN: lot-opt %s --lot-gpu-split-kernels | FileCheck %s

// Each kernel has a module of its own, with what its module had, and launches find it.

module attributes {gpu.container_module} {
  // A name that is taken.
  // CHECK: llvm.func @kernels_fold
  llvm.func @kernels_fold()

  // CHECK-LABEL: llvm.func @run
  llvm.func @run(%b: i64) {
    %c1 = llvm.mlir.constant(1 : i64) : i64
    // CHECK: gpu.launch_func @kernels_sweep::@sweep
    gpu.launch_func @kernels::@sweep blocks in (%b, %c1, %c1) threads in (%c1, %c1, %c1) : i64
    // CHECK: gpu.launch_func @[[FOLD:kernels_fold_[0-9]+]]::@fold
    gpu.launch_func @kernels::@fold blocks in (%b, %c1, %c1) threads in (%c1, %c1, %c1) : i64
    // CHECK: gpu.launch_func @kernels_sweep::@sweep
    gpu.launch_func @kernels::@sweep blocks in (%b, %c1, %c1) threads in (%c1, %c1, %c1) : i64
    // CHECK: gpu.launch_func @alone::@scale
    gpu.launch_func @alone::@scale blocks in (%b, %c1, %c1) threads in (%c1, %c1, %c1) : i64
    // CHECK: gpu.launch_func @shared::@first
    gpu.launch_func @shared::@first blocks in (%b, %c1, %c1) threads in (%c1, %c1, %c1) : i64
    llvm.return
  }

  // CHECK-NOT: gpu.module @kernels [
  // CHECK: gpu.module @kernels_sweep [#nvvm.target<O = 1, chip = "sm_90a">] attributes {note = "kept"} {
  // CHECK-NEXT: gpu.func @sweep() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
  // CHECK-NEXT: gpu.return
  // CHECK-NEXT: }
  // CHECK-NEXT: }
  // CHECK: gpu.module @[[FOLD]] [#nvvm.target<O = 1, chip = "sm_90a">] attributes {note = "kept"} {
  // CHECK-NEXT: gpu.func @fold() kernel {
  // CHECK-NEXT: gpu.return
  // CHECK-NEXT: }
  // CHECK-NEXT: }
  gpu.module @kernels [#nvvm.target<chip = "sm_90a", O = 1>] attributes {note = "kept"} {
    gpu.func @sweep() kernel attributes {known_block_size = array<i32: 32, 1, 1>} { gpu.return }
    gpu.func @fold() kernel { gpu.return }
  }

  // One kernel alone, and kernels that share a function, stay together.
  // CHECK: gpu.module @alone {
  gpu.module @alone {
    gpu.func @scale() kernel { gpu.return }
  }
  // CHECK: gpu.module @shared {
  // CHECK: gpu.func @helper()
  // CHECK: gpu.func @first() kernel
  // CHECK: gpu.func @second() kernel
  gpu.module @shared {
    gpu.func @helper() { gpu.return }
    gpu.func @first() kernel { gpu.return }
    gpu.func @second() kernel { gpu.return }
  }
}
