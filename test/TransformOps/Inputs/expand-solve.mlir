module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %solves = transform.structured.match ops{["lot.pivot_solve"]} in %root : (!transform.any_op) -> !transform.any_op
    %loops, %sweeps = transform.lot.expand_solve %solves : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tiled, %tiles = transform.structured.tile_using_for %sweeps tile_sizes [0, 32] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
