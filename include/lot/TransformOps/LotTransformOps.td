//===- LotTransformOps.td - Transform ops of the lot project --*- tablegen -*-===//
//
// Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOT_TRANSFORMOPS_LOTTRANSFORMOPS
#define LOT_TRANSFORMOPS_LOTTRANSFORMOPS

include "mlir/Dialect/Transform/IR/TransformDialect.td"
include "mlir/Dialect/Transform/Interfaces/TransformInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpBase.td"

def LotExpandSolveOp : Op<Transform_Dialect, "lot.expand_solve", [
    FunctionalStyleTransformOpTrait, MemoryEffectsOpInterface,
    DeclareOpInterfaceMethods<TransformOpInterface>]> {
  let summary = "a pivot solve to its loop of sweeps";
  let description = [{
    What the pass `lot-expand-solve` does, for the targeted `lot.pivot_solve` and
    `lot.pivot_solve_vjp` on tensors.

    #### Return modes

    Consumes the target handle. `loops` are the `scf.for` over the half-steps
    (none where there are too few for a loop), `sweeps` the `lot.sweep` or
    `lot.sweep_vjp` inside and beside them, in their order; more transforms can
    tile them. A target of another kind is a silenceable failure, a solve on
    buffers a definite one.

    Example:
    ```mlir
    %solves = transform.structured.match ops{["lot.pivot_solve"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %loops, %sweeps = transform.lot.expand_solve %solves
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    ```
  }];
  let arguments = (ins TransformHandleTypeInterface:$target);
  let results = (outs TransformHandleTypeInterface:$loops,
                      TransformHandleTypeInterface:$sweeps);
  let assemblyFormat = "$target attr-dict `:` functional-type($target, results)";
}

def LotSetScheduleOp : Op<Transform_Dialect, "lot.set_schedule", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>, TransformOpInterface,
    TransformEachOpTrait]> {
  let summary = "gives an attention a schedule";
  let description = [{
    Sets the `schedule` of the targeted `lot.attention` and `lot.attention_vjp`,
    which pipelines take in place of a choice of their own: `lot-to-cpu` a
    `#lot.cpu_schedule`. Whether it suits the processor is checked there, where
    the processor is known.

    #### Return modes

    Modifies the payload in place and only reads the handle. A target of another
    kind is a silenceable failure.

    Example:
    ```mlir
    transform.lot.set_schedule %attention schedule(#lot.cpu_schedule<
        token_tile = 32, lanes = 8, row_block = 4, vector_block = 2>)
        : !transform.any_op
    ```
  }];
  let arguments = (ins TransformHandleTypeInterface:$target,
                       AnyAttr:$schedule);
  let results = (outs);
  let assemblyFormat = "$target `schedule` `(` $schedule `)` attr-dict `:` type($target)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::DiagnosedSilenceableFailure applyToOne(
        ::mlir::transform::TransformRewriter &rewriter,
        ::mlir::Operation *target,
        ::mlir::transform::ApplyToEachResultList &results,
        ::mlir::transform::TransformState &state);
  }];
}

#endif // LOT_TRANSFORMOPS_LOTTRANSFORMOPS
