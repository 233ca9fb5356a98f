// RUN: lot-opt %s --pass-pipeline='builtin.module(gpu.module(lot-gpu-extern-shared-memory))' | FileCheck %s

gpu.module @kernels {
  // CHECK: llvm.mlir.global external @dynamic() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
  llvm.mlir.global internal @dynamic() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
  // A static buffer and constant memory stay.
  // CHECK: llvm.mlir.global internal @static() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x i8>
  llvm.mlir.global internal @static() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x i8>
  // CHECK: llvm.mlir.global internal @constant() {addr_space = 4 : i32} : !llvm.array<0 x i8>
  llvm.mlir.global internal @constant() {addr_space = 4 : i32} : !llvm.array<0 x i8>
}
