// RUN: lot-opt %s -canonicalize | FileCheck %s

// pivot_solve: uniform masses are the default, no others.

// CHECK-LABEL: func.func @solve_uniform
// CHECK:         lot.pivot_solve first<tokens> half_steps(4) ins(%{{[a-z0-9]+}} : tensor<6x3xf32>) outs(
func.func @solve_uniform(%L: tensor<6x3xf32>, %i: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0xBFE55860> : tensor<6xf32>
  %lw = arith.constant dense<0xBF8C9F54> : tensor<3xf32>
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<6x3xf32>)
      token_log_mass(%la : tensor<6xf32>) pivot_log_mass(%lw : tensor<3xf32>)
      outs(%i, %i : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @solve_other
// CHECK:         lot.pivot_solve {{.*}} token_log_mass({{.*}}) pivot_log_mass(
func.func @solve_other(%L: tensor<6x3xf32>, %i: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0xBF8C9F54> : tensor<6xf32>
  %lw = arith.constant dense<0xBFE55860> : tensor<3xf32>
  %r:2 = lot.pivot_solve first<tokens> half_steps(4) ins(%L : tensor<6x3xf32>)
      token_log_mass(%la : tensor<6xf32>) pivot_log_mass(%lw : tensor<3xf32>)
      outs(%i, %i : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @solve_no_batch
// CHECK-SAME:    %[[I:[a-z0-9]+]]: tensor<0x3xf32>)
// CHECK-NEXT:    return %[[I]], %[[I]]
func.func @solve_no_batch(%L: tensor<0x6x3xf32>, %i: tensor<0x3xf32>) -> (tensor<0x3xf32>, tensor<0x3xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : tensor<0x6x3xf32>)
      outs(%i, %i : tensor<0x3xf32>, tensor<0x3xf32>)
      -> tensor<0x3xf32>, tensor<0x3xf32>
  return %r#0, %r#1 : tensor<0x3xf32>, tensor<0x3xf32>
}

// Without tokens the potentials still have values.

// CHECK-LABEL: func.func @solve_no_tokens
// CHECK-NEXT:    lot.pivot_solve
func.func @solve_no_tokens(%L: tensor<0x3xf32>, %i: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %r:2 = lot.pivot_solve first<tokens> half_steps(4)
      ins(%L : tensor<0x3xf32>) outs(%i, %i : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// sweep: a uniform token mass is the default.

// CHECK-LABEL: func.func @sweep_uniform
// CHECK:         lot.sweep domain<log> ins({{.*}}) prev({{.*}} : tensor<3xf32>) outs(
func.func @sweep_uniform(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %m: tensor<3xf32>, %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0xBFE55860> : tensor<6xf32>
  %r:2 = lot.sweep domain<log> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%m, %s : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// Another one is not,

// CHECK-LABEL: func.func @sweep_live
// CHECK:         lot.sweep {{.*}} token_log_mass(
func.func @sweep_live(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %m: tensor<3xf32>, %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0.0> : tensor<6xf32>
  %r:2 = lot.sweep domain<log> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%m, %s : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// unless there is no token step.

// CHECK-LABEL: func.func @sweep_live_first
// CHECK:         lot.sweep domain<log> ins(%{{[a-z0-9]+}} : tensor<6x3xf32>) outs(
func.func @sweep_live_first(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %m: tensor<3xf32>, %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0.0> : tensor<6xf32>
  %r:2 = lot.sweep domain<log> ins(%L : tensor<6x3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%m, %s : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// No token with mass, no token: nothing is merged.

// CHECK-LABEL: func.func @sweep_absent
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<3xf32>, %[[S:[a-z0-9]+]]: tensor<3xf32>)
// CHECK-NEXT:    return %[[M]], %[[S]]
func.func @sweep_absent(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %m: tensor<3xf32>, %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %la = arith.constant dense<0xFF800000> : tensor<6xf32>
  %r:2 = lot.sweep domain<log> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%m, %s : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @sweep_no_tokens
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<3xf32>, %[[S:[a-z0-9]+]]: tensor<3xf32>)
// CHECK-NEXT:    return %[[M]], %[[S]]
func.func @sweep_no_tokens(%L: tensor<0x3xf32>, %p: tensor<3xf32>, %m: tensor<3xf32>, %s: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %r:2 = lot.sweep domain<log> ins(%L : tensor<0x3xf32>) prev(%p : tensor<3xf32>)
      outs(%m, %s : tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>, tensor<3xf32>
  return %r#0, %r#1 : tensor<3xf32>, tensor<3xf32>
}

// plan: given the tokens the formula has no pivot mass,

// CHECK-LABEL: func.func @plan_tokens_pivot_mass
// CHECK:         lot.plan conditional<tokens> ins({{.*}}) prev({{.*}}) last(%{{[a-z0-9]+}} : tensor<3xf32>) outs(
func.func @plan_tokens_pivot_mass(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>, %lw: tensor<3xf32>) -> tensor<6x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      pivot_log_mass(%lw : tensor<3xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// given the pivots it has,

// CHECK-LABEL: func.func @plan_pivots_pivot_mass
// CHECK:         lot.plan conditional<pivots> {{.*}} pivot_log_mass(
func.func @plan_pivots_pivot_mass(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>, %lw: tensor<3xf32>) -> tensor<6x3xf32> {
  %r = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      pivot_log_mass(%lw : tensor<3xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// by default a uniform one.

// CHECK-LABEL: func.func @plan_pivots_uniform
// CHECK:         lot.plan conditional<pivots> ins({{.*}}) prev({{.*}}) last(%{{[a-z0-9]+}} : tensor<3xf32>) outs(
func.func @plan_pivots_uniform(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %lw = arith.constant dense<0xBF8C9F54> : tensor<3xf32>
  %la = arith.constant dense<0xBFE55860> : tensor<6xf32>
  %r = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) pivot_log_mass(%lw : tensor<3xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// Given the tokens, only absence of tokens counts: all are here,

// CHECK-LABEL: func.func @plan_tokens_live
// CHECK:         lot.plan conditional<tokens> ins({{.*}}) prev({{.*}}) last(%{{[a-z0-9]+}} : tensor<3xf32>) outs(
func.func @plan_tokens_live(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %la = arith.constant dense<0.5> : tensor<6xf32>
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// here they may not be,

// CHECK-LABEL: func.func @plan_tokens_mass
// CHECK:         lot.plan conditional<tokens> {{.*}} token_log_mass(
func.func @plan_tokens_mass(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>, %la: tensor<6xf32>) -> tensor<6x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// and here the value counts,

// CHECK-LABEL: func.func @plan_pivots_live
// CHECK:         lot.plan conditional<pivots> {{.*}} token_log_mass(
func.func @plan_pivots_live(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %la = arith.constant dense<0.5> : tensor<6xf32>
  %r = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// unless there was no token step.

// CHECK-LABEL: func.func @plan_pivots_live_first
// CHECK:         lot.plan conditional<pivots> ins({{.*}}) last(%{{[a-z0-9]+}} : tensor<3xf32>) outs(
func.func @plan_pivots_live_first(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %la = arith.constant dense<0.5> : tensor<6xf32>
  %r = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// No mass: zero.

// CHECK-LABEL: func.func @plan_absent_tokens
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<6x3xf32>)
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%{{.+}} : f32) outs(%[[O]] : tensor<6x3xf32>)
// CHECK-NEXT:    return %[[FILL]]
func.func @plan_absent_tokens(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %la = arith.constant dense<0xFF800000> : tensor<6xf32>
  %r = lot.plan conditional<tokens> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      token_log_mass(%la : tensor<6xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// CHECK-LABEL: func.func @plan_absent_pivots
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<6x3xf32>)
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%{{.+}} : f32) outs(%[[O]] : tensor<6x3xf32>)
// CHECK-NEXT:    return %[[FILL]]
func.func @plan_absent_pivots(%L: tensor<6x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<6x3xf32>) -> tensor<6x3xf32> {
  %lw = arith.constant dense<0xFF800000> : tensor<3xf32>
  %r = lot.plan conditional<pivots> ins(%L : tensor<6x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      pivot_log_mass(%lw : tensor<3xf32>) outs(%o : tensor<6x3xf32>) -> tensor<6x3xf32>
  return %r : tensor<6x3xf32>
}

// CHECK-LABEL: func.func @plan_no_tokens
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<0x3xf32>)
// CHECK-NEXT:    return %[[O]]
func.func @plan_no_tokens(%L: tensor<0x3xf32>, %p: tensor<3xf32>, %l: tensor<3xf32>, %o: tensor<0x3xf32>) -> tensor<0x3xf32> {
  %r = lot.plan conditional<tokens> ins(%L : tensor<0x3xf32>) prev(%p : tensor<3xf32>) last(%l : tensor<3xf32>)
      outs(%o : tensor<0x3xf32>) -> tensor<0x3xf32>
  return %r : tensor<0x3xf32>
}

// glue: the query mass plays a part in `none` and in a floor only.

// CHECK-LABEL: func.func @glue_query_mass
// CHECK:         lot.glue ins({{.*}} : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>) outs(
func.func @glue_query_mass(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>, %la: tensor<1x2x6xf32>) -> tensor<1x2x6x5xf32> {
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      query_log_mass(%la : tensor<1x2x6xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_row_sum
// CHECK:         lot.glue {normalization = #lot.normalization<row_sum>} ins({{.*}} : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>) outs(
func.func @glue_row_sum(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>, %la: tensor<1x2x6xf32>) -> tensor<1x2x6x5xf32> {
  %r = lot.glue {normalization = #lot.normalization<row_sum>} ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      query_log_mass(%la : tensor<1x2x6xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_row_sum_floor
// CHECK:         lot.glue {{.*}}row_floor = 9.99{{[0-9]+}}E-7 : f64} {{.*}} query_log_mass(
func.func @glue_row_sum_floor(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>, %la: tensor<1x2x6xf32>) -> tensor<1x2x6x5xf32> {
  %r = lot.glue {normalization = #lot.normalization<row_sum>, row_floor = 1.0e-6 : f64} ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      query_log_mass(%la : tensor<1x2x6xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_none
// CHECK:         lot.glue {normalization = #lot.normalization<none>} {{.*}} query_log_mass(
func.func @glue_none(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>, %la: tensor<1x2x6xf32>) -> tensor<1x2x6x5xf32> {
  %r = lot.glue {normalization = #lot.normalization<none>, row_floor = 1.0e-6 : f64} ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      query_log_mass(%la : tensor<1x2x6xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_none_uniform
// CHECK:         lot.glue {normalization = #lot.normalization<none>} ins({{.*}} : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>) outs(
func.func @glue_none_uniform(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32> {
  %la = arith.constant dense<0xBFE55860> : tensor<1x2x6xf32>
  %r = lot.glue {normalization = #lot.normalization<none>} ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      query_log_mass(%la : tensor<1x2x6xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// A ratio of 1 multiplies nothing.

// CHECK-LABEL: func.func @glue_no_ratio
// CHECK:         lot.glue ins({{.*}} : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>) outs(
func.func @glue_no_ratio(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32> {
  %g = arith.constant dense<0.0> : tensor<1x2x3xf32>
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      glue_log_ratio(%g : tensor<1x2x3xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_ratio
// CHECK:         lot.glue ins({{.*}}) glue_log_ratio(
func.func @glue_ratio(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32> {
  %g = arith.constant dense<0.5> : tensor<1x2x3xf32>
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      glue_log_ratio(%g : tensor<1x2x3xf32>) outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// No keys: zero.

// CHECK-LABEL: func.func @glue_no_keys
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<1x2x6x5xf32>)
// CHECK:         %[[FILL:.+]] = linalg.fill ins(%{{.+}} : f32) outs(%[[O]] : tensor<1x2x6x5xf32>)
// CHECK-NEXT:    return %[[FILL]]
func.func @glue_no_keys(%R1: tensor<1x2x6x3xf32>, %R2: tensor<1x2x0x3xf32>, %v: tensor<1x2x0x5xf32>,
    %o: tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32> {
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x6x3xf32>, tensor<1x2x0x3xf32>, tensor<1x2x0x5xf32>)
      outs(%o : tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  return %r : tensor<1x2x6x5xf32>
}

// CHECK-LABEL: func.func @glue_no_queries
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<1x2x0x5xf32>)
// CHECK-NEXT:    return %[[O]]
func.func @glue_no_queries(%R1: tensor<1x2x0x3xf32>, %R2: tensor<1x2x7x3xf32>, %v: tensor<1x2x7x5xf32>,
    %o: tensor<1x2x0x5xf32>) -> tensor<1x2x0x5xf32> {
  %r = lot.glue ins(%R1, %R2, %v : tensor<1x2x0x3xf32>, tensor<1x2x7x3xf32>, tensor<1x2x7x5xf32>)
      outs(%o : tensor<1x2x0x5xf32>) -> tensor<1x2x0x5xf32>
  return %r : tensor<1x2x0x5xf32>
}
