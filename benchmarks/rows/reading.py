"""A coin's year of minutes from a store of five million rows, its ends, and a market's year."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.measuring import measured, run_and_measure
from liq_provider.core.durations import MINUTE_MS

_HERE = "benchmarks.rows.reading"
_START_MS = 1_735_689_600_000
_YEAR_MIN = 525_600
_END_MS = _START_MS + _YEAR_MIN * MINUTE_MS
# As Tardis names them, and as the store does.
_VENUES = {"binance-futures": "binance", "bybit": "bybit"}
_COINS = 400
_READ = 10
_TIMES = 20


def _coin(number: int) -> str:
    return f"C{number:03}"


def _write(path: Path, venue: str, rows: int) -> None:
    """The first coin has a minute in four; the others share what is left of the rows."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(len(venue))
    first = min(_YEAR_MIN // 4, rows // 2)
    counts = [first] + [min((rows - first) // (_COINS - 1), _YEAR_MIN)] * (_COINS - 1)
    minutes = np.concatenate([rng.choice(_YEAR_MIN, n, replace=False) for n in counts])
    event_ms = _START_MS + minutes * MINUTE_MS + rng.integers(MINUTE_MS, size=len(minutes))
    # By time, as recordings are.
    order = np.argsort(event_ms, kind="stable")
    event_ms, coins = event_ms[order], np.repeat(np.arange(_COINS), counts)[order]
    names = pa.array([f"{_coin(number)}USDT" for number in range(_COINS)])
    table = pa.table(
        {
            "exchange": pa.array([venue] * len(minutes)),
            "symbol": names.take(pa.array(coins)),
            "timestamp": event_ms * 1_000,
            "local_timestamp": event_ms * 1_000 + 90_000,
            "id": pa.nulls(len(minutes), pa.string()),
            "side": pa.array(["buy", "sell"]).take(pa.array(rng.integers(2, size=len(minutes)))),
            "price": np.full(len(minutes), 2),
            "amount": np.round(rng.lognormal(5, 2, len(minutes)), 4),
        }
    )
    with path.open("wb") as file:
        file.write(f"{','.join(table.column_names)}\n".encode())
        # Its own header has quotes, which recordings have not.
        csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style="none"))


def prepare(folder: Path, size: int) -> None:
    """A store, made by importing a file of each venue."""
    from liq_provider.core.coverage import Interval
    from liq_provider.history.importer import import_files
    from liq_provider.store.database import open_engine
    from liq_provider.store.reader import Reader
    from liq_provider.store.writer import Writer

    url = f"sqlite:///{folder / 'store.sqlite'}"
    with closing(Writer(open_engine(url))) as writer:
        for venue in _VENUES:
            path = folder / f"{venue}.csv"
            _write(path, venue, size // len(_VENUES))
            year = Interval(_START_MS, _END_MS)
            report = import_files(writer, Reader(url), [path], "tardis", covered=year)
            if report.bad:
                raise ValueError(f"{report.bad_rows[0]}")
            path.unlink()


def _minutes(rows: Any) -> list[bytes]:
    """:param rows: venue, minute, dollars of longs and shorts, and number, in order"""
    columns = list(zip(*rows, strict=True))
    kinds = ("U20", "int64", "float64", "float64", "int64")
    return [np.array(each, dtype=kind).tobytes() for each, kind in zip(columns, kinds, strict=True)]


def year(folder: Path, size: int) -> Measured:
    """``Reader.grids`` of the coin with most minutes. Another one before, so that all is loaded."""
    from liq_provider.store.reader import Reader

    reader, venues = (
        Reader(f"sqlite:///{folder / 'scene' / 'store.sqlite'}"),
        sorted(_VENUES.values()),
    )
    reader.grids([_coin(1)], venues, _START_MS, _END_MS)
    grids, cpu_s, wall_s = run_and_measure(
        lambda: reader.grids([_coin(0)], venues, _START_MS, _END_MS)
    )
    grid = grids[_coin(0)]
    if not grid.covered.all():
        raise ValueError("the year is not covered")
    rows = [
        (venue, _START_MS + int(n) * MINUTE_MS, grid.long_usd[i, n], grid.short_usd[i, n], count)
        for i, venue in enumerate(grid.venues)
        for n, count in enumerate(grid.count[i].tolist())
        if count
    ]
    return measured(cpu_s, _minutes(rows), cpu_s, wall_s)


def year_by_sql(folder: Path, size: int) -> Measured:
    """``sqlite3`` alone: the rows as they are."""
    with closing(sqlite3.connect(folder / "scene" / "store.sqlite")) as store:
        query = (
            "SELECT venue, minute_ms, long_usd, short_usd, long_count + short_count FROM minutes "
            "WHERE base_asset = ?"
        )
        store.execute(query, (_coin(1),)).fetchall()
        rows, cpu_s, wall_s = run_and_measure(lambda: store.execute(query, (_coin(0),)).fetchall())
    return measured(cpu_s, _minutes(sorted(rows)), cpu_s, wall_s)


def span(folder: Path, size: int) -> Measured:
    """``Reader.minute_span`` and ``Reader.span``, twenty times."""
    from liq_provider.store.reader import Reader

    reader = Reader(f"sqlite:///{folder / 'scene' / 'store.sqlite'}")

    def look() -> tuple[Any, Any]:
        return reader.minute_span(_coin(0)), reader.span()

    ends, cpu_s, wall_s = _repeated(look)
    return measured(cpu_s * 1e3, [ends], cpu_s, wall_s)


def _repeated(look: Any) -> tuple[Any, float, float]:
    look()
    ends, cpu_s, wall_s = run_and_measure(lambda: [look() for _ in range(_TIMES)])
    return ends[0], cpu_s / _TIMES, wall_s / _TIMES


def span_by_sql(folder: Path, size: int) -> Measured:
    """``sqlite3`` alone: each end by itself."""
    with closing(sqlite3.connect(folder / "scene" / "store.sqlite")) as store:

        def ends(column: str, table: str, where: str = "", *values: str) -> tuple[int, ...]:
            return tuple(
                store.execute(f"SELECT {end}({column}) FROM {table}{where}", values).fetchone()[0]  # noqa: S608
                for end in ("min", "max")
            )

        def look() -> tuple[Any, Any]:
            first, last = ends("minute_ms", "minutes", " WHERE base_asset = ?", _coin(0))
            return (first, last + MINUTE_MS), ends("event_ms", "liquidations")

        both, cpu_s, wall_s = _repeated(look)
    return measured(cpu_s * 1e3, [both], cpu_s, wall_s)


def _market(folder: Path, quiet: bool) -> Measured:
    """Features of ten coins' year; said for all 400."""
    from liq_provider.config.settings import Settings
    from liq_provider.store.minute_features import history
    from liq_provider.store.reader import Reader

    settings = Settings.model_validate(
        {"venues": {name: {"enabled": False} for name in ("okx", "gate")}}
    )
    reader = Reader(f"sqlite:///{folder / 'scene' / 'store.sqlite'}")

    def measure(coin: str) -> Any:
        span = _START_MS + MINUTE_MS, _END_MS
        return history(reader, coin, settings, 1, *span, quiet=quiet).rows()

    measure(_coin(_COINS - 1))
    told, cpu_s, wall_s = run_and_measure(
        lambda: [measure(_coin(number)) for number in range(1, 1 + _READ)]
    )
    busy = [rows.long_usd + rows.short_usd > 0 for rows in told]
    result = [rows.z[where].tobytes() for rows, where in zip(told, busy, strict=True)]
    return measured(cpu_s / _READ * _COINS, result, cpu_s, wall_s)


def market(folder: Path, size: int) -> Measured:
    """The closes that have something in their segment."""
    return _market(folder, quiet=False)


def market_every_close(folder: Path, size: int) -> Measured:
    """As a backtest reads them."""
    return _market(folder, quiet=True)


def market_by_sql(folder: Path, size: int) -> Measured:
    """``sqlite3`` alone: the minutes of the same coins, as rows."""
    query = (
        "SELECT venue, minute_ms, long_usd, short_usd, long_count + short_count FROM minutes "
        "WHERE base_asset = ?"
    )
    with closing(sqlite3.connect(folder / "scene" / "store.sqlite")) as store:
        store.execute(query, (_coin(_COINS - 1),)).fetchall()
        told, cpu_s, wall_s = run_and_measure(
            lambda: [store.execute(query, (_coin(n),)).fetchall() for n in range(1, 1 + _READ)]
        )
    result = [each for rows in told for each in _minutes(sorted(rows))]
    return measured(cpu_s / _READ * _COINS, result, cpu_s, wall_s)


_SIZE = 5_000_000
YEAR = Row(
    name="year",
    work="a coin's year of minutes from a store of 5 million rows",
    unit="seconds",
    better="less",
    goal=Goal(0.3, peer="sqlite3 alone", peer_made=0.28),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:year"),
        Contestant("sqlite3 alone", f"{_HERE}:year_by_sql"),
    ),
    size=_SIZE,
    compares=(
        "LiqTrend makes dense minutes of each venue, with what was known of each; sqlite3 "
        "fetches rows. Dollars and numbers of all minutes are equal to the bit."
    ),
    prepare=f"{_HERE}:prepare",
    timeout_s=900,
    growth=(Growth("rows in the store", f"{_HERE}:year", (125_000, 500_000), f"{_HERE}:prepare"),),
)
SPAN = replace(
    YEAR,
    name="span",
    work="first and last minute of a coin, and of the store",
    unit="milliseconds",
    goal=Goal(5),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:span"),
        Contestant("sqlite3 alone", f"{_HERE}:span_by_sql"),
    ),
    compares="The ends are equal.",
    growth=(Growth("rows in the store", f"{_HERE}:span", (125_000, 500_000), f"{_HERE}:prepare"),),
)
MARKET = replace(
    YEAR,
    name="market",
    work="features of 400 coins' year (ten measured, times 40)",
    unit="seconds",
    goal=Goal(20),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:market"),
        Contestant("LiqTrend, every close", f"{_HERE}:market_every_close"),
        Contestant(
            "sqlite3 alone",
            f"{_HERE}:market_by_sql",
            differs="it fetches the minutes as rows and measures nothing",
        ),
    ),
    compares=(
        "Reading, and measuring the closes that have something in their segment; among every "
        "close, as a backtest reads them, their z is the same to the bit."
    ),
    growth=(
        Growth("rows in the store", f"{_HERE}:market", (125_000, 500_000), f"{_HERE}:prepare"),
    ),
)
