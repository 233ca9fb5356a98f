#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The folder of compiled code: what is found in it again, and what may be wrong with it."""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import lot
from lot import ir
from lot._runtime import Executable

#: Two functions, one on tensors and one on buffers.
TEXT = """
func.func @double(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %y = linalg.add ins(%x, %x : tensor<?x3xf32>, tensor<?x3xf32>)
                  outs(%x : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
func.func @sum(%x: memref<?xf64, strided<[?]>>, %y: memref<?xf64>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                  iterator_types = ["parallel"]}
      ins(%x : memref<?xf64, strided<[?]>>) outs(%y : memref<?xf64>) {
  ^bb0(%a: f64, %b: f64):
    %c = arith.addf %a, %b : f64
    linalg.yield %c : f64
  }
  return
}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "code 50%"  # nobody takes the % for a pattern
    monkeypatch.setenv("LOT_CACHE_DIR", str(path))
    return path


def entries(folder):
    return [p for p in folder.iterdir() if p.name != "llvmcache.timestamp"]


def compile_quietly(text=TEXT, **options):
    """Compiles; a warning fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Executable.compile(text, **options)


def check(executable):
    """Calls both functions and compares."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert (executable.invoke("double", [x])[0] == 2 * x).all()
    y = np.ones(4)
    executable.invoke("sum", [np.arange(8.0)[::2], y])
    assert (y == [1, 3, 5, 7]).all()
    with pytest.raises(ValueError, match="size 3 in dimension 1, got 4"):
        executable.invoke("double", [np.zeros((2, 4), np.float32)])


def run(code, **environment):
    """Runs Python code in a process of its own; (stdout, stderr)."""
    path = os.pathsep.join([str(pathlib.Path(lot.__file__).parents[1]),
                            os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": path, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


#: A process that makes one result: prints its bytes and where the code came from.
ATTEND = """
import numpy as np, lot
x = np.random.default_rng(0).standard_normal((1, 2, 9, 5)).astype(np.float32)
out = lot.attention(x, x, x, x[0, :, :3].copy(), epsilon=0.8)
info = lot.compile_cache_info()
print(out.tobytes().hex(), info.compilations, info.loads, info.kernels[0].seconds)
"""


def test_found_again(folder):
    first = compile_quietly()
    check(first)
    second = compile_quietly()
    check(second)
    assert (first.cached, second.cached) == (False, True)
    assert second.functions == first.functions == ["double", "sum"]
    for name in first.functions:
        assert second.signature(name) == first.signature(name)
    assert len(entries(folder)) == 1
    assert all((seconds > 0) == (phase == "load") for phase, seconds in second.timings.items())
    assert entries(folder)[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text, options", [
    (TEXT + " ", {}), (TEXT, {"openmp": False}), (TEXT, {"verify": False}),
    (TEXT, {"opt_level": 0}), (TEXT, {"mcpu": "generic"})],
    ids=["text", "openmp", "verify", "opt_level", "mcpu"])
def test_what_code_depends_on(folder, text, options):
    compile_quietly()
    assert not compile_quietly(text, **options).cached
    again = compile_quietly(text, **options)
    assert again.cached
    check(again)
    assert len(entries(folder)) == 2


def test_modules(folder):
    with ir.Context():
        module = ir.Module.parse(TEXT)
        assert not compile_quietly(module).cached
        check(again := compile_quietly(module))
        assert again.cached
    assert len(entries(folder)) == 1


def test_failures_are_not_kept(folder):
    for _ in range(2):
        with pytest.raises(RuntimeError, match="expected a module"):
            compile_quietly("nonsense")
        with pytest.raises(RuntimeError, match="processor name"):
            compile_quietly(mcpu="z80")
    assert not folder.exists() or not entries(folder)


def test_turned_off(folder, monkeypatch, tmp_path):
    compile_quietly(cache=False)
    monkeypatch.setenv("LOT_CACHE_DIR", "off")
    monkeypatch.chdir(tmp_path)
    compile_quietly()
    assert not compile_quietly().cached
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("unset", ["", None])
def test_default_folders(tmp_path, monkeypatch, unset):
    monkeypatch.delenv("LOT_CACHE_DIR")
    if unset is not None:
        monkeypatch.setenv("LOT_CACHE_DIR", unset)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    compile_quietly()
    assert len(entries(tmp_path / "xdg" / "lot")) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert not compile_quietly().cached
    assert len(entries(tmp_path / "home" / ".cache" / "lot")) == 1


# --- Entries that cannot be used --------------------------------------------------------------


def flip(position):
    def damage(data):
        data = bytearray(data)
        data[position] ^= 4
        return bytes(data)
    return damage


DAMAGES = {
    "empty": lambda data: b"", "one byte": lambda data: data[:1],
    "header only": lambda data: data[:81], "half": lambda data: data[:len(data) // 2],
    "all but one": lambda data: data[:-1], "one too many": lambda data: data + b"\0",
    "garbage": lambda data: np.random.default_rng(0).bytes(len(data)),
    "zeros": lambda data: bytes(len(data)), "mark": flip(0), "key": flip(20), "checksum": flip(60),
    "length": flip(80), "long length": flip(79), "signature": flip(100), "code": flip(-100),
    "last": flip(-1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_entry(folder, damage):
    compile_quietly()
    entry, = entries(folder)
    whole = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](whole))
    assert entry.read_bytes() != whole
    with pytest.warns(RuntimeWarning, match=f"compiled anew: '.*{entry.name}'.* is damaged"):
        executable = Executable.compile(TEXT)
    assert not executable.cached
    check(executable)
    assert compile_quietly().cached  # it was replaced
    entry.write_bytes(b"")
    assert not compile_quietly().cached  # each cause is reported once


def test_entry_of_another_module(folder):
    compile_quietly()
    entry, = entries(folder)
    compile_quietly(TEXT.replace("linalg.add", "linalg.mul"))
    other, = set(entries(folder)) - {entry}
    shutil.copy(other, entry)
    with pytest.warns(RuntimeWarning, match="is damaged"):
        check(Executable.compile(TEXT))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)],
                         ids=["folder", "pipe", "device"])
def test_entry_that_is_no_file(folder, make):
    compile_quietly()
    entry, = entries(folder)
    entry.unlink()
    make(entry)
    with pytest.warns(RuntimeWarning, match="is not a file"):
        check(Executable.compile(TEXT))
    with warnings.catch_warnings(record=True):  # a folder cannot be replaced by a file
        check(Executable.compile(TEXT))


def test_writable_by_others(folder):
    compile_quietly()
    entry, = entries(folder)
    entry.chmod(0o666)
    with pytest.warns(RuntimeWarning, match="can be written by other users"):
        assert not Executable.compile(TEXT).cached
    assert entry.stat().st_mode & 0o777 == 0o600
    assert compile_quietly().cached


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_of_another_user(folder):
    compile_quietly()
    entry, = entries(folder)
    os.chown(entry, 12345, 12345)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert not Executable.compile(TEXT).cached
    assert entry.stat().st_uid == os.geteuid()
    assert compile_quietly().cached


# --- Folders that cannot be used --------------------------------------------------------------


@pytest.mark.parametrize("place", ["a file", "in a file", "/proc", "/proc/none/x", "/dev/null"])
def test_folder_that_cannot_be_written(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("mine")
    path = {"a file": tmp_path / "file", "in a file": tmp_path / "file" / "x"}.get(place, place)
    monkeypatch.setenv("LOT_CACHE_DIR", str(path))
    with pytest.warns(RuntimeWarning) as caught:
        check(Executable.compile(TEXT))
        check(Executable.compile(TEXT))
    assert len(caught) == 1
    text = str(caught[0].message)
    assert f"cannot be kept in the cache folder '{path}'" in text and "LOT_CACHE_DIR" in text
    assert (tmp_path / "file").read_text() == "mine"


def test_garbage_in_the_folder(folder):
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(50):
        (folder / f"llvmcache-{i:064x}").write_bytes(rng.bytes(i * 10))
        (folder / f"{i}.o").write_bytes(rng.bytes(10))
    (folder / "llvmcache-folder").mkdir()
    (folder / "llvmcache.timestamp").mkdir()
    assert not compile_quietly().cached
    check(compile_quietly())
    assert compile_quietly().cached


def test_full_disk(tmp_path):
    out, err = run("""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
