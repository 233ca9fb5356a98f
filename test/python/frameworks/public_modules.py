#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The formulas of the public LOTFormer modules, written anew in plain PyTorch.

An independent reference for the converters: same attributes and parameter names, the public
code's order of operations in float32 (docs/semantics.md, section 8), no part of lot.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Optional

import torch
from torch import nn

Tensor = torch.Tensor


def sinkhorn(similarity: Tensor, epsilon: float, half_steps: int, mu: Optional[Tensor] = None,
             nu: Optional[Tensor] = None) -> Tensor:
    """The plan after half_steps updates of u and v, rows first; [N, p, c]."""
    rows, columns = similarity.shape[-2:]
    mu = torch.full(similarity.shape[:2], 1.0 / rows) if mu is None else mu
    nu = torch.full((similarity.shape[0], columns), 1.0 / columns) if nu is None else nu
    u, v = torch.zeros_like(mu), torch.zeros_like(nu)

    def exponent():
        return (similarity + u[..., :, None] + v[..., None, :]) / epsilon

    for step in range(half_steps):
        if step % 2 == 0:
            u = epsilon * (mu.log() - torch.logsumexp(exponent(), -1)) + u
        else:
            v = epsilon * (nu.log() - torch.logsumexp(exponent(), -2)) + v
    return exponent().exp()


def rows(t: Tensor) -> Tensor:
    """[B, H, ...] -> [B * H, ...]."""
    return t.flatten(0, 1)


class Lra(nn.Module):
    """LinearSinkAttentionCore: scores clipped to 50, out = N P1 (1/r) P2 V."""

    def __init__(self, head_dim: int, heads: int, r: int, epsilon: float, half_steps: int):
        super().__init__()
        self.scale, self.inv_sqrt_cap = head_dim**-0.5, 100.0
        self.sink = SimpleNamespace(eps=epsilon, max_iter=half_steps)
        self.ref = nn.Parameter(torch.randn(heads, r, head_dim))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        (B, H, N, _), r = q.shape, self.ref.shape[1]
        z = rows(self.ref.expand(B, -1, -1, -1))
        s_qz = (rows(q) * self.scale @ z.mT).clamp(-50, 50)
        s_zk = (z @ (rows(k) * self.scale).mT).clamp(-50, 50)
        p_qz, p_zk = (sinkhorn(s, self.sink.eps, self.sink.max_iter) for s in (s_qz, s_zk))
        return (N * ((p_qz * r**-0.5) @ ((r**-0.5 * p_zk) @ rows(v)))).view(B, H, N, -1)


class Bert(nn.Module):
    """LinearSinkAttention of BERT: uniform solves, glue masses softmax(z_logits), rows summed."""

    def __init__(self, head_dim: int, heads: int, r: int, epsilon: float, half_steps: int,
                 learn_z: bool):
        super().__init__()
        self.scale, self.attn_eps = head_dim**-0.5, 1e-6
        self.sink = SimpleNamespace(eps=epsilon, max_iter=half_steps)
        self.ref = nn.Parameter(torch.randn(heads, r, head_dim))
        self.z_logits = nn.Parameter(torch.randn(heads, r)) if learn_z else None

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        (B, H, N, _), M, r = q.shape, k.shape[2], self.ref.shape[1]
        pivots = rows(self.ref.expand(B, -1, -1, -1))
        p_qz = sinkhorn(rows(q * self.scale) @ pivots.mT, self.sink.eps, self.sink.max_iter)
        p_zk = sinkhorn(pivots @ rows(k * self.scale).mT, self.sink.eps, self.sink.max_iter)
        z = torch.full((B * H, r), 1.0 / r)
        if self.z_logits is not None:
            z = self.z_logits.softmax(-1).repeat_interleave(B, 0)
        inv_sqrt_z = (1.0 / (z + 1e-16)).sqrt()
        phi_q, phi_k = p_qz * inv_sqrt_z[:, None, :], inv_sqrt_z[:, :, None] * p_zk
        total = phi_q @ (phi_k @ torch.ones(B * H, M, 1))
        return (phi_q @ (phi_k @ rows(v)) / total.clamp_min(self.attn_eps)).view(B, H, N, -1)


