// RUN: lot-opt %s --allow-unregistered-dialect --lot-import-frameworks --split-input-file --verify-diagnostics

// The target and the arguments.

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{lot-import-frameworks: expected torch.lot.attention or torch.lot.attention_backward, got torch.lot.sweep}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.sweep"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{expected the 15 arguments of lot::attention in lot.torch, got 14}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{query: expected a tensor, got none}}
  %0 = "torch.operator"(%none, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.none, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.vtensor<*,f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{query: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.vtensor<*,f32>'}}
  %0 = "torch.operator"(%u, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<*,f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.tensor) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{query: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.tensor'}}
  %0 = "torch.operator"(%u, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.tensor, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.vtensor<[1,2,6,4],si64>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{query: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.vtensor<[1,2,6,4],si64>'}}
  %0 = "torch.operator"(%u, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],si64>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.vtensor<[],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{pivots: expected rank 3 or 4, got rank 0}}
  %0 = "torch.operator"(%x, %x, %x, %u, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.bool) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{key_log_mass: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.bool'}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %u, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.bool, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

// Attributes.

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>, %u: !torch.float) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{epsilon: expected a constant, got an argument}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %u, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %u = "torch.aten.size.int"(%x, %steps) : (!torch.vtensor<[1,2,6,4],f32>, !torch.int) -> !torch.int
  // expected-error @below {{half_steps: expected a constant, got the result of 'torch.aten.size.int'}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %u, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{arguments: expected epsilon to be a number, got unit}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %none, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{arguments: expected normalization to be "query_mass", "row_sum" or "none", got 5 : i64}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %steps, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.int, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %u = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  // expected-error @below {{C16: expected half_steps >= 1, got -1}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %u, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

// Results.

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{expected 1 result, got 2}}
  %0:2 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>)
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  // expected-error @below {{result: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.list<vtensor>'}}
  %0 = "torch.operator"(%x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one) <{name = "torch.lot.attention"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float) -> !torch.list<vtensor>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{needs: expected a list of 8 constant bools, got the result of 'torch.prim.ListConstruct'}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %false, %false, %false, %true, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{pivot_log_mass: expected a tensor where a gradient is asked for, got none}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %false, %false, %false, %false, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{expected torch.prim.ListUnpack as the one user of the list of gradients, got 0 users}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %false, %false, %false, %false, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{expected torch.prim.ListUnpack as the one user of the list of gradients, got 'some.use'}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  "some.use"(%0) : (!torch.list<vtensor>) -> ()
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%true, %false, %false, %true, %false, %false, %false, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{expected 2 gradients, as many as are asked for, got 1}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  %1 = "torch.prim.ListUnpack"(%0) : (!torch.list<vtensor>) -> !torch.vtensor<[1,2,6,4],f32>
  return
}

// -----

func.func @f(%x: !torch.vtensor<[1,2,6,4],f32>, %z: !torch.vtensor<[2,3,4],f32>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %zero = "torch.constant.float"() <{value = 0.0 : f64}> : () -> !torch.float
  %steps = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %mass = "torch.constant.str"() <{value = "query_mass"}> : () -> !torch.str
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %needs = "torch.prim.ListConstruct"(%false, %false, %false, %true, %false, %false, %false, %false) : (!torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool, !torch.bool) -> !torch.list<bool>
  // expected-error @below {{gradient of pivots: expected !torch.vtensor<[sizes],f16, bf16, f32 or f64>, got '!torch.int'}}
  %0 = "torch.operator"(%x, %x, %x, %x, %z, %none, %none, %none, %none, %none, %one, %steps, %mass, %zero, %none, %one, %needs) <{name = "torch.lot.attention_backward"}> : (!torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[1,2,6,4],f32>, !torch.vtensor<[2,3,4],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.float, !torch.int, !torch.str, !torch.float, !torch.none, !torch.float, !torch.list<bool>) -> !torch.list<vtensor>
  %1 = "torch.prim.ListUnpack"(%0) : (!torch.list<vtensor>) -> !torch.int
  return
}
