#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of one lot op each, with annotations of how a 2x2 grid splits their operands.

test_sharding.py compiles them partitioned and whole; sharding_worker.py calls both.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Optional

GRID = (2, 2)
#: Grid axes of a dim: none, the first, the second, both.
WHOLE: tuple[int, ...] = ()
ROWS, COLUMNS, ALL = (0,), (1,), (0, 1)


@dataclasses.dataclass
class Operand:
    """An argument: its name, letters of its dims, what its values are like."""

    name: str
    dims: str
    #: normal, mass (log masses, a fifth of them -inf), plan (positive), poison (not read)
    values: str = "normal"
    element: Optional[str] = None


@dataclasses.dataclass
class Function:
    """One op: `text` names the operands as %name and their types as $name."""

    name: str
    text: str
    operands: list[Operand]
    results: list[Operand]
    sizes: dict[str, int]
    axes: dict[str, tuple[int, ...]]
    element: str = "f64"
    #: Letters whose sizes are dynamic in the module.
    dynamic: str = ""

    def type(self, operand: Operand) -> str:
        dims = "".join(("?" if d in self.dynamic else str(self.sizes[d])) + "x" for d in operand.dims)
        return f"tensor<{dims}{operand.element or self.element}>"

    def split(self, operand: Operand) -> list[tuple[int, ...]]:
        return [self.axes.get(d, WHOLE) for d in operand.dims]

    def module_text(self, prefix: str, sharded: bool) -> str:
        """func.func @<prefix><name>, its arguments annotated or not."""
        arguments = ", ".join(f"%{o.name}_all: {self.type(o)}" for o in self.operands)
        types = ", ".join(self.type(r) for r in self.results)
        lines = [f"func.func @{prefix}{self.name}({arguments}) -> ({types})",
                 "    attributes {llvm.emit_c_interface} {"]
        written = {f"${o.name}": self.type(o) for o in self.operands}
        written |= {f"%{o.name}": f"%{o.name}" + ("" if sharded else "_all") for o in self.operands}
        body = re.sub(r"[$%]\w+", lambda match: written[match[0]], self.text)
        for operand in self.operands if sharded else []:
            axes = ", ".join("[" + ", ".join(map(str, a)) + "]" for a in self.split(operand))
            lines.append(f"  %s_{operand.name} = shard.sharding @grid split_axes = [{axes}] : !shard.sharding")
            lines.append(f"  %{operand.name} = shard.shard %{operand.name}_all to %s_{operand.name} "
                         f"annotate_for_users : {self.type(operand)}")
        names = [f"%r#{i}" for i in range(len(self.results))] if len(self.results) > 1 else ["%r"]
        count = f":{len(self.results)}" if len(self.results) > 1 else ""
        lines += [f"  %r{count} = {body} -> {types}", f"  return {', '.join(names)} : {types}", "}"]
        return "\n".join(lines) + "\n"


def listed(names: list[str]) -> str:
    return f"({', '.join('%' + n for n in names)} : {', '.join('$' + n for n in names)})"


def op_text(op: str, ins: list[str], keywords: list[str], inits: list[str]) -> str:
    """The op in its assembly format: `op ins(..) keyword(..)... outs(..)`."""
    given = " ".join(f"{k}(%{k} : ${k})" for k in keywords)
    return f"{op} ins{listed(ins)} {given} outs{listed(inits)}"


