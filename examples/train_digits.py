#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a small transformer with LOT attention on handwritten digits.

    .venv-frameworks/bin/python examples/train_digits.py [--out DIR] [--epochs 25] [--seed 0]

The 1797 digits of 8 x 8 pixels that ship in scikit-learn; every 2 x 2 patch is a token (--patch 1:
every pixel). The same model with softmax attention is trained beside it. Prints the accuracy on the
fifth of the digits that is kept apart, and writes digits_curve.png and digits_pivots.png.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

import lot.torch

SIZE, CLASSES = 8, 10
MEAN, SPREAD = 0.3, 0.38  # of all pixels
KINDS = ("lot", "softmax")


class Digits(NamedTuple):
    """Images [count, 8, 8] float32 in 0..1 and their labels [count] int64."""

    images: torch.Tensor
    labels: torch.Tensor


def load_digits(seed: int, limit: int | None = None) -> tuple[Digits, Digits]:
    """(train, test): four fifths and one fifth, each class in its share; the same for a seed."""
    from sklearn import datasets, model_selection

    images, labels = datasets.load_digits(return_X_y=True)
    images = (images.reshape(-1, SIZE, SIZE) / 16.0).astype(np.float32)
    parts = model_selection.train_test_split(images, labels, test_size=0.2, stratify=labels,
                                             random_state=seed)
    x, x_test, y, y_test = (torch.from_numpy(part)[:limit] for part in parts)
    return Digits(x, y), Digits(x_test, y_test)


