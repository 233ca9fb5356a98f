#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiled equals untiled: sweep, plan and glue over random token tiles, in float64.

Every op runs untiled, tiled by several sizes, and as the NumPy formula of docs/semantics.md.
Absent tokens hold NaN scores; absent masses must stay uniform over all tokens when tiled.
"""

import numpy as np
import pytest

from linalg_path import Compiled, tool

pytestmark = pytest.mark.skipif(
    not all(tool(name) for name in ("lot-opt", "mlir-opt", "mlir-translate", "clang")),
    reason="lot-opt or LLVM 22's tools are not there")

R, DV = 5, 6
SCORES, ROWS, PIVOTS = "tensor<2x?x5xf64>", "tensor<2x?xf64>", "tensor<2x5xf64>"
TILES = [1, 3, 7, 16, 64]
LENGTHS = [0, 1, 7, 33, 64, 100]


def function(name, arguments, op, result):
    """A function that returns `op`, written on its arguments."""
    signature = ", ".join(f"%{x}: {t}" for x, t in arguments.items())
    return (f"func.func @{name}({signature}) -> {result} attributes {{llvm.emit_c_interface}} {{\n"
            f"  {op}\n  return %o : {result}\n}}\n")


def sweep_functions():
    """name -> (arguments, text): log sweeps with and without prev and masses, and scaling."""
    found = {}
    for prev in (False, True):
        for mass in (False, True):
            arguments = {"L": SCORES}
            extra = ""
            if prev:
                arguments["prev"] = PIVOTS
                extra += f" prev(%prev : {PIVOTS})"
            if mass:
                arguments["a"] = ROWS
                extra += f" token_log_mass(%a : {ROWS})"
            arguments.update(m0=PIVOTS, s0=PIVOTS)
            for number, what in enumerate(("max", "sum")):
                name = f"sweep_{what}{'_prev' if prev else ''}{'_mass' if mass else ''}"
                op = (f"%r:2 = lot.sweep domain<log> ins(%L : {SCORES}){extra} outs(%m0, %s0 : "
                      f"{PIVOTS}, {PIVOTS}) -> {PIVOTS}, {PIVOTS}\n  %z = tensor.empty() : {PIVOTS}"
                      f"\n  %o = linalg.copy ins(%r#{number} : {PIVOTS}) outs(%z : {PIVOTS}) "
                      f"-> {PIVOTS}")
                found[name] = (arguments, function(name, arguments, op, PIVOTS))
            if prev:
                name = f"scaling{'_mass' if mass else ''}"
                scaling = {x: t for x, t in arguments.items() if x != "m0"}
                op = (f"%o = lot.sweep domain<scaling> ins(%L : {SCORES}){extra} "
                      f"outs(%s0 : {PIVOTS}) -> {PIVOTS}")
                found[name] = (scaling, function(name, scaling, op, PIVOTS))
    return found


def plan_functions():
    """name -> (arguments, text): plans given either side, with and without masses."""
    found = {}
    for given in ("tokens", "pivots"):
        for mass in (False, True):
            arguments = {"L": SCORES, "prev": PIVOTS, "last": PIVOTS}
            extra = ""
            if mass:
                arguments["a"] = ROWS
                extra = f" token_log_mass(%a : {ROWS})"
            arguments["init"] = SCORES
            name = f"plan_{given}{'_mass' if mass else ''}"
            op = (f"%o = lot.plan conditional<{given}> ins(%L : {SCORES}) prev(%prev : {PIVOTS}) "
                  f"last(%last : {PIVOTS}){extra} outs(%init : {SCORES}) -> {SCORES}")
            found[name] = (arguments, function(name, arguments, op, SCORES))
    return found


def glue_functions():
    """name -> (arguments, text): each normalization, with and without masses, grouped heads."""
    found = {}
    plan1, plan2 = "tensor<1x4x?x5xf64>", "tensor<1x2x?x5xf64>"
    value, out, rows = "tensor<1x2x?x6xf64>", "tensor<1x4x?x6xf64>", "tensor<1x4x?xf64>"
    for normalization in ("query_mass", "row_sum", "none"):
        for mass in (False, True):
            arguments = {"R1": plan1, "R2": plan2, "v": value}
            extra = ""
            if mass:
                arguments["la"] = rows
                extra = f" query_log_mass(%la : {rows})"
            arguments["init4"] = out
            name = f"glue_{normalization}{'_mass' if mass else ''}"
            floor = ", row_floor = 0.2 : f64" if normalization == "row_sum" else ""
            op = (f"%o = lot.glue {{normalization = #lot.normalization<{normalization}>{floor}}} "
                  f"ins(%R1, %R2, %v : {plan1}, {plan2}, {value}){extra} "
                  f"outs(%init4 : {out}) -> {out}")
            found[name] = (arguments, function(name, arguments, op, out))
    return found


FUNCTIONS = {**sweep_functions(), **plan_functions(), **glue_functions()}


def values(n, seed):
    """Arrays for every argument name."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(2, n)) - 2
    a[rng.random((2, n)) < 0.2] = -np.inf
    la = np.broadcast_to(a[None, :1], (1, 1, n)).repeat(4, axis=1) if n else np.zeros((1, 4, 0))
    scores = 3 * rng.normal(size=(2, n, R))
    return dict(
        L=scores, a=a, la=la, prev=rng.normal(size=(2, R)), last=rng.normal(size=(2, R)),
        m0=np.where(rng.random((2, R)) < 0.3, -np.inf, rng.normal(size=(2, R))),
        s0=rng.random((2, R)) + 0.5, init=np.full((2, n, R), np.nan),
        R1=rng.random((1, 4, n, R)), R2=rng.random((1, 2, 9, R)), v=rng.normal(size=(1, 2, 9, DV)),
        init4=np.full((1, 4, n, DV), np.nan))


