#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Problems, layouts and the comparator of the Python tests.

Tolerances are those of docs/semantics.md, section 9, as code. The comparator fails on NaN
on either side: a reference that is NaN proves nothing.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, Iterable, Iterator, Optional

import ml_dtypes
import numpy as np

import lot

BF16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64),
          "bf16": BF16, "f16": np.dtype(np.float16)}
MASSES = ("query_log_mass", "key_log_mass", "pivot_log_mass", "glue_log_mass")
CASES = pathlib.Path(__file__).parent / "data" / "cases.npz"

#: Rounding of the result to its dtype, f32 inside ("bf16 out", "f16 out" of section 9).
OUTPUT_ROUNDING = {"f32": 0.0, "bf16": 4e-3, "f16": 5e-4}

#: On a GPU, tensor cores take plans and values in bf16 ("bf16 operands in the value and gradient
#: GEMMs" of section 9); f16 has not the range of plans, its products are in f32.
GPU_OUTPUT_ROUNDING = {**OUTPUT_ROUNDING, "bf16": 7e-3}


# --- Comparison -----------------------------------------------------------------------------


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Frobenius error of `actual` relative to `expected`; fails on NaN, inf and other shapes."""
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert np.isfinite(e).all(), "the expected values are not finite"
    assert np.isfinite(a).all(), f"{np.count_nonzero(~np.isfinite(a))} values are not finite"
    norm, error = np.linalg.norm(e), np.linalg.norm(a - e)
    return float(error / norm) if norm else (0.0 if error == 0 else np.inf)


def tolerance(problem: "Problem", dtype: str,
              rounding: dict[str, float] = OUTPUT_ROUNDING) -> float:
    """The admitted relative error of the output for io in `dtype`."""
    if dtype == "f64":
        return 1e-11
    t0 = 4 * 2.0**-24 * (16 + problem.max_score() + problem.max_log_mass())
    return t0 + rounding[dtype]


def check(actual: np.ndarray, problem: "Problem", dtype: str,
          rounding: dict[str, float] = OUTPUT_ROUNDING) -> float:
    """Asserts that `actual` answers `problem` (already in `dtype`); returns the error."""
    assert actual.dtype == DTYPES[dtype]
    expected = problem.reference()
    error, bound = relative_error(actual, expected), tolerance(problem, dtype, rounding)
    assert error <= bound, f"relative error {error:.3g}, tolerance {bound:.3g}"
    absent = problem.absent_queries()
    assert not np.asarray(actual, np.float64)[absent].any(), "an absent query has a result"
    return error


#: 16-bit rounding of the gradients of q, k and pivots (dq, dk, dZ of section 9).
GRADIENT_ROUNDING = {"f32": 0.0, "bf16": 2e-3, "f16": 3e-4}
GPU_GRADIENT_ROUNDING = {**GRADIENT_ROUNDING, "bf16": 4e-3}


def check_gradients(actual: dict[str, np.ndarray], problem: "Problem", dout: np.ndarray,
                    dtype: str, sizes: Optional[dict[str, float]] = None,
                    rounding: dict[str, float] = OUTPUT_ROUNDING,
                    gradient_rounding: dict[str, float] = GRADIENT_ROUNDING) -> dict[str, float]:
    """Asserts that `actual` are the gradients of `problem` (in `dtype`, as dout is).

    Returns each error over its tolerance. `sizes` of terms take the place of the oracle's. Lines without mass must have gradients of exactly 0.
    """
    expected = {**problem.reference_vjp(dout), **(sizes or {})}
    operands = problem.operands()
    # Masses may have no gradients.
    assert list(actual) in ([*operands], [name for name in operands if name not in MASSES])
    t0 = 1e-10 if dtype == "f64" else 4 * 2.0**-24 * (16 + problem.max_score() +
                                                      problem.max_log_mass())
    ratios = {}
    for name, gradient in actual.items():
        assert gradient.dtype == operands[name].dtype and gradient.shape == operands[name].shape
        a, e = np.asarray(gradient, np.float64), expected[name]
        assert np.isfinite(e).all(), "the expected values are not finite"
        assert np.isfinite(a).all(), f"{name}: {np.count_nonzero(~np.isfinite(a))} not finite"
        bound = t0
        if dtype != "f64":
            if name in MASSES:
                bound *= 1 + problem.attributes.get("half_steps", 5) / 16
            elif name == "v":
                bound += rounding[dtype]
            else:
                bound += gradient_rounding[dtype]
        size = np.linalg.norm(e) if name == "v" else expected[f"scale_{name}"]
        error = float(np.linalg.norm(a - e))
        ratios[name] = error / (bound * size) if size else (0.0 if error == 0 else np.inf)
        assert ratios[name] <= 1, (f"{name}: error {error:.3g} of size {size:.3g}, "
                                   f"tolerance {bound:.3g}")
        absent = problem.absent(name)
        assert not a[absent].any(), f"{name}: a line without mass has a gradient"
    return ratios


# --- Problems -------------------------------------------------------------------------------


@dataclasses.dataclass
class Problem:
    """Operands and attributes of one call."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    pivots: np.ndarray
    masses: dict[str, np.ndarray]
    attributes: dict[str, Any]

    def cast(self, dtype: str, pivots_in_state: bool = False) -> "Problem":
        """The problem rounded to io in `dtype`, log masses (and pivots if asked) in the state."""
        io = DTYPES[dtype]
        state = np.dtype(np.float64 if dtype == "f64" else np.float32)
        with np.errstate(over="ignore"):
            return Problem(self.q.astype(io), self.k.astype(io), self.v.astype(io),
                           self.pivots.astype(state if pivots_in_state else io),
                           {name: mass.astype(state) for name, mass in self.masses.items()},
                           self.attributes)

    def run(self, threads: Optional[int] = None, **changes: np.ndarray) -> np.ndarray:
        """`lot.attention`, with some operands replaced."""
        operands = dict(q=self.q, k=self.k, v=self.v, pivots=self.pivots, **self.masses)
        operands.update(changes)
        return lot.attention(**operands, **self.attributes, threads=threads)

    def reference(self) -> np.ndarray:
        """The float64 oracle on these very (rounded) values."""
        return lot.reference.attention(self.q, self.k, self.v, self.pivots, **self.masses,
                                       **self.attributes)

    def operands(self) -> dict[str, np.ndarray]:
        """q, k, v, pivots and the given log masses, in the order of `lot.attention`."""
        masses = {name: self.masses[name] for name in MASSES if name in self.masses}
        return dict(q=self.q, k=self.k, v=self.v, pivots=self.pivots, **masses)

    def cotangent(self, seed: int = 0) -> np.ndarray:
        """A random cotangent of the output in its dtype, NaN for queries without mass."""
        shape = (*self.q.shape[:3], self.v.shape[3])
        dout = np.random.default_rng(seed).normal(size=shape)
        dout[self.absent_queries()] = np.nan
        return dout.astype(self.q.dtype)

    def run_vjp(self, dout: np.ndarray, threads: Optional[int] = None,
                **changes: np.ndarray) -> dict[str, np.ndarray]:
        """`lot.attention_vjp`, with some operands replaced."""
        operands = {**self.operands(), **changes}
        return lot.attention_vjp(dout, **operands, **self.attributes, threads=threads)

    def reference_vjp(self, dout: np.ndarray) -> dict[str, Any]:
        """The float64 oracle's gradients on these very (rounded) values."""
        return lot.reference.attention_vjp(dout, **self.operands(), **self.attributes)

    def absent(self, name: str) -> np.ndarray:
        """bool, leading dims of that operand: lines that have no mass in any head or batch."""
        token = {"q": "query", "query_log_mass": "query", "k": "key", "v": "key",
                 "key_log_mass": "key"}.get(name)
        mass = self.masses.get(f"{token or 'pivot'}_log_mass")
        array = self.operands()[name]
        lead = array.shape if name in MASSES else array.shape[:-1]
        if mass is None or name == "glue_log_mass":
            return np.zeros(lead, bool)
        dead = mass == -np.inf
        if token:
            if dead.ndim == 2 and len(lead) == 3:
                dead = dead[:, None]
        elif dead.ndim == 3 and len(lead) == 2:  # pivots of all batches
            dead = dead.all(0)
        return np.broadcast_to(dead, lead)

    def _prepared(self) -> tuple:
        return lot.reference.prepare(self.q, self.k, self.v, self.pivots,
                                     self.attributes.get("scale"),
                                     *(self.masses.get(name) for name in MASSES))

    def max_score(self) -> float:
        """max |L| over both sides and everything that has mass."""
        Q, K, _, Z, scale, *_ = self._prepared()
        return max(float(np.abs(lot.reference.scores(
            X, Z, scale, self.attributes.get("epsilon", 1.0),
            self.attributes.get("score_clamp"))).max(initial=0.0)) for X in (Q, K))

    def max_log_mass(self) -> float:
        """max |log mass| over finite log masses, uniform ones included."""
        masses = self._prepared()[5:9]
        return max(float(np.abs(np.where(np.isfinite(m), m, 0.0)).max(initial=0.0))
                   for m in masses)

    def absent_queries(self) -> np.ndarray:
        """bool [B, Hq, n]: queries without mass."""
        return self._prepared()[5] == -np.inf


