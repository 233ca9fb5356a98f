#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How calls behave in PyTorch's world: streams, graphs, compilation, autocast, errors."""

import gpu_testing
import lot_testing
import pytest
import torch
from lot.torch import _cuda
from lot.torch._tensors import to_torch

import lot


def problem(dtype="bf16", n=200, seed=11, **kernel):
    return gpu_testing.random_problem(
        seed, dtype, dict(batch=2, key_heads=2, group=1, n=n, m=n),
        **{**dict(d=32, dv=32, r=16, mass_ranks=(0, 3, 0, 0), pivots_rank=3,
                  attributes=(("half_steps", 5),)), **kernel})


@pytest.fixture
def sync_is_an_error():
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def test_nothing_waits(sync_is_an_error):
    torch.cuda.set_sync_debug_mode("default")
    given = problem()
    operands, dout = gpu_testing.tensors(given), to_torch(given.cotangent()).cuda()
    torch.cuda.set_sync_debug_mode("error")
    gpu_testing.gradients(gpu_testing.run(operands, given.attributes), operands, dout)


def test_side_stream():
    """A call runs in the current stream, after what is there."""
    given = problem(n=2000)
    expected = gpu_testing.run(gpu_testing.tensors(given), given.attributes)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        operands = {name: None if tensor is None else torch.full_like(tensor, torch.nan)
                    for name, tensor in gpu_testing.tensors(given).items()}
        values = gpu_testing.tensors(given)
        torch.cuda._sleep(10_000_000)
        for name, tensor in operands.items():
            if tensor is not None:
                tensor.copy_(values[name].detach())
        out = gpu_testing.run(operands, given.attributes)
    stream.synchronize()
    assert torch.equal(out, expected)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_graph_capture(warm):
    """A graph can hold calls, also the first one of a kernel class; replays read new values."""
    # A class of its own, so that the cold one is compiled during the capture.
    given = problem(attributes=(("half_steps", 5), ("epsilon", 1.25 + warm)))
    other = problem(seed=12, attributes=(("half_steps", 5), ("epsilon", 1.25 + warm)))
    operands, dout = gpu_testing.tensors(given), to_torch(given.cotangent()).cuda()
    if warm:
        gpu_testing.gradients(gpu_testing.run(operands, given.attributes), operands, dout)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = gpu_testing.run(operands, given.attributes)
        found = gpu_testing.gradients(out, operands, dout)
    for values in (given, other):
        for name, array in values.operands().items():
            operands[name].data.copy_(to_torch(array))
        dout.copy_(to_torch(values.cotangent()))
        graph.replay()
        torch.cuda.synchronize()
        gpu_testing.check_output(gpu_testing.host(out), values, "bf16")
        gpu_testing.check_gradients({name: gpu_testing.host(value)
                                     for name, value in found.items()},
                                    values, values.cotangent(), "bf16")


def test_torch_compile():
    """One graph, forward and backward; another length compiles no kernel."""
    given = problem()

    def loss(q, k, v, pivots, key_log_mass):
        out = lot.torch.attention(q * 2, k, v, pivots, key_log_mass=key_log_mass, half_steps=5)
        return out.float().square().sum()

    compiled = torch.compile(loss, fullgraph=True, dynamic=True)
    before = None
    for n in (200, 136, 251):
        given = problem(n=n)
        operands = [tensor for tensor in gpu_testing.tensors(given).values() if tensor is not None]
        expected = torch.autograd.grad(loss(*operands), operands)
        found = torch.autograd.grad(compiled(*operands), operands)
        for actual, gradient in zip(found, expected):
            torch.testing.assert_close(actual, gradient, rtol=2e-2, atol=2e-2)
        info = lot.compile_cache_info()
        assert before in (None, info.compilations + info.loads)
        before = info.compilations + info.loads


def test_opcheck():
    given = problem("f32", n=20)
    operands = gpu_testing.tensors(given).values()
    args = (*operands, None, 1.0, 5, "query_mass", 0.0, None, 1.0)
    torch.library.opcheck(torch.ops.lot.attention, args)
    # The query side has a state less than there is room for: not all values are written.
    torch.library.opcheck(torch.ops.lot.attention_forward, args,
                          test_utils=("test_schema", "test_autograd_registration",
                                      "test_faketensor"))