def attention(name: str, axes: dict, *, attributes: str = "half_steps = 5 : i64", masses: tuple = (),
              heads: tuple[str, str, str] = ("h", "h", "h"), pivots_batch: bool = False, vjp: bool = False,
              element: str = "f64", dynamic: str = "", **sizes: int) -> Function:
    """lot.attention or its vjp. `heads` are the letters of query, key and pivot heads; `masses` pairs of a log mass
    and its dims."""
    q, k, p = heads
    state = "f64" if element == "f64" else "f32"
    inputs = [Operand("query", f"b{q}nd"), Operand("key", f"b{k}md"), Operand("value", f"b{k}me"),
              Operand("pivots", f"{'b' if pivots_batch else ''}{p}rd")]
    inputs += [Operand(m, dims, "mass", state) for m, dims in masses]
    output = Operand("out", f"b{q}ne", "poison")
    results = [Operand(f"d{o.name}", o.dims, "poison", o.element) for o in inputs] if vjp else [output]
    operands = ([Operand("cotangent", f"b{q}ne")] if vjp else []) + inputs + results
    ins = (["cotangent"] if vjp else []) + [o.name for o in inputs[:4]]
    text = op_text(f"lot.attention{'_vjp' if vjp else ''} {{{attributes}}}", ins, [m for m, _ in masses],
                   [r.name for r in results])
    default = dict(b=2, h=2, g=4, o=1, n=16, m=24, d=8, e=4, r=5)
    return Function(name, text, operands, results, {**default, **sizes}, axes, element, dynamic)


def formula(name: str, op: str, axes: dict, ins: list[Operand], keywords: list[Operand], results: list[Operand],
            dynamic: str = "", **sizes: int) -> Function:
    """One of the ops on score tensors [x, n, r]."""
    text = op_text(op, [o.name for o in ins], [o.name for o in keywords], [r.name for r in results])
    default = dict(x=2, n=24, r=5, b=2, h=2, g=4, m=16, e=4)
    return Function(name, text, ins + keywords + results, results, {**default, **sizes}, axes, "f64", dynamic)


TOKENS = dict(n=ALL, m=ALL)
BATCH_TOKENS = dict(b=ROWS, n=COLUMNS, m=COLUMNS)
MASSES = (("query_log_mass", "bn"), ("key_log_mass", "bhm"), ("pivot_log_mass", "hr"), ("glue_log_mass", "bhr"))
ROW_SUM = ("half_steps = 4 : i64, epsilon = 0.3 : f64, normalization = #lot.normalization<row_sum>, "
           "row_floor = 0.01 : f64")
NONE = "half_steps = 3 : i64, normalization = #lot.normalization<none>, out_scale = 2.0 : f64, score_clamp = 1.5 : f64"


def attention_functions(vjp: bool) -> list[Function]:
    suffix = "_vjp" if vjp else ""

    def make(name: str, axes: dict, **options) -> Function:
        return attention(name + suffix, axes, vjp=vjp, **options)

    return [
        make("tokens", TOKENS),
        make("tokens_dynamic", TOKENS, dynamic="nm", attributes=ROW_SUM),
        make("batch_and_tokens", BATCH_TOKENS, masses=MASSES, attributes=ROW_SUM),
        make("heads_and_tokens", dict(h=ROWS, g=ROWS, n=COLUMNS, m=COLUMNS), heads=("g", "h", "h"), attributes=NONE),
        make("own_pivots", dict(h=ROWS, g=ROWS, n=COLUMNS, m=COLUMNS), heads=("g", "h", "g"), pivots_batch=True,
             masses=(("pivot_log_mass", "gr"),)),
        make("one_key_head", dict(g=ROWS, n=COLUMNS, m=COLUMNS), heads=("g", "o", "g")),
        make("one_key_head_each", dict(h=ROWS, n=COLUMNS, m=COLUMNS), heads=("h", "o", "o")),
        make("queries", dict(n=ALL), attributes=NONE),
        make("keys", dict(m=COLUMNS), attributes="half_steps = 1 : i64", masses=(("key_log_mass", "bm"),)),
        make("batch", dict(b=ROWS, h=COLUMNS), masses=(("query_log_mass", "bn"), ("pivot_log_mass", "hr"))),
        make("batch_bf16", dict(b=ALL), b=4, element="bf16"),
    ] + ([] if vjp else [make("value_dim", dict(b=ROWS, e=COLUMNS))])


