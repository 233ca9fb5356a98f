#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules with one call of the operator as JAX and torch-mlir write it down, and mutations of them.

A `Call` is what a module says: names and types of operands, attributes, the type of the result. It
may make no sense; `problem` is what it means where it does.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from typing import Any, Callable, Optional

import numpy as np

from lot_testing import BF16, MASSES, Problem

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "bf16": BF16}
NAMES = ("q", "k", "v", "pivots")
DEFAULTS = {"scale": None, "epsilon": 1.0, "half_steps": 5, "normalization": "query_mass",
            "row_floor": 0.0, "score_clamp": None, "out_scale": 1.0}


@dataclasses.dataclass
class Type:
    """A tensor type: its sizes (the one that a run gives a dynamic size) and which are dynamic."""

    sizes: list[int]
    element: str = "f32"
    dynamic: set[int] = dataclasses.field(default_factory=set)

    def dims(self) -> list[str]:
        return ["?" if i in self.dynamic else str(size) for i, size in enumerate(self.sizes)]

    def builtin(self) -> str:
        return f"tensor<{'x'.join([*self.dims(), self.element])}>"

    def torch(self) -> str:
        element = f"s{self.element}" if self.element.startswith("i") else self.element
        return f"!torch.vtensor<[{','.join(self.dims())}],{element}>"


@dataclasses.dataclass
class Call:
    """A call of lot.attention, or of its vjp with one gradient returned."""

    operands: list[Type]  # the cotangent first if backward
    masses: list[str]
    attributes: dict[str, Any]
    result: Type
    backward: bool = False
    wanted: int = 0  # the gradient that the function returns
    target: Optional[str] = None
    #: How the configuration is written; extra operands; what else is wrong.
    style: str = "mhlo"
    shape_operands: int = 0
    results: int = 1
    non_constant: Optional[str] = None
    as_list: bool = False
    history: list[str] = dataclasses.field(default_factory=list)

    def inputs(self) -> list[Type]:
        return self.operands[self.backward:]

    def arrays(self, seed: int) -> list[np.ndarray]:
        """Random operands."""
        rng = np.random.default_rng(seed)
        return [rng.normal(size=t.sizes).astype(DTYPES[t.element]) for t in self.operands]

    def problem(self, arrays: list[np.ndarray]) -> Problem:
        """What the call means."""
        arrays = arrays[self.backward:]
        attributes = {**DEFAULTS, **self.attributes}
        return Problem(*arrays[:4], dict(zip(self.masses, arrays[4:])), attributes)


def base(rng: random.Random) -> Call:
    """A call without a fault."""
    b, hk, group, n, m, d, dv, r = 2, 2, rng.choice([1, 2]), 6, 5, 4, rng.choice([4, 3]), 3
    hq = hk * group
    q, k, v = Type([b, hq, n, d]), Type([b, hk, m, d]), Type([b, hk, m, dv])
    z = Type([*([b] if rng.random() < 0.3 else []), hk, r, d])
    shapes = {"query_log_mass": [[b, n], [b, hq, n]], "key_log_mass": [[b, m], [b, hk, m]],
              "pivot_log_mass": [[hk, r], [b, hk, r]], "glue_log_mass": [[hk, r], [b, hk, r]]}
    masses = [name for name in MASSES if rng.random() < 0.4]
    operands = [q, k, v, z, *(Type(rng.choice(shapes[name])) for name in masses)]
    attributes = {"epsilon": rng.choice([0.5, 1.0, 2]), "half_steps": rng.choice([1, 4, 7])}
    if rng.random() < 0.3:
        attributes["normalization"] = rng.choice(["query_mass", "row_sum", "none"])
    if rng.random() < 0.3:
        attributes.update(scale=0.25, out_scale=1.5)
    call = Call(operands, masses, attributes, Type([b, hq, n, dv]), rng.random() < 0.4)
    if call.backward:
        call.operands.insert(0, copy.deepcopy(call.result))
        call.wanted = rng.randrange(4 + len(masses))
        call.result = copy.deepcopy(call.operands[1 + call.wanted])
    return copy.deepcopy(call)


# --- Mutations ------------------------------------------------------------------------------


def drop_operand(rng: random.Random, call: Call) -> None:
    del call.operands[rng.randrange(len(call.operands))]


def repeat_operand(rng: random.Random, call: Call) -> None:
    call.operands.insert(rng.randrange(len(call.operands) + 1),
                         copy.deepcopy(rng.choice(call.operands)))


def swap_operands(rng: random.Random, call: Call) -> None:
    i, j = (rng.randrange(len(call.operands)) for _ in range(2))
    call.operands[i], call.operands[j] = call.operands[j], call.operands[i]


def any_type(rng: random.Random, call: Call) -> Type:
    return rng.choice([*call.operands, call.result]) if call.operands else call.result


def change_rank(rng: random.Random, call: Call) -> None:
    t = any_type(rng, call)
    if rng.random() < 0.5 and t.sizes:
        t.sizes.pop(rng.randrange(len(t.sizes)))
        t.dynamic = {dim for dim in t.dynamic if dim < len(t.sizes)}
    else:
        t.sizes.insert(rng.randrange(len(t.sizes) + 1), rng.choice([1, 2]))


