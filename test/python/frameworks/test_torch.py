#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lot.torch.attention: values, gradients, and what PyTorch does to operators."""

import contextlib

import lot
import lot_testing
import numpy as np
import pytest
import torch
import torch_testing
from lot.torch._tensors import to_numpy
from lot_testing import Kernel, Shape
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from torch_testing import MASSES, OPERANDS

# One kernel class per dtype serves most tests: what is compiled takes most of their time.
ATTRIBUTES = (("epsilon", 0.7), ("half_steps", 4))
SHAPE = Shape(2, 2, 1, False, 6, 5, 1.0, 0.2, 11)


def kernel(dtype: str = "f64", **changes) -> Kernel:
    """d 4, dv 3, r 3, with all four masses."""
    values = dict(dtype=dtype, mass_ranks=(2, 2, 2, 2), attributes=ATTRIBUTES)
    values.update(changes)
    return Kernel(4, 3, 3, **values)


def problem(dtype: str = "f64", shape: Shape = SHAPE, **changes) -> lot_testing.Problem:
    """A random problem; NaN and inf where there is no mass."""
    return lot_testing.make_problem(kernel(dtype, **changes), shape)


@pytest.fixture(params=["without", "with"], autouse=True)
def residuals(request, monkeypatch):
    """Everything is tested as on devices that keep residuals, too. The CPU writes none."""
    keeping = {"cuda", *(["cpu"] if request.param == "with" else [])}
    monkeypatch.setattr(lot.torch._ops, "KEEPING", keeping)
    torch.compiler.reset()
    return request.param == "with"


# --- Values and gradients -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "f16"])
def test_values_and_gradients(dtype):
    given = problem(dtype)
    operands = torch_testing.tensors(given)
    out, dout, gradients = torch_testing.gradients_of(operands, given.attributes)
    lot_testing.check(to_numpy(out), given, dtype)
    assert out.is_contiguous() and set(gradients) == set(OPERANDS)
    for name, gradient in gradients.items():
        assert gradient.dtype == operands[name].dtype
    torch_testing.check_gradients(gradients, given, dout, dtype)


#: Kernel classes of the random problems and their heads, which are part of the class, too.
RANDOM = [
    ("f64", (2, 1, False), {}),
    ("f32", (2, 1, False), {}),
    ("f64", (1, 3, True), dict(pivots_rank=4, mass_ranks=(3, 3, 3, 3))),
    ("f32", (2, 2, True), dict(mass_ranks=(2, 2, 2, 0), attributes=(
        ("epsilon", 0.3), ("half_steps", 5), ("normalization", "row_sum"), ("row_floor", 0.05),
        ("score_clamp", 2.0), ("out_scale", -1.5), ("scale", 0.4)))),
]
EXAMPLES = 50


def test_enough_random_problems():
    assert len(RANDOM) * EXAMPLES >= 200


@pytest.mark.parametrize("dtype, heads, changes", RANDOM)
def test_random(dtype, heads, changes):
    """Random batches, lengths, masks and strides; NaN and inf where there is no mass."""
    rng = np.random.default_rng(len(changes))
    for example in range(EXAMPLES):
        n, m = (int(x) for x in rng.choice([0, 1, 2, 3, 7, 16, 33, 60], size=2))
        given = problem(dtype, Shape(int(rng.integers(1, 4)), *heads, n, m,
                                     float(rng.choice([0.3, 1.0, 3.0])),
                                     float(rng.choice([0.0, 0.2, 0.9])), example), **changes)
        operands = {name: tensor if tensor is None else lay_out(
            tensor.detach(), rng.choice(["plain", "gaps", "last_strided"])).requires_grad_()
            for name, tensor in torch_testing.tensors(given).items()}
        out, dout, gradients = torch_testing.gradients_of(operands, given.attributes)
        lot_testing.check(to_numpy(out), given, dtype)
        torch_testing.check_gradients(gradients, given, dout, dtype)


