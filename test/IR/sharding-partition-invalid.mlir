// RUN: lot-opt %s --pass-pipeline='builtin.module(func.func(shard-partition))' --split-input-file --verify-diagnostics

// Annotations that propagation would not leave so.
shard.grid @grid(shape = 2)
func.func @split_pivots(%L: tensor<6x4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %pivots = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %Ls = shard.shard %L to %pivots annotate_for_users : tensor<6x4xf32>
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %is = shard.shard %i to %whole annotate_for_users : tensor<4xf32>
  // expected-error @+1 {{expected dim 1 of scores whole on every device, got it split}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(2) ins(%Ls : tensor<6x4xf32>) outs(%is, %is : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  %s0 = shard.shard %r#0 to %whole : tensor<4xf32>
  %s1 = shard.shard %r#1 to %whole : tensor<4xf32>
  %t0 = shard.shard %s0 to %whole annotate_for_users : tensor<4xf32>
  %t1 = shard.shard %s1 to %whole annotate_for_users : tensor<4xf32>
  return %t0, %t1 : tensor<4xf32>, tensor<4xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @one_axis_twice(%P: tensor<1x2x6x5xf32>, %R: tensor<1x2x4x5xf32>, %v: tensor<1x2x4x8xf32>, %i: tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32> {
  %tokens = shard.sharding @grid split_axes = [[], [], [0]] : !shard.sharding
  %dim = shard.sharding @grid split_axes = [[], [], [], [0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %Ps = shard.shard %P to %tokens annotate_for_users : tensor<1x2x6x5xf32>
  %Rs = shard.shard %R to %whole annotate_for_users : tensor<1x2x4x5xf32>
  %vs = shard.shard %v to %dim annotate_for_users : tensor<1x2x4x8xf32>
  %is = shard.shard %i to %tokens annotate_for_users : tensor<1x2x6x8xf32>
  // expected-error @+1 {{expected dim 3 of value split over grid axes of its own, got one that splits another dim}}
  %r = lot.glue ins(%Ps, %Rs, %vs : tensor<1x2x6x5xf32>, tensor<1x2x4x5xf32>, tensor<1x2x4x8xf32>) outs(%is : tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32>
  %s = shard.shard %r to %tokens : tensor<1x2x6x8xf32>
  %t = shard.shard %s to %tokens annotate_for_users : tensor<1x2x6x8xf32>
  return %t : tensor<1x2x6x8xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @halo(%L: tensor<6x4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %tokens = shard.sharding @grid split_axes = [[0]] halo_sizes = [1, 1] : !shard.sharding
  %Ls = shard.shard %L to %tokens annotate_for_users : tensor<6x4xf32>
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %is = shard.shard %i to %whole annotate_for_users : tensor<4xf32>
  // expected-error @+1 {{expected even shards of scores without halos, got halo sizes or shard offsets}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(2) ins(%Ls : tensor<6x4xf32>) outs(%is, %is : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  %s0 = shard.shard %r#0 to %whole : tensor<4xf32>
  %s1 = shard.shard %r#1 to %whole : tensor<4xf32>
  %t0 = shard.shard %s0 to %whole annotate_for_users : tensor<4xf32>
  %t1 = shard.shard %s1 to %whole annotate_for_users : tensor<4xf32>
  return %t0, %t1 : tensor<4xf32>, tensor<4xf32>
}

// -----

shard.grid @grid(shape = 2)
!t = tensor<2x1x6x8xf32>
!z = tensor<1x3x8xf32>
!r = tensor<40xf32>
func.func @residuals(%q: !t, %z: !z, %i: !t, %r: !r) -> !t {
  %batch = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %qs = shard.shard %q to %batch annotate_for_users : !t
  %zs = shard.shard %z to %whole annotate_for_users : !z
  %is = shard.shard %i to %batch annotate_for_users : !t
  %rs = shard.shard %r to %whole annotate_for_users : !r
  // expected-error @+1 {{expected operands whole on every device, since residuals are those of the whole op, got some split}}
  %o:2 = lot.attention ins(%qs, %qs, %qs, %zs : !t, !t, !t, !z) outs(%is, %rs : !t, !r) -> !t, !r
  %s = shard.shard %o#0 to %batch : !t
  %s1 = shard.shard %o#1 to %whole : !r
  %u = shard.shard %s to %batch annotate_for_users : !t
  %u1 = shard.shard %s1 to %whole annotate_for_users : !r
  return %u : !t
}
