#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`lot.compile_options`: kernels of their own, nesting, threads, and options that are wrong."""

import platform
import threading

import pytest

import lot
from lot_testing import Kernel, Shape, check, make_problem

KERNEL = Kernel(9, 7, 5, attributes=(("epsilon", 0.83),))
NARROW = "#lot.cpu_schedule<token_tile = 8, lanes = 2, row_block = 3, vector_block = 1>"
WIDEST = "#lot.cpu_schedule<token_tile = 256, lanes = 64, row_block = 1, vector_block = 1>"
X86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"),
                         reason="names x86 processors")


def problem():
    return make_problem(KERNEL, Shape(2, 1, 2, True, 37, 41, 1.0, 0.0, 3))


def newest():
    return lot.compile_cache_info().kernels[-1].options


def test_options_have_kernels_of_their_own():
    p = problem()
    lot.compile_cache_clear()
    plain = p.run()
    assert newest() == ("native", None)
    before = lot.compile_cache_info().compilations
    with lot.compile_options(schedule=NARROW):
        for _ in range(2):
            check(p.run(), p, "f32")
        assert newest() == ("native", NARROW)
    assert p.run().tobytes() == plain.tobytes()
    assert lot.compile_cache_info().compilations == before + 1


@X86
def test_another_processor():
    p = problem()
    with lot.compile_options(mcpu="x86-64"):
        check(p.run(), p, "f32")
        assert newest().mcpu == "x86-64"


def test_blocks_nest_and_end_with_an_exception():
    with lot.compile_options(schedule=NARROW) as outer:
        with pytest.raises(KeyError):
            with lot.compile_options(mcpu="x86-64") as inner:
                assert inner == ("x86-64", NARROW)
                raise KeyError
        with lot.compile_options() as same:
            assert same == outer == ("native", NARROW)
    with lot.compile_options() as none:
        assert none == ("native", None)


def test_other_threads_are_left_alone():
    seen = []

    def look():
        with lot.compile_options() as options:
            seen.append(options)

    with lot.compile_options(schedule=NARROW):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [("native", None)]


@pytest.mark.parametrize("name", ["pentium9", "", "Haswell", "+avx2"])
def test_unknown_processor(name):
    p = problem()
    with lot.compile_options(mcpu=name):
        with pytest.raises(RuntimeError, match=f"expected a processor name that LLVM knows for "
                                               rf".*, or native, got '{name.replace('+', '.')}'"):
            p.run()
    check(p.run(), p, "f32")


@pytest.mark.parametrize("schedule, message", [
    (WIDEST, r"illegal schedule for .*: expected vectors of at most \d+ bits, got 64 lanes of 'f32'"),
    ("#lot.cpu_schedule<token_tile = 8, lanes = 4, row_block = 4, vector_block = 2>",
     "illegal schedule: expected a token_tile of 4 x lanes = 16, got 8"),
    ("#lot.cpu_schedule<token_tile = 12, lanes = 3, row_block = 4, vector_block = 2>",
     "expected lanes to be a power of two of at most 64"),
    ("#lot.cpu_schedule<token_tile = 16, lanes = 4, row_block = 100, vector_block = 2>",
     "expected row_block and vector_block to be positive with a product of at most 64"),
    ("7 : i64", "expected schedule to be a #lot.cpu_schedule, got 7 : i64"),
    ("#lot.cpu_schedule<", "expected"),
    ("}", "expected"),
])
def test_illegal_schedule(schedule, message):
    p = problem()
    with lot.compile_options(schedule=schedule), pytest.raises(RuntimeError, match=message):
        p.run()
    check(p.run(), p, "f32")


@pytest.mark.parametrize("options", [dict(mcpu=7), dict(schedule=b"x")])
def test_no_string(options):
    with pytest.raises(TypeError, match="expected a string, got"):
        with lot.compile_options(**options):
            pass
