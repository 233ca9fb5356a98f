#!/usr/bin/env python3
#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demo: a photo through lot-opt and lot-run, checked and drawn.

    make demo        or        .venv/bin/python examples/demo.py [--out DIR] [--build DIR]

Cuts the photo that ships in scikit-learn into 8 x 8 patches. Each patch is a token: its query
and key are a few principal components and its place, its value are its pixels. Pivots are
k-means centres of the tokens. Every command is echoed; the exit status is 0 only when the
compiled result agrees with the float64 oracle.
"""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
PATCH, FEATURES, PIVOTS = 8, 16, 16
EPSILON, HALF_STEPS = 0.12, 21  # as in photo.mlir
STEPS = 6


def say(step: int, text: str) -> None:
    print(f"\n[{step}/{STEPS}] {text}", flush=True)


def run(command: list[str], show: int = 0) -> str:
    """Echoes and runs a command; returns its output, of which `show` lines are printed."""
    shown = " ".join(shlex.quote(os.path.relpath(part) if part.startswith(str(ROOT)) else part)
                     for part in command)
    print(f"  $ {shown}", flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [line for line in done.stdout.splitlines() if line.strip() and  # maps are long lists
             not line.startswith(("#map", "module")) and "= arith.constant" not in line]
    for line in lines if done.returncode else lines[:show]:
        print(f"    {line}"[:110])
    if done.returncode:
        sys.exit(f"demo: the command failed with status {done.returncode}")
    if show and len(lines) > show:
        print(f"    ... {len(lines) - show} more lines")
    return done.stdout


def load_patches() -> tuple[np.ndarray, tuple[int, int], np.ndarray]:
    """The photo [height, width, 3] uint8, its grid of patches, and the patches [n, 192] in 0..1."""
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")
    grid = photo.shape[0] // PATCH, photo.shape[1] // PATCH
    photo = photo[:grid[0] * PATCH, :grid[1] * PATCH]
    patches = photo.reshape(grid[0], PATCH, grid[1], PATCH, 3).swapaxes(1, 2)
    return photo, grid, patches.reshape(-1, PATCH * PATCH * 3) / 255.0


def to_photo(patches: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Patches [n, 192] in 0..1 back to a photo [height, width, 3] uint8."""
    tiles = patches.reshape(*grid, PATCH, PATCH, 3).swapaxes(1, 2)
    return (np.clip(tiles.reshape(grid[0] * PATCH, -1, 3), 0, 1) * 255).astype(np.uint8)


def features(patches: np.ndarray, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [1, 2, n, 16] and pivots [2, 16, 16], float32; head 0 appearance, head 1 texture."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    place = np.stack(np.meshgrid(np.linspace(-1, 1, grid[0]),
                                 np.linspace(-1, 1, grid[1]) * grid[1] / grid[0],
                                 indexing="ij"), -1).reshape(-1, 2)
    texture = patches.reshape(-1, PATCH * PATCH, 3)
    texture = (texture - texture.mean(1, keepdims=True)).reshape(patches.shape)
    tokens, pivots = [], []
    for pixels, weight in ((patches, 2.5), (texture, 1.5)):
        parts = PCA(FEATURES - 2, random_state=0).fit_transform(pixels)
        x = np.concatenate([weight * parts / parts[:, 0].std(), 0.8 * place], 1)
        z = KMeans(PIVOTS, n_init=4, random_state=0).fit(x).cluster_centers_
        for points, result in ((x, tokens), (z, pivots)):  # on a sphere: scores are angles
            result.append(4 * points / np.linalg.norm(points, axis=-1, keepdims=True))
    return np.stack(tokens)[None].astype(np.float32), np.stack(pivots).astype(np.float32)


def summary(linalg: str) -> str:
    """Counts the ops of lowered IR."""
    ops = collections.Counter(re.findall(r"\b(linalg\.\w+|scf\.\w+|lot\.\w+)", linalg))
    return ", ".join(f"{count} {op}" for op, count in ops.most_common() if "yield" not in op)


