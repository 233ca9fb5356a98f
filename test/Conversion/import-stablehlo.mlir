// RUN: lot-opt %s --allow-unregistered-dialect --lot-import-frameworks --split-input-file | FileCheck %s

// As JAX writes it; the neighbours stay as they are.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %[[Q:.+]]: tensor<1x2x96x16xf32>, %[[K:.+]]: tensor<1x2x64x16xf32>, %[[V:.+]]: tensor<1x2x64x8xf32>, %[[Z:.+]]: tensor<2x5x16xf32>
// CHECK:         %[[Q2:.+]] = "stablehlo.multiply"(%[[Q]], %[[Q]]) : (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>) -> tensor<1x2x96x16xf32>
// CHECK:         %[[INIT:.+]] = tensor.empty() : tensor<1x2x96x8xf32>
// CHECK:         %[[O:.+]] = lot.attention {epsilon = 5.000000e-01 : f64, half_steps = 10 : i64, normalization = #lot.normalization<row_sum>, out_scale = 2.000000e+00 : f64, row_floor = 1.000000e-03 : f64, scale = 2.500000e-01 : f64, score_clamp = 3.000000e+01 : f64}
// CHECK-SAME:      ins(%[[Q2]], %[[K]], %[[V]], %[[Z]] : {{.*}}) outs(%[[INIT]] : tensor<1x2x96x8xf32>)
// CHECK:         "stablehlo.tanh"(%[[O]]) {keep = "me"}
// CHECK-NOT:     custom_call
func.func @main(%q: tensor<1x2x96x16xf32>, %k: tensor<1x2x64x16xf32>, %v: tensor<1x2x64x8xf32>, %z: tensor<2x5x16xf32>) -> tensor<1x2x96x8xf32> {
  %0 = "stablehlo.multiply"(%q, %q) : (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>) -> tensor<1x2x96x16xf32>
  %1 = "stablehlo.custom_call"(%0, %k, %v, %z) <{api_version = 1 : i32, backend_config = "", call_target_name = "lot.attention", called_computations = [], has_side_effect = false, operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>], output_operand_aliases = [], result_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>]}> {mhlo.backend_config = {epsilon = 5.000000e-01 : f64, half_steps = 10 : i64, masses = "", normalization = "row_sum", out_scale = 2.000000e+00 : f64, row_floor = 1.000000e-03 : f64, scale = 0.25 : f32, score_clamp = 30 : i64}} : (tensor<1x2x96x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x8xf32>, tensor<2x5x16xf32>) -> tensor<1x2x96x8xf32>
  %2 = "stablehlo.tanh"(%1) {keep = "me"} : (tensor<1x2x96x8xf32>) -> tensor<1x2x96x8xf32>
  return %2 : tensor<1x2x96x8xf32>
}

// -----

// Symbolic sizes: JAX appends the shape of the result. Every mass by its name.

// CHECK-LABEL: func.func @symbolic
// CHECK-SAME:    %[[Q:.+]]: tensor<8x2x?x16xbf16>, %[[K:[^:]+]]: {{.+}}, %[[Z:.+]]: tensor<2x5x16xf32>, %[[A:.+]]: tensor<8x?xf32>, %[[B:.+]]: tensor<8x2x?xf32>, %[[W:.+]]: tensor<2x5xf32>, %[[G:.+]]: tensor<8x2x5xf32>, %[[SHAPE:.+]]: tensor<4xi32>
// CHECK:         %[[C2:.+]] = arith.constant 2 : index
// CHECK:         %[[N:.+]] = tensor.dim %[[Q]], %[[C2]]
// CHECK:         %[[INIT:.+]] = tensor.empty(%[[N]]) : tensor<8x2x?x16xbf16>
// CHECK:         lot.attention ins(%[[Q]], %[[K]], %[[K]], %[[Z]] : {{.*}}) query_log_mass(%[[A]] : tensor<8x?xf32>) key_log_mass(%[[B]] : tensor<8x2x?xf32>) pivot_log_mass(%[[W]] : tensor<2x5xf32>) glue_log_mass(%[[G]] : tensor<8x2x5xf32>) outs(%[[INIT]] :
func.func @symbolic(%q: tensor<8x2x?x16xbf16>, %k: tensor<8x2x?x16xbf16>, %z: tensor<2x5x16xf32>, %a: tensor<8x?xf32>, %b: tensor<8x2x?xf32>, %w: tensor<2x5xf32>, %g: tensor<8x2x5xf32>, %shape: tensor<4xi32>) -> tensor<8x2x?x16xbf16> {
  %0 = "stablehlo.custom_call"(%q, %k, %k, %z, %a, %b, %w, %g, %shape) <{call_target_name = "lot.attention"}> {indices_of_shape_operands = dense<8> : tensor<1xi64>, mhlo.backend_config = {masses = "query_log_mass,key_log_mass,pivot_log_mass,glue_log_mass"}} : (tensor<8x2x?x16xbf16>, tensor<8x2x?x16xbf16>, tensor<8x2x?x16xbf16>, tensor<2x5x16xf32>, tensor<8x?xf32>, tensor<8x2x?xf32>, tensor<2x5xf32>, tensor<8x2x5xf32>, tensor<4xi32>) -> tensor<8x2x?x16xbf16>
  return %0 : tensor<8x2x?x16xbf16>
}