def case_names() -> list[str]:
    """The names of the cases in data/cases.npz."""
    with np.load(CASES) as file:
        return sorted({key.split("/")[0] for key in file.files})


def load_gradients(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A case's cotangent and its expected gradients, those of masses summed to their operands."""
    problem, _ = load_case(name)
    with np.load(CASES) as file:
        gradients = {}
        for operand, array in problem.operands().items():
            gradient = file[f"{name}/grad/{operand}"]
            if operand in MASSES and array.ndim == 2:
                gradient = gradient.sum(1 if operand in MASSES[:2] else 0)
            gradients[operand] = gradient
        return file[f"{name}/in/dout"], gradients


def load_scales(name: str) -> dict[str, float]:
    """A case's sizes of terms, by the oracle's names."""
    with np.load(CASES) as file:
        return {f"scale_{key.split('/')[2]}": float(file[key]) for key in file.files
                if key.startswith(f"{name}/scale/")}


def load_case(name: str) -> tuple[Problem, np.ndarray]:
    """A case in float64 and its expected output."""
    with np.load(CASES) as file:
        inputs = {key.split("/")[2]: file[key] for key in file.files
                  if key.startswith(f"{name}/in/")}
        inputs.pop("dout")
        problem = Problem(*(inputs.pop(t) for t in ("q", "k", "v", "pivots")), inputs,
                          json.loads(str(file[f"{name}/attrs"])))
        return problem, file[f"{name}/out"]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A kernel class: what a compilation depends on. Mass ranks of 0 mean uniform."""

    d: int
    dv: int
    r: int
    dtype: str = "f32"
    pivots_rank: int = 3
    pivots_in_state: bool = False
    mass_ranks: tuple[int, int, int, int] = (0, 0, 0, 0)
    attributes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        attributes = ",".join(f"{name}={value:.3g}" if isinstance(value, float) else
                              f"{name}={value}" for name, value in self.attributes)
        return (f"{self.dtype}-d{self.d}-dv{self.dv}-r{self.r}-z{self.pivots_rank}"
                f"{'s' if self.pivots_in_state else ''}-"
                f"m{''.join(map(str, self.mass_ranks))}-{attributes}")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Everything about a problem that must not cause a compilation."""

    batch: int
    key_heads: int
    group: int  # query heads per key head
    pivots_per_key_head: bool
    n: int
    m: int
    spread: float  # standard deviation of q and k
    absent: float  # share of tokens and pivots without mass, their data NaN
    seed: int


def log_masses(rng: np.random.Generator, shape: tuple, absent: float) -> np.ndarray:
    """Random log masses that sum to one per line, a share of them -inf."""
    mass = rng.normal(size=shape) * 1.5
    if mass.size:
        mass -= np.log(np.exp(mass).sum(-1, keepdims=True))
    mass[rng.random(shape) < absent] = -np.inf
    return mass


def make_problem(kernel: Kernel, shape: Shape) -> Problem:
    """A random problem in the kernel's dtype, NaN and inf wherever there is no mass."""
    rng = np.random.default_rng(shape.seed)
    hq, hk = shape.key_heads * shape.group, shape.key_heads
    hp = hk if shape.pivots_per_key_head else hq
    b, n, m, r = shape.batch, shape.n, shape.m, kernel.r
    q = rng.normal(size=(b, hq, n, kernel.d)) * shape.spread
    k = rng.normal(size=(b, hk, m, kernel.d)) * shape.spread
    v = rng.normal(size=(b, hk, m, kernel.dv)) + 0.5
    z = rng.normal(size=(hp, r, kernel.d) if kernel.pivots_rank == 3 else (b, hp, r, kernel.d))
    full = {"query_log_mass": (b, hq, n), "key_log_mass": (b, hk, m),
            "pivot_log_mass": (b, hp, r), "glue_log_mass": (b, hp, r)}
    short = {"query_log_mass": (b, n), "key_log_mass": (b, m), "pivot_log_mass": (hp, r),
             "glue_log_mass": (hp, r)}
    masses = {name: log_masses(rng, (full if rank == 3 else short)[name],
                               shape.absent if name != "glue_log_mass" else 0.0)
              for name, rank in zip(MASSES, kernel.mass_ranks) if rank}

    poison = (np.nan, np.inf, -np.inf)[shape.seed % 3]
    if "query_log_mass" in masses:
        la = masses["query_log_mass"]
        q[np.broadcast_to(la if la.ndim == 3 else la[:, None], q.shape[:3]) == -np.inf] = poison
    if "key_log_mass" in masses:
        lb = masses["key_log_mass"]
        dead = np.broadcast_to(lb if lb.ndim == 3 else lb[:, None], k.shape[:3]) == -np.inf
        k[dead], v[dead] = poison, poison
    lw = masses.get("pivot_log_mass")
    if lw is not None and lw.ndim == z.ndim - 1:
        z[lw == -np.inf] = poison
    return Problem(q, k, v, z, masses, dict(kernel.attributes)).cast(kernel.dtype,
                                                                     kernel.pivots_in_state)


# --- Layouts --------------------------------------------------------------------------------

LAYOUTS = ("contiguous", "heads_inner", "reversed", "gaps", "last_strided", "odd_address")


def lay_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The same values in another layout; the memory between them is NaN."""
    if layout == "contiguous":
        return np.ascontiguousarray(array)
    if layout == "heads_inner":  # [B, n, H, d] in memory, as projections come
        if array.ndim < 3:
            return np.asfortranarray(array)
        return np.ascontiguousarray(array.swapaxes(-3, -2)).swapaxes(-3, -2)
    if layout == "reversed":  # negative strides, the last dimension stays
        flip = (slice(None, None, -1),) * (array.ndim - 1)
        return np.ascontiguousarray(array[flip])[flip]
    if layout == "odd_address":  # not a multiple of the element size
        raw = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
        raw[...] = array
        return raw
    if layout == "gaps":
        big = np.full([2 * s + 3 for s in array.shape[:-1]] + [array.shape[-1] + 5], np.nan,
                      array.dtype)
        view = big[tuple(slice(1, 2 * s + 1, 2) for s in array.shape[:-1])]
        view = view[..., 2:2 + array.shape[-1]]
    else:  # last_strided
        big = np.full([*array.shape[:-1], 3 * array.shape[-1] + 1], np.nan, array.dtype)
        view = big[..., 1::3]
    view[...] = array
    return view


def combinations(operands: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Every operand in every layout but the plain one."""
    for operand in operands:
        for layout in LAYOUTS[1:]:
            yield operand, layout
