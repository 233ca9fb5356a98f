#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The calls of the compiled kernels in a JAX program: forward and backward, for one device or
for a shard of batch and heads.

`forward(call, ...)` and `backward(call, ...)` know vmap (the mapped dimension goes into the
batch) and custom_partitioning (batch and heads stay where they are); they do not know
derivatives.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple, Optional, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from .. import _attention, _vjp
from .._attributes import Attributes
from .._operands import MASSES
from . import _cuda, _xla_ffi

#: Targets of the custom calls, on every platform; those of CUDA have a workspace as last result.
FORWARD, BACKWARD = "lot.attention", "lot.attention_vjp"


class Call(NamedTuple):
    """What a call needs besides its operands q, k, v, pivots and the masses that are given."""

    attributes: Attributes
    masses: tuple[str, ...]

    @property
    def operands(self) -> tuple[str, ...]:
        """The names of all operands."""
        return ("q", "k", "v", "pivots", *self.masses)


# --- Handlers -------------------------------------------------------------------------------


def _keywords(operands: Sequence[np.ndarray], attributes: dict[str, Any]) -> dict[str, Any]:
    masses = attributes.pop("masses")
    return {**attributes, **dict(zip(masses.split(",") if masses else (), operands[4:]))}


def _run_forward(arguments: list, results: list, attributes: dict[str, Any]) -> None:
    keywords = _keywords(arguments, attributes)
    results[0][...] = _attention.attention(*arguments[:4], **keywords)


def _run_backward(arguments: list, results: list, attributes: dict[str, Any]) -> None:
    keywords = _keywords(arguments[1:], attributes)
    masses = [name for name in MASSES if name in keywords]
    gradients = _vjp.attention_vjp(*arguments[:5], **keywords)
    for name, result in zip(("q", "k", "v", "pivots", *masses), results):
        result[...] = gradients[name]


_handlers = {FORWARD: _xla_ffi.make_handler(_run_forward),
             BACKWARD: _xla_ffi.make_handler(_run_backward)}
_cuda_handlers = {
    name: _xla_ffi.make_handler(functools.partial(_cuda.run, gradients), device=True)
    for name, gradients in ((FORWARD, False), (BACKWARD, True))}
for _platform, _group in (("cpu", _handlers), ("CUDA", _cuda_handlers)):
    for _name, _handler in _group.items():
        _xla_ffi.register(_name, _handler, _platform)


def _ffi_attributes(call: Call) -> dict[str, Any]:
    values = {name: np.float64(value) if isinstance(value, float) else value
              for name, value in call.attributes._asdict().items() if value is not None}
    values["half_steps"] = np.int64(values["half_steps"])
    return {**values, "masses": ",".join(call.masses)}


def _ffi(name: str, call: Call, results: tuple, operands: Sequence[Any]) -> tuple:
    """The custom call, with a workspace where it is lowered for CUDA."""

    def on_cpu(*operands: Any) -> tuple:
        return tuple(jax.ffi.ffi_call(name, results)(*operands, **_ffi_attributes(call)))

    def on_cuda(*operands: Any) -> tuple:
        gradients = name == BACKWARD
        q, _, v, pivots = operands[gradients:][:4]
        if not _cuda.is_supported(q, v, pivots):  # an error only where it runs
            return on_cpu(*operands)
        if any(0 in x.shape for x in operands):  # nothing attends to anything
            return tuple(jnp.zeros(x.shape, x.dtype) for x in results)
        size = _cuda.workspace_bytes(operands, results, call.attributes, call.masses, gradients)
        workspace = jax.ShapeDtypeStruct((size,), np.uint8)
        *found, _ = jax.ffi.ffi_call(name, (*results, workspace))(*operands,
                                                                 **_ffi_attributes(call))
        return tuple(found)

    if bare.value or not _cuda.is_there():
        return on_cpu(*operands)
    return jax.lax.platform_dependent(*operands, cuda=on_cuda, default=on_cpu)


def _ffi_forward(call: Call, *operands: Any) -> jax.Array:
    q, v = operands[0], operands[2]
    out = jax.ShapeDtypeStruct((*q.shape[:3], v.shape[3]), q.dtype)
    return _ffi(FORWARD, call, (out,), operands)[0]


