#  Part of the lot project, under the Apache License v2.0 with LLVM Exceptions.
#  SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every command of docs/integrations.md runs, and prints what the page says.

A section (##) is one test, in a folder of its own with links to what is in the checkout. Its blocks
are taken in their order: sh is run; text holds lines that the last command printed; any other
block whose first line is a comment with a file's name is written to that file.
"""

import os
import pathlib
import re
import subprocess

import pytest

from linalg_path import tool

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/integrations.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", PAGE, re.M))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"(?:#|//) ([\w.]+\.\w+)\n")


def blocks(section: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return BLOCK.findall(SECTIONS[section])


def test_every_block_counts():
    assert sum(len(blocks(section)) for section in SECTIONS) == len(BLOCK.findall(PAGE))
    for section, text in SECTIONS.items():
        rest = BLOCK.sub("", text)
        assert not re.search(r"^    \S", rest, re.M), f"{section}: an indented block is not run"
        for language, block in blocks(section):
            assert language in ("sh", "text") or FILE.match(block), f"{section}: {block[:60]}"
        assert any(language == "sh" for language, _ in blocks(section)), f"{section}: no command"


def missing(commands: str) -> list[str]:
    """What the commands name and this machine does not have; on a CI machine all is there."""
    environments = set(re.findall(r"\.venv-\w+", commands))
    tools = set(re.findall(r"\b(?:mlir-\w+|clang(?:\+\+)?)-22\b|\bmpi\w+\.mpich\b", commands))
    return [*(name for name in environments if not (ROOT / name).exists()),
            *(name for name in tools if not any(
                os.access(os.path.join(folder, name), os.X_OK)
                for folder in os.environ["PATH"].split(os.pathsep)))]


@pytest.mark.parametrize("section", SECTIONS)
def test_section(section, tmp_path):
    found = blocks(section)
    absent = missing("".join(text for language, text in found if language == "sh"))
    if not tool("lot-opt") or absent:
        assert os.environ.get("CI") != "true", f"expected {absent}"
        pytest.skip(f"no {', '.join(absent) or 'lot-opt'}")
    build = pathlib.Path(os.environ.get("LOT_BUILD_DIR", ROOT / "build"))
    for path in ROOT.iterdir():
        if path.name not in ("build", ".git"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "build").symlink_to(build)
    printed = None
    for language, text in found:
        if language == "sh":
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            printed = done.stdout
            assert done.returncode == 0, f"{text}\n{printed[-4000:]}"
        elif language == "text":
            for line in text.splitlines():
                assert line.strip() in printed, f"expected {line!r}, got\n{printed[-4000:]}"
        else:
            (tmp_path / FILE.match(text)[1]).write_text(text)
