#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""README.md and docs/: their Python runs, their links and the files they name exist."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: Paths in running text that a checkout must have.
NAMED = re.compile(r"\b((?:examples|benchmarks|test|lib|python|include|tools|docs)/[\w./-]*\w)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page):
    text = page.read_text()
    links = re.findall(r"\]\(([^)#\s]+)", text)
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name}: broken link {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files(page):
    for path in set(NAMED.findall(page.read_text())):
        if not path.startswith(("lib/Lot", "lib/cmake", "lib/llvm-")):  # of the build folder, of LLVM
            assert any((base / path).exists() for base in (ROOT, ROOT / "include", ROOT / "python")), \
                f"{page.name}: {path} does not exist"


def test_readme_example(capsys):
    text = (ROOT / "README.md").read_text()
    # The second is run by test/python/frameworks.
    example, _ = re.findall(r"```python\n(.*?)```", text, re.S)
    scope: dict = {}
    exec(compile(example, "README.md", "exec"), scope)  # noqa: S102
    assert scope["out"].shape == scope["q"].shape
    assert "MarginalError" in capsys.readouterr().out
