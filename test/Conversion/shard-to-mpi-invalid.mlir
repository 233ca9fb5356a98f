// RUN: lot-opt %s --lot-shard-to-mpi --split-input-file --verify-diagnostics

shard.grid @grid(shape = 4)
func.func @gather(%x: tensor<2x8xf32>) -> tensor<8x8xf32> {
  // expected-error @+1 {{'shard.all_gather' op lot-shard-to-mpi: expected a partitioned module whose only communication is shard.all_reduce; annotate operands and results so that nothing else is exchanged}}
  %y = shard.all_gather %x on @grid grid_axes = [0] gather_axis = 0 : tensor<2x8xf32> -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}

// -----

shard.grid @grid(shape = 4)
func.func @annotated(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'shard.sharding' op lot-shard-to-mpi: expected a partitioned module}}
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %y = shard.shard %x to %s : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

shard.grid @grid(shape = 4)
func.func @buffers(%x: memref<4xf32>) -> memref<4xf32> {
  // expected-error @+1 {{expected one tensor type of input and result, got 'memref<4xf32>' and 'memref<4xf32>'}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : memref<4xf32> -> memref<4xf32>
  return %y : memref<4xf32>
}

// -----

shard.grid @grid(shape = 4)
func.func @narrow(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  // expected-error @+1 {{expected elements of f32, f64, i32 or i64, got 'bf16'}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<4xbf16> -> tensor<4xbf16>
  return %y : tensor<4xbf16>
}

// -----

shard.grid @grid(shape = 4)
func.func @average(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected the reduction sum, max, min or product, got average}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] reduction = average : tensor<4xf32> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

shard.grid @grid(shape = ?)
func.func @dynamic(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected a grid of static shape, got a dynamic one}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<4xf32> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// expected-error @+1 {{expected MPI:Implementation "MPICH", got "OpenMPI"; LLVM 22 writes OpenMPI's names and handles wrongly}}
module attributes {dlti.map = #dlti.map<"MPI:Implementation" = "OpenMPI">} {
  shard.grid @grid(shape = 4)
  func.func @open_mpi(%x: tensor<4xf32>) -> tensor<4xf32> {
    %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<4xf32> -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}
