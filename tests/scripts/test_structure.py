"""The figures of the source, and those of them that stay at zero."""

import ast
from pathlib import Path

import pytest

from scripts.structure import Structure, complexity, markdown

ROOT = Path(__file__).parents[2]


def package(directory: Path, **modules: str) -> Structure:
    """A package `shop` of these modules; two underscores stand for a directory's slash."""
    for name, text in modules.items():
        path = directory / "shop" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Structure.read(directory / "shop")


def function(text: str) -> ast.FunctionDef:
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    return node


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("pass", 1),
        ("if a: pass", 2),
        ("if a: pass\n elif b: pass\n else: pass", 3),
        ("for a in b:\n  while c: pass", 3),
        ("try: pass\n except A: pass\n except B: pass\n else: pass\n finally: pass", 4),
        ("match a:\n  case 1: pass\n  case 2: pass\n  case _: pass", 3),
        ("match a:\n  case 1: pass\n  case 2: pass", 3),
        ("def g():\n  if a: pass", 3),
        ("with a:\n  if b: pass", 2),
        ("return [a for a in b if a and c]", 1),
    ],
)
def test_complexity_is_counted_as_lint_does(body: str, number: int) -> None:
    assert complexity(function(f"def f():\n {body}")) == number


def test_files_lines_and_functions_are_counted_by_package(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        errors="",
        cli="def main():\n    pass\n",
        till__coins="class Coin:\n    def flip(self):\n        def side(): ...\n",
        till__drawer__notes="\n\n",
    )
    assert shop.packages() == {"(root)": (2, 2, 1), "till": (2, 5, 2)}
    assert shop.in_root() == ["cli", "errors"]
    assert [each.name for each in shop.functions()] == ["main", "Coin.flip", "Coin.flip.side"]


def test_names_used_twice_are_found_outside_commands(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        till__status="class Coin: ...\nclass _Own: ...\n",
        stock__status="class Box: ...\nclass _Own: ...\n",
        stock__box="class Coin: ...\n",
        commands__box="class Box: ...\n",
    )
    assert shop.modules_twice() == {"status": ["stock.status", "till.status"]}
    assert shop.classes_twice() == {"Coin": ["stock.box", "till.status"]}


def test_a_cycle_is_seen_also_through_a_third_package_and_a_late_import(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        till__coins="from shop.stock import box\n",
        stock__box="def f():\n    import shop.clerk.hand\n",
        clerk__hand="from shop.till.coins import x\nfrom shop.errors import y\n",
        errors="",
        cli="from shop.clerk import hand\n",
    )
    assert shop.cycles() == [["clerk", "stock", "till"]]


def test_a_vague_name_is_counted_once_a_function_and_by_its_types(tmp_path: Path) -> None:
    shop = package(
        tmp_path,
        till__coins=(
            "def f(found: int):\n    found = 1\n    return found\n"
            "def g(x):\n    for found in x:\n        def h(*, found: str): ...\n"
            "def k(found: int):\n    return [item for item in found]\n"
            "def reads():\n    return found\n"
        ),
    )
    vague = shop.vague()
    assert vague["found"].functions == 4
    assert vague["found"].parameter_types == {"int": 2, "str": 1}
    assert vague["item"].functions == 1


def test_the_table_shows_the_longest_first(tmp_path: Path) -> None:
    shop = package(tmp_path, till__coins="def a(): ...\ndef b():\n    x = 1\n    return x\n")
    table = markdown(shop)
    assert table.index("| `till.coins.b` | 3 |") < table.index("| `till.coins.a` | 1 |")
    assert "| **all** | 1 | 4 | 2 |" in table
    assert "- modules in the root: none" in table


@pytest.fixture(scope="module")
def ours() -> Structure:
    return Structure.read(ROOT / "liq_provider")


def test_our_packages_import_one_way(ours: Structure) -> None:
    assert ours.cycles() == []


def test_our_root_holds_no_more_than_six_modules(ours: Structure) -> None:
    assert len(ours.in_root()) <= 6


def test_no_two_of_our_modules_bear_one_name(ours: Structure) -> None:
    assert ours.modules_twice() == {}


def test_no_two_of_our_classes_bear_one_name(ours: Structure) -> None:
    assert ours.classes_twice() == {}


@pytest.mark.parametrize(
    "directory", ["liq_provider", "strategies", "chaos", "benchmarks", "tests"]
)
def test_nothing_of_ours_is_called_found(directory: str) -> None:
    assert Structure.read(ROOT / directory).vague()["found"].functions == 0
