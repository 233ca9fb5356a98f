// RUN: lot-opt %s --allow-unregistered-dialect --lot-import-frameworks --split-input-file | FileCheck %s

// The raw output of torch-mlir in generic form; constants stay where they are.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %[[Q:.+]]: !torch.vtensor<[2,2,?,16],f32>, %[[K:[^:]+]]: {{.+}}, %[[Z:.+]]: !torch.vtensor<[2,8,16],f32>, %[[B:.+]]: !torch.vtensor<[2,?],f32>
// CHECK:         %[[RELU:.+]] = "torch.aten.relu"(%[[Q]])
// CHECK:         %[[Q2:.+]] = "torch_c.to_builtin_tensor"(%[[RELU]]) : (!torch.vtensor<[2,2,?,16],f32>) -> tensor<2x2x?x16xf32>
// CHECK:         %[[Z2:.+]] = "torch_c.to_builtin_tensor"(%[[Z]]) : (!torch.vtensor<[2,8,16],f32>) -> tensor<2x8x16xf32>
// CHECK:         %[[B2:.+]] = "torch_c.to_builtin_tensor"(%[[B]]) : (!torch.vtensor<[2,?],f32>) -> tensor<2x?xf32>
// CHECK:         %[[N:.+]] = tensor.dim %[[Q2]], %{{.*}}
// CHECK:         %[[INIT:.+]] = tensor.empty(%[[N]]) : tensor<2x2x?x16xf32>
// CHECK:         %[[O:.+]] = lot.attention {epsilon = 5.000000e-01 : f64, half_steps = 10 : i64, normalization = #lot.normalization<row_sum>} ins(%[[Q2]], %{{.*}}, %{{.*}}, %[[Z2]] : {{.*}}) key_log_mass(%[[B2]] : tensor<2x?xf32>) outs(%[[INIT]] :
// CHECK:         %[[O2:.+]] = "torch_c.from_builtin_tensor"(%[[O]]) : (tensor<2x2x?x16xf32>) -> !torch.vtensor<[2,2,?,16],f32>
// CHECK:         "torch.aten.tanh"(%[[O2]])
// CHECK-NOT:     torch.operator
func.func @main(%q: !torch.vtensor<[2,2,?,16],f32>, %k: !torch.vtensor<[2,2,?,16],f32>, %z: !torch.vtensor<[2,8,16],f32>, %b: !torch.vtensor<[2,?],f32>) -> !torch.vtensor<[2,2,?,16],f32> {
  %none = "torch.constant.none"() : () -> !torch.none
  %some = "torch.derefine"(%b) : (!torch.vtensor<[2,?],f32>) -> !torch.optional<vtensor>
  %epsilon = "torch.constant.float"() <{value = 5.000000e-01 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 10 : i64}> : () -> !torch.int
  %rows = "torch.constant.str"() <{value = "row_sum"}> : () -> !torch.str
  %floor = "torch.constant.float"() <{value = 0.000000e+00 : f64}> : () -> !torch.float
  %scale = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %0 = "torch.aten.relu"(%q) : (!torch.vtensor<[2,2,?,16],f32>) -> !torch.vtensor<[2,2,?,16],f32>
  %1 = "torch.operator"(%0, %k, %k, %z, %none, %some, %none, %none, %none, %epsilon, %steps, %rows, %floor, %none, %scale) <{name = "torch.lot.attention"}> : (!torch.vtensor<[2,2,?,16],f32>, !torch.vtensor<[2,2,?,16],f32>, !torch.vtensor<[2,2,?,16],f32>, !torch.vtensor<[2,8,16],f32>, !torch.none, !torch.optional<vtensor>, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.int) -> !torch.vtensor<[2,2,?,16],f32>
  %2 = "torch.aten.tanh"(%1) : (!torch.vtensor<[2,2,?,16],f32>) -> !torch.vtensor<[2,2,?,16],f32>
  return %2 : !torch.vtensor<[2,2,?,16],f32>
}

// -----

// The gradients that are asked for, of those that the op has.

// CHECK-LABEL: func.func @gradient
// CHECK:         %[[D:.+]]:5 = lot.attention_vjp
// CHECK-SAME:      pivot_log_mass
// CHECK:         %[[DQ:.+]] = "torch_c.from_builtin_tensor"(%[[D]]#0) : (tensor<1x2x6x4xf16>) -> !torch.vtensor<[1,2,6,4],f16>
// CHECK:         %[[DW:.+]] = "torch_c.from_builtin_tensor"(%[[D]]#4) : (tensor<2x3xf32>) -> !torch.vtensor<[2,3],f32>
// CHECK-NOT:     torch.operator
// CHECK-NOT:     ListUnpack
// CHECK:         return %[[DQ]], %[[DW]]
func.func @gradient(%x: !torch.vtensor<[1,2,6,4],f16>, %z: !torch.vtensor<[2,3,4],f16>, %w: !torch.vtensor<[2,3],f32>) -> (!torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[2,3],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %false, %false, %false, %true, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %w, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[2,3,4],f16>, !torch.none, !torch.none, !torch.vtensor<[2,3],f32>, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  %1:2 = "torch.prim.ListUnpack"(%0) : (!torch.list<vtensor>) -> (!torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[2,3],f32>)
  return %1#0, %1#1 : !torch.vtensor<[1,2,6,4],f16>, !torch.vtensor<[2,3],f32>
}

// -----

// CHECK-LABEL: func.func @others
// CHECK:         "torch.operator"(%{{.*}}) <{name = "torch.other.attention"}>
func.func @others(%x: !torch.vtensor<[2],f32>) {
  %0 = "torch.operator"(%x) <{name = "torch.other.attention"}> : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  return
}
