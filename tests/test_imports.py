"""Every import of somebody else's package is declared, and every declared package is used."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SHIPPED = ("liq_provider", "strategies")
BESIDE = ("tests", "chaos", "benchmarks", "scripts")

# Used without an import: by pytest, by make, by the type checker.
TOOLS = {
    *("import-linter", "mypy", "pandas-stubs", "pytest-timeout", "ruff"),
    *("types-psutil", "types-requests"),
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared(lines: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


# SQLAlchemy loads its driver by the name in an address.
BY_NAME = {"psycopg"}

NEEDED = declared(project()["project"]["dependencies"])
FOR_WORK = declared(project()["dependency-groups"]["dev"])


KNOWN = packages_distributions()


def imported(*folders: str) -> Iterator[tuple[str, str]]:
    """:return: names of modules that are imported, each with the file that does"""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                for name in names:
                    yield name.partition(".")[0], str(path.relative_to(ROOT))


def distributions(*folders: str) -> dict[str, str]:
    """:return: the packages of others that the folders import, each with one file that does"""
    importers = {}
    for module, path in imported(*folders):
        if module in (*SHIPPED, *BESIDE) or module in sys.stdlib_module_names:
            continue
        names = {canonicalize_name(name) for name in KNOWN.get(module, [module])}
        # Several packages may share a name, such as that of their stubs.
        named = sorted(names & NEEDED) or sorted(names & FOR_WORK) or sorted(names)
        importers[named[0]] = path
    return importers


def test_what_liqtrend_imports_is_declared() -> None:
    importers = distributions(*SHIPPED)
    assert len(importers) > 15
    assert {name: path for name, path in importers.items() if name not in NEEDED} == {}


def test_what_liqtrend_imports_is_kept_out_of_core_and_measure() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    (banned,) = [
        set(each["forbidden_modules"]) for each in contracts if "forbidden" in each["type"]
    ]
    modules = {module for module, _ in imported(*SHIPPED)}
    assert modules - set(sys.stdlib_module_names) - {*SHIPPED, "numpy"} <= banned


def test_what_tests_import_is_declared() -> None:
    importers = distributions(*BESIDE)
    assert {n: path for n, path in importers.items() if n not in NEEDED | FOR_WORK} == {}


def test_what_is_declared_is_imported() -> None:
    assert NEEDED - set(distributions(*SHIPPED)) == BY_NAME
    used = set(distributions(*SHIPPED, *BESIDE))
    assert FOR_WORK - used == TOOLS


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_what_is_locked_is_what_is_declared(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+?)(?:\[[\w,-]+\])?==([\w.+!-]+)", text, re.MULTILINE))
    locked = {canonicalize_name(name): pin for name, pin in pins.items()}
    lines = list(project()["project"]["dependencies"])
    if "dev" in lock:
        lines += project()["dependency-groups"]["dev"]
    wrong = {
        line: locked.get(canonicalize_name(Requirement(line).name))
        for line in lines
        if not Requirement(line).specifier.contains(
            locked.get(canonicalize_name(Requirement(line).name), "0")
        )
    }
    assert wrong == {}


def test_what_is_installed_is_what_is_declared() -> None:
    wrong = {
        line: version(Requirement(line).name)
        for line in project()["project"]["dependencies"]
        if not Requirement(line).specifier.contains(version(Requirement(line).name))
    }
    assert wrong == {}
