#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LOT attention in PyTorch: a differentiable function, layers, converters.

    out = lot.torch.attention(q, k, v, pivots, epsilon=0.1, half_steps=10)
    layer = lot.torch.LotAttention(embed_dim=256, num_heads=8, num_pivots=32)

`torch.ops.lot.attention` is the operator: it works with torch.compile, torch.export,
torch.func and checkpointing. docs/training.md is the guide.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise ImportError("lot.torch needs PyTorch: pip install torch") from _error

from .._threads import share_processors as _share_processors
from ._convert import from_bert, from_deit, from_fairseq, from_lra, from_swin
from ._functional import attention, log_mass, pivot_log_mass
from ._module import LotAttention, LotAttentionCore
from ._ops import DEVICES
from ._transformers import add_pivots, register_attention
from ._vision import LotVisionAttention

_share_processors()

__all__ = [
    "DEVICES", "LotAttention", "LotAttentionCore", "LotVisionAttention", "add_pivots", "attention",
    "from_bert", "from_deit", "from_fairseq", "from_lra", "from_swin", "log_mass",
    "pivot_log_mass", "register_attention",
]