class BertSelfAttention(nn.Module):
    """BertSelfAttentionLotSink: projections around it, heads side by side."""

    def __init__(self, size: int, heads: int, **inner):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.dropout = nn.Dropout(0.1)
        self.attn = Bert(size // heads, heads, **inner)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)).permute(0, 2, 1, 3)
                   for layer in (self.query, self.key, self.value))
        return self.dropout(self.attn(q, k, v).transpose(1, 2).flatten(2))


class Fairseq(Bert):
    """LotMultiheadAttention: tokens first, cross-attention."""

    def __init__(self, size: int, heads: int, **inner):
        super().__init__(size // heads, heads, **inner)
        self.embed_dim, self.num_heads = size, heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(size, size)
                                                                for _ in range(4))
        self.dropout_module = nn.Dropout(0.0)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        q, k, v = (layer(t).unflatten(-1, (self.num_heads, -1)).permute(1, 2, 0, 3)
                   for layer, t in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, key)))
        return self.out_proj(super().forward(q, k, v).permute(2, 0, 1, 3).flatten(2))


class Vision(nn.Module):
    """LotAttention of DeiT (special tokens) and LotLinearAttention of Swin (none)."""

    def __init__(self, dim: int, heads: int, r: int, grid: int, special: Optional[int],
                 epsilon: float, half_steps: int):
        super().__init__()
        head_dim = dim // heads
        self.dim, self.num_heads, self.grid, self.special = dim, heads, grid, special or 0
        if special is None:
            self.window_size = (grid, grid)
        else:
            self.num_special_tokens = special
        self.scale = head_dim**-0.5
        self.sink = SimpleNamespace(eps=epsilon, max_iter=half_steps)
        self.ref = nn.Parameter(torch.randn(heads, r, head_dim) / math.sqrt(head_dim))
        self.z_logits = nn.Parameter(torch.randn(heads, r))
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.attn_drop, self.proj_drop = nn.Dropout(0.0), nn.Dropout(0.0)
        self.dwc = nn.Conv2d(head_dim, head_dim, 5, groups=head_dim, padding=2)
        self.positional_encoding = nn.Parameter(
            0.1 * torch.randn(1, self.special + grid**2, dim))

    def forward(self, x: Tensor) -> Tensor:
        (B, N, _), H, S = x.shape, self.num_heads, self.special
        q, k, v = self.qkv(x).reshape(B, N, 3, self.dim).unbind(2)
        q, k, v = (t.unflatten(-1, (H, -1)).permute(0, 2, 1, 3)
                   for t in (q, k + self.positional_encoding, v))
        first = torch.softmax(q[:, :, :S] * self.scale @ k.mT, -1) @ v
        qp, kp, vp = (rows(t[:, :, S:]) for t in (q, k, v))
        pivots = rows(self.ref.expand(B, -1, -1, -1))
        z = torch.softmax(self.z_logits / 0.5, -1).repeat_interleave(B, 0)
        p_qz = sinkhorn(qp * self.scale @ pivots.mT, self.sink.eps, self.sink.max_iter, nu=z)
        p_zk = sinkhorn((kp * self.scale @ pivots.mT).mT, self.sink.eps, self.sink.max_iter, mu=z)
        inv_sqrt_z = z.sqrt().reciprocal()
        kv = (inv_sqrt_z[:, :, None] * p_zk) @ vp
        out = (N - S) * ((p_qz * inv_sqrt_z[:, None, :]) @ kv)
        local = self.dwc(vp.reshape(B * H, self.grid, self.grid, -1).permute(0, 3, 1, 2))
        out = out + local.permute(0, 2, 3, 1).flatten(1, 2)
        out = torch.cat([first, out.view(B, H, N - S, -1)], 2)
        return self.proj_drop(self.proj(out.permute(0, 2, 1, 3).reshape(B, N, self.dim)))
