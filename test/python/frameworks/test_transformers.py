#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
""""lot" as an attention implementation of transformers, on small models made here."""

import lot
import pytest
import torch
import transformers


@pytest.fixture(autouse=True)
def registered():
    """Models are random, but the same in every run."""
    torch.manual_seed(0)
    lot.torch.register_attention()


def bert(**changes) -> transformers.BertModel:
    """Two layers, two heads of 8."""
    config = transformers.BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                     intermediate_size=32, vocab_size=50,
                                     max_position_embeddings=32, **changes)
    return transformers.BertModel(config).eval()


def with_lot(model: torch.nn.Module, **core) -> torch.nn.Module:
    """The model with pivots and "lot" switched on."""
    lot.torch.add_pivots(model, 4, **core)
    model.set_attn_implementation("lot")
    return model


def test_bert_learns_and_ignores_padding():
    model = with_lot(bert(), epsilon=0.5, half_steps=4)
    assert set(name for name, _ in model.named_parameters() if "lot" in name) == {
        f"encoder.layer.{i}.attention.self.lot.{name}" for i in range(2)
        for name in ("pivots", "pivot_logits")}
    ids = torch.randint(0, 50, (2, 7))
    mask = torch.arange(7) < torch.tensor([[7], [5]])
    out = model(ids, attention_mask=mask.long()).last_hidden_state
    short = model(ids[1:, :5]).last_hidden_state
    torch.testing.assert_close(out[1:, :5], short, rtol=1e-4, atol=1e-5)
    out[mask].square().sum().backward()
    gradient = model.encoder.layer[0].attention.self.lot.pivots.grad
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_layer_is_attention_of_its_heads():
    model = with_lot(bert(), epsilon=0.5, half_steps=4)
    layer, x = model.encoder.layer[0].attention.self, torch.randn(2, 5, 16)
    with torch.no_grad():
        q, k, v = (p(x).unflatten(-1, (2, 8)).transpose(1, 2)
                   for p in (layer.query, layer.key, layer.value))
        expected = lot.torch.attention(q, k, v, layer.lot.pivots, epsilon=0.5, half_steps=4,
                                       pivot_log_mass=layer.lot.log_masses(2))
        torch.testing.assert_close(layer(x)[0], expected.transpose(1, 2).flatten(2))


def test_vision_transformer():
    config = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                    intermediate_size=32, image_size=16, patch_size=4)
    model = with_lot(transformers.ViTModel(config).eval())
    out = model(torch.randn(1, 3, 16, 16)).last_hidden_state
    assert out.shape == (1, 17, 16) and torch.isfinite(out).all()


def test_pivots_come_first():
    model = bert()
    model.set_attn_implementation("lot")
    with pytest.raises(ValueError, match="BertSelfAttention: expected a layer with pivots, got "
                                         "none: call lot.torch.add_pivots"):
        model(torch.zeros(1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="model: expected attention layers of transformers, got "
                                         "none in Linear"):
        lot.torch.add_pivots(torch.nn.Linear(2, 2), 4)


def test_causal_models_are_refused():
    ids = torch.zeros(1, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="LOT attention (has no causal form|cannot mask single)"):
        with_lot(bert(is_decoder=True))(ids)
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50)
    with pytest.raises(ValueError, match="LOT attention (has no causal form|cannot mask single)"):
        with_lot(transformers.GPT2Model(config).eval())(ids)
    layer = with_lot(bert()).encoder.layer[0].attention.self
    with pytest.raises(ValueError, match="expected a bidirectional layer, got a causal one"):
        layer(torch.zeros(1, 3, 16), is_causal=True)


def test_masks_of_pairs_are_refused():
    model = with_lot(bert())
    with pytest.raises(ValueError, match=r"attention_mask: expected padding \[B, m\], got shape "
                                         r"\[1, 1, 3, 3\]"):
        model(torch.zeros(1, 3, dtype=torch.long), attention_mask=torch.ones(1, 1, 3, 3))
