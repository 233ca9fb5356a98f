#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The attention block of LOTFormer's vision models (public DeiT and Swin variants)."""

from __future__ import annotations

import math
from typing import Any, Optional

import torch
from torch import nn
from torch.nn import functional as F

from .._attributes import count
from ._module import LotAttentionCore

Tensor = torch.Tensor


class LotVisionAttention(nn.Module):
    """LOT attention of a square grid of patches, with a local branch.

    As in the public vision models (docs/semantics.md, section 8): a learned position is added to
    the keys, a depthwise convolution of the values to the result, and leading special tokens
    (class, distillation) use softmax attention over all tokens.

    Args:
      embed_dim: size of a token, a multiple of num_heads.
      num_heads, num_pivots and keywords: as of `LotAttentionCore`; temperature defaults to 0.5.
      num_patches: tokens of the grid, a square number.
      num_special_tokens: tokens before them.
      kernel_size: of the convolution, odd.
      bias: qkv has a bias.
      dropout: of the result, while training.
    """

    def __init__(self, embed_dim: int, num_heads: int, num_pivots: int, num_patches: int, *,
                 num_special_tokens: int = 0, kernel_size: int = 5, bias: bool = True,
                 dropout: float = 0.0, temperature: float = 0.5, device: Any = None,
                 dtype: Optional[torch.dtype] = None, **core: Any) -> None:
        super().__init__()
        self.embed_dim, self.num_heads = count("embed_dim", embed_dim), count("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError("num_heads: expected a divisor of embed_dim = "
                             f"{embed_dim}, got {num_heads}")
        self.grid = math.isqrt(count("num_patches", num_patches))
        if self.grid**2 != num_patches:
            raise ValueError(f"num_patches: expected a square number, got {num_patches}")
        self.num_patches, self.num_special_tokens = num_patches, num_special_tokens
        head_dim = embed_dim // num_heads
        factory = {"device": device, "dtype": dtype}
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=bias, **factory)
        self.out_proj = nn.Linear(embed_dim, embed_dim, **factory)
        self.local = nn.Conv2d(head_dim, head_dim, kernel_size, groups=head_dim,
                               padding=kernel_size // 2, **factory)
        self.position = nn.Parameter(torch.zeros(num_special_tokens + num_patches, embed_dim,
                                                 **factory))
        self.dropout = nn.Dropout(dropout)
        self.core = LotAttentionCore(num_heads, head_dim, num_pivots, temperature=temperature,
                                     **core, **factory)

    def reset_parameters(self) -> None:
        """Draws all parameters anew; positions are 0."""
        for layer in (self.qkv, self.out_proj, self.local, self.core):
            layer.reset_parameters()
        nn.init.zeros_(self.position)

    def forward(self, x: Tensor) -> Tensor:
        """[B, num_special_tokens + num_patches, embed_dim] -> the same. ValueError for shapes."""
        special, tokens = self.num_special_tokens, self.num_special_tokens + self.num_patches
        if x.dim() != 3 or tuple(x.shape[1:]) != (tokens, self.embed_dim):
            raise ValueError(f"x: expected shape [B, {tokens}, {self.embed_dim}], "
                             f"got {list(x.shape)}")
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                   for t in (q, k + self.position, v))
        patches = v[:, :, special:]
        out = self.core(q[:, :, special:], k[:, :, special:], patches)
        grid = patches.flatten(0, 1).transpose(1, 2).unflatten(-1, (self.grid, self.grid))
        out = out + self.local(grid).flatten(2).transpose(1, 2).unflatten(0, v.shape[:2])
        if special:
            first = F.scaled_dot_product_attention(q[:, :, :special], k, v)
            out = torch.cat([first, out], 2)
        return self.dropout(self.out_proj(out.transpose(1, 2).flatten(2)))

    def extra_repr(self) -> str:
        """The sizes that the children do not show."""
        return (f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, "
                f"num_patches={self.num_patches}, num_special_tokens={self.num_special_tokens}")
