"""Examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import liq_provider

# Migrations run only inside Alembic.
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(liq_provider.__path__, "liq_provider.")
    if ".migrations" not in module.name and not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in tests) > 3
