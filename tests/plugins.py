"""Packages of others as an installer lays them down, each with what it adds by entry points."""

import re
import sys
import textwrap
from itertools import count
from pathlib import Path

import pytest


def install(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    group: str,
    name: str,
    code: str,
    package: str = "",
) -> None:
    """
    Until the test ends.

    :param code: of a module with something named ``make``
    :param package: as the module is called, too; a new name if empty, as a module of an earlier
        test may still be loading
    """
    package = package or f"example{next(_numbers)}"
    monkeypatch.syspath_prepend(lay_down(directory, group, name, code, package))
    monkeypatch.delitem(sys.modules, package, raising=False)


def lay_down(directory: Path, group: str, name: str, code: str, package: str) -> Path:
    """:return: the folder that is to be on the path of who uses the package; see ``install``"""
    site = directory / f"site-{package}"
    info = site / f"{package}-1.2.dist-info"
    info.mkdir(parents=True)
    (site / f"{package}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {package}:make\n")
    return site


_numbers = count()


def documented(words: str, page: str = "extending") -> str:
    """:return: the one piece of Python on a page of the docs that has these words"""
    text = (Path(__file__).parents[1] / "docs" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shown,) = (block for block in blocks if words in block)
    return shown
