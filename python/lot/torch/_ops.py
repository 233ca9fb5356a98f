#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operators lot::attention, lot::attention_forward and lot::attention_backward of torch.library.

attention_forward also returns residuals (docs/spec.md), which attention_backward.residuals takes:
lot.torch.attention takes it for what will be differentiated on devices that keep any (KEEPING).

Schemas, CPU kernels (lot.attention and lot.attention_vjp on the tensors' own memory), CUDA
kernels (_cuda.py), fake kernels for torch.compile and torch.export, autograd with the explicit
adjoint, and vmap rules that fold the mapped dimension into the batch.

The library is defined below torch.library.custom_op: the operators return new memory and
mutate nothing, so its per-call checks of aliasing would only cost time.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np
import torch

from .. import _attention, _vjp
from .._attributes import check_attributes
from .._operands import (MASSES, check_cuda_layout, check_layout, check_mass_layout,
                         mass_shapes)
from ._cuda import (attention_backward_cuda, attention_cuda, attention_forward_cuda,
                    count_residuals)
from ._tensors import NUMPY, layout, to_numpy, to_torch

Tensor = torch.Tensor

#: Types of devices that this build of lot has kernels for.
DEVICES = ("cpu", "cuda")

#: Those whose forward leaves something to the backward pass.
KEEPING = {"cuda"}

#: Operands that can have a gradient, in the order of the schemas.
OPERANDS = ("q", "k", "v", "pivots", *MASSES)

_TENSORS = ("Tensor q, Tensor k, Tensor v, Tensor pivots, Tensor? query_log_mass, "
            "Tensor? key_log_mass, Tensor? pivot_log_mass, Tensor? glue_log_mass")
_ATTRIBUTES = ("float? scale, float epsilon, int half_steps, str normalization, "
               "float row_floor, float? score_clamp, float out_scale")

_library = torch.library.Library("lot", "DEF")
_tags = (torch.Tag.pt2_compliant_tag, torch.Tag.flexible_layout)
_library.define(f"attention({_TENSORS}, {_ATTRIBUTES}) -> Tensor", tags=_tags)
_library.define(f"attention_forward({_TENSORS}, {_ATTRIBUTES}) -> (Tensor, Tensor)", tags=_tags)
# `needs` tells which of the eight operands want a gradient; they are returned in their order.
_library.define(f"attention_backward(Tensor dout, {_TENSORS}, {_ATTRIBUTES}, bool[] needs) "
                "-> Tensor[]", tags=_tags)
_library.define(f"attention_backward.residuals(Tensor dout, {_TENSORS}, {_ATTRIBUTES}, "
                "bool[] needs, Tensor residuals) -> Tensor[]", tags=_tags)


def check_devices(tensors: Sequence[Optional[Tensor]], names: Sequence[str] = OPERANDS) -> None:
    """NotImplementedError for tensors that no kernel takes, ValueError for mixed devices."""
    device = tensors[0].device
    for name, tensor in zip(names, tensors):
        if tensor is not None and tensor.device != device:
            raise ValueError(f"{name}: expected a tensor on {device} as {names[0]}, "
                             f"got one on {tensor.device}")
    if device.type not in (*DEVICES, "meta"):
        raise NotImplementedError(
            f"{names[0]}: expected a tensor on the CPU or a CUDA device, got one on {device}: "
            "lot has no kernels for that device (tensor.cpu() moves a tensor)")


def _check(q: Tensor, k: Tensor, v: Tensor, pivots: Tensor, masses: Sequence[Optional[Tensor]],
           attributes: Sequence[Any]) -> None:
    """Everything but the values of the masses; works on fake tensors."""
    check_devices((q, k, v, pivots, *masses))
    q_, k_, v_, z_ = map(layout, (q, k, v, pivots))
    check_layout(q_, k_, v_, z_)
    if q.device.type == "cuda":
        check_cuda_layout(q_, v_, z_)
    for name, mass, shapes in zip(MASSES, masses, mass_shapes(q_, k_, z_)):
        if mass is not None:
            check_mass_layout(name, layout(mass), *shapes)
    check_attributes(*attributes)


def _check_backward(dout: Tensor, operands: Sequence[Optional[Tensor]],
                    needs: Sequence[bool]) -> None:
    """The cotangent and what is asked for, given operands that passed `_check`."""
    q, v = operands[0], operands[2]
    check_devices((q, dout), ("q", "dout"))
    if dout.dtype != q.dtype:
        raise TypeError(f"dout: expected {layout(q).dtype.name} as q, "
                        f"got {layout(dout).dtype.name}")
    shape = (*q.shape[:3], v.shape[3])
    if tuple(dout.shape) != shape:
        raise ValueError(f"dout: expected shape [B, Hq, n, dv] = {list(shape)}, "
                         f"got {list(dout.shape)}")
    if len(needs) != len(OPERANDS):
        raise ValueError(f"needs: expected {len(OPERANDS)} flags, got {len(needs)}")
    for name, operand, needed in zip(OPERANDS, operands, needs):
        if needed and operand is None:
            raise ValueError(f"{name}: expected a tensor where a gradient is asked for, got None "
                             "(a uniform mass has no gradient)")


def keeps_residuals(q: Tensor, mass_gradients: bool) -> bool:
    """Whether residuals serve a backward pass. Gradients of masses in bfloat16 come from more exact
    sums than the forward makes."""
    return q.device.type in KEEPING and not (mass_gradients and q.dtype is torch.bfloat16)


def _residual_count(q: Tensor, v: Tensor, pivots: Tensor, attributes: Sequence[Any]) -> Any:
    """The size of the residuals of checked operands."""
    return count_residuals(q, v, pivots, attributes) if q.device.type in KEEPING else 0


def _check_residuals(residuals: Tensor, q: Tensor, count: Any) -> None:
    """Residuals of a backward pass."""
    check_devices((q, residuals), ("q", "residuals"))
    if residuals.dtype != torch.float32 or tuple(residuals.shape) != (count,):
        raise ValueError(f"residuals: expected float32 of shape [{count}] as lot::attention_forward "
                         f"of the same operands returns it, got {layout(residuals).dtype.name} of "
                         f"shape {list(residuals.shape)}")


# --- CPU ------------------------------------------------------------------------------------


def _numpy_call(function: Callable, operands: Sequence[Optional[Tensor]],
                attributes: Sequence[Any], *before: np.ndarray) -> Any:
    """Calls a function of the NumPy front end, which makes all checks itself."""
    q, k, v, pivots, la, lb, lw, lg = map(to_numpy, operands, OPERANDS)
    scale, epsilon, half_steps, normalization, row_floor, score_clamp, out_scale = attributes
    return function(*before, q, k, v, pivots, query_log_mass=la, key_log_mass=lb,
                    pivot_log_mass=lw, glue_log_mass=lg, scale=scale, epsilon=epsilon,
                    half_steps=half_steps, normalization=normalization, row_floor=row_floor,
                    score_clamp=score_clamp, out_scale=out_scale, threads=torch.get_num_threads())


def attention_cpu(*args: Any) -> Tensor:
    """The CPU kernel of lot::attention."""
    return to_torch(_numpy_call(_attention.attention, args[:8], args[8:]))


def attention_forward_cpu(*args: Any) -> tuple[Tensor, Tensor]:
    """The CPU kernel of lot::attention_forward: there is nothing in the residuals."""
    return attention_cpu(*args), torch.empty(_residual_count(args[0], args[2], args[3], args[8:]))


def attention_backward_cpu(dout: Tensor, *args: Any) -> list[Tensor]:
    """The CPU kernel of lot::attention_backward; residuals may follow its arguments."""
    operands, attributes, needs, residuals = args[:8], args[8:15], args[15], args[16:]
    _check(*operands[:4], operands[4:], attributes)
    _check_backward(dout, operands, needs)
    if residuals:
        _check_residuals(residuals[0], operands[0], _residual_count(operands[0], *operands[2:4],
                                                                    attributes))
    gradients = _numpy_call(_vjp.attention_vjp, operands, attributes, to_numpy(dout))
    # Masses may have been given in another dtype than they are used in.
    return [to_torch(gradients[name].astype(NUMPY[tensor.dtype], copy=False))
            for name, tensor, needed in zip(OPERANDS, operands, needs) if needed]


for _device, _kernels in {
        "CPU": (attention_cpu, attention_forward_cpu, attention_backward_cpu),
        "CUDA": (attention_cuda, attention_forward_cuda, attention_backward_cuda)}.items():
    _library.impl("attention", _kernels[0], _device)
    _library.impl("attention_forward", _kernels[1], _device)
    _library.impl("attention_backward", _kernels[2], _device)
    _library.impl("attention_backward.residuals", _kernels[2], _device)


# --- Fake tensors ---------------------------------------------------------------------------


@torch.library.register_fake("lot::attention", lib=_library)
def _attention_fake(q: Tensor, k: Tensor, v: Tensor, pivots: Tensor, *rest: Any) -> Tensor:
    _check(q, k, v, pivots, rest[:4], rest[4:])
    return q.new_empty((*q.shape[:3], v.shape[3]))


@torch.library.register_fake("lot::attention_forward", lib=_library)
def _attention_forward_fake(q: Tensor, k: Tensor, v: Tensor, pivots: Tensor,
                            *rest: Any) -> tuple[Tensor, Tensor]:
    out = _attention_fake(q, k, v, pivots, *rest)
    count = _residual_count(q, v, pivots, rest[4:])
    return out, q.new_empty((count,), dtype=torch.float32)


@torch.library.register_fake("lot::attention_backward.residuals", lib=_library)
@torch.library.register_fake("lot::attention_backward", lib=_library)
def _attention_backward_fake(dout: Tensor, q: Tensor, k: Tensor, v: Tensor, pivots: Tensor,
                             *rest: Any) -> list[Tensor]:
    operands, attributes, needs, residuals = (q, k, v, pivots, *rest[:4]), rest[4:11], rest[11], rest[12:]
    _check(q, k, v, pivots, rest[:4], attributes)
    _check_backward(dout, operands, needs)
    if residuals:
        _check_residuals(residuals[0], q, _residual_count(q, v, pivots, attributes))
    return [tensor.new_empty(tensor.shape) for tensor, needed in zip(operands, needs) if needed]


# --- Autograd -------------------------------------------------------------------------------


def _setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs[:8], output[1])
    ctx.attributes = inputs[8:]


