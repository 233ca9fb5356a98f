#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LotAttention and its relatives: shapes, masks, state, and the public modules' numbers."""

import io

import lot
import public_modules
import pytest
import torch
from lot.torch import LotAttention, LotAttentionCore, LotVisionAttention
from torch import nn

# The (epsilon, half_steps) that the public configurations ship with.
SETTINGS = [(1.0, 5), (0.1, 50), (25.0, 5), (0.05, 100), (10.0, 5)]


@pytest.fixture(autouse=True)
def seeded():
    """The same parameters in every run."""
    torch.manual_seed(0)


def check_public(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Agreement with the public formulas to 2e-6, relative to the size of the result."""
    assert actual.shape == expected.shape
    assert torch.isfinite(expected).all() and torch.isfinite(actual).all()
    error = float((actual - expected).double().norm() / expected.double().norm())
    assert error <= 2e-6, f"relative error {error:.3g}"


# --- The public modules ---------------------------------------------------------------------


@pytest.mark.parametrize("epsilon, half_steps", SETTINGS)
@torch.no_grad()
def test_public_heads(epsilon, half_steps):
    q, k, v = (torch.randn(2, 3, 12, 8) for _ in range(3))
    lra = public_modules.Lra(8, 3, 5, epsilon, half_steps)
    # Scores that reach the clip, where epsilon leaves the public float32 its accuracy.
    far = q * 100 if epsilon >= 1 else q
    check_public(lot.torch.from_lra(lra)(far, k, v), lra(far, k, v))
    for learn_z in (False, True):
        bert = public_modules.Bert(8, 3, 5, epsilon, half_steps, learn_z)
        core = lot.torch.from_bert(bert, public_head_order=True)
        assert isinstance(core, LotAttentionCore)
        check_public(core(q, k, v), bert(q, k, v))


@pytest.mark.parametrize("epsilon, half_steps", SETTINGS)
@torch.no_grad()
def test_public_layers(epsilon, half_steps):
    inner = dict(r=5, epsilon=epsilon, half_steps=half_steps, learn_z=True)
    x, y = torch.randn(2, 12, 24), torch.randn(2, 9, 24)
    bert = public_modules.BertSelfAttention(24, 3, **inner).eval()
    check_public(lot.torch.from_bert(bert, public_head_order=True).eval()(x), bert(x))
    fairseq = public_modules.Fairseq(24, 3, **inner)
    check_public(lot.torch.from_fairseq(fairseq, public_head_order=True)(x, y).transpose(0, 1),
                 fairseq(x.transpose(0, 1), y.transpose(0, 1)))
    for special, converter in ((None, lot.torch.from_swin), (2, lot.torch.from_deit)):
        vision = public_modules.Vision(24, 3, 5, 4, special, epsilon, half_steps)
        x = torch.randn(2, 16 + (special or 0), 24)
        check_public(converter(vision, public_head_order=True)(x), vision(x))


@torch.no_grad()
def test_head_order_of_the_public_code():
    """One batch entry needs no emulation, two do: the public masses go to the wrong heads."""
    bert = public_modules.Bert(8, 3, 5, 0.5, 4, True)
    q, k, v = (torch.randn(2, 3, 6, 8) for _ in range(3))
    core = lot.torch.from_bert(bert)
    check_public(core(q[:1], k[:1], v[:1]), bert(q[:1], k[:1], v[:1]))
    assert (core(q, k, v) - bert(q, k, v)).abs().max() > 1e-3


def test_converters_copy_parameters_and_refuse_other_modules():
    vision = public_modules.Vision(24, 3, 5, 4, 2, 1.0, 5)
    layer = lot.torch.from_deit(vision)
    with torch.no_grad():
        vision.ref.zero_()
    assert layer.core.pivots.abs().max() > 0
    vision.attn_drop.p = 0.1
    with pytest.raises(ValueError, match="module: expected attn_drop 0, got 0.1"):
        lot.torch.from_deit(vision)
    for converter in (lot.torch.from_lra, lot.torch.from_bert, lot.torch.from_fairseq,
                      lot.torch.from_deit, lot.torch.from_swin):
        with pytest.raises(TypeError, match="module: expected the public .*, got Linear without"):
            converter(nn.Linear(2, 2))


# --- LotAttention ---------------------------------------------------------------------------


def by_hand(layer: LotAttention, query, key, value, **masses) -> torch.Tensor:
    """The layer from its parameters and the oracle."""
    def heads(projection, tokens):
        return projection(tokens).unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)

    core = layer.core
    out = lot.reference.attention(
        *(heads(p, t).numpy() for p, t in ((layer.q_proj, query), (layer.k_proj, key),
                                           (layer.v_proj, value))),
        core.pivots.numpy(), pivot_log_mass=lot.pivot_log_mass(core.pivot_logits.numpy(),
                                                               core.temperature),
        epsilon=core.attributes["epsilon"], half_steps=core.attributes["half_steps"], **masses)
    out = torch.from_numpy(out).transpose(1, 2).flatten(2)
    return layer.out_proj(out.to(query.dtype))


@torch.no_grad()
def test_self_and_cross_attention():
    layer = LotAttention(12, 3, 5, epsilon=0.5, half_steps=4, temperature=0.5).double()
    nn.init.normal_(layer.core.pivot_logits)
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    keep = torch.arange(7) < torch.tensor([[7], [4]])
    mass = lot.log_mass(keep.numpy())
    torch.testing.assert_close(layer(x), by_hand(layer, x, x, x))
    torch.testing.assert_close(layer(x, keep=keep), by_hand(
        layer, x, x, x, query_log_mass=mass, key_log_mass=mass))
    torch.testing.assert_close(layer(x, keep=keep)[1, 4:], layer.out_proj.bias.expand(3, 12))

    cross = LotAttention(12, 3, 5, kdim=6, vdim=10, epsilon=0.5, half_steps=4).double()
    k, v = (torch.randn(2, 7, size, dtype=torch.float64) for size in (6, 10))
    query = torch.randn(2, 3, 12, dtype=torch.float64)
    torch.testing.assert_close(cross(query, k, v, keep=keep),
                               by_hand(cross, query, k, v, key_log_mass=mass))
    query_keep = torch.tensor([[True, True, False], [True, False, False]])
    torch.testing.assert_close(
        cross(query, k, v, keep=keep, query_keep=query_keep),
        by_hand(cross, query, k, v, key_log_mass=mass,
                query_log_mass=lot.log_mass(query_keep.numpy())))


@torch.no_grad()
def test_masks_of_one_tensor():
    """Queries and keys that are the same tensor have masks of their own."""
    core = LotAttentionCore(2, 4, 3, epsilon=0.5)
    x, v = torch.randn(2, 2, 2, 6, 4).unbind()
    keep = torch.arange(6) < torch.tensor([[6], [4]])
    query_keep = torch.arange(6) < torch.tensor([[3], [5]])
    for masks in (dict(query_keep=query_keep), dict(keep=keep, query_keep=query_keep)):
        torch.testing.assert_close(core(x, x, v, **masks), core(x.clone(), x, v, **masks))


def test_padding_changes_nothing_for_the_other_tokens():
    layer = LotAttention(8, 2, 3, epsilon=0.5, half_steps=4)
    x = torch.randn(1, 5, 8)
    padded = torch.cat([x, torch.full((1, 3, 8), 1e30)], 1).requires_grad_()
    keep = torch.arange(8)[None] < 5
    out = layer(padded, keep=keep)
    torch.testing.assert_close(out[:, :5], layer(x), rtol=1e-5, atol=1e-6)
    out[:, :5].square().sum().backward()
    assert (padded.grad[:, 5:] == 0).all() and torch.isfinite(padded.grad).all()


def test_everything_learns():
    layer = LotAttention(8, 2, 3, epsilon=0.3, half_steps=5)
    x, target = torch.randn(4, 6, 8), torch.randn(4, 6, 8)
    before = {name: value.detach().clone() for name, value in layer.named_parameters()}
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    for name, value in layer.named_parameters():
        # A bias of all keys moves every score of a pivot alike: potentials absorb most of it.
        assert not torch.equal(value, before[name]), name


def test_state_dict_and_reset():
    layer = LotAttention(8, 2, 3)
    assert set(layer.state_dict()) == {
        "q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias", "v_proj.weight",
        "v_proj.bias", "out_proj.weight", "out_proj.bias", "core.pivots", "core.pivot_logits"}
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = LotAttention(8, 2, 3)
    x = torch.randn(1, 4, 8)
    assert not torch.equal(other(x), layer(x))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), layer(x))
    with torch.no_grad():
        other.core.pivot_logits.add_(1)
    other.reset_parameters()
    assert not other.core.pivot_logits.any()
    assert not torch.equal(other.core.pivots, layer.core.pivots)
    assert LotAttentionCore(2, 4, 3, learned_mass="none").pivot_logits is None


def test_representation():
    layer = LotAttention(8, 2, 3, epsilon=0.25, temperature=0.5, normalization="row_sum")
    text = repr(layer)
    assert "LotAttention(\n  embed_dim=8, num_heads=2" in text
    assert ("LotAttentionCore(num_heads=2, head_dim=4, num_pivots=3, epsilon=0.25, half_steps=5, "
            "normalization=row_sum, temperature=0.5)") in text
    assert "num_patches=16, num_special_tokens=1" in repr(
        LotVisionAttention(8, 2, 3, 16, num_special_tokens=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_layer_in_other_dtypes(dtype):
    layer = LotAttention(8, 2, 3, dtype=dtype)
    x = torch.randn(2, 4, 8, dtype=dtype)
    out = layer(x, keep=torch.ones(2, 4, dtype=torch.bool))
    assert out.dtype == dtype
    out.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())
    mixed = LotAttention(8, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert mixed(x.float()).dtype == torch.bfloat16


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_layer(backend):
    torch.compiler.reset()
    layer = LotAttention(8, 2, 3, half_steps=4)
    x, keep = torch.randn(2, 6, 8), torch.arange(6) < torch.tensor([[6], [4]])
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    expected = layer(x, keep=keep)
    found = compiled(x, keep=keep)
    torch.testing.assert_close(found, expected)
    parameters = list(layer.parameters())
    for actual, value in zip(torch.autograd.grad(found.square().sum(), parameters),
                             torch.autograd.grad(expected.square().sum(), parameters)):
        torch.testing.assert_close(actual, value)


# --- Bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize("keep, error, message", [
    (torch.zeros(2, 4), TypeError, "keep: expected bool, True = keep, got float32: an additive "
     r"mask \(0 where kept, .*\) becomes \(mask >= 0\)"),
    (torch.ones(2, 4, dtype=torch.int64), TypeError,
     r"keep: expected bool, True = keep, got int64: a 0/1 mask becomes mask.bool\(\)"),
    (torch.ones(2, 5, dtype=torch.bool), ValueError,
     r"keep: expected shape \[B, n\] = \[2, 4\], got \[2, 5\]"),
    (torch.ones(2, 1, 1, 4, dtype=torch.bool), ValueError,
     r"keep: expected shape \[B, n\] = \[2, 4\], got \[2, 1, 1, 4\]"),
    ([[True] * 4] * 2, TypeError, "keep: expected a bool tensor .*, got list"),
])
def test_bad_masks(keep, error, message):
    layer = LotAttention(8, 2, 3)
    with pytest.raises(error, match=message):
        layer(torch.zeros(2, 4, 8), keep=keep)
    with pytest.raises(error, match="query_" + message):
        layer(torch.zeros(2, 4, 8), torch.zeros(2, 3, 8), query_keep=keep)


@pytest.mark.parametrize("make, error, message", [
    (lambda: LotAttention(10, 3, 4), ValueError,
     "num_heads: expected a divisor of embed_dim = 10, got 3"),
    (lambda: LotVisionAttention(10, 3, 4, 16), ValueError,
     "num_heads: expected a divisor of embed_dim = 10, got 3"),
    (lambda: LotVisionAttention(8, 2, 4, 15), ValueError,
     "num_patches: expected a square number, got 15"),
    (lambda: LotAttention(8, 2, 0), ValueError, "num_pivots: expected at least 1, got 0"),
    (lambda: LotAttention(8, 2, 4, epsilon=-1.0), ValueError,
     "epsilon: expected a number > 0, got -1.0"),
    (lambda: LotAttention(8, 2, 4, learned_mass="all"), ValueError,
     "learned_mass: expected one of pivot, glue, none, got 'all'"),
    (lambda: LotAttention(8, 2, 4, temperature=0), ValueError,
     "temperature: expected a number > 0, got 0"),
    (lambda: LotAttention(8, 2, 4)(torch.zeros(4, 8)), ValueError,
     r"query: expected shape \[B, n, 8\], got \[4, 8\]"),
    (lambda: LotAttention(8, 2, 4)(torch.zeros(1, 4, 8), torch.zeros(1, 4, 6)), ValueError,
     r"key: expected shape \[B, n, 8\], got \[1, 4, 6\]"),
    (lambda: LotVisionAttention(8, 2, 4, 16)(torch.zeros(1, 15, 8)), ValueError,
     r"x: expected shape \[B, 16, 8\], got \[1, 15, 8\]"),
    (lambda: LotAttention(8, 2, 4)(torch.zeros(1, 4, 8), is_causal=True), ValueError,
     "is_causal: expected False, got True"),
    (lambda: LotAttention(8, 2, 4)(torch.zeros(1, 4, 8), attn_mask=torch.zeros(4, 4)), ValueError,
     "attn_mask: expected None"),
])
def test_bad_layers(make, error, message):
    with pytest.raises(error, match=message):
        make()