def change_size(rng: random.Random, call: Call) -> None:
    t = any_type(rng, call)
    if t.sizes:
        t.sizes[rng.randrange(len(t.sizes))] = rng.choice([1, 2, 3, 7])


def unknown_size(rng: random.Random, call: Call) -> None:
    t = any_type(rng, call)
    if t.sizes:
        t.dynamic.add(rng.randrange(len(t.sizes)))


def all_unknown(rng: random.Random, call: Call) -> None:
    keep = rng.random() < 0.7  # what has to be known
    for t in (*call.operands, call.result):
        t.dynamic = set(range(len(t.sizes) - (1 if keep and len(t.sizes) > 3 else 0)))
    for t in call.inputs()[3:4]:
        t.dynamic -= {len(t.sizes) - 1, len(t.sizes) - 2} if keep else set()


def change_element(rng: random.Random, call: Call) -> None:
    any_type(rng, call).element = rng.choice(["f16", "bf16", "f64", "i32", "i8"])


def change_all_elements(rng: random.Random, call: Call) -> None:
    element = rng.choice(["f16", "bf16", "f64"])
    for i, t in enumerate(call.operands):
        if i < 4 + call.backward or element == "f64":
            t.element = element
    if call.wanted < 4 or element == "f64":
        call.result.element = element


def drop_attribute(rng: random.Random, call: Call) -> None:
    call.attributes.pop(rng.choice(list(call.attributes) or ["none"]), None)


def unknown_key(rng: random.Random, call: Call) -> None:
    call.attributes[rng.choice(["eps", "causal", "Epsilon", "schedule", ""])] = 1.0


def wrong_value(rng: random.Random, call: Call) -> None:
    name = rng.choice(list(DEFAULTS))
    values = [0, -1, -0.5, float("nan"), float("inf"), "rows", True, None, [1]]
    # Numbers that no f32 result could be checked for only where they cannot be meant.
    call.attributes[name] = rng.choice(values + [2**70, 1e300] * (name == "half_steps"))


def rename_masses(rng: random.Random, call: Call) -> None:
    call.masses = rng.choice([call.masses[::-1], [*call.masses, "key_log_mass"], ["mass"],
                              list(MASSES), [], call.masses * 2])


def change_style(rng: random.Random, call: Call) -> None:
    call.style = rng.choice(["json", "typed", "both", "broken", "none", "number"])


def change_target(rng: random.Random, call: Call) -> None:
    call.target = rng.choice(["atention", "attention_jvp", "sweep", "", "attention.default"])


def change_results(rng: random.Random, call: Call) -> None:
    call.results = rng.choice([0, 2, 3])


def shape_operands(rng: random.Random, call: Call) -> None:
    call.shape_operands = rng.choice([1, 1, 2, 5])


def non_constant(rng: random.Random, call: Call) -> None:
    call.non_constant = rng.choice([*DEFAULTS, "needs"])


def names_as_list(rng: random.Random, call: Call) -> None:
    call.as_list = True


MUTATIONS: list[Callable[[random.Random, Call], None]] = [
    drop_operand, repeat_operand, swap_operands, change_rank, change_size, unknown_size, all_unknown,
    change_element, change_all_elements, drop_attribute, unknown_key, wrong_value, rename_masses,
    change_style, change_target, change_results, shape_operands, non_constant, names_as_list]


def mutant(seed: int) -> Call:
    """A call with one to three mutations, of which each comes equally often."""
    rng = random.Random(seed)
    call = base(rng)
    mutations = [MUTATIONS[seed % len(MUTATIONS)], *rng.choices(MUTATIONS, k=rng.choice([0, 0, 1, 2]))]
    for mutation in mutations:
        mutation(rng, call)
        call.history.append(mutation.__name__)
    return call


# --- Text -----------------------------------------------------------------------------------


