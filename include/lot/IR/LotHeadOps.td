//===- LotHeadOps.td - Steps of one head on buffers ----------*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `lot-expand-heads` makes of lot.attention for a CPU: the passes over the
// tokens of one head. The control flow between them (the safety rule, the loop
// over half-steps) and all r-sized arithmetic are plain scf, memref and arith.
//
// Scores here are in base 2: pivots are packed as scale/epsilon*log2(e)*Z^T,
// [d, r] with r rounded up to whole vectors, and log masses as log2. Potentials
// of absent pivots hold -1e30, not -inf.
//
//===----------------------------------------------------------------------===//

#ifndef LOT_IR_LOTHEADOPS
#define LOT_IR_LOTHEADOPS

include "lot/IR/LotAttrs.td"

/// Buffers only; effects come from the arguments' annotations.
class Lot_HeadOp<string mnemonic, list<Trait> traits = []>
    : Lot_Op<mnemonic, traits> {
  let hasVerifier = 1;
}

def Lot_Read : Arg<AnyStridedMemRef, "", [MemRead]>;
def Lot_Write : Arg<AnyStridedMemRef, "", [MemWrite]>;
def Lot_ReadWrite : Arg<AnyStridedMemRef, "", [MemRead, MemWrite]>;

defvar HeadPassDoc = [{

    A pass runs over chunks of tiles, whose borders depend on the number of
    tokens alone. `partials` has a row for each: what a chunk leaves, folded in
    order at the end, so the result is the same for any number of threads.
    `threads` is how many share the pass (absent: the caller alone).
}];

def Lot_HeadMassOp : Lot_HeadOp<"head_mass"> {
  let summary = "log2 masses and masses of one side, padded to whole tiles";
  let description = [{
    `log2_mass_i = log_mass_i * log2(e)` (uniform without `log_mass`), -inf from
    `length` to the end of the buffer, and `mass_i = 2^log2_mass_i`.

    Constraints: C80 and C81 of docs/spec.md.
  }];
  let arguments = (ins Optional<AnyStridedMemRef>:$log_mass, Index:$length,
    Lot_Write:$log2_mass, Lot_Write:$mass, Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict (`log_mass` `(` $log_mass^ `:` type($log_mass) `)`)?
    `length` `(` $length `)` `outs` `(` $log2_mass `,` $mass `:`
    type($log2_mass) `,` type($mass) `)`
  }];
}

