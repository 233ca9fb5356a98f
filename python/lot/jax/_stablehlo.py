#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JAX functions as StableHLO for other compilers: `lot.jax.stablehlo` and `lot.jax.custom_calls`.

The attention and its gradient stay custom calls, `@lot.attention` and `@lot.attention_vjp`, which
`lot-opt --lot-import-frameworks` knows (docs/integrations.md).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Callable

import jax
from jax import export
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import chlo
from jaxlib.mlir.dialects import stablehlo as hlo

from ._call import BACKWARD, FORWARD, bare


def custom_calls() -> AbstractContextManager:
    """A context in which `lot.jax.attention` and its gradient are traced as bare custom calls.

    Without rules of how they split over devices, whatever devices there are. Functions that were
    jitted outside are traced again inside.
    """
    return bare(True)


def stablehlo(function: Callable, *arguments: Any) -> str:
    """The StableHLO of `function` in MLIR's generic form, for lot-opt.

    Args:
      function: a function of arrays (or trees of them), jitted or not, differentiated or not; all
        its arguments are kept.
      arguments: arrays or `jax.ShapeDtypeStruct`s, only their shapes and dtypes count. Sizes may
        be symbolic: `n, = jax.export.symbolic_shape("n")`.

    Returns:
      The text of a module. Its function `@main` takes the leaves of the arguments in their order
      and returns those of the result. With symbolic sizes it asserts what they must satisfy by
      custom calls of JAX's, `@shape_assertion`: see `--lot-import-frameworks=shape-assertions`.
    """
    checks = [export.DisabledSafetyCheck.custom_call(name) for name in (FORWARD, BACKWARD)]
    with custom_calls():
        exported = export.export(jax.jit(function, keep_unused=True), platforms=("cpu",),
                                 disabled_checks=checks)(*arguments)
    context = ir.Context()
    hlo.register_dialect(context)
    chlo.register_dialect(context)
    module = hlo.deserialize_portable_artifact(context, exported.mlir_module_serialized)
    with context:
        _say_what_does_not_expand(module.operation)
    return module.operation.get_asm(print_generic_op_form=True)


def _say_what_does_not_expand(operation: ir.Operation) -> None:
    """Notes on each broadcast that its symbolic sizes stay as they are.

    JAX only ever expands sizes that are 1, and StableHLO takes any unknown size for one that may
    be; compilers that do not generate code for both refuse the broadcast.
    """
    for region in operation.regions:
        for block in region:
            for nested in block:
                _say_what_does_not_expand(nested.operation)
    if operation.name == "stablehlo.dynamic_broadcast_in_dim":
        operand = ir.RankedTensorType(operation.operands[0].type)
        known = [dim for dim in range(operand.rank) if operand.is_dynamic_dim(dim)]
        operation.attributes["known_nonexpanding_dimensions"] = ir.DenseI64ArrayAttr.get(known)
