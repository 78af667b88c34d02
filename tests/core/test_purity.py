"""A notebook can use core and measure: of what is installed they ask for numpy alone."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("core", "measure")
ALLOWED = {*sys.stdlib_module_names, "numpy"}
OWN = ("liq_provider", "liq_provider.errors", *(f"liq_provider.{name}" for name in PURE))

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for name in PURE
    for path in sorted((ROOT / "liq_provider" / name).rglob("*.py"))
}

# Whatever is not allowed is not there. What the interpreter itself loads at its start is no matter.
ALONE = """
import importlib, json, sys

allowed, own, modules = json.loads(sys.argv[1])

class Nobody:
    def find_spec(self, name, path=None, target=None):
        ours = any(name == each or name.startswith(each + ".") for each in own[1:])
        if name.partition(".")[0] in allowed or name == own[0] or ours:
            return None
        raise ModuleNotFoundError(f"{name} is not allowed", name=name)

before = set(sys.modules)
sys.meta_path.insert(0, Nobody())
for module in modules:
    importlib.import_module(module)
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(loaded - set(sys.stdlib_module_names))))
"""


def loaded_alone(*modules: str) -> subprocess.CompletedProcess[str]:
    """Import the modules in an interpreter that has nothing but what is allowed."""
    asked = json.dumps([sorted(ALLOWED), OWN, modules])
    return subprocess.run(
        [sys.executable, "-c", ALONE, asked],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.processes
def test_core_and_measure_work_where_only_numpy_is_installed() -> None:
    assert len(MODULES) > 30
    child = loaded_alone(*MODULES)
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == ["liq_provider", "numpy"]


@pytest.mark.processes
def test_the_features_load_numpy_and_nothing_else_that_is_installed() -> None:
    child = loaded_alone("liq_provider.measure.features")
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout) == ["liq_provider", "numpy"]


@pytest.mark.processes
@pytest.mark.parametrize("module", ["pandas", "liq_provider.config.settings"])
def test_what_asks_for_more_is_noticed(module: str) -> None:
    child = loaded_alone(module)
    assert child.returncode
    assert "is not allowed" in child.stderr


@pytest.mark.parametrize("module", MODULES)
def test_no_function_of_theirs_asks_for_more_later(module: str) -> None:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            ours = any(name.startswith(f"{each}.") for each in OWN[1:])
            assert ours or name.partition(".")[0] in ALLOWED, name