def _setup_without_residuals(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:8])
    ctx.attributes = inputs[8:]


def backward(ctx: Any, dout: Optional[Tensor],
             call: Callable = torch.ops.lot.attention_backward) -> tuple:
    """Gradients of the arguments of lot::attention, only those that are needed computed."""
    needs = [bool(needed) for needed in ctx.needs_input_grad[:8]]
    if dout is None:
        return (None,) * 15
    saved = ctx.saved_tensors
    found = iter(call(dout, *saved[:8], *ctx.attributes, needs, *saved[8:]))
    return (*(next(found) if needed else None for needed in needs), *[None] * 7)


torch.library.register_autograd("lot::attention", backward,
                                setup_context=_setup_without_residuals, lib=_library)
torch.library.register_autograd("lot::attention_forward",
                                lambda ctx, dout, _: backward(ctx, dout), setup_context=_setup,
                                lib=_library)


def _refuse(ctx: Any, *_: Any) -> None:
    raise NotImplementedError(
        "lot.torch.attention: expected a first derivative, got a second one (double backward): "
        "the adjoint is not differentiable; use create_graph=False")


for _name in ("lot::attention_backward", "lot::attention_backward.residuals"):
    torch.library.register_autograd(_name, _refuse,
                                    setup_context=lambda ctx, inputs, output: None, lib=_library)


