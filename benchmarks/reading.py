"""
How long a coin's year of minutes takes to read, beside sqlite3 alone; and a year of many coins, as
a backtest or a study of the whole market reads and measures it.

    .venv/bin/python benchmarks/reading.py [--rows 5000000] [--coins 400] [--read 20]

The store is made by SQL: the first coin has a minute in two in which something happened, the
others share what is left. What is read is compared with what SQL adds up.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

YEAR_MIN = 525_600
START_MS = 1_735_689_600_000
END_MS = START_MS + YEAR_MIN * MINUTE_MS
VENUES = ("binance", "bybit", "okx")


def rows_of(rng: np.random.Generator, coin: str, count: int) -> Iterator[tuple[object, ...]]:
    """Heavy-tailed minutes, in the order of the table's key."""
    cells = np.sort(rng.choice(YEAR_MIN * len(VENUES), count, replace=False))
    usd, longs = rng.lognormal(7, 2.5, count), rng.random(count) < 0.5
    for cell, worth, is_long in zip(cells.tolist(), usd.tolist(), longs.tolist(), strict=True):
        minute_ms = START_MS + cell // len(VENUES) * MINUTE_MS
        sides = (worth, 0.0, 1, 0) if is_long else (0.0, worth, 0, 1)
        venue, pair = VENUES[cell % len(VENUES)], f"{coin}/USDT:USDT"
        yield coin, minute_ms, venue, pair, False, minute_ms + MINUTE_MS, *sides


def fill(path: Path, rows: int, coins: int) -> list[str]:
    """:return: the coins of a new store, the one with most minutes first"""
    with closing(Writer(open_engine(f"sqlite:///{path}"))) as writer:
        for venue in VENUES:
            writer.cover(venue, [Interval(START_MS, END_MS)], "import", END_MS)
    names, rng = [f"C{number:03}" for number in range(coins)], np.random.default_rng(1)
    first = min(YEAR_MIN // 2, rows // 2)
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA synchronous=OFF")
        for name in names:
            count = first if name == names[0] else (rows - first) // (coins - 1)
            store.executemany(
                "INSERT INTO minutes (base_asset, minute_ms, venue, pair, filled, available_at, "
                "long_usd, short_usd, long_count, short_count) VALUES (?,?,?,?,?,?,?,?,?,?)",
                rows_of(rng, name, count),
            )
        store.commit()
    return names


def medians(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """:return: CPU time of each, in milliseconds; one after the other, so that all see the same"""
    took: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, one in work.items():
            began = time.process_time()
            one()
            if turn:
                took[name].append((time.process_time() - began) * 1e3)
    return {name: float(np.median(times)) for name, times in took.items()}


def refuse_difference(reader: Reader, store: sqlite3.Connection, coin: str) -> None:
    """
    :raises SystemExit: what is read is not what SQL adds up
    """
    (grid,) = reader.grids([coin], VENUES, START_MS, END_MS).values()
    for row, venue in enumerate(grid.venues):
        longs, shorts, count = store.execute(
            "SELECT total(long_usd), total(short_usd), sum(long_count + short_count) "
            "FROM minutes WHERE base_asset = ? AND venue = ?",
            (coin, venue),
        ).fetchone()
        same = np.isclose([grid.long_usd[row].sum(), grid.short_usd[row].sum()], [longs, shorts])
        if not same.all() or grid.count[row].sum() != count or not grid.covered.all():
            raise SystemExit(f"{coin}, {venue}: the grid differs from the table")
    ends = store.execute(
        "SELECT min(minute_ms), max(minute_ms) FROM minutes WHERE base_asset = ?", (coin,)
    ).fetchone()
    if reader.minute_span(coin) != (ends[0], ends[1] + MINUTE_MS):
        raise SystemExit(f"{coin}: another span")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--coins", type=int, default=60)
    parser.add_argument("--read", type=int, default=20, help="coins whose year is measured")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    settings = Settings.model_validate({"venues": {"gate": {"enabled": False}}})
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "store.sqlite"
        names = fill(path, arguments.rows, arguments.coins)
        reader = Reader(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as store:
            for coin in names[:2]:
                refuse_difference(reader, store, coin)

            def alone(coin: str) -> object:
                return store.execute(
                    "SELECT venue, minute_ms, long_usd, short_usd, long_count + short_count "
                    "FROM minutes WHERE base_asset = ?",
                    (coin,),
                ).fetchall()

            took = medians(
                {
                    "a busy coin's year": lambda: reader.grids(names[:1], VENUES, START_MS, END_MS),
                    "  sqlite3 alone": lambda: alone(names[0]),
                    "a quiet coin's year": lambda: reader.grids(
                        names[1:2], VENUES, START_MS, END_MS
                    ),
                    "  sqlite3 alone, quiet": lambda: alone(names[1]),
                    "minute_span": lambda: reader.minute_span(names[0]),
                    "has_minutes": lambda: reader.has_minutes(names[0]),
                },
                arguments.repeats,
            )
        for name, ms in took.items():
            print(f"{name:26}{ms:>10.1f} ms")
        for quiet in (True, False):
            began = time.process_time()
            for coin in names[1 : 1 + arguments.read]:
                history(reader, coin, settings, 1, START_MS, END_MS, quiet=quiet).rows()
            each_s = (time.process_time() - began) / min(arguments.read, len(names) - 1)
            what = "every close" if quiet else "without quiet closes"
            print(
                f"a coin's year, measured {each_s:>8.3f} s; 400 coins {each_s * 400:.0f} s, {what}"
            )


if __name__ == "__main__":
    main()