def test_absent_tokens_have_zero_gradients():
    given = problem("f32", Shape(2, 2, 1, False, 9, 8, 1.0, 0.4, 3))
    operands = torch_testing.tensors(given)
    out = torch_testing.run(operands, given.attributes)
    # Cotangents of absent queries are not read either.
    absent = torch.isneginf(operands["query_log_mass"].detach())
    assert absent.any()
    dout = torch_testing.cotangent(out).masked_fill(absent[:, None, :, None], torch.nan)
    out.backward(dout)
    absent_keys = torch.isneginf(operands["key_log_mass"].detach())
    assert absent_keys.any()
    for name, dead in (("q", absent), ("k", absent_keys), ("v", absent_keys)):
        gradient = operands[name].grad
        assert torch.isfinite(gradient).all()
        assert (gradient.transpose(1, 2)[dead] == 0).all(), name
    for name, dead in (("query_log_mass", absent), ("key_log_mass", absent_keys)):
        assert (operands[name].grad[dead] == 0).all()


@pytest.mark.parametrize("b, n, m", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_empty(b, n, m):
    f = dict(dtype=torch.float64, requires_grad=True)
    q, k = torch.randn(b, 2, n, 4, **f), torch.randn(b, 2, m, 4, **f)
    v, z = torch.randn(b, 2, m, 3, **f), torch.randn(2, 3, 4, **f)
    out = lot.torch.attention(q, k, v, z, **dict(ATTRIBUTES))
    assert out.shape == (b, 2, n, 3)
    out.sum().backward()
    for tensor in (q, k, v, z):
        assert tensor.grad.shape == tensor.shape and not tensor.grad.any()


def test_gradients_are_computed_on_demand():
    given = problem()
    operands = torch_testing.tensors(given)
    _, dout, everything = torch_testing.gradients_of(operands, given.attributes)
    for name in ("q", "v", "query_log_mass"):
        operands[name].requires_grad_(False)
    _, _, gradients = torch_testing.gradients_of(
        operands, given.attributes, [name for name in OPERANDS if operands[name].requires_grad])
    assert len(gradients) == 5
    for name, gradient in gradients.items():
        assert torch.equal(gradient, everything[name]), name
    args = [operands[name] for name in OPERANDS] + [None, 0.7, 4, "query_mass", 0.0, None, 1.0]
    (key,) = torch.ops.lot.attention_backward(dout, *args, [name == "k" for name in OPERANDS])
    assert torch.equal(key, gradients["k"])
    # Nothing asks for a gradient: no backward pass at all.
    frozen = {name: tensor.detach() for name, tensor in operands.items()}
    assert not torch_testing.run(frozen, given.attributes).requires_grad


def test_operator_and_function_agree():
    given = problem()
    operands = torch_testing.tensors(given)
    out, dout, gradients = torch_testing.gradients_of(operands, given.attributes)
    again = torch.ops.lot.attention(*(operands[name] for name in OPERANDS), None, 0.7, 4,
                                    "query_mass", 0.0, None, 1.0)
    assert torch.equal(again, out)
    for name, gradient in zip(OPERANDS, torch.autograd.grad(again, list(operands.values()), dout)):
        assert torch.equal(gradient, gradients[name])


def test_profiler_sees_the_operator(residuals):
    given = problem()
    operands = torch_testing.tensors(given)
    with torch.profiler.profile() as profile:
        torch_testing.run(operands, given.attributes).sum().backward()
    names = {event.key for event in profile.key_averages()}
    forward = "lot::attention_forward" if residuals else "lot::attention"
    assert {forward, "lot::attention_backward"} <= names


def test_gradcheck():
    given = problem("f64", Shape(1, 2, 1, False, 3, 4, 1.0, 0.0, 4))
    operands = torch_testing.tensors(given)

    def function(*values):
        return torch_testing.run(dict(zip(OPERANDS, values)), given.attributes)

    assert torch.autograd.gradcheck(function, tuple(operands.values()), fast_mode=False)


# --- Layouts --------------------------------------------------------------------------------


def lay_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values with other strides; NaN lies between them."""
    if layout == "plain":
        return tensor
    if layout == "heads_inner":
        return tensor.transpose(-3, -2).contiguous().transpose(-3, -2)
    if layout == "gaps":
        big = torch.full([2 * size + 1 for size in tensor.shape[:-1]] + [tensor.shape[-1] + 3],
                         torch.nan, dtype=tensor.dtype)
        view = big[(*(slice(1, None, 2) for _ in tensor.shape[:-1]),
                    slice(2, 2 + tensor.shape[-1]))]
    else:  # last_strided
        big = torch.full([*tensor.shape[:-1], 3 * tensor.shape[-1]], torch.nan,
                         dtype=tensor.dtype)
        view = big[..., 1::3]
    view.copy_(tensor)
    return view


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("layout", ["heads_inner", "gaps", "last_strided"])
def test_layouts(dtype, layout):
    given = problem(dtype)
    operands = torch_testing.tensors(given)
    out, dout, expected = torch_testing.gradients_of(operands, given.attributes)
    laid = {name: lay_out(tensor.detach(), layout) if name != "pivot_log_mass" and
            (tensor.dim() > 2 or layout != "heads_inner") else tensor.detach()
            for name, tensor in operands.items()}
    laid = {name: tensor.requires_grad_() for name, tensor in laid.items()}
    again = torch_testing.run(laid, given.attributes)
    assert torch.equal(again, out)
    found = torch.autograd.grad(again, list(laid.values()), lay_out(dout, layout))
    for (name, gradient), actual in zip(expected.items(), found):
        assert torch.equal(actual, gradient), name


def test_expanded_cotangent_and_operands():
    f = dict(dtype=torch.float64)
    q, z = torch.randn(1, 1, 6, 4, **f), torch.randn(2, 3, 4, **f)
    q, k = q.expand(2, 2, 6, 4).requires_grad_(), torch.randn(2, 2, 5, 4, **f)
    v = torch.randn(2, 2, 5, 3, **f)
    out = lot.torch.attention(q, k, v, z, **dict(ATTRIBUTES))
    (expanded,) = torch.autograd.grad(out.sum(), q, retain_graph=True)  # strides of 0
    (plain,) = torch.autograd.grad(out, q, torch.ones_like(out))
    assert torch.equal(expanded, plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_are_not_copied(dtype):
    tensor = torch.zeros(2, 3, 8, dtype=dtype).transpose(0, 1)[..., 2:6]
    array = to_numpy(tensor.requires_grad_())
    assert array.__array_interface__["data"][0] == tensor.data_ptr()
    assert array.strides == tuple(s * tensor.element_size() for s in tensor.stride())
    assert array.dtype.name == str(dtype).removeprefix("torch.")


# --- What PyTorch does to operators ---------------------------------------------------------


def operator_args(given: lot_testing.Problem) -> tuple:
    """Positional arguments of the operator."""
    operands = torch_testing.tensors(given)
    return (*(operands[name] for name in OPERANDS), None, 0.7, 4, "query_mass", 0.0, None, 1.0)


def test_opcheck():
    args = operator_args(problem())
    torch.library.opcheck(torch.ops.lot.attention.default, args)
    dout = torch_testing.cotangent(torch.ops.lot.attention(*args))
    plain = [arg.detach() if isinstance(arg, torch.Tensor) else arg for arg in args]
    for needs in ([True] * 8, [name == "pivots" for name in OPERANDS]):
        torch.library.opcheck(torch.ops.lot.attention_backward.default, (dout, *plain, needs))
    # What residuals hold is not compared: the CPU writes none.
    torch.library.opcheck(torch.ops.lot.attention_forward.default, args,
                          test_utils=["test_schema", "test_autograd_registration",
                                      "test_faketensor"])
    kept = torch.ops.lot.attention_forward(*plain)[1]
    torch.library.opcheck(torch.ops.lot.attention_backward.residuals, (dout, *plain, needs, kept))


# --- Residuals ------------------------------------------------------------------------------


class Calls(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the operators of lot that are called, and the sizes of what they return."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function.namespace == "lot":
            sizes = [tuple(tensor.shape) for tensor in out] if isinstance(out, tuple) else []
            self.seen.append((function._opname, function._overloadname, sizes[1:]))
        return out

    def __enter__(self):
        self.seen = []
        return super().__enter__()


def test_residuals_go_from_forward_to_backward(residuals):
    given = problem()
    operands = torch_testing.tensors(given)
    with Calls() as calls:
        out = torch_testing.run(operands, given.attributes)
        for _ in range(2):
            out.sum().backward(retain_graph=True)
    # B (Hq states r + Hp (states + dv) r), r and dv as kernels have them.
    size = 2 * (2 * 3 * 16 + 2 * (3 + 32) * 16)
    expected = [("attention_forward", "default", [(size,)]),
                *[("attention_backward", "residuals", [])] * 2]
    if not residuals:
        expected = [("attention", "default", []), *[("attention_backward", "default", [])] * 2]
    assert calls.seen == expected


def test_no_residuals_without_gradients():
    given = problem()
    operands = torch_testing.tensors(given)
    with Calls() as calls:
        with torch.no_grad():
            torch_testing.run(operands, given.attributes)
        torch_testing.run({name: tensor.detach() for name, tensor in operands.items()},
                          given.attributes)
    assert calls.seen == [("attention", "default", [])] * 2


@pytest.mark.parametrize("eager", [False, True])
def test_residuals_of_bf16(eager, residuals):
    """There are none where gradients of masses are wanted: those come from more exact sums."""
    operands = torch_testing.tensors(problem("bf16"))
    for wanted in (True, False):
        operands |= {name: operands[name].detach().requires_grad_(wanted) for name in MASSES}
        with contextlib.nullcontext() if eager else Calls() as calls:
            out = torch_testing.run(operands, dict(ATTRIBUTES))
        kept = residuals and not wanted
        if eager:  # without the dispatcher, of which a mode would take note
            assert len(out.grad_fn.saved_tensors) == 8 + kept
        else:
            assert calls.seen[0][0] == ("attention_forward" if kept else "attention")


@pytest.mark.parametrize("kept, message", [
    (lambda kept: kept[1:], r"residuals: expected float32 of shape \[\d+\]"),
    (lambda kept: kept.double(), "got float64"),
])
@pytest.mark.parametrize("residuals", ["with"], indirect=True)
def test_other_residuals(kept, message, residuals):
    args = [arg.detach() if isinstance(arg, torch.Tensor) else arg
            for arg in operator_args(problem())]
    out, right = torch.ops.lot.attention_forward(*args)
    with pytest.raises(ValueError, match=message):
        torch.ops.lot.attention_backward(torch_testing.cotangent(out), *args, [True] * 8,
                                         kept(right))


def test_residuals_of_a_forward_that_was_not_mapped():
    """vmap over the cotangents alone: the backward pass has more problems than the forward."""
    given = problem()
    operands = {name: tensor.detach() for name, tensor in torch_testing.tensors(given).items()}
    out, pull = torch.func.vjp(lambda q: torch_testing.run({**operands, "q": q}, given.attributes),
                               operands["q"])
    douts = torch.stack([torch_testing.cotangent(out), 2 * torch_testing.cotangent(out)])
    (mapped,) = torch.func.vmap(pull)(douts)
    for dout, gradient in zip(douts, mapped):
        torch.testing.assert_close(gradient, pull(dout)[0])


def test_rows_far_apart_are_copied():
    """Kernels have 31 bits for the way from row to row."""
    def is_readable(stride, rows=2):
        return lot.torch._cuda._is_readable(
            torch.empty_strided((1, rows, 64), (1 << 40, stride, 1), device="meta"))

    assert is_readable((1 << 31) - 8) and is_readable(1 << 31, rows=1)
    assert not is_readable(1 << 31)


def test_residual_count():
    """r of 20 as 32, dv of 60 as 64, and a column of row sums; keys have half the heads."""
    q, v, z = (torch.empty(*shape, device="meta")
               for shape in ((2, 4, 50, 64), (2, 2, 30, 60), (2, 20, 64)))
    attributes = (None, 1.0, 5, "row_sum", 0.0, None, 1.0)
    count = lot.torch._cuda.count_residuals(q, v, z, attributes)
    assert count == 2 * (4 * 4 * 32 + 2 * (4 + 64 + 1) * 32)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_without_graph_break(dynamic):
    torch.compiler.reset()
    given = problem()
    compiled = torch.compile(torch_testing.run, fullgraph=True, backend="aot_eager",
                             dynamic=dynamic)
    shapes = [SHAPE, Shape(3, 2, 1, False, 8, 7, 1.0, 0.2, 12)] if dynamic else [SHAPE]
    for shape in shapes:
        given = problem("f64", shape)
        operands = torch_testing.tensors(given)
        out, dout, expected = torch_testing.gradients_of(operands, given.attributes)
        again = compiled(operands, given.attributes)
        assert torch.equal(again, out)
        found = torch.autograd.grad(again, list(operands.values()), dout)
        for name, gradient in zip(OPERANDS, found):
            assert torch.equal(gradient, expected[name]), name


class Module(torch.nn.Module):
    """Attention to learned pivots, for torch.export."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.pivots = torch.nn.Parameter(torch.randn(2, 3, 4, dtype=torch.float64,
                                                     generator=generator))

    def forward(self, q, k, v, keep):
        return lot.torch.attention(q, k, v, self.pivots,
                                   key_log_mass=lot.torch.log_mass(keep, torch.float64),
                                   **dict(ATTRIBUTES))