""" + ATTEND, LOT_CACHE_DIR=str(tmp_path / "code"))
    assert err.count("RuntimeWarning") == 1 and "File too large" in err
    assert out.split()[1:3] == ["1", "0"]
    assert not entries(tmp_path / "code")


def test_bounded(folder):
    folder.mkdir()
    now = time.time()
    for i in range(4200):
        entry = folder / f"llvmcache-{i:064x}"
        entry.write_bytes(b"x")
        os.utime(entry, (now - 1000 - i, now))
    old = folder / "llvmcache-old"
    old.write_bytes(b"x")
    os.utime(old, (now - 40 * 86400, now))
    (folder / "mine").write_bytes(b"x")
    compile_quietly()
    left = {p.name for p in entries(folder)}
    assert len(left) == 4096 + 1 and "mine" in left
    assert f"llvmcache-{0:064x}" in left  # the one used last
    assert f"llvmcache-{4199:064x}" not in left and "llvmcache-old" not in left
    assert compile_quietly().cached


def test_use_is_noted(folder):
    compile_quietly()
    entry, = entries(folder)
    os.utime(entry, (1e9, 1e9))
    assert compile_quietly().cached
    assert time.time() - entry.stat().st_atime < 60 and entry.stat().st_mtime == 1e9


# --- Processes --------------------------------------------------------------------------------


def test_a_new_process_loads(folder):
    cold, warm = (run(ATTEND)[0].split() for _ in range(2))
    assert cold[1:3] == ["1", "0"] and warm[1:3] == ["0", "1"]
    assert cold[0] == warm[0]
    assert float(warm[3]) < float(cold[3]) / 4


def test_processes_at_once(folder):
    path = os.pathsep.join([str(pathlib.Path(lot.__file__).parents[1]),
                            os.environ.get("PYTHONPATH", "")])
    code = "import lot, sys; print('ready', flush=True); sys.stdin.readline()\n" + ATTEND
    workers = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                env={**os.environ, "PYTHONPATH": path}) for _ in range(5)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    results = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert all(worker.returncode == 0 for worker in workers)
    assert len({result[0] for result in results}) == 1
    assert len(entries(folder)) == 1  # and no temporary file
    assert run(ATTEND)[0].split()[:3] == [results[0][0], "0", "1"]


def test_threads_at_once(folder):
    made = []
    threads = [threading.Thread(target=lambda: made.append(compile_quietly())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4 and len(entries(folder)) == 1
    for executable in made:
        check(executable)


def test_another_build_of_the_compiler(folder, tmp_path):
    """Code of one build is never taken by another, whatever its version says."""
    package = pathlib.Path(lot.__file__).parent
    shutil.copytree(package, tmp_path / "new" / "lot",
                    ignore=shutil.ignore_patterns("__pycache__", "*.pyi", "include"))
    library = tmp_path / "new" / "lot" / "_mlir_libs" / "libLotPythonCAPI.so"
    data = library.read_bytes()
    text = b"expected an optimization level"
    assert data.count(text) == 1
    environment = {"PYTHONPATH": str(tmp_path / "new")}
    assert run(ATTEND)[0].split()[1:3] == ["1", "0"]
    assert run("import os; del os.environ['PYTHONPATH']\n" + ATTEND)[0].split()[1:3] == ["0", "1"]

    def run_copy():
        out, _ = run(f"import sys; sys.path.insert(0, {environment['PYTHONPATH']!r})\n" + ATTEND +
                     "print(lot.__file__)")
        assert str(tmp_path) in out
        return out.split()[1:3]

    assert run_copy() == ["0", "1"]  # the same code in another place
    library.unlink()
    library.write_bytes(data.replace(text, text.upper()))
    library.chmod(0o755)
    assert run_copy() == ["1", "0"]
    assert run_copy() == ["0", "1"]
    assert run(ATTEND)[0].split()[1:3] == ["0", "1"]
