#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of couplings: what they show, checked on the numbers behind the pixels."""

import sys
import subprocess

import numpy as np
import pytest

import lot

pytest.importorskip("matplotlib")


def blocks():
    """A plan of 12 tokens (3 x 4 patches) where pivot j gathers the j-th column of patches."""
    plan = np.full((12, 4), 1e-3)
    plan[np.arange(12), np.arange(12) % 4] = 1.0
    return plan


def images(figure):
    return [axes.images[0].get_array() for axes in figure.findobj(lambda a: hasattr(a, "images"))
            if axes.images]


def titles(figure):
    return [axes.get_title() for axes in figure.findobj(lambda a: hasattr(a, "get_title"))]


def test_heat_map_shows_the_plan():
    plan = blocks() * np.array([1.0, 2.0, 5.0, 0.1])  # scaled per pivot: not visible
    (shown,) = [image for image in images(lot.plot.coupling(plan)) if image.shape == (4, 12)]
    np.testing.assert_allclose(shown, blocks().T)


def test_small_pictures_show_their_pivot():
    photo = np.full((30, 40, 3), 255, np.uint8)
    figure = lot.plot.coupling(blocks(), grid=(3, 4), image=photo, labels=list("abcd"))
    pictures = images(figure)
    assert len(pictures) == 2 + 4 and all(p.shape == photo.shape for p in pictures)
    assert [t for t in titles(figure) if t in "abcd" and t] == list("abcd")
    for j, picture in enumerate(pictures[2:]):
        light = picture.mean((0, 2)).reshape(4, 10).mean(1)
        assert light.argmax() == j and light[j] > 0.95 and np.delete(light, j).max() < 0.3


def test_map_has_one_colour_per_pivot():
    figure = lot.plot.coupling(blocks(), grid=(3, 4))
    mix, strongest = images(figure)[:2]
    for picture in (mix, strongest):
        columns = picture.reshape(24, 4, 8, 3)
        assert np.ptp(columns, axis=(0, 2)).max() < 1e-6
        assert len({tuple(np.round(columns[0, j, 0], 3)) for j in range(4)}) == 4


def test_shares_compare_pivots_of_any_mass():
    """Query plans and key plans of one coupling name the same pivots."""
    plan = blocks()
    np.testing.assert_allclose(lot.plot.shares(plan * [1, 1e-3, 50, 7]), lot.plot.shares(plan))
    assert (lot.plot.strongest_pivot(plan * [1, 1e-6, 50, 7]) == np.arange(12) % 4).all()
    assert not lot.plot.shares(np.zeros((3, 2))).any()


def test_of_a_real_plan(tmp_path):
    rng = np.random.default_rng(0)
    plan = lot.plan(rng.normal(size=(2, 3, 20, 4)), rng.normal(size=(3, 7, 4)), side="key")
    for head in range(3):
        file = tmp_path / f"{head}.png"
        lot.plot.coupling(plan, batch=1, head=head, grid=(4, 5), columns=3,
                          image=rng.random((16, 20)), title="coupling").savefig(file, dpi=40)
        assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments, message", [
    (dict(plan=np.zeros(3)), r"plan: expected shape \[n, r\] or \[B, H, n, r\]"),
    (dict(plan=np.zeros((3, 0))), "plan: expected shape .* with r >= 1"),
    (dict(plan=-np.ones((3, 2))), "plan: expected entries >= 0"),
    (dict(plan=np.full((3, 2), np.nan)), "plan: expected entries >= 0"),
    (dict(plan=np.ones((6, 2)), grid=(2, 2)), r"grid: expected .* product of 6, got \(2, 2\)"),
    (dict(plan=np.ones((6, 2)), image=np.ones((2, 3))), "image: expected grid"),
    (dict(plan=np.ones((6, 2)), grid=(2, 3), image=np.ones((2, 3, 4))), "image: expected shape"),
    (dict(plan=np.ones((6, 2)), labels=["a"]), "labels: expected 2 names, got 1"),
])
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        lot.plot.coupling(**arguments)


def test_matplotlib_is_loaded_only_for_drawing():
    program = ("import sys; sys.path[:] = eval(sys.argv[1]); import lot; lot.plot; "
               "assert 'matplotlib' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", program, repr(sys.path)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
