#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with the parameters of the public LOTFormer modules (docs/semantics.md, section 8).

Each converter takes a module of the public code (github.com/anonymous13761234/LOTFormer; no part
of it is needed here: the modules are read by their attributes) and returns a layer that copies
its parameters and computes the same, but for

- padding masks: the public text models add to the scores of padded tokens, which keep their
  mass (a bug); here padding has no mass;
- learned masses with several heads and a batch above 1: the public modules give row b * H + h
  the masses of head (b * H + h) // B (a slip); `public_head_order=True` does the same;
- B * H = 1, where most public modules fail.
"""

from __future__ import annotations

from typing import Any, Iterable, Optional

import torch
from torch import nn

from ._module import LotAttention, LotAttentionCore
from ._vision import LotVisionAttention

Tensor = torch.Tensor


def _require(module: nn.Module, names: Iterable[str], kind: str) -> None:
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        raise TypeError(f"module: expected the public {kind}, got {type(module).__name__} "
                        f"without {', '.join(missing)}")


def _without_dropout(module: nn.Module) -> None:
    probability = getattr(module.attn_drop, "p", 0.0)
    if probability:
        raise ValueError("module: expected attn_drop 0, got "
                         f"{probability}: dropout inside the coupling is not supported")


def _copy(core: LotAttentionCore, ref: Tensor, logits: Optional[Tensor],
          public_head_order: bool) -> None:
    with torch.no_grad():
        core.pivots.copy_(ref)
        if logits is not None:
            core.pivot_logits.copy_(logits)
    core.public_head_order = public_head_order


def _text_keywords(module: nn.Module) -> dict[str, Any]:
    """Of the text variants: normalised rows, masses only in the glue."""
    return dict(epsilon=module.sink.eps, half_steps=module.sink.max_iter, scale=module.scale,
                normalization="row_sum", row_floor=module.attn_eps,
                learned_mass="none" if module.z_logits is None else "glue",
                device=module.ref.device, dtype=module.ref.dtype)


def _load(target: nn.Linear, source: nn.Linear) -> None:
    target.load_state_dict(source.state_dict())


def from_lra(module: nn.Module) -> LotAttentionCore:
    """LRA's `LinearSinkAttention` or `LinearSinkAttentionCore` -> a core.

    Scores are clipped to 50 and the result is smaller by num_pivots**2, as there.
    """
    module = getattr(module, "core", module)
    _require(module, ("ref", "scale", "sink", "inv_sqrt_cap"), "LinearSinkAttentionCore of LRA")
    heads, pivots, head_dim = module.ref.shape
    core = LotAttentionCore(heads, head_dim, pivots, epsilon=module.sink.eps,
                            half_steps=module.sink.max_iter, scale=module.scale, score_clamp=50.0,
                            out_scale=float(pivots)**-2, learned_mass="none",
                            device=module.ref.device, dtype=module.ref.dtype)
    _copy(core, module.ref, None, False)
    return core


def from_bert(module: nn.Module, *, public_head_order: bool = False) -> nn.Module:
    """BERT's `LinearSinkAttention` -> a core; `BertSelfAttentionLotSink` -> a layer.

    The layer has no output projection (BERT's follows it) and takes keep=[B, n].
    """
    inner = getattr(module, "attn", module)
    _require(inner, ("ref", "scale", "sink", "attn_eps", "z_logits"), "LinearSinkAttention of BERT")
    heads, pivots, head_dim = inner.ref.shape
    if inner is module:
        core = result = LotAttentionCore(heads, head_dim, pivots, **_text_keywords(inner))
    else:
        _require(module, ("query", "key", "value", "dropout"), "BertSelfAttentionLotSink")
        result = LotAttention(heads * head_dim, heads, pivots, kdim=module.key.in_features,
                              vdim=module.value.in_features, out_proj=False,
                              dropout=module.dropout.p, **_text_keywords(inner))
        for target, source in ((result.q_proj, module.query), (result.k_proj, module.key),
                               (result.v_proj, module.value)):
            _load(target, source)
        core = result.core
    _copy(core, inner.ref, inner.z_logits, public_head_order)
    return result


def from_fairseq(module: nn.Module, *, public_head_order: bool = False) -> LotAttention:
    """fairseq's `LotMultiheadAttention` -> a layer, on [B, n, embed_dim] instead of [n, B, ...]."""
    _require(module, ("q_proj", "k_proj", "v_proj", "out_proj", "ref", "sink", "attn_eps"),
             "LotMultiheadAttention of fairseq")
    layer = LotAttention(module.embed_dim, module.num_heads, module.ref.shape[1],
                         bias=module.q_proj.bias is not None, dropout=module.dropout_module.p,
                         **_text_keywords(module))
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        _load(getattr(layer, name), getattr(module, name))
    _copy(layer.core, module.ref, module.z_logits, public_head_order)
    return layer


def _from_vision(module: nn.Module, num_special_tokens: int,
                 public_head_order: bool) -> LotVisionAttention:
    _without_dropout(module)
    heads, pivots, _ = module.ref.shape
    layer = LotVisionAttention(
        module.dim, heads, pivots, module.positional_encoding.shape[1] - num_special_tokens,
        num_special_tokens=num_special_tokens, kernel_size=module.dwc.kernel_size[0],
        bias=module.qkv.bias is not None, dropout=module.proj_drop.p, epsilon=module.sink.eps,
        half_steps=module.sink.max_iter, scale=module.scale, device=module.ref.device,
        dtype=module.ref.dtype)
    layer.qkv.load_state_dict(module.qkv.state_dict())
    layer.out_proj.load_state_dict(module.proj.state_dict())
    layer.local.load_state_dict(module.dwc.state_dict())
    with torch.no_grad():
        layer.position.copy_(module.positional_encoding[0])
    _copy(layer.core, module.ref, module.z_logits, public_head_order)
    return layer


_VISION = ("dim", "ref", "z_logits", "sink", "scale", "qkv", "proj", "dwc", "proj_drop",
           "attn_drop", "positional_encoding")


def from_deit(module: nn.Module, *, public_head_order: bool = False) -> LotVisionAttention:
    """DeiT's `LotAttention` -> a layer. ValueError for dropout inside the coupling."""
    _require(module, (*_VISION, "num_special_tokens"), "LotAttention of DeiT")
    return _from_vision(module, module.num_special_tokens, public_head_order)


def from_swin(module: nn.Module, *, public_head_order: bool = False) -> LotVisionAttention:
    """Swin's `LotLinearAttention` -> a layer of one window.

    The public module is handed the mask of shifted windows and ignores it; the layer takes the
    tokens of the windows only. ValueError for dropout inside the coupling.
    """
    _require(module, (*_VISION, "window_size"), "LotLinearAttention of Swin")
    return _from_vision(module, 0, public_head_order)