def attribute(value: Any) -> str:
    """A value as an MLIR attribute."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value} : i{64 if abs(value) < 2**63 else 128}"
    if isinstance(value, float):
        # By its bits where MLIR has no other way to write it.
        return (f"{value:.17e} : f64" if np.isfinite(value) else
                f"{np.float64(value).view(np.uint64):#018X} : f64".replace("0X", "0x"))
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(map(attribute, value))}]"
    return "unit"


def stablehlo(name: str, call: Call) -> str:
    """A function of the operands around a custom call."""
    config = {**call.attributes, "masses": call.masses if call.as_list else ",".join(call.masses)}
    dictionary = ", ".join(f"{json.dumps(key)} = {attribute(value)}" for key, value in
                           config.items())
    target = "lot." + (call.target if call.target is not None else
                       "attention_vjp" if call.backward else "attention")
    properties, attributes = [f'call_target_name = "{target}"'], []
    text = json.dumps(json.dumps(config)).replace('\\"', "\\22")
    if call.style in ("mhlo", "both"):
        attributes.append(f"mhlo.backend_config = {{{dictionary}}}")
    if call.style in ("json", "both"):
        properties.append(f"backend_config = {text}")
    if call.style == "broken":
        properties.append(f"backend_config = {text[:-4]}\"")
    if call.style == "typed":
        properties.append(f"backend_config = {{{dictionary}}}")
    if call.style == "number":
        properties.append("backend_config = 1 : i32")
    arguments = [(f"%a{i}", t.builtin()) for i, t in enumerate(call.operands)]
    operands = list(arguments)
    shape = ("%shape", f"tensor<{len(call.result.sizes)}xi32>")
    results = [call.result]
    if call.backward:
        results = list(copy.deepcopy(call.inputs()))
        if call.wanted < len(results):
            results[call.wanted] = call.result
        else:
            results.append(call.result)
    results = (results * 3)[:max(0, len(results) + call.results - 1)]
    if call.shape_operands:
        arguments.append(shape)
        operands += [shape] * call.shape_operands
        last = list(range(len(operands) - call.shape_operands, len(operands)))
        attributes.append(f"indices_of_shape_operands = dense<{last}> : "
                          f"tensor<{len(last)}xi64>")
    wanted = min(call.wanted, len(results) - 1)
    body = (f'"stablehlo.custom_call"({", ".join(v for v, _ in operands)}) '
            f"<{{{', '.join(properties)}}}> {{{', '.join(attributes)}}} : "
            f"({', '.join(t for _, t in operands)}) -> "
            f"({', '.join(t.builtin() for t in results)})")
    signature = ", ".join(f"{v}: {t}" for v, t in arguments)
    if not results:
        return f"func.func @{name}({signature}) {{\n  {body}\n  return\n}}\n"
    returned = results[wanted].builtin()
    return (f"func.func @{name}({signature}) -> {returned} attributes {{llvm.emit_c_interface}} "
            f"{{\n  %r:{len(results)} = {body}\n  return %r#{wanted} : {returned}\n}}\n")


def torch(name: str, call: Call) -> str:
    """A function of the operands around a torch operator."""
    target = "torch.lot." + (call.target if call.target is not None else
                             "attention_backward" if call.backward else "attention")
    arguments = [(f"%a{i}", t.torch()) for i, t in enumerate(call.operands)]
    lines, none = [], ("%none", "!torch.none")
    lines.append('%none = "torch.constant.none"() : () -> !torch.none')

    def constant(label: str, value: Any) -> tuple[str, str]:
        if value is None or isinstance(value, list):
            return none
        kind = {bool: "bool", int: "int", float: "float", str: "str"}[type(value)]
        if call.non_constant == label:
            arguments.append((f"%{label}", f"!torch.{kind}"))
            return arguments[-1]
        lines.append(f'%{label} = "torch.constant.{kind}"() <{{value = {attribute(value)}}}> : '
                     f"() -> !torch.{kind}")
        return f"%{label}", f"!torch.{kind}"

    split = 4 + call.backward
    given = dict(zip(call.masses, arguments[split:]))
    rest = arguments[split + len(call.masses):]
    operands = [*arguments[:split], *(given.get(mass, none) for mass in MASSES), *rest]
    attributes = {**DEFAULTS, **call.attributes}
    operands += [constant(key or "empty", value) for key, value in attributes.items()]
    tail, results = "", [call.result.torch()] * call.results
    if call.backward:
        needs = [False] * 8
        order = [*NAMES, *call.masses]
        wanted = order[call.wanted] if call.wanted < len(order) else "q"
        needs[[*NAMES, *MASSES].index(wanted) if wanted in (*NAMES, *MASSES) else 0] = True
        flags = [constant(f"need{i}", flag) for i, flag in enumerate(needs)]
        if call.non_constant == "needs":
            arguments.append(("%needs", "!torch.list<bool>"))
        else:
            lines.append(f'%needs = "torch.prim.ListConstruct"({", ".join(v for v, _ in flags)}) : '
                         f"({', '.join(t for _, t in flags)}) -> !torch.list<bool>")
        operands.append(("%needs", "!torch.list<bool>"))
        tail = (f'  %g:{max(call.results, 1)} = "torch.prim.ListUnpack"(%r) : '
                f"(!torch.list<vtensor>) -> ({', '.join(results or [call.result.torch()])})\n")
        results = ["!torch.list<vtensor>"]
    body = (f'"torch.operator"({", ".join(v for v, _ in operands)}) <{{name = "{target}"}}> : '
            f"({', '.join(t for _, t in operands)}) -> ({', '.join(results)})")
    signature = ", ".join(f"{v}: {t}" for v, t in arguments)
    value = "%g#0" if call.backward else "%r#0"
    if not results:
        lines += [body, "return"]
        return f"func.func @{name}({signature}) {{\n  " + "\n  ".join(lines) + "\n}\n"
    lines.append(f"%r:{len(results)} = {body}" if not call.backward else f"%r = {body}")
    returned = call.result.torch()
    return (f"func.func @{name}({signature}) -> {returned} {{\n  " + "\n  ".join(lines) +
            f"\n{tail}  return {value} : {returned}\n}}\n")
