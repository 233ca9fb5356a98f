#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a transformer with LOT attention on ListOps, made here.

    .venv-frameworks/bin/python examples/train_listops.py                 # short ones, minutes
    .venv-frameworks/bin/python examples/train_listops.py --preset lra    # 500 to 2000 tokens
    python examples/train_listops.py --preset lra --attention both --compile --autocast --pad 2048

An expression such as [MAX 4 3 [MIN 2 3 ] 1 0 ] has one of ten values. The generator follows Long
Range Arena (arXiv 2011.04006): operators MIN, MAX, MED (median, rounded down) and SM (sum modulo
10), 2 to max_args arguments each, an argument above max_depth is an expression with probability
1/4, and only lengths between the bounds are kept. Expressions of different lengths share a batch
with a padding mask.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import NamedTuple, Optional

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

import lot.torch

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
VOCABULARY = ("<pad>", *map(str, range(10)), *OPERATORS, "]")
TOKEN = {word: index for index, word in enumerate(VOCABULARY)}
EXPRESSION_PROBABILITY = 0.25


# --- Expressions ----------------------------------------------------------------------------


def apply(operator: str, values: list[int]) -> int:
    """The value of one operator."""
    if operator == "[MIN":
        return min(values)
    if operator == "[MAX":
        return max(values)
    if operator == "[SM":
        return sum(values) % 10
    values, half = sorted(values), len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) // 2


class _TooLong(Exception):
    pass


def _generate(rng: random.Random, words: list[str], depth: int, max_depth: int, max_args: int,
              max_length: int) -> int:
    """Appends an expression to `words` and returns its value; _TooLong as soon as it is."""
    # The outermost is an operator: single values are too short for any bound.
    if depth > 1 and (depth >= max_depth or rng.random() > EXPRESSION_PROBABILITY):
        value = rng.randrange(10)
        words.append(str(value))
        return value
    operator = rng.choice(OPERATORS)
    words.append(operator)
    values = []
    for _ in range(rng.randint(2, max_args)):
        values.append(_generate(rng, words, depth + 1, max_depth, max_args, max_length))
        if len(words) >= max_length:
            raise _TooLong
    words.append("]")
    return apply(operator, values)


def generate(rng: random.Random, min_length: int, max_length: int, max_depth: int = 10,
             max_args: int = 10) -> tuple[list[str], int]:
    """An expression of more than min_length and fewer than max_length words, and its value."""
    while True:
        words: list[str] = []
        try:
            value = _generate(rng, words, 1, max_depth, max_args, max_length)
        except _TooLong:
            continue
        if min_length < len(words) < max_length:
            return words, value


def evaluate(words: list[str]) -> int:
    """The value of an expression, from its words alone."""
    stack: list[list] = [[]]
    for word in words:
        if word in OPERATORS:
            stack.append([word])
        elif word == "]":
            operator, *values = stack.pop()
            stack[-1].append(apply(operator, values))
        else:
            stack[-1].append(int(word))
    ((value,),) = stack
    return value


class Data(NamedTuple):
    """Expressions as token tensors (int64, their own lengths) and their values [count]."""

    tokens: list[torch.Tensor]
    values: torch.Tensor

    def batches(self, size: int, shuffle: bool) -> list[tuple[torch.Tensor, ...]]:
        """(tokens [B, n], keep [B, n] bool, values [B]); lengths in a batch are alike."""
        order = sorted(range(len(self.tokens)), key=lambda i: len(self.tokens[i]))
        chunks = [order[i:i + size] for i in range(0, len(order), size)]
        if shuffle:
            chunks = [chunks[i] for i in torch.randperm(len(chunks))]
        found = []
        for chunk in chunks:
            padded = nn.utils.rnn.pad_sequence([self.tokens[i] for i in chunk], batch_first=True)
            found.append((padded, padded != 0, self.values[chunk]))
        return found