def export_inputs(b: int, n: int, m: int) -> tuple:
    """q, k, v, keep."""
    generator = torch.Generator().manual_seed(n)
    q, k, v = (torch.randn(b, 2, t, d, dtype=torch.float64, generator=generator)
               for t, d in ((n, 4), (m, 4), (m, 3)))
    return q, k, v, torch.arange(m).expand(b, m) < m - 1


def test_export_with_dynamic_batch_and_length():
    b, n, m = (torch.export.Dim(name, min=1, max=1 << 20) for name in ("b", "n", "m"))
    shapes = ({0: b, 2: n}, {0: b, 2: m}, {0: b, 2: m}, {0: b, 1: m})
    module = Module()
    program = torch.export.export(module, export_inputs(2, 6, 5), dynamic_shapes=shapes)
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert torch.ops.lot.attention.default in targets
    for sizes in ((2, 6, 5), (3, 9, 4), (1, 2, 11)):
        inputs = export_inputs(*sizes)
        assert torch.equal(program.module()(*inputs), module(*inputs))


def test_vmap():
    given = problem()
    operands = {name: tensor.detach() for name, tensor in torch_testing.tensors(given).items()}
    for name in OPERANDS:  # each operand alone, then all
        mapped = operands[name].unsqueeze(1) * torch.tensor([1.0, 0.5, 2.0]).unsqueeze(1).reshape(
            [3 if i == 1 else 1 for i in range(operands[name].dim() + 1)])
        function = lambda value, name=name: torch_testing.run(  # noqa: E731
            {**operands, name: value}, given.attributes)
        out = torch.func.vmap(function, in_dims=1, out_dims=1)(mapped)
        for i in range(3):
            expected = function(mapped[:, i])
            np.testing.assert_allclose(out[:, i], expected, rtol=1e-12, atol=1e-13, err_msg=name)