def formula_functions() -> list[Function]:
    split = dict(x=ROWS, n=COLUMNS)
    scores, token = Operand("scores", "xnr"), Operand("token_log_mass", "xn", "mass")
    prev, pivot = Operand("prev", "xr"), Operand("pivot_log_mass", "xr", "mass")
    last, into = Operand("last", "xr"), lambda name, dims: Operand(name, dims, "poison")
    start = [Operand("start_max", "xr"), Operand("start_sum", "xr", "plan")]
    plans = [Operand("query_plan", "bgnr", "plan"), Operand("key_plan", "bhmr", "plan"), Operand("value", "bhme")]
    glue = dict(b=ROWS, n=COLUMNS, m=COLUMNS)
    floor = "{normalization = #lot.normalization<row_sum>, row_floor = 0.1 : f64}"
    ratio = Operand("glue_log_ratio", "bhr")

    def gradients(of: list[Operand], element: Optional[str] = None) -> list[Operand]:
        return [into(f"d{o.name}", o.dims) for o in of]

    return [
        formula("solve", "lot.pivot_solve first<tokens> half_steps(6)", split, [scores], [],
                [into("y0", "xr"), into("y1", "xr")]),
        formula("solve_trajectory", "lot.pivot_solve first<pivots> half_steps(5)", split, [scores], [token, pivot],
                [into("y0", "xr"), into("y1", "xr"), into("ys", "xtr")], dynamic="n", t=4),
        formula("solve_vjp", "lot.pivot_solve_vjp first<tokens> half_steps(4)", split,
                [Operand("dprev", "xr"), Operand("dlast", "xr"), scores, Operand("ys", "xtr")], [],
                gradients([scores]), t=3),
        formula("solve_vjp_masses", "lot.pivot_solve_vjp first<pivots> half_steps(4)", dict(n=ALL),
                [Operand("dprev", "xr"), Operand("dlast", "xr"), scores, Operand("ys", "xtr")], [token, pivot],
                gradients([scores, token, pivot]), t=3),
        formula("sweep", "lot.sweep domain<log>", split, [scores], [prev], start),
        formula("sweep_first", "lot.sweep domain<log>", dict(n=ALL), [scores], [token], start, dynamic="n"),
        formula("sweep_scaling", "lot.sweep domain<scaling>", split, [Operand("scores", "xnr", "plan")],
                [Operand("prev", "xr", "plan")], start[1:]),
        formula("sweep_vjp", "lot.sweep_vjp", split, [Operand("c", "xr"), scores, Operand("log_sum", "xr", "large")],
                [prev], [into("dscores", "xnr"), Operand("dprev", "xr")]),
        formula("plan", "lot.plan conditional<pivots>", split, [scores], [prev, last, pivot], [into("R", "xnr")]),
        formula("plan_vjp", "lot.plan_vjp conditional<pivots>", split, [Operand("dR", "xnr"), scores],
                [prev, last, pivot], gradients([scores, prev, last, pivot])),
        formula("glue", f"lot.glue {floor}", glue, plans, [], [into("out", "bgne")]),
        formula("glue_ratio", "lot.glue", dict(g=ROWS, h=ROWS, n=COLUMNS, m=COLUMNS), plans, [ratio],
                [into("out", "bgne")]),
        formula("glue_vjp", f"lot.glue_vjp {floor}", glue, [Operand("do", "bgne"), *plans], [ratio],
                gradients([*plans, ratio])),
        formula("glue_vjp_shared", "lot.glue_vjp {normalization = #lot.normalization<none>}",
                dict(g=ROWS, n=COLUMNS, m=COLUMNS),
                [Operand("do", "bgne"), plans[0], Operand("key_plan", "bgmr", "plan"), Operand("value", "bome")], [],
                gradients([plans[0], Operand("key_plan", "bgmr"), Operand("value", "bome")]), o=1),
    ]


FUNCTIONS = {f.name: f for f in attention_functions(False) + attention_functions(True) + formula_functions()}
