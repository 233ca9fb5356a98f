#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The training examples in small settings."""

import pathlib
import random
import sys

import lot
import numpy as np
import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples"))

import train_digits  # noqa: E402
import train_listops  # noqa: E402


# --- Digits ---------------------------------------------------------------------------------


def test_digits_are_learned(tmp_path, capsys):
    """A few epochs: far from chance already, and the same again."""
    arguments = ["--out", str(tmp_path)]
    runs = train_digits.main([*arguments, "--epochs", "5"])
    assert list(runs) == ["lot", "softmax"]
    text = capsys.readouterr().out
    for kind, run in runs.items():
        assert run.accuracies[-1] >= 0.9, kind
        assert f"{kind:8} test accuracy {run.accuracies[-1]:.2%}" in text
        assert len(run.losses) == 5 and run.losses[-1] < 0.5 * run.losses[0]
    for name in ("digits_curve.png", "digits_pivots.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    arguments += ["--attention", "lot", "--limit", "96", "--epochs", "2"]
    first, second = (train_digits.main(arguments)["lot"] for _ in range(2))
    assert first.losses == second.losses


def test_parts_of_the_digits():
    train, test = train_digits.load_digits(0)
    assert (len(train.labels), len(test.labels)) == (1437, 360)
    assert train.images.shape[1:] == (8, 8) and 0 <= train.images.min() < train.images.max() == 1
    again, _ = train_digits.load_digits(0)
    assert torch.equal(again.images, train.images)
    # No digit is in both parts.
    seen = {image.numpy().tobytes() for image in train.images}
    assert not any(image.numpy().tobytes() in seen for image in test.images)


def test_tokens():
    model = train_digits.Classifier("lot", 2)
    image = torch.arange(64.0).reshape(1, 8, 8)
    with torch.no_grad():
        tokens = model.tokens(image) - model.position
        second = torch.tensor([2.0, 3.0, 10.0, 11.0])
        corner = model.embed((second - train_digits.MEAN) / train_digits.SPREAD)
        torch.testing.assert_close(tokens[0, 1], corner)


def test_what_pivots_gather():
    """The plans that are drawn give the attention of the layer."""
    torch.manual_seed(1)
    model = train_digits.Classifier("lot", 2).eval()
    images = torch.rand(3, 8, 8)
    plans = train_digits.couplings(model, images, 1)
    assert plans.shape == (3, 4, 16, 8)
    np.testing.assert_allclose(plans.sum(-2), 1, rtol=1e-9)  # an odd number of half-steps
    layer, core = model.blocks[1], model.blocks[1].attention.core
    with torch.no_grad():
        x = layer.norm(model.blocks[:1](model.tokens(images)))
        q, k, v = (p(x).unflatten(-1, (4, -1)).transpose(1, 2) for p in (
            layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj))
        out = core(q, k, v).double()
        mass = core.log_masses(3).numpy()
        rows = lot.plan(q.numpy(), core.pivots.numpy(), epsilon=0.5, half_steps=5,
                        pivot_log_mass=mass)
    expected = rows @ (plans.swapaxes(-1, -2) @ v.double().numpy())
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


# --- ListOps --------------------------------------------------------------------------------


def test_values_of_expressions():
    for text, value in (("[MAX 4 3 [MIN 2 3 ] 1 0 ]", 4), ("[SM 9 8 [SM 5 6 ] ]", 8),
                        ("[MED 1 9 4 ]", 4), ("[MED 1 2 7 8 ]", 4), ("[MIN 3 [MED 0 1 ] ]", 0)):
        assert train_listops.evaluate(text.split()) == value, text


@pytest.mark.parametrize("bounds", [(5, 50, 3, 5), (500, 2000, 10, 10), (0, 30, 2, 10)])
def test_generated_expressions(bounds):
    """Lengths, depths, arguments and values are those asked for."""
    low, high, max_depth, max_args = bounds
    rng = random.Random(1)
    lengths, depths, operators = set(), set(), set()
    for _ in range(60):
        words, value = train_listops.generate(rng, *bounds)
        assert low < len(words) < high
        assert train_listops.evaluate(words) == value
        counts, deepest = [], 0
        for word in words:
            if word == "]":
                assert 2 <= counts.pop() <= max_args
            elif counts:
                counts[-1] += 1
            if word in train_listops.OPERATORS:
                operators.add(word)
                counts.append(0)
                deepest = max(deepest, len(counts))
        assert not counts and deepest < max_depth
        lengths.add(len(words))
        depths.add(deepest)
    assert operators == set(train_listops.OPERATORS)
    assert len(lengths) > 3
    assert max_depth - 1 in depths


def test_data_of_listops():
    bounds = dict(min_length=5, max_length=30, max_depth=3, max_args=4)
    data, again = (train_listops.make_data(50, 3, **bounds) for _ in range(2))
    assert all(map(torch.equal, data.tokens, again.tokens))
    assert len({tuple(tokens.tolist()) for tokens in data.tokens}) == 50
    seen = 0
    for tokens, keep, values in data.batches(16, shuffle=True):
        for row, kept, value in zip(tokens, keep, values):
            words = [train_listops.VOCABULARY[i] for i in row[kept]]
            assert train_listops.evaluate(words) == value
            assert not row[~kept].any()
            seen += 1
    assert seen == 50


def test_padding_changes_no_answer():
    torch.manual_seed(2)
    model = train_listops.ListOps(40, 64, 4, 1, 16).eval()
    tokens = torch.randint(1, 16, (1, 9))
    padded = torch.nn.functional.pad(tokens, (0, 6))
    with torch.no_grad():
        torch.testing.assert_close(model(padded, padded != 0), model(tokens, tokens != 0),
                                   rtol=1e-4, atol=1e-5)


def test_listops_is_learned(capsys):
    runs = train_listops.main(["--train", "400", "--test", "100", "--steps", "30"])
    text = capsys.readouterr().out
    found = runs["lot"].accuracy
    assert "400 expressions" in text and f"test accuracy {found:.1%}" in text
    assert found > 0.15


def test_device_of_listops(capsys, monkeypatch):
    assert train_listops.choose_device("meta").type == "meta"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert train_listops.choose_device(None).type == "cuda"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert train_listops.choose_device(None).type == "cpu"
    assert "one older than lot has kernels for: training on the CPU" in capsys.readouterr().out


def test_listops_beside_softmax(capsys):
    """The same model with both attentions, padded, and the ratio of their rates."""
    runs = train_listops.main(["--train", "64", "--test", "32", "--steps", "4", "--attention",
                               "both", "--pad", "80", "--autocast", "--device", "cpu"])
    text = capsys.readouterr().out
    assert list(runs) == ["lot", "softmax"]
    for kind, run in runs.items():
        assert f"{kind} attention on cpu: {run.steps_per_second:.2f} steps per second" in text
    assert "times as many steps per second as softmax" in text


@pytest.mark.parametrize("module, arguments, message", [
    (train_digits, ["--epochs", "0"], "--epochs: expected at least 1, got 0"),
    (train_digits, ["--out", "/nowhere"], "--out: expected a folder, got /nowhere"),
    (train_listops, ["--steps", "0"], "--steps: expected at least 1, got 0"),
])
def test_bad_arguments(module, arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        module.main(arguments)
    assert message in capsys.readouterr().err