def _ffi_backward(call: Call, dout: Any, *operands: Any) -> tuple:
    results = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in operands)
    return _ffi(BACKWARD, call, results, (dout, *operands))


# --- Sharding -------------------------------------------------------------------------------
# Batch entries and heads do not meet: their dimensions may be split over devices. All others
# are gathered where they are split; lot.jax.portable handles split tokens.


class _Dimensions(NamedTuple):
    """Letters of the dimensions of each operand and of the result, as in sharding rules."""

    operands: tuple[str, ...]
    result: str
    group: int


def _dimensions(call: Call, shapes: Sequence[Sequence[int]]) -> _Dimensions:
    """b batch, g key heads, (g s) query heads in groups of s, and what is not split."""
    (_, hq, _, _), (_, hk, _, _), _, z = shapes[:4]
    group = hq // hk if hk else 1
    query_heads = "(g s)" if group > 1 else "g"
    pivot_heads = query_heads if z[-3] == hq else "g"
    dims = {"q": f"b {query_heads} n d", "k": "b g m d", "v": "b g m e",
            "pivots": f"{pivot_heads} r d", "query_log_mass": f"{query_heads} n",
            "key_log_mass": "g m", "pivot_log_mass": f"{pivot_heads} r",
            "glue_log_mass": f"{pivot_heads} r"}
    found = []
    for name, shape in zip(call.operands, shapes):
        letters = dims[name]
        if name in ("query_log_mass", "key_log_mass"):
            letters = f"b {letters}" if len(shape) == 3 else f"b {letters[-1]}"
        elif name not in ("q", "k", "v") and len(shape) == (4 if name == "pivots" else 3):
            letters = f"b {letters}"
        found.append(letters)
    return _Dimensions(tuple(found), f"b {query_heads} n e", group)


def _rule(dims: _Dimensions, operands: Sequence[str], results: Sequence[str]) -> tuple[str, dict]:
    """A sharding rule of Shardy: all letters but b and g need their dimension whole."""
    # In the order in which they first appear.
    whole = dict.fromkeys(letter for letter in "".join((*operands, *results)) if letter in "nmrdes")
    sizes = {"s": dims.group} if dims.group > 1 else {}
    return (f"{', '.join(operands)} -> {', '.join(results)}",
            {"need_replication_factors": tuple(whole), **sizes})


def _spec(letters: str, batch: Any, heads: Any) -> PartitionSpec:
    names = letters.replace("(g s)", "g").split()
    return PartitionSpec(*({"b": batch, "g": heads}.get(name) for name in names))


def _split_axes(mesh: Any, q: Any, k: Any) -> tuple[Any, Any]:
    """The mesh axes of batch and heads of q; heads only where they divide those of k."""
    spec = (*q.sharding.spec, None, None)
    batch, heads = spec[:2]
    axes = (heads,) if isinstance(heads, str) else tuple(heads or ())
    if k.shape[1] % int(np.prod([mesh.shape[axis] for axis in axes], dtype=np.int64)):
        heads = None
    return batch, heads


def _partitioned(function: Callable, backward: bool) -> Callable:
    """`function(call, ...)` with rules of how it splits over devices."""
    wrapped = custom_partitioning(function, static_argnums=(0,))

    def letters(call: Call, shapes: Sequence) -> tuple[_Dimensions, tuple, tuple]:
        dims = _dimensions(call, shapes[backward:])
        if backward:
            return dims, (dims.result, *dims.operands), dims.operands
        return dims, dims.operands, (dims.result,)

    def shardings(call: Call, mesh: Any, arguments: Any) -> tuple:
        arguments = jax.tree.leaves(arguments)
        _, operands, results = letters(call, [x.shape for x in arguments])
        axes = _split_axes(mesh, arguments[backward], arguments[backward + 1])
        return tuple(tuple(NamedSharding(mesh, _spec(names, *axes)) for names in group)
                     for group in (operands, results))

    def partition(call: Call, mesh: Any, arguments: Any, result: Any) -> tuple:
        operands, results = shardings(call, mesh, arguments)
        return (mesh, functools.partial(function, call), results if backward else results[0],
                operands)

    def infer(call: Call, mesh: Any, arguments: Any, result: Any) -> Any:
        _, results = shardings(call, mesh, arguments)
        return results if backward else results[0]

    def rule(call: Call, mesh: Any, arguments: Sequence, results: Sequence) -> tuple[str, dict]:
        return _rule(*letters(call, [x.shape for x in arguments]))

    wrapped.def_partition(partition=partition, infer_sharding_from_operands=infer,
                          sharding_rule=rule)
    return wrapped


