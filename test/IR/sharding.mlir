// RUN: lot-opt %s --pass-pipeline='builtin.module(func.func(sharding-propagation))' --split-input-file | FileCheck %s --check-prefix=PROPAGATED
// RUN: lot-opt %s --pass-pipeline='builtin.module(func.func(sharding-propagation,shard-partition))' --split-input-file | FileCheck %s

// Tokens: the annotations of the arguments reach init and result, queries and
// keys over the same axis. Each sweep exchanges the maximum and the sum of each
// pivot (r values), the glue G (r x dv values); nothing has all tokens.
shard.grid @grid(shape = 2)

// PROPAGATED-LABEL: func.func @tokens
// PROPAGATED:         %[[TOKENS:.+]] = shard.sharding @grid split_axes = {{\[\[}}], [], [0]]
// PROPAGATED:         %[[EMPTY:.+]] = tensor.empty()
// PROPAGATED:         %[[DEF:.+]] = shard.shard %[[EMPTY]] to
// PROPAGATED:         %[[INIT:.+]] = shard.shard %[[DEF]] to %{{.+}} annotate_for_users
// PROPAGATED:         %[[O:.+]] = lot.attention {{.*}} outs(%[[INIT]] :
// PROPAGATED:         %[[SPLIT:.+]] = shard.sharding @grid split_axes = {{\[\[}}], [], [0]]
// PROPAGATED:         shard.shard %[[O]] to %[[SPLIT]] :