// -----

// The configuration as JSON, null for what is not given; as the dictionary of a
// typed call; inside a region of another unregistered op.

// CHECK-LABEL: func.func @json
// CHECK:         lot.attention {epsilon = 2.500000e-01 : f64, half_steps = 7 : i64, normalization = #lot.normalization<none>, scale = 2.000000e+00 : f64} ins({{.*}}) pivot_log_mass(%{{.*}} : tensor<2x5xf32>)
// CHECK:         "some.loop"
// CHECK:           lot.attention {half_steps = 3 : i64}
func.func @json(%q: tensor<1x2x6x4xf32>, %z: tensor<2x5x4xf32>, %w: tensor<2x5xf32>) -> tensor<1x2x6x4xf32> {
  %0 = "stablehlo.custom_call"(%q, %q, %q, %z, %w) <{call_target_name = "lot.attention", backend_config = "{\22epsilon\22: 0.25, \22half_steps\22: 7, \22normalization\22: \22none\22, \22scale\22: 2, \22score_clamp\22: null, \22masses\22: [\22pivot_log_mass\22]}"}> : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>, tensor<2x5xf32>) -> tensor<1x2x6x4xf32>
  "some.loop"() ({
    %1 = "stablehlo.custom_call"(%0, %q, %q, %z) <{api_version = 4 : i32, call_target_name = "lot.attention", backend_config = {half_steps = 3 : i32}}> : (tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<1x2x6x4xf32>
    "some.use"(%1) : (tensor<1x2x6x4xf32>) -> ()
  }) : () -> ()
  return %0 : tensor<1x2x6x4xf32>
}

// -----

// The gradient; a result may know more of its shape than the operands do.

// CHECK-LABEL: func.func @gradient
// CHECK-SAME:    %[[DO:.+]]: tensor<1x2x?x8xf32>, %[[Q:.+]]: tensor<1x2x?x16xf32>, %[[K:.+]]: tensor<1x2x64x16xf32>, %[[V:.+]]: tensor<1x2x64x8xf32>, %[[Z:.+]]: tensor<2x5x16xf32>, %[[B:.+]]: tensor<1x64xf32>
// CHECK-DAG:     %[[IQ:.+]] = tensor.empty() : tensor<1x2x96x16xf32>
// CHECK:         %[[D:.+]]:5 = lot.attention_vjp ins(%[[DO]], %[[Q]], %[[K]], %[[V]], %[[Z]] : {{.*}}) key_log_mass(%[[B]] : tensor<1x64xf32>)
// CHECK-SAME:      outs(%[[IQ]],
// CHECK:         return %[[D]]#0, %[[D]]#3, %[[D]]#4
func.func @gradient(%do: tensor<1x2x?x8xf32>, %q: tensor<1x2x?x16xf32>, %k: tensor<1x2x64x16xf32>, %v: tensor<1x2x64x8xf32>, %z: tensor<2x5x16xf32>, %b: tensor<1x64xf32>) -> (tensor<1x2x96x16xf32>, tensor<2x5x16xf32>, tensor<1x64xf32>) {
  %0:5 = "stablehlo.custom_call"(%do, %q, %k, %v, %z, %b) <{call_target_name = "lot.attention_vjp"}> {mhlo.backend_config = {masses = "key_log_mass"}} : (tensor<1x2x?x8xf32>, tensor<1x2x?x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x8xf32>, tensor<2x5x16xf32>, tensor<1x64xf32>) -> (tensor<1x2x96x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x8xf32>, tensor<2x5x16xf32>, tensor<1x64xf32>)
  return %0#0, %0#3, %0#4 : tensor<1x2x96x16xf32>, tensor<2x5x16xf32>, tensor<1x64xf32>
}

// -----

// Without the option JAX's checks stay, like any other custom call.

// CHECK-LABEL: func.func @others
// CHECK:         "stablehlo.custom_call"(%{{.*}}) <{call_target_name = "shape_assertion"}>
// CHECK:         "stablehlo.custom_call"(%{{.*}}) <{call_target_name = "lotus"}>
// CHECK:         "stablehlo.custom_call"() : () -> ()
func.func @others(%ok: tensor<i1>) {
  "stablehlo.custom_call"(%ok) <{call_target_name = "shape_assertion"}> {error_message = "n"} : (tensor<i1>) -> ()
  "stablehlo.custom_call"(%ok) <{call_target_name = "lotus"}> : (tensor<i1>) -> ()
  "stablehlo.custom_call"() : () -> ()
  return
}