def Lot_HeadFactorOp : Lot_HeadOp<"head_factor", [AttrSizedOperandSegments]> {
  let summary = "builds the factor of one side, and the sums of its first step";
  let description = !strconcat([{
    For every token i, with scores `S_ij = tokens_i . pivots_j` (clipped to
    +-`clamp`) and `v = S + bias`:

        D_ij = 2^(v_ij - max_j v_ij)        stored as factor[tile][j][token]
        first = tokens:  sums_j = sum_i D_ij mass_i / (sum_j D_ij)
        first = pivots:  sums_j = sum_i D_ij 2^(max_j v_ij - M),  M = max_i max_j v_ij

    The exponential is taken once per entry. The result is the score range
    max_i (max_j v_ij - min_j v_ij) over pivots whose bias is not -1e30: the
    Delta of the safety rule (docs/semantics.md section 7), in base 2. `tops`
    takes max_j v_ij, for the reverse mode of a first pivot step.
  }], HeadPassDoc, [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$pivots, Lot_Read:$bias,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Write:$factor, Lot_Write:$sums,
    Lot_MarginalAttr:$first, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$masked_tokens, UnitAttr:$masked_pivots,
    Lot_ReadWrite:$partials,
    Arg<Optional<AnyStridedMemRef>, "", [MemWrite]>:$tops,
    Optional<Index>:$threads, Lot_CPUScheduleAttr:$schedule);
  let results = (outs AnyFloat:$range);
  let assemblyFormat = [{
    `first` `` $first attr-dict `ins` `(` $tokens `,` $pivots `,` $bias `,`
    $log2_mass `,` $mass `:` type($tokens) `,` type($pivots) `,` type($bias) `,`
    type($log2_mass) `,` type($mass) `)`
    `outs` `(` $factor `,` $sums `:` type($factor) `,` type($sums) `)`
    `partials` `(` $partials `:` type($partials) `)`
    (`tops` `(` $tops^ `:` type($tops) `)`)?
    (`threads` `(` $threads^ `)`)? `->` type($range)
  }];
}

def Lot_HeadSweepOp : Lot_HeadOp<"head_sweep"> {
  let summary = "one sweep over a stored factor: no exponential";
  let description = !strconcat([{
    `sums_j = sum_i D_ij mass_i / (D prev)_i` over the tiles that hold `length`
    tokens. Token sums of one tile run beside pivot sums of the tile before.
  }], HeadPassDoc, [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$factor, Lot_Read:$prev, Lot_Read:$mass,
    Index:$length, Lot_Write:$sums, Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $factor `,` $prev `,` $mass `:` type($factor) `,`
    type($prev) `,` type($mass) `)` `length` `(` $length `)`
    `outs` `(` $sums `:` type($sums) `)`
    `partials` `(` $partials `:` type($partials) `)`
    (`threads` `(` $threads^ `)`)?
  }];
}

def Lot_HeadLogSweepOp : Lot_HeadOp<"head_log_sweep"> {
  let summary = "one sweep in the log domain, scores recomputed";
  let description = !strconcat([{
    `sums_j = log2 sum_i 2^(S_ij + x_i)` as a running (max, sum) pair, with
    `x_i = log2_mass_i - log2 sum_j 2^(S_ij + prev_j)` where `token_step` is set
    and x_i = 0 (live tokens) where it is not; -1e30 where no token has mass.
    Right for any finite scores.
  }], HeadPassDoc, [{
    Constraints: C80, C81, C83 and C85 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$pivots, Lot_Read:$prev,
    Lot_Read:$log2_mass, Lot_Write:$sums, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$token_step, UnitAttr:$masked_tokens,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $tokens `,` $pivots `,` $prev `,` $log2_mass `:`
    type($tokens) `,` type($pivots) `,` type($prev) `,` type($log2_mass) `)`
    `outs` `(` $sums `:` type($sums) `)`
    `partials` `(` $partials `:` type($partials) `)`
    (`threads` `(` $threads^ `)`)?
  }];
}

defvar HeadPlanDoc = [{
    Entries of the plan are made tile by tile, from the stored factor where
    `scaled` is true and from recomputed scores where it is not:

        scaled: R_ij = D_ij numerator_i / (D prev)_i * post_j
        log:    R_ij = 2^(S_ij + log_shift_j + numerator_i - log2 sum_j 2^(S_ij + log_prev_j))
}];

def Lot_HeadGatherOp : Lot_HeadOp<"head_gather"> {
  let summary = "G = R2 V of one head";
  let description = HeadPlanDoc # [{
    with the token's mass (log2 mass) as numerator, or 1 (0) for tokens that have
    mass where `unit_numerator` is set; `gathered` [r, c] is the product with the
    values. Its vector v holds the value columns from v * lanes
    on; where dv is no multiple of `lanes`, the last vector holds the last
    `lanes` columns (values narrower than a vector are padded with 0). The first
    column after these vectors holds the sums of R2 where `row_sum` is set.
    Without `token_step` the log form has no token potential:
    R_ij = 2^(S_ij + log_shift_j).

    Constraints: C80 to C84 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$value, Lot_Read:$pivots,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Read:$factor, I1:$scaled,
    Lot_Read:$prev, Lot_Read:$post, Lot_Read:$log_prev, Lot_Read:$log_shift,
    Lot_Write:$gathered, OptionalAttr<F64Attr>:$clamp, UnitAttr:$token_step,
    UnitAttr:$row_sum, UnitAttr:$unit_numerator, UnitAttr:$masked_tokens,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $tokens `,` $value `,` $pivots `:` type($tokens) `,`
    type($value) `,` type($pivots) `)`
    `mass` `(` $log2_mass `,` $mass `:` type($log2_mass) `,` type($mass) `)`
    `plan` `(` $scaled `,` $factor `,` $prev `,` $post `,` $log_prev `,`
    $log_shift `:` type($factor) `,` type($prev) `,` type($post) `,`
    type($log_prev) `,` type($log_shift) `)`
    `outs` `(` $gathered `:` type($gathered) `)`
    `partials` `(` $partials `:` type($partials) `)`
    (`threads` `(` $threads^ `)`)?
  }];
}