def draw(lot, out: pathlib.Path, photo: np.ndarray, grid: tuple[int, int], tokens: np.ndarray,
         pivots: np.ndarray, result: np.ndarray) -> list[pathlib.Path]:
    """coupling.png, coupling-texture.png and output.png."""
    from matplotlib.figure import Figure

    R = lot.plan(tokens, pivots, epsilon=EPSILON, half_steps=HALF_STEPS)
    files = [out / "coupling.png", out / "coupling-texture.png", out / "output.png"]
    for head, name in enumerate(("appearance", "texture")):
        lot.plot.coupling(R, head=head, grid=grid, image=photo,
                          title=f"{tokens.shape[2]} patches and {PIVOTS} pivots: {name}"
                          ).savefig(files[head], dpi=100)
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    titles = ("photo", "output of head 0: appearance", "output of head 1: texture")
    pictures = (photo, to_photo(result[0, 0], grid), to_photo(result[0, 1], grid))
    for axes, title, picture in zip(figure.subplots(1, 3), titles, pictures):
        axes.imshow(picture)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    figure.savefig(files[2], dpi=100)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description="a photo through lot-opt and lot-run")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--out", type=pathlib.Path, help="default: BUILD/demo")
    options = parser.parse_args()
    build = options.build.resolve()
    out = (options.out or build / "demo").resolve()
    out.mkdir(parents=True, exist_ok=True)
    for tool in ("lot-opt", "lot-run"):
        if not (build / "bin" / tool).exists():
            sys.exit(f"demo: expected {build / 'bin' / tool}, which is not there; run `make` first")
    try:
        import lot
    except ImportError:
        sys.path.insert(0, str(build / "python_packages"))
        import lot
    mlir = str(ROOT / "examples" / "photo.mlir")
    started = time.perf_counter()

    say(1, "The photo becomes tokens")
    photo, grid, patches = load_patches()
    tokens, pivots = features(patches, grid)
    values = np.repeat(patches[None, None], 2, 1).astype(np.float32)
    arrays = {"q": tokens, "k": tokens, "v": values, "pivots": pivots}
    for name, array in arrays.items():
        np.save(out / f"{name}.npy", array)
        print(f"  {os.path.relpath(out / name)}.npy: {array.dtype} {array.shape}")

    say(2, "lot-opt lowers the operator to plain linalg, for any compiler")
    linalg = run([str(build / "bin" / "lot-opt"), mlir, "--lot-to-linalg"], show=16)
    print(f"  in all: {summary(linalg)}")
    if "lot." in re.sub(r"//.*|@\w+", "", linalg):
        sys.exit("demo: expected no lot op after --lot-to-linalg")

    say(3, "lot-run compiles it for this CPU and runs it")
    files = [f"--input={os.path.relpath(out / name)}.npy" for name in arrays]
    run([str(build / "bin" / "lot-run"), mlir, "--entry=photo", *files,
         f"--output={os.path.relpath(out / 'out.npy')}", "--time"], show=30)
    result = np.load(out / "out.npy")

    say(4, "The float64 oracle agrees")
    attributes = dict(epsilon=EPSILON, half_steps=HALF_STEPS)
    expected = lot.reference.attention(tokens, tokens, values, pivots, **attributes)
    error = np.linalg.norm(result - expected) / np.linalg.norm(expected)
    scores = np.abs(tokens.astype(float) @ pivots.astype(float).swapaxes(-1, -2)).max()
    scores *= FEATURES ** -0.5 / EPSILON
    bound = 4 * 2.0**-24 * (16 + scores + np.log(tokens.shape[2]))
    print(f"  relative error {error:.2e}, tolerance {bound:.2e} (docs/accuracy.md)")
    if not error <= bound:  # also when it is NaN
        sys.exit("demo: the result is wrong")

    say(5, "The same from Python, and how doubly stochastic the coupling is")
    print(f"  >>> lot.attention(q, k, v, pivots, epsilon={EPSILON}, half_steps={HALF_STEPS})")
    same = lot.attention(tokens, tokens, values, pivots, **attributes)
    gap = np.linalg.norm(same - result) / np.linalg.norm(expected)
    print(f"  differs from lot-run by {gap:.1e}")
    if not gap <= 2 * bound:
        sys.exit("demo: the NumPy front end disagrees with lot-run")
    print(f"  >>> lot.marginal_error(q, k, pivots, epsilon={EPSILON}, half_steps={HALF_STEPS})")
    for side, value in lot.marginal_error(tokens, tokens, pivots, **attributes)._asdict().items():
        print(f"  {side}: {', '.join(f'{x:.1e}' for x in value.ravel())}")

    say(6, "Pictures: which patches each pivot gathers")
    for file in draw(lot, out, photo, grid, tokens, pivots, result):
        print(f"  {os.path.relpath(file)}")
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
