// Attention whose tokens lie on the processes of an MPI job: any batch and
// length; 2 heads, head dims 32 and 16 pivots are fixed. What to run: main.c.
//
//   lot-opt attention.mlir --pass-pipeline='builtin.module(
//     func.func(sharding-propagation, shard-partition),
//     lot-shard-to-mpi, lot-to-cpu{openmp=false})'
//
// Only arguments are annotated; what is between them and the results follows.
shard.grid @processes(shape = 2)

func.func @forward(%q_all: tensor<?x2x?x32xf32>, %k_all: tensor<?x2x?x32xf32>, %v_all: tensor<?x2x?x32xf32>,
                   %z_all: tensor<2x16x32xf32>, %init_all: tensor<?x2x?x32xf32>) -> tensor<?x2x?x32xf32>
    attributes {llvm.emit_c_interface} {
  // [batch, heads, tokens, dim] over grid axis 0; the pivots on every process.
  %tokens = shard.sharding @processes split_axes = [[], [], [0]] : !shard.sharding
  %whole = shard.sharding @processes split_axes = [[]] : !shard.sharding
  %q = shard.shard %q_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %k = shard.shard %k_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %v = shard.shard %v_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %z = shard.shard %z_all to %whole annotate_for_users : tensor<2x16x32xf32>
  %init = shard.shard %init_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %o = lot.attention {epsilon = 0.5 : f64, half_steps = 10 : i64}
      ins(%q, %k, %v, %z : tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<2x16x32xf32>)
      outs(%init : tensor<?x2x?x32xf32>) -> tensor<?x2x?x32xf32>
  return %o : tensor<?x2x?x32xf32>
}

// Gradients; each process has those of its tokens, and all have the pivots'.
func.func @backward(%do_all: tensor<?x2x?x32xf32>, %q_all: tensor<?x2x?x32xf32>, %k_all: tensor<?x2x?x32xf32>,
                    %v_all: tensor<?x2x?x32xf32>, %z_all: tensor<2x16x32xf32>, %dq_all: tensor<?x2x?x32xf32>,
                    %dk_all: tensor<?x2x?x32xf32>, %dv_all: tensor<?x2x?x32xf32>, %dz_all: tensor<2x16x32xf32>)
    -> (tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<2x16x32xf32>)
    attributes {llvm.emit_c_interface} {
  %tokens = shard.sharding @processes split_axes = [[], [], [0]] : !shard.sharding
  %whole = shard.sharding @processes split_axes = [[]] : !shard.sharding
  %do = shard.shard %do_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %q = shard.shard %q_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %k = shard.shard %k_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %v = shard.shard %v_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %z = shard.shard %z_all to %whole annotate_for_users : tensor<2x16x32xf32>
  %iq = shard.shard %dq_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %ik = shard.shard %dk_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %iv = shard.shard %dv_all to %tokens annotate_for_users : tensor<?x2x?x32xf32>
  %iz = shard.shard %dz_all to %whole annotate_for_users : tensor<2x16x32xf32>
  %dq, %dk, %dv, %dz = lot.attention_vjp {epsilon = 0.5 : f64, half_steps = 10 : i64}
      ins(%do, %q, %k, %v, %z : tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>,
          tensor<?x2x?x32xf32>, tensor<2x16x32xf32>)
      outs(%iq, %ik, %iv, %iz : tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<2x16x32xf32>)
      -> tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<2x16x32xf32>
  return %dq, %dk, %dv, %dz : tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>, tensor<2x16x32xf32>
}
