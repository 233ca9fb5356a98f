#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the package says of itself, and what the repository says of it."""

from __future__ import annotations

import importlib.metadata
import pathlib
import re
import subprocess
import sys

import pytest

import lot

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_version_is_the_projects():
    """CMakeLists.txt holds it; pyproject.toml reads it there."""
    version = re.search(r"project\(lot VERSION ([0-9.]+)", read("CMakeLists.txt")).group(1)
    assert lot.__version__ == version
    pattern = re.search(r"metadata\.version\.regex = '(.*)'", read("pyproject.toml")).group(1)
    assert re.search(pattern, read("CMakeLists.txt")).group("value") == version


def test_metadata():
    """Of a wheel where one is installed, else of pyproject.toml."""
    try:
        metadata = importlib.metadata.metadata("lot-mlir")
    except importlib.metadata.PackageNotFoundError:
        tomllib = pytest.importorskip("tomllib")
        project = tomllib.loads(read("pyproject.toml"))["project"]
        assert project["name"] == "lot-mlir"
        requires = project["dependencies"]
        requires_python = project["requires-python"]
        extras = set(project["optional-dependencies"])
    else:
        assert metadata["Version"] == lot.__version__
        requires = metadata.get_all("Requires-Dist")
        requires_python = metadata["Requires-Python"]
        extras = set(metadata.get_all("Provides-Extra"))
    assert requires_python == ">=3.10"
    names = {re.match(r"[\w-]+", r).group().replace("-", "_") for r in requires}
    assert {"numpy", "ml_dtypes"} <= names
    assert {"jax", "plot", "test", "torch"} <= extras


def test_import_does_not_load_the_compiler_early():
    """`import lot` and the oracle must not cost the load of libMLIR."""
    code = (f"import sys; sys.path.insert(0, {str(pathlib.Path(lot.__file__).parents[1])!r})\n"
            "import lot.reference\n"
            "assert not {'matplotlib', 'torch', 'jax'} & set(sys.modules)\n"
            "assert 'lot.ir' not in sys.modules\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name, needs", [("torch", "PyTorch"), ("jax", "JAX")])
def test_frameworks_are_optional(name, needs):
    code = (f"import sys; sys.path.insert(0, {str(pathlib.Path(lot.__file__).parents[1])!r})\n"
            f"sys.modules[{name!r}] = None  # as if it were not installed\n"
            "import lot\n"
            f"try:\n    lot.{name}\n"
            "except ImportError as error:\n    print(error)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"lot.{name} needs {needs}: pip install {name}\n", done.stderr


def test_license():
    text = read("LICENSE")
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "LLVM Exceptions to the Apache 2.0 License" in text


def test_build_requirements_agree():
    """The wheel is built with the sources of MLIR's bindings that the tests used."""
    pinned = re.search(r"^xtc-mlir-dev==(\S+)$", read("requirements-dev.txt"), re.M).group(1)
    assert f'"xtc-mlir-dev=={pinned}"' in read("pyproject.toml")


def test_cpp_is_formatted():
    done = subprocess.run([ROOT / "scripts/format.sh", "--dry-run", "-Werror"],
                          capture_output=True, text=True)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr[-4000:] + "\nrun make format"


def test_counts_of_reports(tmp_path):
    """The last line of make check sums reports, and a lost report is a failure."""
    report = tmp_path / "report.xml"
    report.write_text("""<testsuites><testsuite>
        <testcase name="a"/><testcase name="b"><failure message="no"/></testcase>
        <testcase name="c"><skipped/></testcase><testcase name="d"/>
        </testsuite></testsuites>""")

    def counts(*arguments: str) -> tuple[str, int]:
        done = subprocess.run([sys.executable, ROOT / "scripts/test_counts.py", *arguments],
                              capture_output=True, text=True)
        return done.stdout.splitlines()[-1], done.returncode

    assert counts(f"a={report}:1") == ("2 passed, 1 failed, 1 skipped", 1)
    assert counts(f"a={report}:1", f"b={report}:1") == ("4 passed, 2 failed, 2 skipped", 1)
    assert counts(f"a={report}:1", f"b={tmp_path}/none.xml:0")[1] == 1
    report.write_text('<testsuite><testcase name="a"/></testsuite>')
    assert counts(f"a={report}:0") == ("1 passed, 0 failed", 0)
    assert counts(f"a={report}:3") == ("1 passed, 1 failed", 1)
