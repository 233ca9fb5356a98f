// REQUIRES: nvptx-registered-target
// RUN: lot-opt %s --lot-gpu-backend | FileCheck %s
// The image as text, for the eyes of FileCheck and of ptxas.
// RUN: lot-opt %s --lot-gpu-backend | %python %S/Inputs/image.py kernels_first_image > %t.first.ptx
// RUN: lot-opt %s --lot-gpu-backend | %python %S/Inputs/image.py kernels_second_image > %t.second.ptx
// RUN: FileCheck %s --check-prefix=FIRST < %t.first.ptx
// RUN: FileCheck %s --check-prefix=SECOND < %t.second.ptx
// RUN: %if ptxas %{ ptxas -arch=sm_90a -O1 -v -o %t.cubin %t.first.ptx 2>&1 | FileCheck %s --check-prefix=PTXAS1 %}
// RUN: %if ptxas %{ ptxas -arch=sm_90a -O1 -v -o %t.cubin %t.second.ptx 2>&1 | FileCheck %s --check-prefix=PTXAS2 %}

// Kernels that are written by hand become PTX, by what the upstream passes and those of
// this project make of the ops that emitters use.

// CHECK-NOT: gpu.
// CHECK-NOT: memref
// CHECK-NOT: unrealized_conversion_cast
// CHECK-DAG: llvm.mlir.global internal constant @kernels_first_image("
// CHECK-DAG: llvm.mlir.global internal constant @kernels_second_image("
// CHECK-DAG: llvm.func @lotCudaLaunch
// CHECK: llvm.func @scale
// CHECK: %[[W:.+]] = llvm.call @lotCudaAlloc
// CHECK: llvm.call @lotCudaLaunch
// CHECK: llvm.call @lotCudaLaunch
// CHECK: llvm.call @lotCudaFree(%[[W]])

// FIRST: .version 8.6
// FIRST: .target sm_90a
// Dynamic shared memory comes after the static buffers, not among them.
// FIRST: .extern .shared .align 1024 .b8 __dynamic_shmem__0[];
// FIRST: .visible .entry first(
// FIRST: .shared .align 4 .b8 __wg_first_0[512];
// FIRST-NOT: call
// FIRST: ld.global.b32 %[[X:r[0-9]+]]
// FIRST: ex2.approx.ftz.f32 %[[E:r[0-9]+]], %[[X]];
// FIRST: fma.rn.f32 %[[F:r[0-9]+]], %[[E]], %[[X]], %[[X]];
// FIRST: max.f32 %[[G:r[0-9]+]], %[[F]], %[[X]];
// FIRST: st.shared.b32 {{.*}}, %[[G]];
// FIRST: st.shared.b32 {{.*}}, %[[G]];
// FIRST: bar.sync
// FIRST: ld.shared.b32
// FIRST: ld.shared.b32
// FIRST: st.global.b32
// FIRST-NOT: .entry
// SECOND: .version 8.6
// SECOND: .visible .entry second(
// SECOND-NOT: call
// SECOND: ld.global.v4.b32
// SECOND: st.global.v4.b32
// PTXAS1: Compiling entry function 'first' for 'sm_90a'
// PTXAS1-NOT: error
// PTXAS2: Compiling entry function 'second' for 'sm_90a'
// PTXAS2-NOT: error

module attributes {gpu.container_module} {
  func.func @scale(%x: memref<?xf32, strided<[1], offset: ?>>, %y: memref<?xf32, strided<[1], offset: ?>>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    %n = memref.dim %x, %c0 : memref<?xf32, strided<[1], offset: ?>>
    %m = memref.dim %y, %c0 : memref<?xf32, strided<[1], offset: ?>>
    %same = arith.cmpi eq, %n, %m : index
    cf.assert %same, "expected x and y of one size"
    %blocks = arith.ceildivsi %n, %c128 : index
    %w = memref.alloc(%n) : memref<?xf32>
    %bytes = arith.constant 1024 : i32
    gpu.launch_func @kernels::@first blocks in (%blocks, %c1, %c1) threads in (%c128, %c1, %c1) dynamic_shared_memory_size %bytes
       args(%x : memref<?xf32, strided<[1], offset: ?>>, %w : memref<?xf32>, %n : index)
    %s = arith.constant 2.0 : f32
    gpu.launch_func @kernels::@second blocks in (%blocks, %c1, %c1) threads in (%c128, %c1, %c1) 
       args(%w : memref<?xf32>, %y : memref<?xf32, strided<[1], offset: ?>>, %s : f32)
    memref.dealloc %w : memref<?xf32>
    return
  }
  gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86", O = 1>] {
    gpu.func @first(%x: memref<?xf32, strided<[1], offset: ?>>, %w: memref<?xf32>, %n: index) workgroup(%tile : memref<128xf32, #gpu.address_space<workgroup>>) kernel {
      %c0 = arith.constant 0 : index
      %c512 = arith.constant 512 : index
      %tid = gpu.thread_id x
      %bid = gpu.block_id x
      %dim = gpu.block_dim x
      %base = arith.muli %bid, %dim : index
      %i = arith.addi %base, %tid : index
      %in = arith.cmpi ult, %i, %n : index
      %shared = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %shared[%c512][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<128xf32, #gpu.address_space<workgroup>>
      scf.if %in {
        %v = memref.load %x[%i] : memref<?xf32, strided<[1], offset: ?>>
        %e = math.exp2 %v : f32
        %f = math.fma %e, %v, %v : f32
        %g = arith.maxnumf %f, %v : f32
        memref.store %g, %tile[%tid] : memref<128xf32, #gpu.address_space<workgroup>>
        memref.store %g, %view[%tid] : memref<128xf32, #gpu.address_space<workgroup>>
      }
      gpu.barrier
      scf.if %in {
        %v = memref.load %tile[%tid] : memref<128xf32, #gpu.address_space<workgroup>>
        %u = memref.load %view[%tid] : memref<128xf32, #gpu.address_space<workgroup>>
        %sum = arith.addf %u, %v : f32
        memref.store %sum, %w[%i] : memref<?xf32>
      }
      gpu.return
    }
    gpu.func @second(%w: memref<?xf32>, %y: memref<?xf32, strided<[1], offset: ?>>, %s: f32) kernel {
      %c0 = arith.constant 0 : index
      %c4 = arith.constant 4 : index
      %tid = gpu.thread_id x
      %i = arith.muli %tid, %c4 : index
      %v = vector.load %w[%i] {alignment = 16} : memref<?xf32>, vector<4xf32>
      %b = vector.broadcast %s : f32 to vector<4xf32>
      %r = arith.mulf %v, %b : vector<4xf32>
      vector.store %r, %y[%i] {alignment = 16} : memref<?xf32, strided<[1], offset: ?>>, vector<4xf32>
      gpu.return
    }
  }
}
