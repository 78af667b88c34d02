"""What tests share: nothing that one of them changes for the next."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def shared_simulators(source: str) -> list[str]:
    """:return: fixtures that hand one simulated exchange to several tests"""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("scope=" in ast.unparse(mark) for mark in node.decorator_list)
        and node.returns is not None
        and "[Simulator]" in ast.unparse(node.returns)
    ]


def test_no_exchange_whose_prices_a_test_may_move_outlives_that_test() -> None:
    # Moved back, a price still jumps twice in the candles, if a minute ends in between.
    shared = {
        path.relative_to(TESTS).as_posix(): names
        for path in TESTS.rglob("*.py")
        if (names := shared_simulators(path.read_text()))
    }
    assert shared == {}


def test_a_shared_exchange_is_noticed() -> None:
    body = "(x: int) -> Iterator[Simulator]:\n    yield x\n"
    assert shared_simulators('@pytest.fixture(scope="module")\ndef sim' + body) == ["sim"]
    assert shared_simulators("@pytest.fixture\ndef sim" + body) == []
