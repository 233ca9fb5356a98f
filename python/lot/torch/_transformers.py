#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOT attention in encoder models of Hugging Face's transformers."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import nn

from ._module import LotAttentionCore

NAME = "lot"


def register_attention() -> None:
    """Adds "lot" to the attention implementations of transformers.

        lot.torch.register_attention()
        model = AutoModel.from_config(config)
        lot.torch.add_pivots(model, num_pivots=32, epsilon=0.5)   # the learned part
        model.set_attn_implementation("lot")

    For bidirectional encoders and cross-attention: a causal layer and masks that are not plain
    padding raise ValueError when they are run. Calling it again changes nothing. ImportError
    without transformers.
    """
    try:
        from transformers import AttentionInterface
        from transformers.masking_utils import AttentionMaskInterface
    except ImportError as error:
        raise ImportError("register_attention needs transformers 5: "
                          "pip install transformers") from error
    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, padding_mask)


def add_pivots(model: nn.Module, num_pivots: int, **core: Any) -> list[str]:
    """Gives each attention layer of a model its pivots: `lot`, a `LotAttentionCore`.

    They are parameters of the model from then on: add them before an optimizer is made and
    before a checkpoint with them is loaded. Keywords as of `LotAttentionCore`.

    Returns the names of the layers; ValueError when there is none.
    """
    found = []
    for name, layer in list(model.named_modules()):
        heads = _first(layer, "num_attention_heads", "num_heads")
        if not hasattr(layer, "is_causal") or not hasattr(layer, "config"):
            continue
        heads = heads or _first(layer.config, "num_attention_heads")
        size = _first(layer, "attention_head_size", "head_dim")
        weight = next(layer.parameters(), None)
        if heads is None or size is None or weight is None:
            continue
        keywords = {"scale": getattr(layer, "scaling", None), **core}
        layer.lot = LotAttentionCore(heads, size, num_pivots, **keywords, device=weight.device,
                                     dtype=weight.dtype)
        # The mask of cross-attention tells about the keys only.
        layer.lot.masks_queries = not any(word in f"{name} {type(layer).__name__}".lower()
                                          for word in ("cross", "encoder_attn"))
        found.append(name)
    if not found:
        raise ValueError(f"model: expected attention layers of transformers, got none in "
                         f"{type(model).__name__}")
    return found


def _first(source: Any, *names: str) -> Optional[int]:
    return next((value for name in names
                 if (value := getattr(source, name, None)) is not None), None)


def attention_forward(module: nn.Module, query: torch.Tensor, key: torch.Tensor,
                      value: torch.Tensor, attention_mask: Optional[torch.Tensor],
                      scaling: Optional[float] = None, dropout: float = 0.0,
                      is_causal: Optional[bool] = None,
                      **_: Any) -> tuple[torch.Tensor, None]:
    """The interface of transformers: [B, H, n, d] -> ([B, n, H, dv], None).

    Padded tokens have no mass; their rows are 0. `scaling` is the layer's, which the pivots were
    made with. Dropout of attention weights has no counterpart, as the weights are never formed,
    and is left out.
    """
    core = getattr(module, "lot", None)
    if core is None:
        raise ValueError(f"{type(module).__name__}: expected a layer with pivots, got none: "
                         "call lot.torch.add_pivots(model, num_pivots=...) first")
    if is_causal if is_causal is not None else getattr(module, "is_causal", False):
        raise ValueError(f"{type(module).__name__}: expected a bidirectional layer, got a causal "
                         "one: LOT attention has no causal form")
    if attention_mask is not None and attention_mask.dim() != 2:
        raise ValueError("attention_mask: expected padding [B, m], got shape "
                         f"{list(attention_mask.shape)}: LOT attention cannot mask single pairs "
                         "of tokens")
    keep = None if attention_mask is None else attention_mask.bool()
    out = core(query, key, value, keep=keep, query_keep=keep if core.masks_queries else None)
    return out.transpose(1, 2), None


def padding_mask(batch_size: int, q_length: int, kv_length: int, *_: Any,
                 attention_mask: Optional[torch.Tensor] = None, mask_function: Any = None,
                 **kwargs: Any) -> Optional[torch.Tensor]:
    """The mask of "lot": bool [B, m], True = keep, or None; ValueError for causal masks."""
    from transformers.masking_utils import bidirectional_mask_function

    if mask_function is not None and mask_function is not bidirectional_mask_function:
        raise ValueError("attention_mask: expected plain padding of a bidirectional model, got "
                         f"{getattr(mask_function, '__name__', 'another mask')}: LOT attention "
                         "cannot mask single pairs of tokens")
    return None if attention_mask is None else attention_mask[:, -kv_length:].bool()