def test_gradients_under_vmap():
    given = problem("f64", Shape(2, 2, 1, False, 6, 5, 1.0, 0.0, 11))
    operands = {name: tensor.detach() for name, tensor in torch_testing.tensors(given).items()}
    queries = torch.stack([operands["q"], 2 * operands["q"], -operands["q"]])

    def loss(q, rest):
        return (torch_testing.run({"q": q, **rest}, given.attributes)**2).sum()

    rest = {name: tensor for name, tensor in operands.items() if name != "q"}
    gradient = torch.func.grad(loss, argnums=(0, 1))
    per_sample = torch.func.vmap(gradient, in_dims=(0, None))(queries, rest)
    for i, q in enumerate(queries):
        dq, drest = gradient(q, rest)
        np.testing.assert_allclose(per_sample[0][i], dq, rtol=1e-10, atol=1e-12)
        for name in rest:
            np.testing.assert_allclose(per_sample[1][name][i], drest[name], rtol=1e-10,
                                       atol=1e-12, err_msg=name)
    # The gradient of a mapped function: shared operands add up.
    total = torch.func.grad(lambda pivots: torch.func.vmap(loss, in_dims=(0, None))(
        queries, {**rest, "pivots": pivots}).sum())(rest["pivots"])
    np.testing.assert_allclose(total, per_sample[1]["pivots"].sum(0), rtol=1e-10, atol=1e-12)


