// REQUIRES: lot-run, numpy, fake-cuda, nvptx-registered-target
// Kernels through the CUDA runtime, on a driver that runs two of them on the host.
// RUN: rm -rf %t && mkdir -p %t && split-file %s %t
// RUN: %npy "save('%t/x.npy', np.arange(300, dtype='f4')); save('%t/y.npy', np.full(300, 7, 'f4')); save('%t/f.npy', np.array(3, 'f4')); save('%t/y1.npy', zeros(299, 'f4')); save('%t/e.npy', zeros(0, 'f4'))"

// Inputs go to the device, the result comes back; memory is freed.
// RUN: env FAKE_CUDA_LOG=%t/log %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy | FileCheck %s --check-prefix=OUT
// RUN: %npy "expect(load('%t/r.npy'), np.arange(300, dtype='f4') * 3)"
// RUN: FileCheck %s --check-prefix=LOG < %t/log
// OUT: entry scale
// OUT: result #0: 300 f32
// LOG: alloc 1200
// LOG: alloc 1280
// LOG: compile at level 1
// LOG: load cubin
// LOG: allow scale 65536 bytes
// LOG-NEXT: launch scale grid 3 1 1 block 128 1 1 shared 65536 stream (nil)
// LOG: all freed

// A chip that is named needs no driver to compile; one that is not is the GPU's.
// RUN: env FAKE_CUDA=cc=80 %fake_cuda lot-run %t/scale.mlir --target=cuda --chip=sm_80 --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy | FileCheck %s --check-prefix=OUT
// RUN: not lot-run %t/scale.mlir --target=cuda --chip=sm_90a --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/none.npy 2>&1 | FileCheck %s --check-prefix=NODRIVER
// RUN: not lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/none.npy 2>&1 | FileCheck %s --check-prefix=NODRIVER
// NODRIVER: lot-run: error: expected an NVIDIA driver, found none: libcuda.so.1: cannot open shared object file

// Several kernels, clusters, a launch that may begin early and a cooperative
// one; a copy; memory used again.
// RUN: env FAKE_CUDA_LOG=%t/log2 %fake_cuda lot-run %t/chain.mlir --target=cuda --entry=chain --input=%t/x.npy --input=%t/y.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), (np.arange(300, dtype='f4') + 7) * 2)"
// RUN: FileCheck %s --check-prefix=LOG2 < %t/log2
// LOG2: alloc 1200
// LOG2: alloc 1200
// The result, and one block that two buffers take in turn.
// LOG2: alloc 2560
// Both modules before the first launch, at the same time.
// LOG2-DAG: compile at level 1
// LOG2-DAG: compile at level 1
// LOG2-DAG: load cubin
// LOG2-DAG: load cubin
// LOG2: launch add grid 1 1 1 block 1024 1 1 shared 0 stream (nil) cluster 2 1 1 programmatic 1
// LOG2: launch scale grid 1 1 1 block 32 1 1 shared 0 stream (nil) cooperative 1
// LOG2-NOT: compile
// LOG2: copy 1200 stream (nil)

// Nothing to do: no launch.
// RUN: env FAKE_CUDA_LOG=%t/log3 %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/e.npy --input=%t/f.npy --output=%t/r.npy
// RUN: %npy "expect(load('%t/r.npy'), zeros(0, 'f4'))"
// RUN: FileCheck %s --check-prefix=EMPTY < %t/log3
// EMPTY-NOT: launch

// A second process takes the driver's machine code from the cache folder.
// RUN: env LOT_CACHE_DIR=%t/cache FAKE_CUDA_LOG=%t/log4 %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy
// RUN: env LOT_CACHE_DIR=%t/cache FAKE_CUDA_LOG=%t/log5 %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy | FileCheck %s --check-prefix=CACHED
// RUN: %npy "expect(load('%t/r.npy'), np.arange(300, dtype='f4') * 3)"
// RUN: FileCheck %s --check-prefix=LOG5 < %t/log5
// CACHED: loaded from the cache
// LOG5-NOT: compile
// LOG5: load cubin
// LOG5-NOT: compile
// Another driver makes its own, from the same PTX.
// RUN: env LOT_CACHE_DIR=%t/cache FAKE_CUDA=version=13010 FAKE_CUDA_LOG=%t/log6 %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy | FileCheck %s --check-prefix=CACHED
// RUN: FileCheck %s --check-prefix=LOG6 < %t/log6
// LOG6: compile
// A driver whose linker fails compiles as it loads.
// RUN: env FAKE_CUDA=cuLinkCreate_v2=1 FAKE_CUDA_LOG=%t/log7 %fake_cuda lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy
// RUN: FileCheck %s --check-prefix=LOG7 < %t/log7
// LOG7: load PTX
// LOG7: launch scale

