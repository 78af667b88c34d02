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
FOR_BENCH = declared(project()["dependency-groups"]["bench"])


KNOWN = packages_distributions()


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def _modules(path: Path) -> Iterator[str]:
    """:return: full names of modules that a file imports"""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def _roots(path: Path) -> Iterator[str]:
    return (name.partition(".")[0] for name in _modules(path))


def imported(*folders: str) -> Iterator[tuple[str, str]]:
    """:return: names of modules that are imported, each with the file that does"""
    for folder in folders:
        for path in _files(ROOT / folder):
            for name in _roots(path):
                yield name, str(path.relative_to(ROOT))


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
    known = NEEDED | FOR_WORK | FOR_BENCH
    assert {n: path for n, path in importers.items() if n not in known} == {}


def test_peers_of_the_benchmarks_import_what_their_environment_has_and_nothing_of_liqtrend() -> (
    None
):
    shared = {"contest", "measuring", "years", "days_of_orders", "liquidation_files"}
    names = ["peers", *(f"{name}.py" for name in sorted(shared))]
    files = [path for name in names for path in _files(ROOT / "benchmarks" / name)]
    assert len(files) > 5
    known = {*sys.stdlib_module_names, "benchmarks", *FOR_BENCH}
    assert {
        (name, path.name) for path in files for name in _roots(path) if name not in known
    } == set()
    own = {name for path in files for name in _modules(path) if name.startswith("benchmarks.")}
    assert {name.removeprefix("benchmarks.") for name in own} <= shared


def test_what_is_declared_is_imported() -> None:
    assert NEEDED - set(distributions(*SHIPPED)) == BY_NAME
    used = set(distributions(*SHIPPED, *BESIDE))
    assert FOR_WORK - used == TOOLS
    assert FOR_BENCH - used == set()


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"]
)
def test_what_is_locked_is_what_is_declared(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+?)(?:\[[\w,-]+\])?==([\w.+!-]+)", text, re.MULTILINE))
    locked = {canonicalize_name(name): pin for name, pin in pins.items()}
    groups = project()["dependency-groups"]
    lines = list(groups["bench"] if "bench" in lock else project()["project"]["dependencies"])
    if "dev" in lock:
        lines += groups["dev"]
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
