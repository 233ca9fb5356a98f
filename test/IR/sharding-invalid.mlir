// RUN: lot-opt %s --pass-pipeline='builtin.module(func.func(sharding-propagation,shard-partition))' --split-input-file --verify-diagnostics

// Upstream would round the parts down.
shard.grid @grid(shape = 4)
func.func @indivisible(%L: tensor<6x5xf32>, %i: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %tokens = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %Ls = shard.shard %L to %tokens annotate_for_users : tensor<6x5xf32>
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %is = shard.shard %i to %whole annotate_for_users : tensor<5xf32>
  // expected-error @+1 {{expected dim 0 of scores to be a multiple of 4 devices, got 6}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(2) ins(%Ls : tensor<6x5xf32>) outs(%is, %is : tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>, tensor<5xf32>
  return %r#0, %r#1 : tensor<5xf32>, tensor<5xf32>
}

// -----

// Two key heads cannot be given to four devices with the query heads.
shard.grid @grid(shape = 4)
func.func @groups(%q: tensor<1x8x4x8xf32>, %k: tensor<1x2x4x8xf32>, %z: tensor<8x6x8xf32>) -> tensor<1x8x4x8xf32> {
  %heads = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %pivots = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %qs = shard.shard %q to %heads annotate_for_users : tensor<1x8x4x8xf32>
  %ks = shard.shard %k to %heads annotate_for_users : tensor<1x2x4x8xf32>
  %zs = shard.shard %z to %pivots annotate_for_users : tensor<8x6x8xf32>
  %e = tensor.empty() : tensor<1x8x4x8xf32>
  // expected-error @+1 {{expected dim 1 of key to be a multiple of 4 devices, got 2}}
  %r = lot.attention ins(%qs, %ks, %ks, %zs : tensor<1x8x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<8x6x8xf32>) outs(%e : tensor<1x8x4x8xf32>) -> tensor<1x8x4x8xf32>
  return %r : tensor<1x8x4x8xf32>
}

// -----

shard.grid @grid(shape = 2x2)
func.func @contradiction(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xf32>, %v: tensor<1x2x4x8xf32>, %z: tensor<2x6x8xf32>, %o: tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32> {
  %first = shard.sharding @grid split_axes = [[], [], [0]] : !shard.sharding
  %second = shard.sharding @grid split_axes = [[], [], [1]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %qs = shard.shard %q to %first annotate_for_users : tensor<1x2x4x8xf32>
  %ks = shard.shard %k to %first annotate_for_users : tensor<1x2x4x8xf32>
  %vs = shard.shard %v to %second annotate_for_users : tensor<1x2x4x8xf32>
  %zs = shard.shard %z to %whole annotate_for_users : tensor<2x6x8xf32>
  %os = shard.shard %o to %first annotate_for_users : tensor<1x2x4x8xf32>
  // expected-error @+1 {{expected dim 2 of value split like the operands before it, got other grid axes}}
  %r = lot.attention ins(%qs, %ks, %vs, %zs : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<2x6x8xf32>) outs(%os : tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
  return %r : tensor<1x2x4x8xf32>
}

// -----

shard.grid @grid(shape = 2)
func.func @one_axis_twice(%L: tensor<2x6x5xf32>, %i: tensor<2x5xf32>) -> (tensor<2x5xf32>, tensor<2x5xf32>) {
  %both = shard.sharding @grid split_axes = [[0], []] : !shard.sharding
  %tokens = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %Ls = shard.shard %L to %tokens annotate_for_users : tensor<2x6x5xf32>
  %is = shard.shard %i to %both annotate_for_users : tensor<2x5xf32>
  // expected-error @+1 {{expected dim 0 of init split like the operands before it, got other grid axes}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(2) ins(%Ls : tensor<2x6x5xf32>) outs(%is, %is : tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>, tensor<2x5xf32>
  %s0 = shard.shard %r#0 to %both : tensor<2x5xf32>
  %s1 = shard.shard %r#1 to %both : tensor<2x5xf32>
  return %s0, %s1 : tensor<2x5xf32>, tensor<2x5xf32>
}

// -----

// Upstream gathers one grid axis where two split the dim.
shard.grid @grid(shape = 2x2)
func.func @two_axes(%L: tensor<6x4xf32>, %i: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %pivots = shard.sharding @grid split_axes = [[], [0, 1]] : !shard.sharding
  %Ls = shard.shard %L to %pivots annotate_for_users : tensor<6x4xf32>
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %is = shard.shard %i to %whole annotate_for_users : tensor<4xf32>
  // expected-error @+1 {{expected a part 'tensor<6x4xf32>' of scores, got}}
  %r:2 = lot.pivot_solve first<tokens> half_steps(2) ins(%Ls : tensor<6x4xf32>) outs(%is, %is : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}
