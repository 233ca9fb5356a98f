#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of couplings. Needs matplotlib, which is imported when something is drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Optional, Sequence

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def coupling(plan: Any, *, batch: int = 0, head: int = 0, grid: Optional[Sequence[int]] = None,
             image: Any = None, labels: Optional[Sequence[str]] = None, columns: int = 8,
             title: Optional[str] = None) -> "Figure":
    """Draws which tokens each pivot gathers.

    Args:
      plan: [n, r] or [B, H, n, r], tokens as rows, e.g. of `lot.plan`; entries >= 0.
      batch, head: which problem of a [B, H, n, r] plan.
      grid: (rows, columns) when the n tokens are patches of an image, row by row. Then there is
        one small picture per pivot and a map of the pivot that gathers most of each patch;
        without it a heat map of pivots over tokens.
      image: [height, width] or [height, width, 3] (uint8, or floats in 0..1) under the patches.
      labels: r names of the pivots; default their numbers.
      columns: small pictures per row.
      title: of the figure.

    Returns:
      A matplotlib Figure that belongs to no window: `figure.savefig("coupling.png")`.

    Raises:
      ValueError: shapes that do not agree, NaN or negative entries; IndexError: batch or head.
      ImportError: without matplotlib.
    """
    R = np.asarray(plan, np.float64)
    if R.ndim == 4:
        R = R[batch, head]
    if R.ndim != 2 or R.shape[1] < 1:
        raise ValueError("plan: expected shape [n, r] or [B, H, n, r] with r >= 1, "
                         f"got {list(np.shape(plan))}")
    if not (R >= 0).all():
        raise ValueError("plan: expected entries >= 0, got negative ones or NaN")
    n, r = R.shape
    if labels is not None and len(labels) != r:
        raise ValueError(f"labels: expected {r} names, got {len(labels)}")
    names = [str(j) for j in range(r)] if labels is None else [str(t) for t in labels]
    if grid is None:
        if image is not None:
            raise ValueError("image: expected grid=(rows, columns) with it, got no grid")
        return _heat_map(R, names, title)
    if len(grid) != 2 or grid[0] * grid[1] != n:
        raise ValueError(f"grid: expected (rows, columns) with a product of {n}, got {tuple(grid)}")
    return _on_image(R, (int(grid[0]), int(grid[1])), _as_image(image), names, columns, title)


def shares(plan: np.ndarray) -> np.ndarray:
    """[n, r] -> [n, r]: how each token's mass divides over the pivots; 0 where it has none.

    Both conditional plans are first scaled to the same mass per pivot, so that pivots compare.
    """
    columns = plan.sum(0)
    joint = plan / np.where(columns > 0, columns, 1.0)
    rows = joint.sum(1, keepdims=True)
    return joint / np.where(rows > 0, rows, 1.0)


def palette(count: int) -> np.ndarray:
    """`count` colours [count, 3] in 0..1 of even lightness, neighbours far apart in hue."""
    from matplotlib.colors import hsv_to_rgb

    hues = (np.arange(count) * 0.61803398875) % 1.0
    saturation = np.where(np.arange(count) % 2, 0.85, 0.6)
    return hsv_to_rgb(np.stack([hues, saturation, np.full(count, 0.95)], -1))


def _as_image(image: Any) -> Optional[np.ndarray]:
    """`image` as floats [height, width, 3] in 0..1."""
    if image is None:
        return None
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, -1)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError("image: expected shape [height, width] or [height, width, 3], "
                         f"got {list(np.shape(image))}")
    return array / 255.0 if array.dtype == np.uint8 else np.clip(array.astype(np.float64), 0, 1)


def _figure(width: float, height: float, title: Optional[str]) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and outside pyplot's list of figures
    if title:
        figure.suptitle(title)
    return figure


def _heat_map(R: np.ndarray, names: list[str], title: Optional[str]) -> "Figure":
    """Pivots as rows, tokens as columns, each row scaled to its largest entry."""
    n, r = R.shape
    figure = _figure(9, 1.5 + 0.22 * min(r, 32), title)
    axes = figure.subplots()
    largest = R.max(0, initial=0.0)
    shown = axes.imshow((R / np.where(largest > 0, largest, 1.0)).T, aspect="auto",
                        interpolation="nearest", cmap="magma", vmin=0, vmax=1,
                        extent=(-0.5, max(n, 1) - 0.5, r - 0.5, -0.5))
    axes.set_xlabel("token")
    axes.set_ylabel("pivot")
    if r <= 32:
        axes.set_yticks(range(r), names)
    figure.colorbar(shown, ax=axes, label="mass, relative to the pivot's largest")
    return figure


def _upsample(patches: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """[rows, columns, ...] -> [height, width, ...], each patch a rectangle."""
    rows = np.arange(shape[0]) * patches.shape[0] // shape[0]
    columns = np.arange(shape[1]) * patches.shape[1] // shape[1]
    return patches[rows[:, None], columns]


def _on_image(R: np.ndarray, grid: tuple[int, int], image: Optional[np.ndarray],
              names: list[str], columns: int, title: Optional[str]) -> "Figure":
    """A map of the strongest pivot of each patch over small pictures, one per pivot."""
    n, r = R.shape
    columns = max(1, min(columns, r))
    rows = math.ceil(r / columns)
    if image is None:
        image = np.full((8 * grid[0], 8 * grid[1], 3), 0.6)
    aspect = image.shape[0] / image.shape[1]
    width = 12.0
    small, big = width / columns * aspect + 0.25, width / 2 * aspect + 0.3
    figure = _figure(width, big + rows * small + (0.4 if title else 0.0), title)
    top, bottom = figure.subfigures(2, 1, height_ratios=[big, rows * small])
    grey = image.mean(-1, keepdims=True)
    colours = palette(r)

    # Colour of a patch: the mix of its pivots' colours, light and dark from the photo.
    mix = _upsample((shares(R) @ colours).reshape(*grid, 3), image.shape)
    strongest = _upsample(colours[strongest_pivot(R)].reshape(*grid, 3), image.shape)
    left, right = top.subplots(1, 2)
    left.imshow(np.clip(mix * (0.25 + 0.75 * grey), 0, 1))
    left.set_title("colour: how each token divides over the pivots", fontsize=10)
    right.imshow(np.clip(strongest * (0.45 + 0.55 * grey), 0, 1))
    right.set_title("colour: the pivot that gathers most of a token", fontsize=10)

    cells = np.atleast_1d(bottom.subplots(rows, columns)).ravel()
    for j, axes in enumerate(cells[:r]):
        # The square root lets faint shares show.
        weight = np.sqrt(R[:, j] / (R[:, j].max(initial=0.0) or 1.0)).reshape(*grid, 1)
        weight = _upsample(weight, image.shape)
        axes.imshow(np.clip((0.12 + 0.1 * grey) * (1 - weight) + weight * image, 0, 1))
        axes.set_title(f"pivot {names[j]}" if names[j] == str(j) else names[j], fontsize=8,
                       color=tuple(0.75 * colours[j]), pad=2)
    for axes in (left, right, *cells):
        axes.set_axis_off()
    return figure


def strongest_pivot(R: np.ndarray) -> np.ndarray:
    """[n, r] -> [n]: the pivot with the largest share of each token."""
    return shares(R).argmax(1)
