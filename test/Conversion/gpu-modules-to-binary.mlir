// REQUIRES: nvptx-registered-target
// RUN: lot-opt %s --lot-gpu-modules-to-binary --split-input-file --verify-diagnostics | FileCheck %s
// RUN: lot-opt %s --lot-gpu-modules-to-binary --split-input-file --verify-diagnostics --mlir-disable-threading | FileCheck %s

// The same text with threads and without.

module attributes {gpu.container_module} {
  // CHECK: llvm.func @host
  llvm.func @host()
  // CHECK-NOT: gpu.module
  // CHECK: gpu.binary @first [#gpu.object<#nvvm.target<chip = "sm_90a">,
  // CHECK-SAME: assembly = "{{.*}}.target sm_90a{{.*}}.entry scale(
  gpu.module @first [#nvvm.target<chip = "sm_90a">] {
    llvm.func @scale() attributes {gpu.kernel, nvvm.kernel} { llvm.return }
  }
  // CHECK: gpu.binary @second [#gpu.object<#nvvm.target<chip = "sm_80">,
  // CHECK-SAME: assembly = "{{.*}}.target sm_80{{.*}}.entry fold(
  gpu.module @second [#nvvm.target<chip = "sm_80">] {
    llvm.func @fold() attributes {gpu.kernel, nvvm.kernel} { llvm.return }
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @good [#nvvm.target] {
    llvm.func @scale() attributes {gpu.kernel, nvvm.kernel} { llvm.return }
  }
  // expected-error @below {{the module has no target attributes}}
  gpu.module @no_target {
    llvm.func @scale() attributes {gpu.kernel, nvvm.kernel} { llvm.return }
  }
}