def make_data(count: int, seed: int, **bounds: int) -> Data:
    """`count` different expressions; the same for a seed."""
    rng, seen, tokens, values = random.Random(seed), set(), [], []
    while len(tokens) < count:
        words, value = generate(rng, **bounds)
        if tuple(words) not in seen:
            seen.add(tuple(words))
            tokens.append(torch.tensor([TOKEN[word] for word in words]))
            values.append(value)
    return Data(tokens, torch.tensor(values))


# --- Model ----------------------------------------------------------------------------------


class SoftmaxAttention(nn.Module):
    """What LOT attention is compared with: F.scaled_dot_product_attention."""

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        self.heads = num_heads
        self.inner, self.outer = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        q, k, v = self.inner(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None])
        return self.outer(out.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """A layer of a pre-norm transformer."""

    def __init__(self, embed_dim: int, num_heads: int, num_pivots: int, epsilon: float,
                 half_steps: int) -> None:
        super().__init__()
        self.attention = (SoftmaxAttention(embed_dim, num_heads) if num_pivots == 0 else
                          lot.torch.LotAttention(embed_dim, num_heads, num_pivots,
                                                 epsilon=epsilon, half_steps=half_steps))
        self.norm, self.mlp_norm = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(nn.Linear(embed_dim, 4 * embed_dim), nn.GELU(),
                                 nn.Linear(4 * embed_dim, embed_dim))

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """[B, n, embed_dim], bool [B, n] -> [B, n, embed_dim]."""
        x = x + self.attention(self.norm(x), keep=keep)
        return x + self.mlp(self.mlp_norm(x))


class ListOps(nn.Module):
    """Words and positions as tokens, blocks of attention, the mean of the words, a value."""

    def __init__(self, max_length: int, embed_dim: int, num_heads: int, num_blocks: int,
                 num_pivots: int, epsilon: float = 0.5, half_steps: int = 5) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(VOCABULARY), embed_dim, padding_idx=0)
        self.position = nn.Embedding(max_length, embed_dim)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, num_pivots, epsilon, half_steps)
                                    for _ in range(num_blocks))
        self.norm, self.head = nn.LayerNorm(embed_dim), nn.Linear(embed_dim, 10)

    def forward(self, tokens: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """[B, n] int64, bool [B, n] -> logits [B, 10]."""
        x = self.embed(tokens) + self.position.weight[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x, keep)
        weights = keep.to(x.dtype) / keep.sum(1, keepdim=True)
        return self.head((self.norm(x) * weights[..., None]).sum(1))


class Preset(NamedTuple):
    """Sizes of data and model."""

    min_length: int
    max_length: int
    max_depth: int
    max_args: int
    train: int
    test: int
    embed_dim: int
    num_heads: int
    num_blocks: int
    num_pivots: int
    batch: int
    steps: int
    rate: float


PRESETS = {
    # A machine without a GPU shows that it learns in minutes.
    "small": Preset(5, 50, 3, 5, 4000, 1000, 64, 4, 2, 16, 32, 600, 2e-3),
    # Lengths, depth and sizes of Long Range Arena.
    "lra": Preset(500, 2000, 10, 10, 96000, 2000, 128, 4, 4, 32, 32, 5000, 1e-3),
}


def choose_device(name: Optional[str]) -> torch.device:
    """The device asked for, else a GPU when there is one and lot has kernels for it."""
    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        if torch.cuda.get_device_capability() >= (8, 0):
            return torch.device("cuda")
        print("a GPU is there, but one older than lot has kernels for: training on the CPU")
    return torch.device("cpu")


@torch.no_grad()
def accuracy(model: nn.Module, data: Data, batch: int, device: torch.device) -> float:
    """Share of the expressions whose value is found."""
    model.eval()
    right = 0
    for tokens, keep, values in data.batches(batch, shuffle=False):
        # forward: a compiled model would be compiled anew for each length here.
        found = model.forward(tokens.to(device), keep.to(device)).argmax(1).cpu()
        right += int((found == values).sum())
    return right / len(data.values)


class Run(NamedTuple):
    """What a training came to."""

    accuracy: float
    steps_per_second: float


def fit(attention: str, p: Preset, train: Data, test: Data, device: torch.device,
        given: argparse.Namespace) -> Run:
    """Trains a model with that attention."""
    torch.manual_seed(given.seed)
    model = ListOps(max(p.max_length, given.pad), p.embed_dim, p.num_heads, p.num_blocks,
                    p.num_pivots if attention == "lot" else 0).to(device)
    on_gpu = device.type == "cuda"
    if given.compile:
        # Where all batches have one length, steps are CUDA graphs: kernels of a model of this size
        # take less time than their launches.
        one_length = max(map(len, train.tokens)) <= given.pad
        model.compile(fullgraph=True, mode="reduce-overhead" if on_gpu and one_length else None)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, fused=on_gpu)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=p.rate, total_steps=p.steps,
                                                   pct_start=0.1)

    def now() -> float:
        if on_gpu:
            torch.cuda.synchronize()
        return time.perf_counter()

    batches: list = []
    smooth = None
    model.train()
    progress = tqdm(range(p.steps), desc=attention, unit="step")
    for step in progress:
        if step == min(20, p.steps // 2):  # what comes before compiles
            begin, first = now(), step
        batches = batches or train.batches(p.batch, shuffle=True)
        tokens, keep, values = (x.to(device, non_blocking=True) for x in batches.pop())
        tokens, keep = (F.pad(x, (0, max(0, given.pad - x.shape[1]))) for x in (tokens, keep))
        with torch.autocast(device.type, torch.bfloat16, enabled=given.autocast):
            logits = model(tokens, keep)
        loss = F.cross_entropy(logits.float(), values)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        smooth = loss.detach() if smooth is None else 0.95 * smooth + 0.05 * loss.detach()
        if step % 20 == 0 or step == p.steps - 1:  # reading it waits for the GPU
            progress.set_postfix(loss=f"{float(smooth):.3f}")
    rate = (p.steps - first) / (now() - begin)
    print(f"{attention} attention on {device.type}: {rate:.2f} steps per second")
    found = accuracy(model, test, p.batch, device)
    most = float(test.values.bincount().max()) / p.test
    print(f"test accuracy {found:.1%}, always the most frequent value {most:.1%}")
    return Run(found, rate)


def main(arguments: Optional[list[str]] = None) -> dict[str, Run]:
    """Runs the example; returns what each attention came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--device", help="cpu or cuda; default: a GPU where lot has kernels for it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attention", choices=("lot", "softmax", "both"), default="lot",
                        help="softmax: F.scaled_dot_product_attention in the same model")
    parser.add_argument("--compile", action="store_true",
                        help="torch.compile; with --pad on a GPU, CUDA graphs")
    parser.add_argument("--autocast", action="store_true", help="bfloat16 where it is safe")
    parser.add_argument("--pad", type=int, default=0, help="make all batches this long")
    for name in ("train", "test", "steps", "batch"):
        parser.add_argument(f"--{name}", type=int, help="instead of the preset's")
    given = parser.parse_args(arguments)
    sizes = {name: value for name in ("train", "test", "steps", "batch")
             if (value := getattr(given, name)) is not None}
    for name, value in sizes.items():
        if value < 1:
            parser.error(f"--{name}: expected at least 1, got {value}")
    p = PRESETS[given.preset]._replace(**sizes)
    device = choose_device(given.device)

    start = time.perf_counter()
    bounds = dict(min_length=p.min_length, max_length=p.max_length, max_depth=p.max_depth,
                  max_args=p.max_args)
    train = make_data(p.train, 2 * given.seed, **bounds)
    test = make_data(p.test, 2 * given.seed + 1, **bounds)
    longest = max(len(tokens) for tokens in train.tokens)
    print(f"{p.train} expressions of up to {longest} words to train on, {p.test} to test, "
          f"made in {time.perf_counter() - start:.0f} s")

    kinds = ("lot", "softmax") if given.attention == "both" else (given.attention,)
    runs = {kind: fit(kind, p, train, test, device, given) for kind in kinds}
    if len(runs) == 2:
        print(f"lot takes {runs['lot'].steps_per_second / runs['softmax'].steps_per_second:.2f} "
              "times as many steps per second as softmax")
    return runs


if __name__ == "__main__":
    main()
