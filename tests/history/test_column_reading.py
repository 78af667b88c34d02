"""Many rows at once are what each row by itself is; what is not plain is left to the rows."""

import gzip
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.errors import ImportRefused
from liq_provider.history import column_reading, order_formats, text_blocks
from liq_provider.history.bad_row import BadRow
from liq_provider.history.column_values import ColumnParser
from liq_provider.history.importer import bundled_markets as bundled
from liq_provider.venues.row_readers import Columns
from tests.history.hostile_files import T0

NOW_MS = T0 + 5 * 86_400_000
HEADER = "s,S,q,p,ap,X,l,z,T"


def row(
    at: int | str, *, symbol: str = "BTCUSDT", z: str = "2", ap: str = "50", p: str = "49"
) -> str:
    return f"{symbol},SELL,{z},{p},{ap},FILLED,{z},{z},{at}"


def read_both_ways(
    path: Path, form: str = "binance-forceorder"
) -> tuple[list[Liquidation], list[BadRow], int]:
    """:return: orders, bad rows, and how many of the orders came in columns"""
    markets, names, at_once = bundled(), MarketNames(), 0
    alone: list[Liquidation] = []
    bad: list[BadRow] = []
    for record in order_formats.read(path, form, bundled(), NOW_MS):
        if isinstance(record, BadRow):
            bad.append(record)
        else:
            alone += record
    together: list[Liquidation] = []
    refused: list[BadRow] = []
    for one in column_reading.read_at_once(path, form, markets, names, NOW_MS):
        if isinstance(one, OrderColumns):
            at_once += len(one)
            together += one.liquidations()
        elif isinstance(one, BadRow):
            refused.append(one)
        else:
            together += one
    assert (together, refused) == (alone, bad)
    return alone, bad, at_once


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("stated", "price"),
    [("0", 49.0), ("", 49.0), ("-5", 49.0), (" 7", 7.0), ("+7", 7.0), ("1_0", 10.0), ("nan", 49.0)],
)
def test_the_second_price_counts_only_where_the_first_states_none(
    tmp_path: Path, stated: str, price: float
) -> None:
    orders, _, at_once = read_both_ways(
        written(tmp_path / "x.csv", HEADER, row(T0), row(T0 + 1, ap=stated), row(T0 + 2))
    )
    assert [order.price for order in orders] == [50.0, price, 50.0]
    assert at_once == 3


@pytest.mark.parametrize(
    "time", ["0x18DF0B8D400", f"{T0}.0", "1.7092512e12", f"{T0 * 1000}", "", "-1"]
)
def test_a_time_that_only_another_reader_understands_is_refused(tmp_path: Path, time: str) -> None:
    orders, bad, _ = read_both_ways(written(tmp_path / "x.csv", HEADER, row(T0), row(time)))
    assert len(orders) == 1
    assert [(one.line, one.reason) for one in bad] == [(3, "bad_time: BTCUSDT")]