def Lot_HeadApplyOp : Lot_HeadOp<"head_apply"> {
  let summary = "O = R1 G of one head, normalised";
  let description = HeadPlanDoc # [{
    with 1 (0 in the log form) as numerator, or the token's mass (log2 mass)
    where `mass_numerator` is set. Without `token_step` as in `lot.head_gather`.
    Rows are divided as `normalization`
    says and multiplied by `out_scale`; rows of tokens without mass are 0.
    Each row is its token's own: there are no partials.

    Constraints: C80 to C84 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$gathered, Lot_Read:$pivots,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Read:$factor, I1:$scaled,
    Lot_Read:$prev, Lot_Read:$post, Lot_Read:$log_prev, Lot_Read:$log_shift,
    Lot_Write:$out, Lot_NormalizationAttr:$normalization,
    F64Attr:$row_floor, F64Attr:$out_scale, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$token_step, UnitAttr:$mass_numerator, UnitAttr:$masked_tokens,
    Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $tokens `,` $gathered `,` $pivots `:` type($tokens) `,`
    type($gathered) `,` type($pivots) `)`
    `mass` `(` $log2_mass `,` $mass `:` type($log2_mass) `,` type($mass) `)`
    `plan` `(` $scaled `,` $factor `,` $prev `,` $post `,` $log_prev `,`
    $log_shift `:` type($factor) `,` type($prev) `,` type($post) `,`
    type($log_prev) `,` type($log_shift) `)`
    `outs` `(` $out `:` type($out) `)`
    (`threads` `(` $threads^ `)`)?
  }];
}

//===----------------------------------------------------------------------===//
// Reverse mode. With D the factor and a_i = (D prev)_i, a token step weighs row
// i by D_ij prev_j / a_i and a pivot step column j by D_ij t_i / sums_j with
// t_i = mass_i / a_i. Both sides are the same in this orientation, and each step
// takes a product X_i Y_j off the cotangent of the scores in base e:
//
//     dL = E - D o (X Y^T)
//     pivot step:  X = t                      Y = cotangent of last / sums
//     token step:  X = cotangent of x / a     Y = prev
//
// In the log form the weights themselves are formed and taken off at once.
//===----------------------------------------------------------------------===//

defvar HeadPlanFormat = [{
    `mass` `(` $log2_mass `,` $mass `:` type($log2_mass) `,` type($mass) `)`
    `plan` `(` $scaled `,` $factor `,` $prev `,` $post `,` $log_prev `,`
    $log_shift `:` type($factor) `,` type($prev) `,` type($post) `,`
    type($log_prev) `,` type($log_shift) `)`
}];
defvar HeadPartialsFormat = [{
    `partials` `(` $partials `:` type($partials) `)`
    (`threads` `(` $threads^ `)`)?
}];