def arguments_of(name, data):
    """The arrays of a call, in order: NaN scores where there is no mass, D > 0 for scaling."""
    names = FUNCTIONS[name][0]
    data = dict(data)
    if "a" in names:
        data["L"] = np.where((data["a"] == -np.inf)[..., None], np.nan, data["L"])
    if name.startswith("scaling"):
        data["L"], data["prev"] = np.exp(data["L"]), np.exp(data["prev"])
    data["s0"] = np.where(data["m0"] == -np.inf, 0.0, data["s0"])
    return {x: data[x] for x in names}


def logsumexp(x, axis):
    """-inf for an empty line."""
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top).sum(axis)) + np.squeeze(top, axis)


def formula(name, x):
    """The value of a function by its definition."""
    if name.startswith("glue"):
        n = x["R1"].shape[2]
        two = lambda t: np.repeat(t, 2, axis=1)
        coupling = x["R1"] @ np.swapaxes(two(x["R2"]), -1, -2)
        out = coupling @ two(x["v"])
        mass = np.exp(x.get("la", np.full((1, 4, n), -np.log(max(n, 1)))))
        if "none" in name:
            out = out * mass[..., None]
        if "row_sum" in name:
            floor = np.divide(0.2, mass, out=np.zeros_like(mass), where=mass > 0)
            out = out / np.maximum(coupling.sum(-1), floor)[..., None]
        return out
    L, n = x["L"], x["L"].shape[1]
    a = x.get("a", np.full((2, n), -np.log(max(n, 1))))
    dead = (a == -np.inf)[..., None]
    if name.startswith("scaling"):
        D = np.where(dead, 0.0, L)
        rows = np.where(dead, 1.0, (D * x["prev"][:, None]).sum(-1, keepdims=True))
        return x["s0"] + (D * np.exp(a)[..., None] / rows).sum(1)
    L = np.where(dead, 0.0, L)
    token = np.where(dead[..., 0], -np.inf, 0.0)
    if "prev" in x:
        token = token - logsumexp(L + x["prev"][:, None], -1)
    if name.startswith("plan"):
        if "pivots" in name:
            token = token + np.where(dead[..., 0], 0.0, a)
            token = token + np.log(R)  # uniform pivots
        return np.exp(L + x["last"][:, None] + token[..., None])
    if "prev" in x:
        token = token + np.where(dead[..., 0], 0.0, a)
    terms = L + token[..., None]
    top = np.maximum(x["m0"], terms.max(1, initial=-np.inf))
    if "max" in name:
        return top
    shift = np.where(np.isfinite(top), top, 0.0)
    return x["s0"] * np.exp(x["m0"] - shift) + np.exp(terms - shift[:, None]).sum(1)


@pytest.fixture(scope="module")
def compiled():
    """Tile (None: untiled) -> compiled functions."""
    module = "".join(text for _, text in FUNCTIONS.values())
    decompose = ("--lot-decompose-ops", "--canonicalize", "--cse")
    return {tile: Compiled(module, ((f"--lot-tile-tokens=tile={tile}",) if tile else ())
                           + decompose) for tile in [None, *TILES]}


@pytest.mark.parametrize("tile", [None, *TILES])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_tiled_equals_untiled(compiled, name, tile):
    for n in LENGTHS:
        x = arguments_of(name, values(n, seed=n))
        expected = formula(name, x)
        untiled = compiled[None](name, *x.values(), rank=expected.ndim, dtype=np.dtype(np.float64))
        tiled = compiled[tile](name, *x.values(), rank=expected.ndim, dtype=np.dtype(np.float64))
        assert not np.isnan(expected).any() and not np.isnan(tiled).any()
        np.testing.assert_allclose(tiled, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(tiled, untiled, rtol=1e-13, atol=1e-14)
