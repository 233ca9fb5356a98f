#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch.export -> torch-mlir -> lot-opt -> IREE, forward and gradient, static and dynamic sizes,
against the float64 oracle."""

import copy

import lot
import lot.torch
import pytest
import torch
from round_trip_testing import (PROBLEMS, check_calls, in_iree, needs_iree, problem,
                                sizes_of)
from torch.fx.experimental.proxy_tensor import make_fx

pytest.importorskip("torch_mlir")

import torch_to_iree  # noqa: E402
from torch_mlir import fx  # noqa: E402


def module_text(name: str) -> str:
    """A module of the result and all gradients; its arguments are the operands and dout."""
    given = problem(name)
    names, dynamic = list(given.operands()), PROBLEMS[name][1]

    def function(*arguments):
        *operands, dout = arguments
        operands = [x.detach().requires_grad_() for x in operands]
        out = lot.torch.attention(**dict(zip(names, operands)), **given.attributes)
        return out.detach(), *torch.autograd.grad(out, operands, dout)

    example = [torch.from_numpy(x) for x in (*given.operands().values(), given.cotangent())]
    graph = make_fx(function, tracing_mode="symbolic" if dynamic else "real")(*example)
    symbols = {letter: torch.export.Dim(letter, min=2, max=4096) for letter in dynamic}
    shapes = tuple({dim: symbols[letter] for dim, letter in sizes_of(name, operand, x).items()}
                   for operand, x in zip([*names, "dout"], example)) if dynamic else None
    exported = torch.export.export(graph, tuple(example), dynamic_shapes=shapes)
    module = fx.export_and_import(exported, output_type="raw", func_name="main")
    return module.operation.get_asm(print_generic_op_form=True)


@needs_iree
@pytest.mark.parametrize("name", PROBLEMS)
def test_attention(name, tmp_path, record_property):
    text = module_text(name)
    assert ("?" in text) == bool(PROBLEMS[name][1])
    check_calls(name, text, "torch", tmp_path, record_property)


class Oracle(torch.autograd.Function):
    """The float64 oracle, for autograd."""

    @staticmethod
    def forward(ctx, names, attributes, *tensors):
        ctx.operands = dict(zip(names, (x.detach().numpy() for x in tensors)))
        ctx.attributes = attributes
        return torch.from_numpy(lot.reference.attention(**ctx.operands, **attributes))

    @staticmethod
    def backward(ctx, dout):
        found = lot.reference.attention_vjp(dout.numpy(), **ctx.operands, **ctx.attributes)
        return None, None, *(torch.from_numpy(found[name]) for name in ctx.operands)


def oracle(q, k, v, pivots, **keywords):
    """`lot.torch.attention` by the float64 oracle."""
    masses = {name: x for name, x in keywords.items() if name.endswith("_log_mass") and
              x is not None}
    attributes = {name: x for name, x in keywords.items() if not name.endswith("_log_mass")}
    operands = dict(q=q, k=k, v=v, pivots=pivots, **masses)
    return Oracle.apply(list(operands), attributes, *operands.values())


@needs_iree
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "gradient"])
def test_block(gradient, dynamic, tmp_path, monkeypatch, record_property):
    block = torch_to_iree.make_block()
    wrap = torch_to_iree.Gradients if gradient else lambda module: module
    text = torch_to_iree.module_text(wrap(block), dynamic)
    binary = in_iree.compile_module(text, tmp_path, "block", "torch")
    exact, worst = wrap(copy.deepcopy(block).double()), 0.0
    monkeypatch.setattr("lot.torch._module.attention", oracle)
    for n in (100, 37) if dynamic else (100,):
        x, keep = torch_to_iree.make_inputs(n)
        expected = exact(x.double(), keep)
        expected = [t.detach().numpy() for t in (expected if gradient else (expected,))]
        assert all(array.dtype.name == "float64" for array in expected)
        actual = in_iree.run_module(binary, [x.numpy(), keep.numpy()], len(expected))
        worst = max(worst, in_iree.relative_error(actual, expected))
    record_property("float64", f"{worst:.1e}")
    assert worst <= torch_to_iree.TOLERANCE