// Times of the device and of the host.
// RUN: %fake_cuda lot-run %t/scale.mlir --target=cuda --time --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/r.npy | FileCheck %s --check-prefix=TIME
// TIME: time: min 0.2500 ms, median 0.2500 ms, {{[0-9]+}} runs
// TIME: launch: min {{.*}} ms, median {{.*}} ms, {{[0-9]+}} runs

// What is wrong is said, nothing is written, no memory is left.
// DEFINE: %{bad} = %fake_cuda not lot-run %t/scale.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/none.npy
// RUN: env FAKE_CUDA=cuInit=100 %{bad} 2>&1 | FileCheck %s --check-prefix=NODEVICE
// NODEVICE: error: expected a CUDA device, found none (cuInit: CUDA_ERROR_NO_DEVICE (100))
// RUN: env FAKE_CUDA=cuInit=999 %{bad} 2>&1 | FileCheck %s --check-prefix=INIT
// INIT: error: the NVIDIA driver cannot be used: cuInit failed: unknown error (999)
// RUN: env FAKE_CUDA=count=0 %{bad} 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: expected a CUDA device, found none
// RUN: env FAKE_CUDA=count=2 %{bad} --device=2 2>&1 | FileCheck %s --check-prefix=DEVICE
// DEVICE: error: expected a CUDA device from 0 to 1, got 2
// RUN: env FAKE_CUDA=cc=75 %{bad} 2>&1 | FileCheck %s --check-prefix=OLDGPU
// OLDGPU: error: expected a GPU of compute capability 8.0 or later, got 7.5 (device 0, Fake GPU 0)
// RUN: env FAKE_CUDA=version=12020,ptx=82 %{bad} 2>&1 | FileCheck %s --check-prefix=OLDDRIVER
// OLDDRIVER: error: function 'scale': the NVIDIA driver is too old for PTX 8.6: it supports CUDA 12.2, expected CUDA 12.7 or later (cuModuleLoadDataEx failed: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222))
// RUN: %fake_cuda not lot-run %t/junk.mlir --target=cuda --entry=scale --input=%t/x.npy --input=%t/f.npy --output=%t/none.npy 2>&1 | FileCheck %s --check-prefix=JUNK
// JUNK: error: function 'scale': the NVIDIA driver cannot compile a kernel: cuModuleLoadDataEx failed: unknown error (218)
// JUNK-NEXT: ptxas says no
// RUN: env FAKE_CUDA=memory=2000 FAKE_CUDA_LOG=%t/log8 %{bad} 2>&1 | FileCheck %s --check-prefix=MEMORY
// RUN: FileCheck %s --check-prefix=FREED < %t/log8
// MEMORY: error: device 0: 1280 bytes cannot be allocated: cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY (2), out of memory
// FREED: all freed
// RUN: env FAKE_CUDA=cuLaunchKernelEx=701 FAKE_CUDA_LOG=%t/log9 %{bad} 2>&1 | FileCheck %s --check-prefix=LAUNCH
// RUN: FileCheck %s --check-prefix=FREED < %t/log9
// LAUNCH: error: function 'scale': launch of kernel 'scale': cuLaunchKernelEx failed: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701), too many resources requested for launch
// RUN: env FAKE_CUDA=cuFuncSetAttribute=1 %{bad} 2>&1 | FileCheck %s --check-prefix=SHARED
// SHARED: error: function 'scale': kernel 'scale' with 65536 bytes of dynamic shared memory: cuFuncSetAttribute failed: unknown error (1)
// RUN: env FAKE_CUDA=cuStreamSynchronize=700 %{bad} 2>&1 | FileCheck %s --check-prefix=SYNC
// SYNC: error: cuStreamSynchronize failed: unknown error (700)
// RUN: %{bad} --chip=sm_75 2>&1 | FileCheck %s --check-prefix=OLDCHIP
// OLDCHIP: error: chip: expected sm_80 or later, got 'sm_75'
// RUN: %{bad} --chip=hopper 2>&1 | FileCheck %s --check-prefix=NOCHIP
// NOCHIP: error: chip: expected a GPU as LLVM names it (sm_90a), got 'hopper'
// RUN: %{bad} --target=gpu 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: expected --target=cpu or cuda, got gpu
// RUN: %{bad} --threads=2 2>&1 | FileCheck %s --check-prefix=THREADS
// THREADS: error: expected --threads with --target=cpu, got it with cuda
// RUN: %fake_cuda not lot-run %t/chain.mlir --target=cuda --entry=chain --input=%t/x.npy --input=%t/y1.npy --output=%t/none.npy 2>&1 | FileCheck %s --check-prefix=CHECK
// CHECK: error: function 'chain': expected x and y of one size
// RUN: not ls %t/none.npy

