// RUN: lot-opt %s --lot-gpu-host-to-llvm --canonicalize | FileCheck %s

module attributes {gpu.container_module} {
  // CHECK-NOT: gpu.
  // CHECK-DAG: llvm.mlir.global internal constant @kernels_image("\00PTX")
  // CHECK-DAG: llvm.mlir.global internal constant @kernels_scale_name("scale\00")
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90">, assembly = "\00PTX">]

  // CHECK-LABEL: llvm.func @run
  // CHECK-SAME: (%[[BASE:[a-z0-9]+]]: !llvm.ptr, %[[DATA:[a-z0-9]+]]: !llvm.ptr, %[[OFFSET:[a-z0-9]+]]: i64,
  // CHECK-SAME: %[[N:[a-z0-9]+]]: i64, %[[STRIDE:[a-z0-9]+]]: i64,
  // CHECK-SAME: %[[FACTOR:[a-z0-9]+]]: f32, %[[BLOCKS:[a-z0-9]+]]: i64)
  func.func @run(%x: memref<?xf32, strided<[?], offset: ?>>, %factor: f32, %blocks: index) {
    %c1 = arith.constant 1 : index
    %c128 = arith.constant 128 : index
    %bytes = arith.constant 4096 : i32
    %c0 = arith.constant 0 : index
    %n = memref.dim %x, %c0 : memref<?xf32, strided<[?], offset: ?>>
    // CHECK-DAG: %[[NAME:.+]] = llvm.mlir.addressof @kernels_scale_name
    // CHECK-DAG: %[[IMAGE:.+]] = llvm.mlir.addressof @kernels_image
    // CHECK-DAG: %[[SIZE:.+]] = llvm.mlir.constant(4 : i64)
    // CHECK-DAG: %[[COUNT:.+]] = llvm.mlir.constant(11 : i64)
    // CHECK-DAG: %[[ZERO:.+]] = llvm.mlir.constant(0 : i64)
    // CHECK-DAG: %[[ONE:.+]] = llvm.mlir.constant(1 : index)
    // CHECK-DAG: %[[THREADS:.+]] = llvm.mlir.constant(128 : index)
    // The arguments of the launch in the frame of the function.
    // CHECK: %[[VALUES:.+]] = llvm.alloca %{{.+}} x !llvm.struct<(ptr, ptr, i64, i64, i64, ptr, ptr, i64, i64, i64, f32)>
    // CHECK: %[[LIST:.+]] = llvm.alloca %{{.+}} x !llvm.array<11 x ptr>
    // CHECK: %[[BYTES:.+]] = llvm.ptrtoint
    // CHECK: %[[W:.+]] = llvm.call @lotCudaAlloc(%[[BYTES]]) : (i64) -> !llvm.ptr
    %w = memref.alloc(%n) : memref<?xf32>
    // CHECK: %[[SLOT1:.+]] = llvm.getelementptr %[[VALUES]][0, 1]
    // CHECK: llvm.store %[[DATA]], %[[SLOT1]]
    // CHECK: %[[ENTRY1:.+]] = llvm.getelementptr %[[LIST]][0, 1]
    // CHECK: llvm.store %[[SLOT1]], %[[ENTRY1]]
    // CHECK: %[[SLOT10:.+]] = llvm.getelementptr %[[VALUES]][0, 10]
    // CHECK: llvm.store %[[FACTOR]], %[[SLOT10]] : f32
    // CHECK: llvm.call @lotCudaLaunch(%[[IMAGE]], %[[SIZE]], %[[NAME]], %[[BLOCKS]], %[[ONE]], %[[ONE]],
    // CHECK-SAME: %[[THREADS]], %[[ONE]], %[[ONE]], %[[ZERO]], %[[ZERO]], %[[ZERO]], %{{.+}}, %[[ZERO]], %[[LIST]], %[[COUNT]])
    gpu.launch_func @kernels::@scale blocks in (%blocks, %c1, %c1) threads in (%c128, %c1, %c1)
        dynamic_shared_memory_size %bytes
        args(%x : memref<?xf32, strided<[?], offset: ?>>, %w : memref<?xf32>, %factor : f32)
    // CHECK: llvm.call @lotCudaFree(%[[W]])
    memref.dealloc %w : memref<?xf32>
    return
  }

  // CHECK-LABEL: llvm.func @cooperative
  func.func @cooperative(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    // CHECK-DAG: %[[FLAGS:.+]] = llvm.mlir.constant(3 : i64)
    // CHECK-DAG: %[[TWO:.+]] = llvm.mlir.constant(2 : index)
    // CHECK: llvm.call @lotCudaLaunch({{.*}}, %[[TWO]], %{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}, %[[FLAGS]], %{{[^,]+}}, %{{[^,]+}})
    gpu.launch_func @kernels::@scale clusters in (%c2, %c1, %c1) blocks in (%c2, %c1, %c1)
        threads in (%c1, %c1, %c1) args(%x : memref<4xf32>) {lot.cooperative, lot.overlap}
    return
  }

  // CHECK-LABEL: llvm.func @copy
  func.func @copy(%n: index, %x: memref<?x4xf16>, %y: memref<?x4xf16>) {
    // CHECK: llvm.call @lotCudaCopy(%{{.+}}, %{{.+}}, %{{.+}}) : (!llvm.ptr, !llvm.ptr, i64) -> ()
    memref.copy %x, %y : memref<?x4xf16> to memref<?x4xf16>
    return
  }

  // A check of the host, without a launch.
  // CHECK-LABEL: llvm.func @check
  func.func @check(%ok: i1) {
    // CHECK: llvm.cond_br
    // CHECK: llvm.call @puts
    // CHECK: llvm.call @abort
    cf.assert %ok, "expected rows that are aligned to 16 bytes"
    return
  }
}
