// RUN: lot-opt %s --lot-gpu-host-to-llvm --canonicalize | FileCheck %s

module attributes {gpu.container_module} {
  // CHECK-NOT: gpu.
  // Device code of the launches below, in their order, and a null address; not of what
  // nothing launches.
  // CHECK-NOT: "unused"
  // CHECK-DAG: llvm.mlir.global internal constant @other_image("code")
  // CHECK-DAG: llvm.mlir.global internal constant @kernels_image("\00PTX")
  // CHECK: llvm.mlir.global internal constant @lot_images() {{{.*}}} : !llvm.array<3 x struct<(ptr, i64)>> {
  // CHECK-DAG: %[[TABLE:.+]] = llvm.mlir.zero : !llvm.array<3 x struct<(ptr, i64)>>
  // CHECK-DAG: %[[KERNELS:.+]] = llvm.mlir.addressof @kernels_image
  // CHECK-DAG: %[[OTHER:.+]] = llvm.mlir.addressof @other_image
  // CHECK-DAG: %[[FOUR:.+]] = llvm.mlir.constant(4 : i64)
  // CHECK: %[[T0:.+]] = llvm.insertvalue %[[KERNELS]], %[[TABLE]][0, 0]
  // CHECK: %[[T1:.+]] = llvm.insertvalue %[[FOUR]], %[[T0]][0, 1]
  // CHECK: %[[T2:.+]] = llvm.insertvalue %[[OTHER]], %[[T1]][1, 0]
  // CHECK: %[[T3:.+]] = llvm.insertvalue %[[FOUR]], %[[T2]][1, 1]
  // CHECK: llvm.return %[[T3]]
  // CHECK-DAG: llvm.mlir.global internal constant @kernels_scale_name("scale\00")
  gpu.binary @unused [#gpu.object<#nvvm.target<chip = "sm_90">, assembly = "unused">]
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90">, assembly = "\00PTX">]
  gpu.binary @other [#gpu.object<#nvvm.target<chip = "sm_90">, bin = "code">]

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
    // CHECK-DAG: %[[IMAGES:.+]] = llvm.mlir.addressof @lot_images
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
    // CHECK: llvm.call @lotCudaLaunch(%[[IMAGES]], %[[ZERO]], %[[NAME]], %[[BLOCKS]], %[[ONE]], %[[ONE]],
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

  // CHECK-LABEL: llvm.func @second
  func.func @second(%x: memref<4xf32>) {
    %c1 = arith.constant 1 : index
    // CHECK-DAG: %[[IMAGES:.+]] = llvm.mlir.addressof @lot_images
    // CHECK-DAG: %[[PLACE:.+]] = llvm.mlir.constant(1 : i64)
    // CHECK: llvm.call @lotCudaLaunch(%[[IMAGES]], %[[PLACE]],
    gpu.launch_func @other::@scale blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>)
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