def test_checkpointing():
    given = problem()
    operands = torch_testing.tensors(given)
    out, dout, expected = torch_testing.gradients_of(operands, given.attributes)
    again = checkpoint(torch_testing.run, operands, given.attributes, use_reentrant=False)
    for name, gradient in zip(OPERANDS, torch.autograd.grad(again, list(operands.values()), dout)):
        assert torch.equal(gradient, expected[name])


def test_second_derivative_is_refused():
    given = problem()
    operands = torch_testing.tensors(given)
    (first,) = torch.autograd.grad(torch_testing.run(operands, given.attributes).sum(),
                                   operands["v"], create_graph=True)
    assert torch.isfinite(first).all()
    with pytest.raises(NotImplementedError, match="expected a first derivative, got a second"):
        first.sum().backward()


def test_autocast():
    given = problem("f32")
    operands = torch_testing.tensors(given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = torch_testing.run(operands, given.attributes)
        with torch.autocast("cpu", enabled=False):
            assert torch_testing.run(operands, given.attributes).dtype == torch.float32
        double = {name: tensor.detach().double() for name, tensor in operands.items()}
        assert torch_testing.run(double, given.attributes).dtype == torch.float64
    assert out.dtype == torch.bfloat16
    rounded = {name: operands[name].detach().bfloat16() for name in ("q", "k", "v")}
    assert torch.equal(out, torch_testing.run({**operands, **rounded}, given.attributes))
    out.float().sum().backward()
    assert operands["q"].grad.dtype == operands["pivots"].grad.dtype == torch.float32


def test_threads_do_not_change_anything():
    given = problem("f32")
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(torch_testing.gradients_of(torch_testing.tensors(given),
                                                      given.attributes))
    finally:
        torch.set_num_threads(before)
    (out, _, gradients), (again, _, others) = results
    assert torch.equal(out, again)
    for name in gradients:
        assert torch.equal(gradients[name], others[name])


# --- Log masses -----------------------------------------------------------------------------


def test_log_masses_are_those_of_numpy():
    keep = torch.tensor([[True, True, False], [False, False, False]])
    np.testing.assert_allclose(lot.torch.log_mass(keep), lot.log_mass(keep.numpy()), rtol=1e-6)
    logits = torch.tensor([[0.3, -1.0, -torch.inf]], dtype=torch.float64)
    np.testing.assert_allclose(lot.torch.pivot_log_mass(logits, 0.5),
                               lot.pivot_log_mass(logits.numpy(), 0.5))
    with pytest.raises(ValueError, match="temperature: expected a number > 0, got -1"):
        lot.torch.pivot_log_mass(logits, -1)


# --- Bad input ------------------------------------------------------------------------------


def small(**changes) -> dict:
    """q, k, v, pivots of a call that works."""
    operands = dict(q=torch.zeros(1, 2, 3, 4), k=torch.zeros(1, 2, 5, 4),
                    v=torch.zeros(1, 2, 5, 6), pivots=torch.zeros(2, 3, 4))
    operands.update(changes)
    return operands


@pytest.mark.parametrize("changes, error, message", [
    (dict(q=torch.zeros(1, 2, 3, 4, dtype=torch.int64)), TypeError,
     "q: expected float32, float64, float16 or bfloat16, got int64"),
    (dict(q=torch.zeros(1, 2, 3, 4, dtype=torch.complex64)), TypeError, "q: .* got complex64"),
    (dict(q=torch.zeros(1, 2, 3, 4, dtype=torch.float8_e4m3fn)), TypeError,
     "q: .* got float8_e4m3fn"),
    (dict(v=torch.zeros(1, 2, 5, 6, dtype=torch.float64)), TypeError,
     "v: expected float32 as q, got float64"),
    (dict(q=[[1.0]]), TypeError, "q: expected a tensor, got list"),
    (dict(pivots=None), TypeError, "pivots: expected a tensor, got NoneType"),
    (dict(query_log_mass=np.zeros((1, 3))), TypeError,
     "query_log_mass: expected a tensor, got ndarray"),
    (dict(q=torch.zeros(2, 3, 4)), ValueError, "q: expected rank 4"),
    (dict(k=torch.zeros(1, 2, 5, 7)), ValueError, r"k: expected shape \[B, Hk, m, d\]"),
    (dict(key_log_mass=torch.zeros(1, 3)), ValueError, r"key_log_mass: expected shape .*\[1, 5\]"),
    (dict(key_log_mass=torch.zeros(1, 5, dtype=torch.bool)), TypeError,
     "key_log_mass: expected a floating point array, got bool"),
    (dict(epsilon=0.0), ValueError, "epsilon: expected a number > 0, got 0"),
    (dict(half_steps=0), ValueError, "half_steps: expected at least 1, got 0"),
    (dict(normalization="rows"), ValueError, "normalization: expected one of"),
    (dict(causal=True), ValueError, "causal: expected False, got True"),
    (dict(attn_mask=torch.zeros(3, 5)), ValueError, "attn_mask: expected None"),
])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_bad_operands(changes, error, message, device):
    operands = small(**changes)
    if device == "meta":  # fake tensors give the same messages
        operands = {name: value.to("meta") if isinstance(value, torch.Tensor) else value
                    for name, value in operands.items()}
    with pytest.raises(error, match=message):
        lot.torch.attention(**operands)


@pytest.mark.parametrize("name, shape", [("pivots", (2, 3, 4)), ("glue_log_mass", (2, 3)),
                                         ("key_log_mass", (1, 5))])
def test_tensors_on_different_devices(name, shape):
    with pytest.raises(ValueError, match=f"{name}: expected a tensor on cpu as q, got one on meta"):
        lot.torch.attention(**small(**{name: torch.zeros(shape, device="meta")}))


def test_values_of_masses_are_checked():
    with pytest.raises(ValueError, match="key_log_mass: expected finite values or -inf.*NaN"):
        lot.torch.attention(**small(key_log_mass=torch.full((1, 5), torch.nan)))


def test_devices():
    masses = (None, None, None, None)
    with FakeTensorMode():  # tensors of GPUs that are not there
        def call(device, dtype=torch.float32, d=4, r=3):
            q = torch.zeros(1, 2, 3, d, device=device, dtype=dtype)
            z = torch.zeros(2, r, d, device=device, dtype=dtype)
            out = lot.torch.attention(q, q, q, z)
            again = torch.ops.lot.attention(q, q, q, z, *masses, None, 1.0, 5, "query_mass", 0.0,
                                            None, 1.0)
            assert out.device == again.device == q.device and out.shape == again.shape == q.shape

        call("cuda")
        with pytest.raises(NotImplementedError,
                           match="q: expected a tensor on the CPU or a CUDA device, got one on "
                                 "xpu:0: lot has no kernels for that device"):
            call("xpu")
        # What CUDA kernels do not take is found without a GPU, too.
        with pytest.raises(TypeError, match="q: expected float32, float16 or bfloat16 on a CUDA "
                                            "device, got float64"):
            call("cuda", torch.float64)
        with pytest.raises(ValueError, match="q: expected d <= 256 on a CUDA device, got 260"):
            call("cuda", d=260)
        with pytest.raises(ValueError, match="pivots: expected r <= 256 on a CUDA device, got 257"):
            call("cuda", r=257)
    assert lot.torch.DEVICES == ("cpu", "cuda")


@pytest.mark.parametrize("change, error, message", [
    (lambda d: d[..., :-1], ValueError, r"dout: expected shape .*\[2, 2, 6, 3\], got \[2, 2, 6, 2"),
    (lambda d: d.float(), TypeError, "dout: expected float64 as q, got float32"),
    (lambda d: d.long(), TypeError, "dout: expected float64 as q, got int64"),
    (lambda d: d.to("meta"), ValueError, "dout: expected a tensor on cpu as q, got one on meta"),
])
def test_bad_cotangents(change, error, message):
    args = operator_args(problem())
    args = [arg.detach() if isinstance(arg, torch.Tensor) else arg for arg in args]
    dout = change(torch.zeros(2, 2, 6, 3, dtype=torch.float64))
    with pytest.raises(error, match=message):
        torch.ops.lot.attention_backward(dout, *args, [True] * 8)


def test_gradients_of_absent_masses_are_refused():
    args = list(operator_args(problem(mass_ranks=(0, 0, 0, 0))))
    args = [arg.detach() if isinstance(arg, torch.Tensor) else arg for arg in args]
    dout = torch.zeros(2, 2, 6, 3, dtype=torch.float64)
    for name in MASSES:
        with pytest.raises(ValueError, match=f"{name}: expected a tensor where a gradient is "
                                             "asked for, got None"):
            torch.ops.lot.attention_backward(dout, *args, [each == name for each in OPERANDS])