//--- scale.mlir
module attributes {gpu.container_module} {
  func.func @scale(%x: memref<?xf32>, %factor: f32) -> memref<?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    %bytes = arith.constant 65536 : i32
    %n = memref.dim %x, %c0 : memref<?xf32>
    %y = memref.alloc(%n) : memref<?xf32>
    %blocks = arith.ceildivui %n, %c128 : index
    gpu.launch_func @kernels::@scale blocks in (%blocks, %c1, %c1) threads in (%c128, %c1, %c1)
        dynamic_shared_memory_size %bytes
        args(%x : memref<?xf32>, %y : memref<?xf32>, %factor : f32)
    return %y : memref<?xf32>
  }
  gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx86", O = 1>] {
    gpu.func @scale(%x: memref<?xf32>, %y: memref<?xf32>, %factor: f32) kernel {
      gpu.return
    }
  }
}

//--- junk.mlir
module attributes {gpu.container_module} {
  func.func @scale(%x: memref<?xf32>, %factor: f32) -> memref<?xf32> {
    %c1 = arith.constant 1 : index
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
        args(%x : memref<?xf32>, %x : memref<?xf32>, %factor : f32)
    return %x : memref<?xf32>
  }
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_80">, assembly = "nonsense">]
}

//--- chain.mlir
module attributes {gpu.container_module} {
  func.func @chain(%x: memref<?xf32>, %y: memref<?xf32>) -> memref<?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c32 = arith.constant 32 : index
    %c1024 = arith.constant 1024 : index
    %two = arith.constant 2.0 : f32
    %n = memref.dim %x, %c0 : memref<?xf32>
    %m = memref.dim %y, %c0 : memref<?xf32>
    %same = arith.cmpi eq, %n, %m : index
    cf.assert %same, "expected x and y of one size"
    %r = memref.alloc(%n) : memref<?xf32>
    %u = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@add clusters in (%c2, %c1, %c1) blocks in (%c1, %c1, %c1)
        threads in (%c1024, %c1, %c1)
        args(%x : memref<?xf32>, %y : memref<?xf32>, %u : memref<?xf32>) {lot.overlap}
    gpu.launch_func @kernels::@scale blocks in (%c1, %c1, %c1) threads in (%c32, %c1, %c1)
        args(%u : memref<?xf32>, %u : memref<?xf32>, %two : f32) {lot.cooperative}
    memref.copy %u, %r : memref<?xf32> to memref<?xf32>
    memref.dealloc %u : memref<?xf32>
    %w = memref.alloc(%n) : memref<?xf32>
    gpu.launch_func @kernels::@scale blocks in (%c0, %c1, %c1) threads in (%c32, %c1, %c1)
        args(%r : memref<?xf32>, %w : memref<?xf32>, %two : f32)
    memref.dealloc %w : memref<?xf32>
    return %r : memref<?xf32>
  }
  gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx86", O = 1>] {
    gpu.func @scale(%x: memref<?xf32>, %y: memref<?xf32>, %factor: f32) kernel {
      gpu.return
    }
    gpu.func @add(%x: memref<?xf32>, %y: memref<?xf32>, %z: memref<?xf32>) kernel {
      gpu.return
    }
  }
}
