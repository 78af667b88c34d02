"""A CSV of Binance's orders into an empty store, beside who only reads it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.liquidation_files import binance_csv, orders_digest
from benchmarks.measuring import measured, run_and_measure

_HERE = "benchmarks.rows.importing"
_PEER = "benchmarks.peers.csv_orders"
_SPOILT = (17, 1_500)


def prepare(folder: Path, size: int) -> None:
    """The file that all read, and a short one with two rows that are none."""
    binance_csv(folder / "orders.csv", size)
    binance_csv(folder / "spoilt.csv", 2_000, _SPOILT)


def liqtrend(folder: Path, size: int) -> Measured:
    """
    Each row is checked, stored once, counted in its minute, and what was covered is claimed.

    :raises ValueError: rows are missing, or those that are none are not named
    """
    from liq_provider.history.importer import ImportReport, import_files
    from liq_provider.store.database import open_engine
    from liq_provider.store.reader import Reader
    from liq_provider.store.writer import Writer

    def into(name: str, file: str) -> ImportReport:
        url = f"sqlite:///{folder / name}"
        with closing(Writer(open_engine(url))) as writer:
            path = folder / "scene" / file
            return import_files(writer, Reader(url), [path], "binance-forceorder")

    report, cpu_s, wall_s = run_and_measure(lambda: into("store.sqlite", "orders.csv"))
    if (report.kept, report.bad) != (size, 0):
        raise ValueError(f"{report.kept:,} of {size:,} rows are in the store")
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        rows = connection.execute(
            "SELECT event_ms, market_id, position_side = 'short', price, quantity, notional_usd "
            "FROM liquidations"
        ).fetchall()
    spoilt = into("spoilt.sqlite", "spoilt.csv")
    lines = [row.line for row in spoilt.bad_rows]
    if lines != [number + 2 for number in _SPOILT] or spoilt.kept != 2_000 - len(_SPOILT):
        raise ValueError(f"of rows that are none, these lines are named: {lines}")
    return measured(
        size / cpu_s * 60 / 1e6,
        [orders_digest(list(zip(*rows, strict=True)))],
        cpu_s,
        wall_s,
        f"{size / wall_s * 60 / 1e6:.1f} M rows a minute of the clock",
    )


ROW = Row(
    name="import",
    work="importing 300,000 CSV rows",
    unit="million rows a minute",
    better="more",
    goal=Goal(15),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:liqtrend"),
        Contestant("pandas", f"{_PEER}:pandas", peer=True),
        Contestant("DuckDB", f"{_PEER}:duckdb", peer=True),
    ),
    size=300_000,
    compares=(
        "pandas and DuckDB read the file and say side, quantity and dollars of each row. "
        "LiqTrend checks each row, stores it once, counts it in its minute and claims what was "
        "covered. Time, market, side, price, quantity and dollars of all orders are equal to the "
        "bit; in a file of 2,000 rows two that are none are refused by their line, and the "
        "others kept."
    ),
    prepare=f"{_HERE}:prepare",
    growth=(
        Growth("rows", f"{_HERE}:liqtrend", (100_000, 400_000, 1_600_000), f"{_HERE}:prepare"),
    ),
)
