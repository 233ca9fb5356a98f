// RUN: lot-opt %s --lot-shard-to-mpi --split-input-file | FileCheck %s

// All processes: no communicator of their own.
// CHECK:       module attributes {dlti.map = #dlti.map<"MPI:Implementation" = "MPICH">}
// CHECK:         memref.global "private" @lot_mpi_comm_grid_0_cache : memref<2xi64> = dense<0>
// CHECK-LABEL:   func.func private @lot_mpi_comm_grid_0() -> i64
// CHECK:           %[[CACHE:.+]] = memref.get_global @lot_mpi_comm_grid_0_cache
// CHECK:           %[[MADE:.+]] = memref.load %[[CACHE]]
// CHECK:           %[[OLD:.+]] = arith.cmpi ne, %[[MADE]],
// CHECK:           %[[COMM:.+]] = scf.if %[[OLD]] -> (i64) {
// CHECK:             memref.load %[[CACHE]]
// CHECK:           } else {
// CHECK:             %[[WORLD:.+]] = mpi.comm_world
// CHECK:             mpi.allreduce(%{{.+}}, %[[COUNT:.+]], MPI_SUM, %[[WORLD]]) : memref<1xi32>, memref<1xi32>
// CHECK:             %[[GOT:.+]] = memref.load %[[COUNT]]
// CHECK:             %[[OK:.+]] = arith.cmpi eq, %[[GOT]], %{{.+}} : i32
// CHECK:             cf.assert %[[OK]], "expected 4 MPI processes for grid @grid, got another number"
// CHECK-NOT:         mpi.comm_split
// CHECK:             %[[HANDLE:.+]] = builtin.unrealized_conversion_cast %[[WORLD]] : !mpi.comm to i64
// CHECK:             memref.store %[[HANDLE]], %[[CACHE]]
// CHECK:             memref.store %{{.+}}, %[[CACHE]]
// CHECK:             scf.yield %[[HANDLE]]
// CHECK:           return %[[COMM]]
// CHECK-NOT:     shard.grid
// CHECK-LABEL:   func.func @all
// CHECK-SAME:      %[[X:.+]]: tensor<?x6x8xf32>
// CHECK:           %[[SEND:.+]] = bufferization.to_buffer %[[X]] read_only : tensor<?x6x8xf32> to memref<?x6x8xf32>
// CHECK:           %[[RECEIVE:.+]] = memref.alloc(%{{.+}}) : memref<?x6x8xf32>
// CHECK:           %[[C:.+]] = call @lot_mpi_comm_grid_0()
// CHECK:           %[[COMM:.+]] = builtin.unrealized_conversion_cast %[[C]] : i64 to !mpi.comm
// CHECK:           %[[S:.+]] = memref.collapse_shape %[[SEND]] {{.*}} into memref<?xf32>
// CHECK:           %[[R:.+]] = memref.collapse_shape %[[RECEIVE]] {{.*}} into memref<?xf32>
// CHECK:           mpi.allreduce(%[[S]], %[[R]], MPI_MAX, %[[COMM]])
// CHECK:           %[[Y:.+]] = bufferization.to_tensor %[[RECEIVE]] restrict writable
// CHECK:           return %[[Y]]
shard.grid @grid(shape = 4)
func.func @all(%x: tensor<?x6x8xf32>) -> tensor<?x6x8xf32> {
  %y = shard.all_reduce %x on @grid grid_axes = [0] reduction = max : tensor<?x6x8xf32> -> tensor<?x6x8xf32>
  return %y : tensor<?x6x8xf32>
}

// -----

// Some of them: processes with the same place on the other axes, split once.
// Reductions over the same axes share the communicator.
// CHECK-LABEL: func.func private @lot_mpi_comm_grid_1() -> i64
// CHECK:         %[[RETVAL:.+]], %[[RANK:.+]] = mpi.comm_rank
// CHECK:         %[[ROW:.+]] = arith.divsi %[[RANK]], %{{.+}} : i32
// CHECK:         %[[AT:.+]] = arith.remsi %[[ROW]],
// CHECK:         mpi.comm_split(%{{.+}}, %{{.+}}, %{{.+}})
// CHECK-LABEL: func.func @some
// CHECK:         call @lot_mpi_comm_grid_1
// CHECK:         mpi.allreduce({{.*}} : memref<6xf64>, memref<6xf64>
// CHECK:         call @lot_mpi_comm_grid_1
// CHECK:         mpi.allreduce({{.*}} : memref<1xi64>, memref<1xi64>
shard.grid @grid(shape = 2x2)
func.func @some(%x: tensor<6xf64>, %n: tensor<i64>) -> (tensor<6xf64>, tensor<i64>) {
  %y = shard.all_reduce %x on @grid grid_axes = [1] : tensor<6xf64> -> tensor<6xf64>
  %m = shard.all_reduce %n on @grid grid_axes = [1] : tensor<i64> -> tensor<i64>
  return %y, %m : tensor<6xf64>, tensor<i64>
}

// -----

// A module without communication stays one without MPI.
// CHECK-LABEL: module {
// CHECK-NOT:     dlti
// CHECK-NOT:     mpi
shard.grid @grid(shape = 4)
func.func @none(%x: tensor<6xf64>) -> tensor<6xf64> {
  return %x : tensor<6xf64>
}
