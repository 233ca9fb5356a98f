#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A DeiT-style block with LOT attention, compiled by IREE: forward and gradient.

    .venv-frameworks/bin/python examples/torch_to_iree.py [--out DIR]

torch.export -> torch-mlir (raw) -> lot-opt -> iree-compile -> iree-run-module, for a fixed number
of tokens and for a dynamic one, beside the same functions run eagerly. Prints the largest relative
error of a result, and leaves all files in DIR. docs/integrations.md goes through the steps.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
from typing import Callable

import in_iree
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch_mlir import fx

import lot.torch

DIM, HEADS, PIVOTS, BATCH = 32, 4, 8, 2
#: As of f32 arithmetic through the whole block.
TOLERANCE = 1e-5

Tensor = torch.Tensor


class Block(nn.Module):
    """Pre-norm attention and MLP on tokens [B, n, DIM], padding mask [B, n]."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.attention = lot.torch.LotAttention(DIM, HEADS, PIVOTS, epsilon=0.5, half_steps=5)
        self.mlp = nn.Sequential(nn.Linear(DIM, 4 * DIM), nn.GELU(), nn.Linear(4 * DIM, DIM))

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), keep=keep)
        return x + self.mlp(self.norm2(x))


class Gradients(nn.Module):
    """A loss of a block and its gradients in x and in all parameters."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, keep: Tensor) -> tuple[Tensor, ...]:
        x = x.detach().requires_grad_()
        loss = (self.block(x, keep) - 1).square().mean()
        return loss.detach(), *torch.autograd.grad(loss, (x, *self.block.parameters()))


def make_block(seed: int = 0) -> Block:
    """A block with random parameters."""
    torch.manual_seed(seed)
    return Block().eval()


def make_inputs(n: int) -> tuple[Tensor, Tensor]:
    """Tokens and a mask that pads the second sequence by a quarter."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(BATCH, n, DIM, generator=generator)
    return x, torch.arange(n) < torch.tensor([[n], [n - n // 4]])


def module_text(module: nn.Module, dynamic: bool, n: int = 100) -> str:
    """The raw module of torch-mlir, in generic form for lot-opt."""
    example = make_inputs(n)
    if isinstance(module, Gradients):
        # Runs autograd once and keeps what it did, as a module without it. The parameters are
        # its constants.
        module = make_fx(module, tracing_mode="symbolic" if dynamic else "real",
                         _allow_non_fake_inputs=True)(*example)
    tokens = torch.export.Dim("n", min=2, max=65536)
    shapes = tuple({1: tokens} for _ in example) if dynamic else None
    exported = torch.export.export(module, example, dynamic_shapes=shapes)
    imported = fx.export_and_import(exported, output_type="raw", func_name="main")
    return imported.operation.get_asm(print_generic_op_form=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, help="folder to leave the files in")
    folder = parser.parse_args().out or pathlib.Path(tempfile.mkdtemp(prefix="lot-torch-"))
    folder.mkdir(parents=True, exist_ok=True)
    block = make_block()
    for module in (block, Gradients(block)):
        for dynamic, lengths in ((False, (100,)), (True, (100, 37))):
            name, size = type(module).__name__.lower(), "n" if dynamic else "100"
            binary = in_iree.compile_module(module_text(module, dynamic), folder,
                                            f"{name}_{size}", "torch")
            for n in lengths:
                inputs = make_inputs(n)
                expected = module(*inputs)
                expected = [t.detach().numpy() for t in
                            (expected if isinstance(expected, tuple) else (expected,))]
                actual = in_iree.run_module(binary, [t.numpy() for t in inputs], len(expected))
                error = in_iree.relative_error(actual, expected)
                print(f"{name}, compiled for {size:>3} tokens, run on {n:>3}: "
                      f"{len(expected):>2} results, error against PyTorch {error:.1e}")
                if not error <= TOLERANCE:
                    raise SystemExit(f"error: expected at most {TOLERANCE}, got {error}")
    print(f"the files are in {folder}")


if __name__ == "__main__":
    main()
