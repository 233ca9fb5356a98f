// RUN: lot-opt %s --allow-unregistered-dialect --lot-import-frameworks --split-input-file --verify-diagnostics

// The target.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{lot-import-frameworks: expected call_target_name lot.attention or lot.attention_vjp, got lot.sweep}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.sweep"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

// The configuration.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{lot-import-frameworks: backend_config: expected scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale or masses, got unknown key 'eps'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {eps = 1.0 : f64}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected epsilon to be a number, got "one"}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {epsilon = "one"}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected half_steps to be a 64-bit integer, got 5.000000e+00 : f64}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {half_steps = 5.0 : f64}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected half_steps to be a 64-bit integer, got true}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {half_steps = true}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected half_steps to be a 64-bit integer, got 36893488147419103232 : i128}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {half_steps = 36893488147419103232 : i128}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected normalization to be "query_mass", "row_sum" or "none", got "rows"}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {normalization = "rows"}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected scale to be a number, got dense<1.000000e+00> : tensor<2xf32>}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {scale = dense<1.0> : tensor<2xf32>}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected epsilon to be a number, got unit}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {epsilon}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected one of mhlo.backend_config and backend_config, got both}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", backend_config = "{}"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected a JSON object, got invalid JSON: }}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", backend_config = "{\22epsilon\22: "}> {} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected a JSON object, got [5]}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", backend_config = "[5]"}> {} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected epsilon to be a number, a string, a list or null, got an object}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", backend_config = "{\22epsilon\22: {}}"}> {} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{backend_config: expected a dictionary or a string of JSON, got 5 : i64}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", backend_config = 5}> {} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{mhlo.backend_config: expected a dictionary, got "{}"}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = "{}"} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

// What the operator's verifier finds.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{C15: expected epsilon > 0 and finite, got -1.000000e+00}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {epsilon = -1.0}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{C16: expected half_steps >= 1, got 0}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {half_steps = 0}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x3xf32>) {
  // expected-error @below {{C11: }}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x3xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x?xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{C14: }}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x?xf32>, tensor<1x2x6x?xf32>, tensor<1x2x6x?xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x?xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{C9: }}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x7x4xf32>
  return
}

// -----

// Masses.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected 5 operands (query, key, value, pivots and 1 named by masses), got 4}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {masses = "key_log_mass"}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected 4 operands (query, key, value, pivots and 0 named by masses), got 5}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{masses: expected query_log_mass, key_log_mass, pivot_log_mass or glue_log_mass, got 'keys'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {masses = "keys"}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{masses: expected each name once, in the order query_log_mass, key_log_mass, pivot_log_mass, glue_log_mass, got 'key_log_mass' after 'pivot_log_mass'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z, %z, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {masses = ["pivot_log_mass", "key_log_mass"]}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{masses: expected names of operands, as in "query_log_mass,key_log_mass", got 3 : i64}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {masses = 3}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{key_log_mass: expected rank 2 or 3, got rank 4}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z, %x) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {masses = "key_log_mass"}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<1x2x6x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

// Operands and results.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{query: expected rank 4, got rank 3}}
  %0 = "stablehlo.custom_call"(%z, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<2x5x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<5x4xf32>) {
  // expected-error @below {{pivots: expected rank 3 or 4, got rank 2}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<*xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{query: expected a ranked tensor of f16, bf16, f32 or f64, got 'tensor<*xf32>'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xi8>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{query: expected a ranked tensor of f16, bf16, f32 or f64, got 'tensor<1x2x6x4xi8>'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xi8>, tensor<1x2x6x4xi8>, tensor<1x2x6x4xi8>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf8E5M2>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{C3: }}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf8E5M2>, tensor<1x2x6x4xf8E5M2>, tensor<1x2x6x4xf8E5M2>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{result 0: expected rank 4, got 'tensor<1x2x6xf32>'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{result 0: expected a ranked tensor of f16, bf16, f32 or f64, got 'tuple<tensor<1x2x6x4xf32>>'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tuple<tensor<1x2x6x4xf32>>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected 1 result, got 0}}
  "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected 4 results, a gradient for each operand but the cotangent, got 1}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %x, %z) <{call_target_name = "lot.attention_vjp"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected 5 operands (the cotangent, query, key, value, pivots and 0 named by masses), got 4}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention_vjp"}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{expected the cotangent, got no operands}}
  %0 = "stablehlo.custom_call"() <{call_target_name = "lot.attention_vjp"}> {mhlo.backend_config = {}} : ( ) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{called_computations: expected none, got 1}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention", called_computations = [@f]}> {mhlo.backend_config = {}} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

// Shapes of results.

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{indices_of_shape_operands: expected the last 1 operands, one for each result, got dense<1> : tensor<1xi64>}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}, indices_of_shape_operands = dense<1> : tensor<1xi64>} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>) {
  // expected-error @below {{operand 4: expected the shape of a result, a tensor of one integer for each of its dims, got 'tensor<2x5x4xf32>'}}
  %0 = "stablehlo.custom_call"(%x, %x, %x, %z, %z) <{call_target_name = "lot.attention"}> {mhlo.backend_config = {}, indices_of_shape_operands = dense<4> : tensor<1xi64>} : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
  return
}