def Lot_HeadAdjointOp : Lot_HeadOp<"head_adjoint"> {
  let summary = "E = R o dR of one side, and its sums";
  let description = !strconcat(HeadPlanDoc, [{
    with the numerators of `lot.head_gather`, and

        adjoint[tile][j][i] = E_ij = R_ij (rows_i . columns_j)
        token_sums_i = sum_j E_ij        sums_j = sum_i E_ij

    all 0 for tokens without mass. `columns` is packed like the pivots,
    [columns of rows, r in whole vectors].
  }], HeadPassDoc, [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$rows, Lot_Read:$pivots,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Read:$factor, I1:$scaled,
    Lot_Read:$prev, Lot_Read:$post, Lot_Read:$log_prev, Lot_Read:$log_shift,
    Lot_Read:$columns, Lot_Write:$adjoint, Lot_Write:$token_sums,
    Lot_Write:$sums, OptionalAttr<F64Attr>:$clamp, UnitAttr:$token_step,
    UnitAttr:$unit_numerator, UnitAttr:$masked_tokens,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = !strconcat([{
    attr-dict `ins` `(` $tokens `,` $rows `,` $columns `,` $pivots `:`
    type($tokens) `,` type($rows) `,` type($columns) `,` type($pivots) `)`
  }], HeadPlanFormat, [{
    `outs` `(` $adjoint `,` $token_sums `,` $sums `:` type($adjoint) `,`
    type($token_sums) `,` type($sums) `)`
  }], HeadPartialsFormat);
}

defvar HeadAdjointSweepDoc = [{
    `first` tells the first step that goes backwards: its cotangents are
    token_sums_i (0 for the others) and the gradients of the tokens' log masses
    start with it.
}];

def Lot_HeadAdjointSweepOp : Lot_HeadOp<"head_adjoint_sweep"> {
  let summary = "reverse mode of one sweep over a stored factor";
  let description = !strconcat([{
    With a = D prev, t = mass / a, and cotangent_i = token_sums_i minus
    `t_i (D pivot_adjoint)_i` where `pivot_step` is set:

        pivot_step:  steps[tile][slot][i] = t_i, then slot is one more
        steps[tile][slot][i] = x_i = cotangent_i / a_i
        sums_j = sum_i D_ij x_i          token_gradient_i += cotangent_i

    Token sums of one tile run beside pivot sums of the tile before.
  }], HeadAdjointSweepDoc, HeadPassDoc, [{
    Constraints: C80 to C83, C85 and C86 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$factor, Lot_Read:$prev,
    Lot_Read:$pivot_adjoint, Lot_Read:$mass, Lot_Read:$token_sums,
    Index:$length, Index:$slot, I1:$first, Lot_ReadWrite:$token_gradient,
    Lot_Write:$steps, Lot_Write:$sums, UnitAttr:$pivot_step,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = !strconcat([{
    attr-dict `ins` `(` $factor `,` $prev `,` $pivot_adjoint `,` $mass `,`
    $token_sums `:` type($factor) `,` type($prev) `,` type($pivot_adjoint) `,`
    type($mass) `,` type($token_sums) `)` `length` `(` $length `)`
    `slot` `(` $slot `)` `first` `(` $first `)` `outs` `(` $token_gradient `,`
    $steps `,` $sums `:` type($token_gradient) `,` type($steps) `,`
    type($sums) `)`
  }], HeadPartialsFormat);
}

def Lot_HeadLogAdjointSweepOp : Lot_HeadOp<"head_log_adjoint_sweep"> {
  let summary = "reverse mode of one sweep in the log domain";
  let description = !strconcat([{
    With `t_i = log2 sum_j 2^(S_ij + prev_j)`, the weights of the pivot step,
    whose shift is minus the log of its sums, and of the token step before it:

        V_ij = 2^(S_ij + shift_j + log2_mass_i - t_i)
        U_ij = 2^(S_ij + prev_j - t_i)

    cotangent_i is token_sums_i, minus `sum_j V_ij pivot_adjoint_j` where
    `pivot_step` is set, and

        adjoint_ij -= V_ij pivot_adjoint_j + U_ij cotangent_i
        sums_j = sum_i U_ij cotangent_i  token_gradient_i += cotangent_i

    Without `token_step` there is neither U nor a token's potential
    (V_ij = 2^(S_ij + shift_j), sums are 0), without `pivot_step` no V.
    Right for any finite scores.
  }], HeadAdjointSweepDoc, HeadPassDoc, [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$pivots, Lot_Read:$prev,
    Lot_Read:$shift, Lot_Read:$pivot_adjoint, Lot_Read:$log2_mass,
    Lot_Read:$token_sums, I1:$first, Lot_ReadWrite:$token_gradient,
    Lot_ReadWrite:$adjoint, Lot_Write:$sums, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$pivot_step, UnitAttr:$token_step, UnitAttr:$masked_tokens,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = !strconcat([{
    attr-dict `ins` `(` $tokens `,` $pivots `,` $prev `,` $shift `,`
    $pivot_adjoint `,` $log2_mass `,` $token_sums `:` type($tokens) `,`
    type($pivots) `,` type($prev) `,` type($shift) `,` type($pivot_adjoint) `,`
    type($log2_mass) `,` type($token_sums) `)` `first` `(` $first `)`
    `outs` `(` $token_gradient `,` $adjoint `,` $sums `:`
    type($token_gradient) `,` type($adjoint) `,` type($sums) `)`
  }], HeadPartialsFormat);
}

def Lot_HeadFirstStepOp : Lot_HeadOp<"head_first_step"> {
  let summary = "X of a pivot step before any token step";
  let description = [{
    `steps[tile][slot][i] = 2^(tops_i - max_i tops_i)`, over tokens that have
    mass, and 0 for the others: the scale of the sums of `lot.head_factor` with
    first = pivots, whose row maxima `tops` are.

    Constraints: C80, C81 and C86 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$tops, Lot_Read:$log2_mass, Index:$length,
    Index:$slot, Lot_Write:$steps, Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $tops `,` $log2_mass `:` type($tops) `,`
    type($log2_mass) `)` `length` `(` $length `)` `slot` `(` $slot `)`
    `outs` `(` $steps `:` type($steps) `)`
  }];
}

def Lot_HeadScoreGradientOp : Lot_HeadOp<"head_score_gradient"> {
  let summary = "gradients of tokens and pivots from those of the scores";
  let description = !strconcat([{
    dL = adjoint - D o (steps pivot_steps) where `scaled` is true, else the
    adjoint itself; 0 where the score is beyond `clamp`. Then

        token_gradient_i = sum_j dL_ij pivot_rows_j
        pivot_gradient_j += sum_i dL_ij tokens_i

    `pivot_rows` and `pivot_gradient` are [r, d in whole vectors], laid out like
    the gathered values. Data of tokens without mass are not used. dL replaces
    the adjoint.
  }], HeadPassDoc, [{
    Constraints: C80 to C86 of docs/spec.md.
  }]);
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$pivots, Lot_Read:$pivot_rows,
    Lot_Read:$factor, I1:$scaled, Lot_Read:$steps, Lot_Read:$pivot_steps,
    Lot_Read:$log2_mass, Lot_ReadWrite:$adjoint, Lot_Write:$token_gradient,
    Lot_ReadWrite:$pivot_gradient, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$masked_tokens, Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = !strconcat([{
    attr-dict `ins` `(` $tokens `,` $pivots `,` $pivot_rows `,` $log2_mass `:`
    type($tokens) `,` type($pivots) `,` type($pivot_rows) `,` type($log2_mass)
    `)` `steps` `(` $scaled `,` $factor `,` $steps `,` $pivot_steps `:`
    type($factor) `,` type($steps) `,` type($pivot_steps) `)`
    `outs` `(` $adjoint `,` $token_gradient `,` $pivot_gradient `:`
    type($adjoint) `,` type($token_gradient) `,` type($pivot_gradient) `)`
  }], HeadPartialsFormat);
}

def Lot_HeadMassGradientOp : Lot_HeadOp<"head_mass_gradient"> {
  let summary = "the gradients of the log masses of a side's tokens";
  let description = [{
    `out_i = token_gradient_i - token_sums_i + more_i` for tokens that have mass,
    0 for the others. `token_sums` count only where `conditional` is set: a plan
    conditional on its tokens is divided by their mass. 0 for all tokens where
    `no_token_step` is set: their masses are not read.

    Constraints: C80 and C81 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$token_gradient, Lot_Read:$token_sums,
    Lot_Read:$log2_mass, Lot_Write:$out,
    Arg<Optional<AnyStridedMemRef>, "", [MemRead]>:$more,
    UnitAttr:$conditional, UnitAttr:$no_token_step,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $token_gradient `,` $token_sums `,` $log2_mass `:`
    type($token_gradient) `,` type($token_sums) `,` type($log2_mass) `)`
    (`more` `(` $more^ `:` type($more) `)`)? `outs` `(` $out `:` type($out) `)`
  }];
}

def Lot_HeadAppendOnesOp : Lot_HeadOp<"head_append_ones"> {
  let summary = "values in the state type with a column of ones";
  let description = [{
    `rows_ie = value_ie`, and 1 in the column after them: what is gathered for it
    are row sums. Rows of tokens without mass are copied as they are.

    Constraints: C80, C81 and C84 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$value, Lot_Write:$rows,
    Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $value `:` type($value) `)`
    `outs` `(` $rows `:` type($rows) `)`
  }];
}

def Lot_HeadRowCotangentOp : Lot_HeadOp<"head_row_cotangent"> {
  let summary = "cotangents of rows from those of rows divided by their sums";
  let description = [{
    `rows` hold u_ie and, in the column after them, their sums D_i. The result of
    the op was `s u_ie / N_i` with `N_i = max(D_i, row_floor / mass_i)` and s the
    `out_scale`. With `c_i = sum_e cotangent_ie u_ie`, rows are replaced by the
    cotangents of u and D over s,

        cotangent_ie / N_i  and  -c_i / N_i^2, or 0 where the floor was larger

    and `floor_gradient_i` is the gradient of log mass through the floor, s c_i /
    N_i where it was larger, else 0. All are 0 for tokens without mass, whose
    cotangents are not used.

    Constraints: C80, C81 and C84 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$cotangent, Lot_Read:$log2_mass, Lot_Read:$mass,
    Lot_ReadWrite:$rows, Lot_Write:$floor_gradient, F64Attr:$row_floor,
    F64Attr:$out_scale, Lot_CPUScheduleAttr:$schedule);
  let assemblyFormat = [{
    attr-dict `ins` `(` $cotangent `,` $log2_mass `,` $mass `:`
    type($cotangent) `,` type($log2_mass) `,` type($mass) `)`
    `outs` `(` $rows `,` $floor_gradient `:` type($rows) `,`
    type($floor_gradient) `)`
  }];
}

#endif // LOT_IR_LOTHEADOPS