def test_a_stray_quote_or_carriage_return_spoils_its_own_row_alone(tmp_path: Path) -> None:
    spoilt = [row(T0 + 1).replace("SELL", '"SELL'), row(T0 + 2).replace("SELL", "SE\rLL")]
    path = written(tmp_path / "x.csv", HEADER, row(T0), *spoilt, row(T0 + 3))
    orders, bad, at_once = read_both_ways(path)
    assert [order.event_ms - T0 for order in orders] == [0, 3]
    assert ([one.line for one in bad], at_once) == ([3, 4], 2)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Lines that are read by themselves: the first of each kind, and what is not plain."""
    lines: set[int] = set()
    by_itself = column_reading._Blocks._by_itself

    def noted(self: Any, block: Any, ends: Any, row: int) -> Any:
        lines.add(block.first_line + row)
        return by_itself(self, block, ends, row)

    monkeypatch.setattr(column_reading._Blocks, "_by_itself", noted)
    return lines


def test_a_file_whose_values_are_all_in_quotes_is_read_at_once(
    tmp_path: Path, alone: set[int]
) -> None:
    lines = [row(T0), row(T0 + 1, ap="0"), row(T0 + 2, symbol="ETHUSDT")]
    quoted = [",".join(f'"{value}"' for value in line.split(",")) for line in [HEADER, *lines]]
    path = written(tmp_path / "x.csv", *quoted, quoted[2].replace("SELL", "SE,LL"))
    orders, bad, _ = read_both_ways(path)
    assert [order.event_ms - T0 for order in orders] == [0, 1, 2]
    assert ([one.line for one in bad], alone) == ([5], {2, 4, 5})


def test_a_market_whose_name_is_like_a_hexadecimal_number_is_read_at_once(
    tmp_path: Path, alone: set[int]
) -> None:
    lines = [row(T0 + n, symbol="1000XECUSDT") for n in range(4)]
    lines += [row(T0 + 4, symbol="1000XECUSDT", z="0X5")]
    orders, bad, _ = read_both_ways(written(tmp_path / "x.csv", HEADER, *lines))
    assert [order.event_ms - T0 for order in orders] == [0, 1, 2, 3]
    assert ([one.line for one in bad], alone) == ([6], {2, 6})


def test_a_word_where_a_number_should_be_does_not_slow_the_rows_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: set[int]
) -> None:
    monkeypatch.setattr(text_blocks, "_BLOCK", 8_192)
    slow: list[Any] = []
    converted = ColumnParser._converted
    monkeypatch.setattr(
        ColumnParser, "_converted", lambda *args: slow.append(1) or converted(*args)
    )
    lines = [row(T0 + n, ap="-" if n % 40 == 0 else "50") for n in range(2_000)]
    lines[-1] = row(T0 + 3_000, ap="0")
    orders, bad, _ = read_both_ways(written(tmp_path / "x.csv", HEADER, *lines))
    # The second price counts where the first is none, and where it is a zero.
    assert [order.price for order in orders] == [
        49.0 if n % 40 == 0 else 50.0 for n in range(1999)
    ] + [49.0]
    assert (bad, len(slow)) == ([], 1)
    assert len(alone) == 2_000 // 40 + 1


def test_a_column_that_is_empty_and_one_with_a_word_in_it_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: set[int]
) -> None:
    monkeypatch.setattr(text_blocks, "_BLOCK", 8_192)
    lines = [row(T0 + n, ap="-" if n % 90 == 0 else "") for n in range(1_000)]
    orders, _, _ = read_both_ways(written(tmp_path / "x.csv", HEADER, *lines))
    assert {order.price for order in orders} == {49.0}
    assert len(alone) == len(range(0, 1_000, 90)) + 1


def test_a_column_that_changes_the_meaning_of_a_row_is_heeded(tmp_path: Path) -> None:
    lines = [f"{row(T0 + n)},{product}" for n, product in enumerate(["1", "2", "1", "3", ""])]
    path = written(tmp_path / "x.csv", f"{HEADER},st", *lines)
    orders, bad, at_once = read_both_ways(path)
    assert ([order.event_ms - T0 for order in orders], at_once) == ([0, 2], 2)
    assert [one.line for one in bad] == [3, 5, 6]


def test_rows_of_which_the_columns_say_otherwise_are_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Columns(words=("s", "S"), time="T", price=("p",), amount="z")
    reader = replace(order_formats.READERS["binance-forceorder"][1], at_once=wrong)
    monkeypatch.setitem(order_formats.READERS, "binance-forceorder", ("binance", reader))
    path = written(tmp_path / "x.csv", HEADER, row(T0), row(T0 + 1, ap="0"))
    orders, _, _ = read_both_ways(path)
    assert [order.price for order in orders] == [50.0, 49.0]


def test_nothing_of_a_damaged_file_is_seen_that_its_lines_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "_BLOCK", 8_192)
    random = Random(1)
    lines = [row(T0 + n, z=f"{random.random():.9f}") for n in range(2_000)]
    packed = gzip.compress("\n".join([HEADER, *lines]).encode())
    path = tmp_path / "x.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    seen, said = [], []
    for read in (order_formats.read, _at_once):
        orders: list[Liquidation] = []
        with pytest.raises(ImportRefused, match="is damaged or cut short") as refused:
            for record in read(path, "binance-forceorder", bundled(), NOW_MS):
                orders += record if isinstance(record, list) else record.liquidations()
        seen.append(orders)
        said.append(str(refused.value))
    assert 200 < len(seen[0]) < 2_000
    assert seen[0] == seen[1]
    assert said[0] == said[1]


def _at_once(path: Path, name: str, markets: Any, now_ms: int) -> Iterator[Any]:
    return column_reading.read_at_once(path, name, markets, MarketNames(), now_ms)


def test_of_a_long_file_a_block_is_in_memory_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    lines = "".join(row(T0 + n) + "\n" for n in range(50_000))
    path.write_text(f"{HEADER}\n" + lines * 8)  # 18 MB
    tracemalloc.start()
    try:
        for record in _at_once(path, "binance-forceorder", bundled(), NOW_MS):
            assert isinstance(record, OrderColumns)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 17 << 20
    assert peak < 14 << 20


_READ_ONE = """
import sys
from pathlib import Path
from liq_provider.core.order_columns import MarketNames
from liq_provider.history.column_reading import read_at_once
from liq_provider.history.importer import bundled_markets

for record in read_at_once(Path(sys.argv[1]), "tardis", bundled_markets(), MarketNames()):
    print(len(record))
print("pandas" in sys.modules)
"""


@pytest.mark.processes
def test_to_read_columns_loads_no_pandas(tmp_path: Path) -> None:
    header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    plain = f"bybit,BTCUSDT,{T0}000,{T0}900,,sell,50,1"
    path = written(tmp_path / "x.csv", header, plain, plain.replace(",50,", ",+50,"))
    said = subprocess.run(
        [sys.executable, "-c", _READ_ONE, str(path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["2", "False"]
