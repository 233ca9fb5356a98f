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

def Lot_HeadFactorOp : Lot_HeadOp<"head_factor"> {
  let summary = "builds the factor of one side, and the sums of its first step";
  let description = [{
    For every token i, with scores `S_ij = tokens_i . pivots_j` (clipped to
    +-`clamp`) and `v = S + bias`:

        D_ij = 2^(v_ij - max_j v_ij)        stored as factor[tile][j][token]
        first = tokens:  sums_j = sum_i D_ij mass_i / (sum_j D_ij)
        first = pivots:  sums_j = sum_i D_ij 2^(max_j v_ij - M),  M = max_i max_j v_ij

    The exponential is taken once per entry. The result is the score range
    max_i (max_j v_ij - min_j v_ij) over pivots whose bias is not -1e30: the
    Delta of the safety rule (docs/semantics.md section 7), in base 2.
  }] # HeadPassDoc # [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$pivots, Lot_Read:$bias,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Write:$factor, Lot_Write:$sums,
    Lot_MarginalAttr:$first, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$masked_tokens, UnitAttr:$masked_pivots,
    Lot_ReadWrite:$partials, Optional<Index>:$threads,
    Lot_CPUScheduleAttr:$schedule);
  let results = (outs AnyFloat:$range);
  let assemblyFormat = [{
    `first` `` $first attr-dict `ins` `(` $tokens `,` $pivots `,` $bias `,`
    $log2_mass `,` $mass `:` type($tokens) `,` type($pivots) `,` type($bias) `,`
    type($log2_mass) `,` type($mass) `)`
    `outs` `(` $factor `,` $sums `:` type($factor) `,` type($sums) `)`
    `partials` `(` $partials `:` type($partials) `)`
    (`threads` `(` $threads^ `)`)? `->` type($range)
  }];
}

def Lot_HeadSweepOp : Lot_HeadOp<"head_sweep"> {
  let summary = "one sweep over a stored factor: no exponential";
  let description = [{
    `sums_j = sum_i D_ij mass_i / (D prev)_i` over the tiles that hold `length`
    tokens. Token sums of one tile run beside pivot sums of the tile before.
  }] # HeadPassDoc # [{
    Constraints: C80 to C83 and C85 of docs/spec.md.
  }];
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
  let description = [{
    `sums_j = log2 sum_i 2^(S_ij + x_i)` as a running (max, sum) pair, with
    `x_i = log2_mass_i - log2 sum_j 2^(S_ij + prev_j)` where `token_step` is set
    and x_i = 0 (live tokens) where it is not; -1e30 where no token has mass.
    Right for any finite scores.
  }] # HeadPassDoc # [{
    Constraints: C80, C81, C83 and C85 of docs/spec.md.
  }];
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
    with the key's mass (log2 mass) as numerator, and `gathered` [r, c] is the
    product with the values. Its vector v holds the value columns from v * lanes
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
    UnitAttr:$row_sum, UnitAttr:$masked_tokens, Lot_ReadWrite:$partials, Optional<Index>:$threads,
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
    with 1 (0 in the log form) as numerator. Rows are divided as `normalization`
    says and multiplied by `out_scale`; rows of tokens without mass are 0.
    Each row is its token's own: there are no partials.

    Constraints: C80 to C84 of docs/spec.md.
  }];
  let arguments = (ins Lot_Read:$tokens, Lot_Read:$gathered, Lot_Read:$pivots,
    Lot_Read:$log2_mass, Lot_Read:$mass, Lot_Read:$factor, I1:$scaled,
    Lot_Read:$prev, Lot_Read:$post, Lot_Read:$log_prev, Lot_Read:$log_shift,
    Lot_Write:$out, Lot_NormalizationAttr:$normalization,
    F64Attr:$row_floor, F64Attr:$out_scale, OptionalAttr<F64Attr>:$clamp,
    UnitAttr:$masked_tokens, Optional<Index>:$threads,
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

#endif // LOT_IR_LOTHEADOPS