# --- vmap -----------------------------------------------------------------------------------

#: Ranks of operands without a batch dimension.
_SHARED_RANK = {"pivots": 3, "pivot_log_mass": 2, "glue_log_mass": 2}


def _fold(tensor: Tensor, dim: Optional[int], size: int) -> Tensor:
    """[B, ...] with or without a mapped dimension of that size -> [size * B, ...]."""
    tensor = tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
    return tensor.flatten(0, 1)


def _fold_operands(size: int, dims: Sequence[Optional[int]], operands: Sequence[Optional[Tensor]],
                   per_batch: Sequence[bool]) -> tuple[list, list]:
    """The operands with the mapped dimension in the batch, and which got a batch for that.

    An operand without a batch dimension ([Hp, r, d] and [Hp, r]) stays as it is unless it is
    mapped or `per_batch` asks for a copy for each batch entry.
    """
    batch = operands[0].movedim(dims[0] or 0, 0).shape[0 if dims[0] is None else 1]
    folded, given_batch = [], []
    for name, dim, tensor, each in zip(OPERANDS, dims, operands, per_batch):
        mapped = dim is not None
        shared = tensor is not None and tensor.dim() - mapped == _SHARED_RANK.get(name)
        given_batch.append(shared and (mapped or each))
        if given_batch[-1]:
            tensor = tensor.movedim(dim, 0) if mapped else tensor.expand(size, *tensor.shape)
            tensor = tensor.unsqueeze(1).expand(size, batch, *tensor.shape[1:]).flatten(0, 1)
        elif tensor is not None and not shared:
            tensor = _fold(tensor, dim, size)
        folded.append(tensor)
    return folded, given_batch


