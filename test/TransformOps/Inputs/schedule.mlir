module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %attention = transform.structured.match ops{["lot.attention", "lot.attention_vjp"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.lot.set_schedule %attention schedule(#lot.cpu_schedule<token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>) : !transform.any_op
    transform.yield
  }
}