_partitioned_forward = _partitioned(_ffi_forward, False)
_partitioned_backward = _partitioned(_ffi_backward, True)

#: Whether calls are left without the rules of how they split: bare custom calls, which other
#: compilers know by name. Part of the key of JAX's caches.
bare = jax.make_user_context(False)


def _call_forward(call: Call, *operands: Any) -> jax.Array:
    return (_ffi_forward if bare.value else _partitioned_forward)(call, *operands)


def _call_backward(call: Call, dout: Any, *operands: Any) -> tuple:
    return (_ffi_backward if bare.value else _partitioned_backward)(call, dout, *operands)


# --- vmap -----------------------------------------------------------------------------------


def _has_batch(name: str, rank: int) -> bool:
    return rank == (4 if name == "pivots" else 3) if name in (
        "pivots", "pivot_log_mass", "glue_log_mass") else True


def _fold(x: Any, size: int, mapped: bool) -> jax.Array:
    """[X, B, ...], or [B, ...] for each of X, -> [X * B, ...]."""
    x = x if mapped else jnp.broadcast_to(x, (size, *x.shape))
    return x.reshape(size * x.shape[1], *x.shape[2:])


@functools.lru_cache(maxsize=256)
def forward(call: Call) -> Callable[..., jax.Array]:
    """(q, k, v, pivots, masses...) -> out."""

    @custom_vmap
    def function(*operands: Any) -> jax.Array:
        return _call_forward(call, *operands)

    @function.def_vmap
    def vmap(size: int, mapped: Sequence[bool], *operands: Any) -> tuple:
        batch = operands[0].shape[1 if mapped[0] else 0]
        folded = []
        for name, each, x in zip(call.operands, mapped, operands):
            if not _has_batch(name, x.ndim - each):
                if each:  # one set for each of the mapped calls, the same for its batch
                    x = jnp.broadcast_to(x[:, None], (size, batch, *x.shape[1:]))
                    x = x.reshape(size * batch, *x.shape[2:])
                folded.append(x)
            else:
                folded.append(_fold(x, size, each))
        out = function(*folded)
        return out.reshape(size, batch, *out.shape[1:]), True

    return function


@functools.lru_cache(maxsize=256)
def backward(call: Call) -> Callable[..., tuple]:
    """(dout, q, k, v, pivots, masses...) -> gradients; `unshare` made the operands."""

    @custom_vmap
    def function(dout: Any, *operands: Any) -> tuple:
        return _call_backward(call, dout, *operands)

    @function.def_vmap
    def vmap(size: int, mapped: Sequence[bool], *operands: Any) -> tuple:
        gradients = function(*(_fold(x, size, each) for each, x in zip(mapped, operands)))
        return (tuple(g.reshape(size, g.shape[0] // size, *g.shape[1:]) for g in gradients),
                (True,) * len(gradients))

    return function


def unshare(name: str, x: Any, batch: int, heads: int) -> jax.Array:
    """A copy for each batch entry and head of an operand that these share.

    So every gradient belongs to one batch entry and head, whichever device has these, and to add
    them up is XLA's: [Hp, ...] -> [B, Hp, ...], [B, n] -> [B, heads, n].
    """
    if not _has_batch(name, x.ndim):
        return jnp.broadcast_to(x, (batch, *x.shape))
    if x.ndim == 2:
        # At once: another compiler, merging two steps, forgets that no size expands.
        return jax.lax.broadcast_in_dim(x, (x.shape[0], heads, x.shape[1]), (0, 2))
    return x


def share(name: str, gradient: Any, operand: Any) -> jax.Array:
    """The adjoint of `unshare`."""
    if gradient.ndim == operand.ndim:
        return gradient
    return gradient.sum(0 if not _has_batch(name, operand.ndim) else 1)