class SoftmaxAttention(nn.Module):
    """What LotAttention takes the place of."""

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.out_proj = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, n, embed_dim] -> the same."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of a pre-norm transformer."""

    def __init__(self, embed_dim: int, attention: nn.Module, dropout: float) -> None:
        super().__init__()
        self.attention, self.dropout = attention, nn.Dropout(dropout)
        self.norm, self.mlp_norm = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(nn.Linear(embed_dim, 2 * embed_dim), nn.GELU(),
                                 nn.Linear(2 * embed_dim, embed_dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, n, embed_dim] -> the same."""
        x = x + self.dropout(self.attention(self.norm(x)))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Classifier(nn.Module):
    """Patches of an image as tokens, blocks of attention, the mean of the tokens, a class."""

    def __init__(self, kind: str, patch: int, embed_dim: int = 64, num_heads: int = 4,
                 num_blocks: int = 2, num_pivots: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.patch = patch

        def attention() -> nn.Module:
            if kind == "lot":
                return lot.torch.LotAttention(embed_dim, num_heads, num_pivots, epsilon=0.5,
                                              half_steps=5)
            return SoftmaxAttention(embed_dim, num_heads)

        self.embed = nn.Linear(patch * patch, embed_dim)
        self.position = nn.Parameter(torch.randn((SIZE // patch)**2, embed_dim))
        self.blocks = nn.Sequential(*(Block(embed_dim, attention(), dropout)
                                      for _ in range(num_blocks)))
        self.norm, self.head = nn.LayerNorm(embed_dim), nn.Linear(embed_dim, CLASSES)

    def tokens(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 8, 8] -> [B, n, embed_dim], patches row by row."""
        p = self.patch
        patches = ((images - MEAN) / SPREAD).unflatten(2, (-1, p)).unflatten(1, (-1, p)).transpose(2, 3)
        return self.embed(patches.flatten(3).flatten(1, 2)) + self.position

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """[B, 8, 8] -> logits [B, 10]."""
        return self.head(self.norm(self.blocks(self.tokens(images))).mean(1))


@torch.no_grad()
def accuracy(model: nn.Module, data: Digits) -> float:
    """Share of the images whose class is found."""
    model.eval()
    found = torch.cat([model(part).argmax(1) for part in data.images.split(256)])
    return float((found == data.labels).float().mean())


class Run(NamedTuple):
    """A trained model, the loss and the test accuracy after each epoch, and seconds."""

    model: Classifier
    losses: list[float]
    accuracies: list[float]
    seconds: float


def train(kind: str, data: Digits, test: Digits, patch: int, epochs: int, seed: int,
          quiet: bool = False) -> Run:
    """Trains one model; the same for a seed."""
    torch.manual_seed(seed)
    model = Classifier(kind, patch)
    batch, steps = 48, -(-len(data.labels) // 48)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3,
                                                   total_steps=epochs * steps, pct_start=0.2)
    losses, accuracies, start = [], [], time.perf_counter()
    progress = tqdm(range(epochs), desc=f"{kind:8}", unit="epoch", disable=quiet)
    for _ in progress:
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(data.labels)).split(batch):
            loss = F.cross_entropy(model(data.images[chosen]), data.labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        losses.append(total / len(data.labels))
        accuracies.append(accuracy(model, test))
        progress.set_postfix(loss=f"{losses[-1]:.3f}", test=f"{accuracies[-1]:.1%}")
    return Run(model, losses, accuracies, time.perf_counter() - start)


# --- Pictures -------------------------------------------------------------------------------


def figure_of(width: float, height: float):
    """A matplotlib figure that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_curve(runs: dict[str, Run], path: pathlib.Path) -> None:
    """Loss and test accuracy over the epochs."""
    figure = figure_of(9, 3.2)
    left, right = figure.subplots(1, 2)
    for kind, run in runs.items():
        epochs = range(1, len(run.losses) + 1)
        left.semilogy(epochs, run.losses, label=kind)
        right.plot(epochs, [100 * value for value in run.accuracies],
                   label=f"{kind}: {run.accuracies[-1]:.1%}")
    right.axhline(97, color="0.7", linewidth=0.8, linestyle="--")
    right.set_ylim(80, 100.5)
    left.set_ylabel("training loss")
    right.set_ylabel("test accuracy, %")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.legend()
    figure.savefig(path, dpi=110)


@torch.no_grad()
def couplings(model: Classifier, images: torch.Tensor, block: int) -> np.ndarray:
    """What each pivot of a block gathers, [B, H, n, r]: its distribution over the tokens."""
    model.eval()
    layer = model.blocks[block]
    x = layer.norm(model.blocks[:block](model.tokens(images)))
    attention, core = layer.attention, layer.attention.core
    keys = attention.k_proj(x).unflatten(-1, (core.num_heads, -1)).transpose(1, 2)
    return lot.plan(keys.numpy(), core.pivots.numpy(), side="key",
                    epsilon=core.attributes["epsilon"], half_steps=core.attributes["half_steps"],
                    pivot_log_mass=core.log_masses(len(images)).numpy())


def draw_pivots(model: Classifier, test: Digits, path: pathlib.Path, block: int = 0,
                head: int = 0) -> None:
    """One row per digit: the image, and what each pivot of a head gathers of it."""
    first = [int((test.labels == label).nonzero()[0]) for label in test.labels.unique()]
    images = test.images[first]
    plans = couplings(model, images, block)[:, head]
    masses = model.blocks[block].attention.core.log_masses(1)[head].detach().exp()
    grid = (SIZE // model.patch,) * 2
    count = plans.shape[-1]
    figure = figure_of(1.0 * (count + 1), 1.0 * len(images) + 0.4)
    cells = np.asarray(figure.subplots(len(images), count + 1, squeeze=False))
    for row, image, plan in zip(cells, images, plans):
        row[0].imshow(image.numpy(), cmap="gray_r")
        for axes, weights in zip(row[1:], plan.T):
            axes.imshow(weights.reshape(grid), cmap="magma", vmin=0, vmax=float(plan.max()))
        for axes in row:
            axes.set_axis_off()
    for j in range(count):
        cells[0, j + 1].set_title(f"pivot {j}\nmass {float(masses[j]):.2f}", fontsize=8)
    cells[0, 0].set_title("digit", fontsize=8)
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> dict[str, Run]:
    """Runs the example; returns what was trained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."),
                        help="folder of the pictures")
    parser.add_argument("--attention", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--patch", type=int, choices=(1, 2, 4), default=2,
                        help="pixels of a side of a token")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="images of each part, for a quick look")
    given = parser.parse_args(arguments)
    if given.epochs < 1:
        parser.error(f"--epochs: expected at least 1, got {given.epochs}")
    if not given.out.is_dir():
        parser.error(f"--out: expected a folder, got {given.out}")

    data, test = load_digits(given.seed, given.limit)
    print(f"{len(data.labels)} digits to train on, {len(test.labels)} to test, "
          f"{(SIZE // given.patch)**2} tokens each")
    runs = {}
    for kind in KINDS if given.attention == "both" else (given.attention,):
        run = runs[kind] = train(kind, data, test, given.patch, given.epochs, given.seed)
        parameters = sum(p.numel() for p in run.model.parameters())
        print(f"{kind:8} test accuracy {run.accuracies[-1]:.2%}   ({parameters} parameters, "
              f"{run.seconds:.0f} s)")
    draw_curve(runs, given.out / "digits_curve.png")
    written = ["digits_curve.png"]
    if "lot" in runs:
        draw_pivots(runs["lot"].model, test, given.out / "digits_pivots.png")
        written.append("digits_pivots.png")
    print("wrote", " and ".join(str(given.out / name) for name in written))
    return runs


if __name__ == "__main__":
    main()
