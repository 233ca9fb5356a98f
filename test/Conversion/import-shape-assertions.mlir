// RUN: lot-opt %s --allow-unregistered-dialect --lot-import-frameworks=shape-assertions --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @holds
// CHECK-SAME:    %[[HOLDS:.+]]: tensor<i1>, %[[N:.+]]: tensor<i32>
// CHECK:         %[[OK:.+]] = tensor.extract %[[HOLDS]][] : tensor<i1>
// CHECK:         cf.assert %[[OK]], "expected n >= 1, got {0}"
// CHECK-NOT:     custom_call
func.func @holds(%holds: tensor<i1>, %n: tensor<i32>) {
  "stablehlo.custom_call"(%holds, %n) <{api_version = 2 : i32, call_target_name = "shape_assertion", has_side_effect = true}> {error_message = "expected n >= 1, got {0}"} : (tensor<i1>, tensor<i32>) -> ()
  return
}

// -----

func.func @no_message(%holds: tensor<i1>) {
  // expected-error @below {{lot-import-frameworks: expected a tensor<i1>, an error_message and no results of @shape_assertion}}
  "stablehlo.custom_call"(%holds) <{call_target_name = "shape_assertion"}> : (tensor<i1>) -> ()
  return
}

// -----

func.func @no_condition() {
  // expected-error @below {{expected a tensor<i1>}}
  "stablehlo.custom_call"() <{call_target_name = "shape_assertion"}> {error_message = "n"} : () -> ()
  return
}
