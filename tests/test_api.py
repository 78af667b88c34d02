"""The public interface: what it lists is there, documented, light, and all that LiqTrend needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from liq_provider import api

ROOT = Path(__file__).parents[1]
HEAVY = ("freqtrade", "pandas", "sqlalchemy", "pydantic", "openai", "httpx2", "ccxt", "websockets")


def test_every_name_is_there_and_documented() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text[text.index("## Everything it has") :]
    for name in api.__all__:
        assert getattr(api, name) is not None
        assert f"`{name}`" in table, name
    assert sorted(dir(api)) == sorted(api.__all__)


def test_who_checks_types_sees_the_same_names() -> None:
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == api._HOME and sorted(seen) == sorted(api.__all__)


def test_what_is_not_listed_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Engine"):
        _ = api.Engine


@pytest.mark.processes
@pytest.mark.parametrize(
    ("names", "without"),
    [
        ("", ("numpy", *HEAVY)),
        ("LiqError", ("numpy", *HEAVY)),
        ("Action", ("freqtrade", "pandas", "sqlalchemy", "openai", "ccxt", "websockets")),
        ("Case", ("freqtrade", "pandas", "openai", "ccxt", "websockets")),
    ],
)
def test_importing_loads_no_more_than_is_asked_for(names: str, without: tuple[str, ...]) -> None:
    code = f"import sys, liq_provider.api\n{f'from liq_provider.api import {names}' * bool(names)}"
    code += f"\nprint([name for name in {without!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_liqtrend_itself_needs_nothing_else() -> None:
    tree = ast.parse((ROOT / "strategies" / "LiqTrend.py").read_text(encoding="utf-8"))
    modules = {
        name
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if name.startswith("liq_provider")
    }
    assert modules == {"liq_provider.api"}


def test_the_root_holds_what_it_should() -> None:
    root = {path.name for path in (ROOT / "liq_provider").iterdir() if path.is_file()}
    assert root == {"__init__.py", "api.py", "cli.py", "errors.py", "py.typed"}