def fold_forward(size: int, dims: tuple, args: tuple, call: Callable) -> tuple:
    """`call`, the forward operator, on operands with the mapped dimension in the batch."""
    operands, _ = _fold_operands(size, dims[:8], args[:8], [False] * 8)
    results = call(*operands, *args[8:])
    out = results[0] if isinstance(results, tuple) else results
    out = out.unflatten(0, (size, out.shape[0] // size))
    # Residuals are those of all.
    return ((out, results[1]), (0, None)) if isinstance(results, tuple) else (out, 0)


def fold_backward(size: int, dims: tuple, args: tuple, call: Callable) -> tuple:
    """The same of the backward operator."""
    needs, residuals = args[16], args[17:]
    operands, given_batch = _fold_operands(size, dims[1:9], args[1:9], needs)
    # Those of a forward that was not mapped are of fewer problems: they are not used.
    count = _residual_count(operands[0], operands[2], operands[3], args[9:16])
    if residuals and (dims[17] is not None or residuals[0].shape != (count,)):
        residuals = ()
    summed = [given for given, needed in zip(given_batch, needs) if needed]
    gradients = []
    for each, gradient in zip(summed, call(_fold(args[0], dims[0], size), *operands, *args[9:17],
                                           *residuals)):
        gradient = gradient.unflatten(0, (size, gradient.shape[0] // size))
        gradients.append(gradient.sum(1) if each else gradient)
    return gradients, [0] * len(gradients)


@torch.library.register_vmap("lot::attention", lib=_library)
def _attention_vmap(info: Any, dims: tuple, *args: Any) -> tuple:
    return fold_forward(info.batch_size, dims, args, torch.ops.lot.attention)


@torch.library.register_vmap("lot::attention_forward", lib=_library)
def _attention_forward_vmap(info: Any, dims: tuple, *args: Any) -> tuple:
    return fold_forward(info.batch_size, dims, args, torch.ops.lot.attention_forward)


@torch.library.register_vmap("lot::attention_backward.residuals", lib=_library)
@torch.library.register_vmap("lot::attention_backward", lib=_library)
def _attention_backward_vmap(info: Any, dims: tuple, *args: Any) -> tuple:
    return fold_backward(info.batch_size, dims, args, torch.ops.lot.attention_backward)


# --- torch.func -----------------------------------------------------------------------------
# torch.func.grad below torch.func.vmap asks for functions in this form: the autograd of
# torch.library is not made for functorch's nested levels.


class AttentionBackward(torch.autograd.Function):
    """torch.ops.lot.attention_backward for torch.func."""

    @staticmethod
    def forward(*args: Any) -> tuple:
        return tuple(torch.ops.lot.attention_backward(*args))

    setup_context = staticmethod(lambda ctx, inputs, output: None)
    backward = staticmethod(_refuse)

    @staticmethod
    def vmap(info: Any, dims: tuple, *args: Any) -> tuple:
        gradients, dims = fold_backward(info.batch_size, dims, args, AttentionBackward.apply)
        return tuple(gradients), tuple(dims)


class Attention(torch.autograd.Function):
    """torch.ops.lot.attention_forward for torch.func."""

    forward = staticmethod(torch.ops.lot.attention_forward)
    setup_context = staticmethod(_setup)

    @staticmethod
    def backward(ctx: Any, dout: Optional[Tensor], _: None) -> tuple:
        return backward(ctx, dout, AttentionBackward.apply)

    @staticmethod
    def vmap(info: Any, dims: tuple, *args: Any) -> tuple:
        return fold_forward(info.batch_size, dims, args, Attention.apply)
