#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers: learned pivots and masses, alone and inside multi-head attention."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import nn

from .._attributes import check_attributes, count, real
from .._operands import refuse_unsupported
from ._functional import attention, check_keep, log_mass, pivot_log_mass

Tensor = torch.Tensor

LEARNED_MASSES = ("pivot", "glue", "none")


class LotAttentionCore(nn.Module):
    """The learned part of LOT attention: pivots and their masses, one set per head.

    Args:
      num_heads: query heads.
      head_dim: size of a query and a key.
      num_pivots: pivots per head; cost and rank of the attention grow with it.
      epsilon: entropic regularisation, > 0. Small values give sharp couplings.
      half_steps: Sinkhorn half-steps of each side, >= 1.
      learned_mass: "pivot" learns the masses of the pivots (LOTFormer), "glue" only those that
        divide the coupling, "none" keeps all uniform.
      temperature: the masses are softmax(pivot_logits / temperature).
      scale, normalization, row_floor, score_clamp, out_scale: as of `lot.attention`.

    Parameters: `pivots` [num_heads, num_pivots, head_dim], `pivot_logits` [num_heads,
    num_pivots] (None with learned_mass "none").
    """

    def __init__(self, num_heads: int, head_dim: int, num_pivots: int, *, epsilon: float = 1.0,
                 half_steps: int = 5, learned_mass: str = "pivot", temperature: float = 1.0,
                 scale: Optional[float] = None, normalization: str = "query_mass",
                 row_floor: float = 0.0, score_clamp: Optional[float] = None,
                 out_scale: float = 1.0, device: Any = None,
                 dtype: Optional[torch.dtype] = None) -> None:
        super().__init__()
        self.num_heads = count("num_heads", num_heads)
        self.head_dim = count("head_dim", head_dim)
        self.num_pivots = count("num_pivots", num_pivots)
        if learned_mass not in LEARNED_MASSES:
            raise ValueError(f"learned_mass: expected one of {', '.join(LEARNED_MASSES)}, "
                             f"got {learned_mass!r}")
        if not real("temperature", temperature) > 0:
            raise ValueError(f"temperature: expected a number > 0, got {temperature}")
        self.learned_mass, self.temperature = learned_mass, float(temperature)
        self.attributes = check_attributes(scale, epsilon, half_steps, normalization, row_floor,
                                           score_clamp, out_scale)._asdict()
        self.public_head_order = False
        factory = {"device": device, "dtype": dtype}
        self.pivots = nn.Parameter(torch.empty(num_heads, num_pivots, head_dim, **factory))
        self.pivot_logits = None
        if learned_mass != "none":
            self.pivot_logits = nn.Parameter(torch.empty(num_heads, num_pivots, **factory))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Pivots of standard deviation 1, so that scores spread from the start; equal masses."""
        nn.init.normal_(self.pivots)
        if self.pivot_logits is not None:
            nn.init.zeros_(self.pivot_logits)

    def log_masses(self, batch: int) -> Optional[Tensor]:
        """The learned log masses [num_heads, num_pivots], None when they are uniform.

        [batch, num_heads, num_pivots] with `public_head_order`, which only converters set.
        """
        if self.pivot_logits is None:
            return None
        logits = self.pivot_logits
        if logits.dtype != torch.float64:
            logits = logits.float()
        masses = pivot_log_mass(logits, self.temperature)
        if self.public_head_order:
            masses = masses.repeat_interleave(batch, 0).unflatten(0, (batch, self.num_heads))
        return masses

    def forward(self, q: Tensor, k: Tensor, v: Tensor, *, keep: Optional[Tensor] = None,
                query_keep: Optional[Tensor] = None) -> Tensor:
        """Attention of the heads.

        q [B, num_heads, n, head_dim], k [B, Hk, m, head_dim], v [B, Hk, m, dv] ->
        [B, num_heads, n, dv]; keep bool [B, m] and query_keep bool [B, n], True = keep: padding
        of the keys and of the queries, whose results are 0. Errors as of `attention`.
        """
        masses = {}
        state = torch.float64 if q.dtype == torch.float64 else torch.float32
        if keep is not None:
            check_keep("keep", keep, (k.shape[0], k.shape[-2]))
            masses["key_log_mass"] = log_mass(keep, state)
        if query_keep is not None:
            check_keep("query_keep", query_keep, (q.shape[0], q.shape[-2]))
            # Self-attention has one mask for both.
            masses["query_log_mass"] = (masses["key_log_mass"] if query_keep is keep else
                                        log_mass(query_keep, state))
        learned = self.log_masses(q.shape[0])
        if learned is not None:
            masses[f"{self.learned_mass}_log_mass"] = learned
        pivots = self.pivots
        if pivots.dtype not in (q.dtype, state):
            pivots = pivots.to(state)
        return attention(q, k, v, pivots, **masses, **self.attributes)

    def extra_repr(self) -> str:
        """What differs from the defaults, and the sizes."""
        defaults = dict(scale=None, normalization="query_mass", row_floor=0.0, score_clamp=None,
                        out_scale=1.0)
        shown = {"num_heads": self.num_heads, "head_dim": self.head_dim,
                 "num_pivots": self.num_pivots}
        shown.update((name, value) for name, value in self.attributes.items()
                     if name not in defaults or value != defaults[name])
        if self.learned_mass != "pivot":
            shown["learned_mass"] = self.learned_mass
        if self.temperature != 1.0:
            shown["temperature"] = self.temperature
        return ", ".join(f"{name}={value}" for name, value in shown.items())


class LotAttention(nn.Module):
    """Multi-head self- and cross-attention by LOT attention.

    Takes the place of a softmax attention layer on tokens [B, n, embed_dim]:

        layer = LotAttention(embed_dim=256, num_heads=8, num_pivots=32)
        y = layer(x, keep=keep)                    # self-attention
        y = layer(x, memory, keep=memory_keep)     # cross-attention

    Args:
      embed_dim: size of the tokens of the query and of the result; a multiple of num_heads.
      num_heads, num_pivots, epsilon, half_steps and the other keywords: as of
        `LotAttentionCore`, which is the attribute `core`.
      kdim, vdim: sizes of the tokens of key and value; default embed_dim.
      bias: the projections have biases.
      out_proj: without it the heads are returned side by side.
      dropout: of the result, while training.
    """

    def __init__(self, embed_dim: int, num_heads: int, num_pivots: int, *,
                 kdim: Optional[int] = None, vdim: Optional[int] = None, bias: bool = True,
                 out_proj: bool = True, dropout: float = 0.0, device: Any = None,
                 dtype: Optional[torch.dtype] = None, **core: Any) -> None:
        super().__init__()
        self.embed_dim, self.num_heads = count("embed_dim", embed_dim), count("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError("num_heads: expected a divisor of embed_dim = "
                             f"{embed_dim}, got {num_heads}")
        self.kdim = embed_dim if kdim is None else count("kdim", kdim)
        self.vdim = embed_dim if vdim is None else count("vdim", vdim)
        factory = {"device": device, "dtype": dtype}
        self.q_proj = nn.Linear(embed_dim, embed_dim, bias=bias, **factory)
        self.k_proj = nn.Linear(self.kdim, embed_dim, bias=bias, **factory)
        self.v_proj = nn.Linear(self.vdim, embed_dim, bias=bias, **factory)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=bias, **factory) if out_proj else None
        self.dropout = nn.Dropout(dropout)
        self.core = LotAttentionCore(num_heads, embed_dim // num_heads, num_pivots, **core,
                                     **factory)

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.out_proj, self.core):
            if layer is not None:
                layer.reset_parameters()

    def forward(self, query: Tensor, key: Optional[Tensor] = None, value: Optional[Tensor] = None,
                *, keep: Optional[Tensor] = None, query_keep: Optional[Tensor] = None,
                **unsupported: Any) -> Tensor:
        """Attention of the queries to the keys.

        Args:
          query: [B, n, embed_dim].
          key: [B, m, kdim]; default query (self-attention).
          value: [B, m, vdim]; default key.
          keep: bool [B, m], True for keys that are there; in self-attention also for queries.
          query_keep: bool [B, n]; a padded query takes no part and gets the bias of out_proj.

        Returns: [B, n, embed_dim].

        Raises ValueError for shapes, causal=True and attn_mask; TypeError for masks that are not
        bool (the message says how to convert).
        """
        refuse_unsupported(unsupported)
        if key is None:
            query_keep = keep if query_keep is None else query_keep
            key = query
        value = key if value is None else value
        for name, tokens, size in (("query", query, self.embed_dim), ("key", key, self.kdim),
                                   ("value", value, self.vdim)):
            if tokens.dim() != 3 or tokens.shape[-1] != size:
                raise ValueError(f"{name}: expected shape [B, n, {size}], "
                                 f"got {list(tokens.shape)}")
        heads = [projection(tokens).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                 for projection, tokens in ((self.q_proj, query), (self.k_proj, key),
                                            (self.v_proj, value))]
        out = self.core(*heads, keep=keep, query_keep=query_keep).transpose(1, 2).flatten(2)
        return self.dropout(out if self.out_proj is None else self.out_proj(out))

    def extra_repr(self) -> str:
        """The sizes that the children do not show."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"