// CHECK-LABEL: func.func @tokens
// CHECK-SAME:    %{{.+}}: tensor<1x2x32x8xf32>, %{{.+}}: tensor<1x2x16x8xf32>, %{{.+}}: tensor<1x2x16x4xf32>, %{{.+}}: tensor<2x6x8xf32>) -> tensor<1x2x32x4xf32>
// The masses are uniform over all devices' tokens: -log 64 and -log 32.
// CHECK:         %[[LA:.+]] = arith.constant -4.15888309 : f32
// CHECK:         linalg.fill ins(%[[LA]]
// CHECK:         %[[LB:.+]] = arith.constant -3.46573591 : f32
// CHECK:         linalg.fill ins(%[[LB]]
// CHECK:         scf.for
// CHECK:           %[[PART:.+]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "parallel"]
// CHECK:           %[[MAX:.+]] = shard.all_reduce %[[PART]] on @grid grid_axes = [0] reduction = max : tensor<1x2x6xf32>
// CHECK:           %[[SUMS:.+]] = linalg.generic {{.*}} ins(%{{.+}}, %{{.+}}, %[[MAX]] :
// CHECK:           %[[SUM:.+]] = shard.all_reduce %[[SUMS]] on @grid grid_axes = [0] : tensor<1x2x6xf32>
// CHECK:           linalg.generic {{.*}} ins(%[[MAX]], %[[SUM]] :
// CHECK:           scf.yield
// CHECK:         %[[R1:.+]] = lot.plan conditional<tokens> {{.*}} -> tensor<1x2x32x6xf32>
// CHECK:         %[[R2:.+]] = lot.plan conditional<pivots> {{.*}} -> tensor<1x2x16x6xf32>
// CHECK:         %[[GPART:.+]] = linalg.generic {{.*}} ins(%[[R2]], %{{.+}} :
// CHECK:         %[[G:.+]] = shard.all_reduce %[[GPART]] on @grid grid_axes = [0] : tensor<1x2x6x4xf32>
// CHECK:         %[[O:.+]] = linalg.generic {{.*}} ins(%[[R1]], %[[G]] :
// CHECK-NOT:     all_reduce
// CHECK-NOT:     all_gather
// CHECK:         return %[[O]] : tensor<1x2x32x4xf32>
func.func @tokens(%q: tensor<1x2x64x8xf32>, %k: tensor<1x2x32x8xf32>, %v: tensor<1x2x32x4xf32>, %z: tensor<2x6x8xf32>) -> tensor<1x2x64x4xf32> {
  %tokens = shard.sharding @grid split_axes = [[], [], [0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %qs = shard.shard %q to %tokens annotate_for_users : tensor<1x2x64x8xf32>
  %ks = shard.shard %k to %tokens annotate_for_users : tensor<1x2x32x8xf32>
  %vs = shard.shard %v to %tokens annotate_for_users : tensor<1x2x32x4xf32>
  %zs = shard.shard %z to %whole annotate_for_users : tensor<2x6x8xf32>
  %e = tensor.empty() : tensor<1x2x64x4xf32>
  %r = lot.attention {half_steps = 6 : i64} ins(%qs, %ks, %vs, %zs : tensor<1x2x64x8xf32>, tensor<1x2x32x8xf32>, tensor<1x2x32x4xf32>, tensor<2x6x8xf32>) outs(%e : tensor<1x2x64x4xf32>) -> tensor<1x2x64x4xf32>
  return %r : tensor<1x2x64x4xf32>
}

// -----

// Self-attention: one value, split once. The result's annotation alone splits
// the queries.
shard.grid @grid(shape = 4)

// CHECK-LABEL: func.func @self
// CHECK-SAME:    %[[X:.+]]: tensor<1x2x16x8xf32>, %{{.+}}: tensor<2x6x8xf32>) -> tensor<1x2x16x8xf32>
// CHECK-COUNT-4: shard.all_reduce %{{.+}} : tensor<1x2x6xf32>
// CHECK:         shard.all_reduce %{{.+}} : tensor<1x2x6x8xf32>
func.func @self(%x: tensor<1x2x64x8xf32>, %z: tensor<2x6x8xf32>) -> tensor<1x2x64x8xf32> {
  %tokens = shard.sharding @grid split_axes = [[], [], [0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %xs = shard.shard %x to %tokens annotate_for_users : tensor<1x2x64x8xf32>
  %zs = shard.shard %z to %whole annotate_for_users : tensor<2x6x8xf32>
  %e = tensor.empty() : tensor<1x2x64x8xf32>
  %r = lot.attention {half_steps = 2 : i64} ins(%xs, %xs, %xs, %zs : tensor<1x2x64x8xf32>, tensor<1x2x64x8xf32>, tensor<1x2x64x8xf32>, tensor<2x6x8xf32>) outs(%e : tensor<1x2x64x8xf32>) -> tensor<1x2x64x8xf32>
  return %r : tensor<1x2x64x8xf32>
}

// -----

// Batch and heads: the op itself, nothing exchanged; key heads (2) are split
// into blocks as the query heads (8) that they serve.
shard.grid @grid(shape = 2x2)

// CHECK-LABEL: func.func @batch_and_heads
// CHECK-NOT:     all_reduce
// CHECK:         %[[O:.+]] = lot.attention ins(%{{[^:]+}} : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x1x?x4xf32>, tensor<1x6x8xf32>) outs(%{{.+}} : tensor<1x4x?x4xf32>)
// CHECK-NOT:     all_reduce
// CHECK:         return %[[O]]
func.func @batch_and_heads(%q: tensor<2x8x?x8xf32>, %k: tensor<2x2x?x8xf32>, %v: tensor<2x2x?x4xf32>, %z: tensor<2x6x8xf32>, %o: tensor<2x8x?x4xf32>) -> tensor<2x8x?x4xf32> {
  %split = shard.sharding @grid split_axes = [[0], [1]] : !shard.sharding
  %heads = shard.sharding @grid split_axes = [[1]] : !shard.sharding
  %qs = shard.shard %q to %split annotate_for_users : tensor<2x8x?x8xf32>
  %ks = shard.shard %k to %split annotate_for_users : tensor<2x2x?x8xf32>
  %vs = shard.shard %v to %split annotate_for_users : tensor<2x2x?x4xf32>
  %zs = shard.shard %z to %heads annotate_for_users : tensor<2x6x8xf32>
  %os = shard.shard %o to %split annotate_for_users : tensor<2x8x?x4xf32>
  %r = lot.attention ins(%qs, %ks, %vs, %zs : tensor<2x8x?x8xf32>, tensor<2x2x?x8xf32>, tensor<2x2x?x4xf32>, tensor<2x6x8xf32>) outs(%os : tensor<2x8x?x4xf32>) -> tensor<2x8x?x4xf32>
  return %r : tensor<2x8x?x4xf32>
}

// -----

// The gradient of pivots that the batches share is a sum over their devices,
// in f32.
shard.grid @grid(shape = 2)

// CHECK-LABEL: func.func @shared_pivots
// CHECK:         %[[D:.+]]:4 = lot.attention_vjp
// CHECK:         %[[WIDE:.+]] = linalg.generic {{.*}} ins(%[[D]]#3 : tensor<1x3x4xbf16>)
// CHECK:         %[[SUM:.+]] = shard.all_reduce %[[WIDE]] on @grid grid_axes = [0] : tensor<1x3x4xf32>
// CHECK:         %[[DZ:.+]] = linalg.generic {{.*}} ins(%[[SUM]] : tensor<1x3x4xf32>)
// CHECK:         return %[[D]]#0, %[[D]]#1, %[[D]]#2, %[[DZ]]
!t = tensor<2x1x6x4xbf16>
!z = tensor<1x3x4xbf16>
func.func @shared_pivots(%do: !t, %q: !t, %k: !t, %v: !t, %z: !z) -> (!t, !t, !t, !z) {
  %batch = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %ds = shard.shard %do to %batch annotate_for_users : !t
  %qs = shard.shard %q to %batch annotate_for_users : !t
  %ks = shard.shard %k to %batch annotate_for_users : !t
  %vs = shard.shard %v to %batch annotate_for_users : !t
  %zs = shard.shard %z to %whole annotate_for_users : !z
  %i = tensor.empty() : !t
  %j = tensor.empty() : !t
  %l = tensor.empty() : !t
  %e = tensor.empty() : !z
  %r:4 = lot.attention_vjp ins(%ds, %qs, %ks, %vs, %zs : !t, !t, !t, !t, !z) outs(%i, %j, %l, %e : !t, !t, !t, !z) -> !t, !t, !t, !z
  return %r#0, %r#1, %r#2, %r#3 : !t, !t, !t, !z
}

// -----

// A dynamic number of tokens is counted: one number of each device.
shard.grid @grid(shape = 2)

// CHECK-LABEL: func.func @dynamic
// CHECK-SAME:    %[[L:.+]]: tensor<?x5xf64>
// CHECK:         %[[N:.+]] = tensor.dim %[[L]]
// CHECK:         %[[HERE:.+]] = arith.index_cast %[[N]] : index to i64
// CHECK:         %[[COUNTS:.+]] = tensor.from_elements %[[HERE]]
// CHECK:         shard.all_reduce %[[COUNTS]] on @grid grid_axes = [0] : tensor<1xi64>
// CHECK:         math.log
// The sweep merges into its inits: the devices' parts start from nothing.
// CHECK:         %[[PART:.+]] = linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]
// CHECK:         %[[FOUND:.+]] = shard.all_reduce %[[PART]] on @grid grid_axes = [0] reduction = max : tensor<5xf64>
func.func @dynamic(%L: tensor<?x5xf64>, %y: tensor<5xf64>, %m: tensor<5xf64>, %s: tensor<5xf64>) -> (tensor<5xf64>, tensor<5xf64>) {
  %tokens = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %Ls = shard.shard %L to %tokens annotate_for_users : tensor<?x5xf64>
  %ys = shard.shard %y to %whole annotate_for_users : tensor<5xf64>
  %ms = shard.shard %m to %whole annotate_for_users : tensor<5xf64>
  %ss = shard.shard %s to %whole annotate_for_users : tensor<5xf64>
  %r:2 = lot.sweep domain<log> ins(%Ls : tensor<?x5xf64>) prev(%ys : tensor<5xf64>) outs(%ms, %ss : tensor<5xf64>, tensor<5xf64>) -> tensor<5xf64>, tensor<5xf64>
  return %r#0, %r#1 : tensor<5xf64>, tensor<5xf64>
}

// -----

// Split head dims are gathered: pivots need the whole dot product.
shard.grid @grid(shape = 2)

// PROPAGATED-LABEL: func.func @head_dim
// PROPAGATED:         %[[SPLIT:.+]] = shard.shard %{{.+}} to %{{.+}} : tensor<1x2x6x8xf32>
// PROPAGATED:         %[[Q:.+]] = shard.shard %[[SPLIT]] to %{{.+}} annotate_for_users
// PROPAGATED:         lot.attention ins(%[[Q]],
// CHECK-LABEL: func.func @head_dim
// CHECK-SAME:    %[[Q:.+]]: tensor<1x2x6x4xf32>
// CHECK:         %[[ALL:.+]] = shard.all_gather %[[Q]] on @grid grid_axes = [0] gather_axis = 3 : tensor<1x2x6x4xf32> -> tensor<1x2x6x8xf32>
// CHECK:         %[[CAST:.+]] = tensor.cast %[[ALL]]
// CHECK:         lot.attention ins(%[[CAST]],
func.func @head_dim(%q: tensor<1x2x6x8xf32>, %k: tensor<1x2x6x8xf32>, %z: tensor<2x6x8xf32>) -> tensor<1x2x6x8xf32> {
  %dim = shard.sharding @grid split_axes = [[], [], [], [0]] : !shard.sharding
  %whole = shard.sharding @grid split_axes = [[]] : !shard.sharding
  %qs = shard.shard %q to %dim : tensor<1x2x6x8xf32>
  %ks = shard.shard %k to %whole annotate_for_users : tensor<1x2x6x8xf32>
  %zs = shard.shard %z to %whole annotate_for_users : tensor<2x6x8xf32>
  %e = tensor.empty() : tensor<1x2x6x8xf32>
  %r = lot.attention ins(%qs, %ks, %ks, %zs : tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<2x6x8xf32>) outs(%e : tensor<1x2x6x8xf32>) -> tensor<1x2x6x8xf32>
  return %r : tensor<1x2x6x8xf32>
}