def test_residuals():
    """They are kept where a gradient is wanted, and serve any number of backward passes."""
    given = problem(mass_ranks=(0, 0, 0, 0))
    operands, dout = gpu_testing.tensors(given), to_torch(given.cotangent()).cuda()

    def kept(call):
        before = torch.cuda.memory_allocated()
        out = call()
        return out, torch.cuda.memory_allocated() - before - 2 * out.numel()

    def forward():
        return gpu_testing.run(operands, given.attributes)

    kept(forward)  # the kernel is there
    out, size = kept(forward)
    # Of 2 batch entries and heads each: r and dv are 16 and 32, and there are 4 states a side.
    assert 0 <= size - 4 * 4 * (2 * 4 * 16 + 32 * 16) < 1024
    first, second = (torch.autograd.grad(out, [operands["q"], operands["pivots"]], dout,
                                         retain_graph=True) for _ in range(2))
    for gradient, again in zip(first, second):
        assert torch.equal(gradient, again)
    with torch.no_grad():
        assert kept(forward)[1] < 512


def test_autocast():
    given = problem("f32")
    operands = gpu_testing.tensors(given)
    with torch.autocast("cuda", torch.bfloat16):
        out = gpu_testing.run(operands, given.attributes)
    assert out.dtype == torch.bfloat16
    gpu_testing.check_output(gpu_testing.host(out), given.cast("bf16", pivots_in_state=True), "bf16")
    found = gpu_testing.gradients(out, operands, torch.ones_like(out))
    assert all(gradient.dtype == torch.float32 for gradient in found.values())


def test_threads():
    """Calls of several threads, each in a stream of its own."""
    from concurrent.futures import ThreadPoolExecutor

    problems = [problem(seed=20 + i) for i in range(8)]

    def work(given):
        with torch.cuda.stream(torch.cuda.Stream()):
            out = gpu_testing.run(gpu_testing.tensors(given), given.attributes)
            torch.cuda.current_stream().synchronize()
        return gpu_testing.host(out)

    with ThreadPoolExecutor(8) as pool:
        for given, out in zip(problems, pool.map(work, problems)):
            gpu_testing.check_output(out, given, "bf16")


def test_second_device():
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device: two are needed")
    given = problem()
    operands = {name: None if tensor is None else tensor.detach().to("cuda:1").requires_grad_()
                for name, tensor in gpu_testing.tensors(given).items()}
    out = gpu_testing.run(operands, given.attributes)  # cuda:0 stays the current device
    assert out.device == torch.device("cuda:1")
    gpu_testing.check_output(gpu_testing.host(out), given, "bf16")


# --- Errors ---------------------------------------------------------------------------------


def test_mixed_devices():
    operands = gpu_testing.tensors(problem())
    with pytest.raises(ValueError, match="k: expected a tensor on cuda:0 as q, got one on cpu"):
        lot.torch.attention(operands["q"], operands["k"].cpu(), operands["v"], operands["pivots"])


def test_limits():
    def call(dtype=torch.float32, d=16, dv=16, r=8):
        q, v = (torch.zeros(1, 1, 4, size, dtype=dtype, device="cuda") for size in (d, dv))
        pivots = torch.zeros(1, r, d, dtype=dtype, device="cuda")
        return lot.torch.attention(q, q, v, pivots)

    call()
    with pytest.raises(TypeError, match="q: expected float32, float16 or bfloat16 on a CUDA "
                                        "device, got float64"):
        call(torch.float64)
    for sizes, message in ((dict(d=264), "q: expected d <= 256 on a CUDA device, got 264"),
                           (dict(dv=257), "v: expected dv <= 256 on a CUDA device, got 257"),
                           (dict(r=300), "pivots: expected r <= 256 on a CUDA device, got 300")):
        with pytest.raises(ValueError, match=message):
            call(**sizes)


def test_out_of_memory(monkeypatch):
    """PyTorch's own error, and nothing is kept."""
    given = problem()
    operands = {name: tensor for name, tensor in gpu_testing.tensors(given).items()
                if tensor is not None}
    with torch.no_grad():
        gpu_testing.run(operands, given.attributes)
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        whole = _cuda._empty

        def none_left(size, **options):
            if options["dtype"] == torch.uint8:
                size = 1 << 50
            return torch.empty(size, **options)

        monkeypatch.setattr(_cuda, "_empty", none_left)
        with pytest.raises(torch.OutOfMemoryError):
            gpu_testing.run(operands, given.attributes)
        monkeypatch.setattr(_cuda, "_empty", whole)
        assert torch.cuda.memory_allocated() == before
        out = gpu_testing.run(operands, given.attributes)
    gpu_testing.check_output(gpu_testing.host(out), given, "bf16")


def test_second_derivative():
    operands = gpu_testing.tensors(problem("f32"))
    out = gpu_testing.run(operands, {"half_steps": 5})
    gradient, = torch.autograd.grad(out.sum(), operands["q"], create_graph=True)
    with pytest.raises(NotImplementedError, match="second one"):
        torch.autograd.grad(gradient.sum(), operands["q"])
