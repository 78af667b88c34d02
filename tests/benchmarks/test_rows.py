"""Each row of the benchmarks runs, and its contestants come to one result; with a small size."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import PEERS
from benchmarks.contest import Row
from benchmarks.referee import Referee
from benchmarks.rows import ROWS

pytestmark = [pytest.mark.processes, pytest.mark.slow]

SIZES = {
    "loop": 3,
    "backtest": 3,
    "disk": 3,
    "import": 2_000,
    "append": 5_000,
    "year": 10_000,
    "span": 10_000,
    "market": 10_000,
    "features": 100_000,
    "status": 2,
    "rest": 13,
}

# The one runs what the backtests' row does, the others a bot and a sidecar; all for minutes.
TOO_LONG = {"hyperopt", "orders-13", "orders-100", "orders"}


def test_each_row_is_tried() -> None:
    assert set(SIZES) == {row.name for row in ROWS} - TOO_LONG


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.name not in TOO_LONG], ids=lambda row: row.name
)
def test_a_row_computes_and_its_results_are_equal(tmp_path: Path, row: Row) -> None:
    # The peers' environment is no condition of the tests; what is here anyway takes part.
    peers = PEERS if PEERS.exists() else Path(sys.executable)
    known = PEERS.exists() or importlib.util.find_spec("duckdb") is not None
    contestants = tuple(each for each in row.contestants if known or each.name != "DuckDB")
    small = replace(row, size=SIZES[row.name], contestants=contestants, growth=(), warm=False)
    outcome = Referee(Path(sys.executable), peers, tmp_path).judge(small, rounds=1)
    assert outcome.failure == ""
