"""Live liquidations into a store, beside ``executemany`` and ``sqlite3`` alone."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.measuring import rate, run_and_measure

if TYPE_CHECKING:
    from liq_provider.store.booked_minute import Incoming

_HERE = "benchmarks.rows.appending"
_T0_MS = 1_795_350_000_000
_COINS = 400
_VENUES = ("binance", "bybit", "okx")
_AT_ONCE = 5_000
_NAMES = (
    *("event_ms", "venue", "market_id", "position_side", "price", "quantity"),
    *("ordinal", "pair", "base_asset", "notional_usd", "received_ms"),
)
_TABLE = f"""
CREATE TABLE orders ({", ".join(_NAMES)},
PRIMARY KEY (event_ms, venue, market_id, position_side, price, quantity, ordinal)) WITHOUT ROWID
"""


def orders(size: int) -> Iterator[tuple[Any, ...]]:
    """:return: distinct ones of three venues and 400 coins, a hundred a second, as ``_NAMES``"""
    rng = random.Random(1)  # noqa: S311
    for n in range(size):
        coin, event_ms = f"C{min(int(rng.expovariate(0.02)), _COINS - 1)}", _T0_MS + 10 * n
        price, quantity = round(rng.uniform(1, 2), 4), round(rng.lognormvariate(4, 1.5), 1) + 0.1
        yield (
            *(event_ms, _VENUES[n % 3], f"{coin}USDT", rng.choice(("long", "short")), price),
            *(quantity, 0, f"{coin}/USDT:USDT", coin, price * quantity),
            event_ms + rng.randrange(50, 900),
        )


def _result(path: Path, table: str) -> list[tuple[Any, ...]]:
    """:return: all orders of a store, in the order of their key"""
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT {', '.join(_NAMES)} FROM {table} ORDER BY 1, 2, 3, 4, 5, 6, 7"  # noqa: S608
        return connection.execute(query).fetchall()


def liqtrend(folder: Path, size: int) -> Measured:
    """
    ``Writer.append``: names become keys, minutes are counted, what is there already is not doubled.

    :raises ValueError: an order was stored twice, or not counted as one that is there
    """
    from liq_provider.core.liquidation import Liquidation
    from liq_provider.store.booked_minute import Incoming
    from liq_provider.store.database import open_engine
    from liq_provider.store.writer import Writer

    incoming = [
        Incoming(Liquidation(**dict(zip(_NAMES, order, strict=True)))) for order in orders(size)
    ]
    path = folder / "store.sqlite"
    with closing(Writer(open_engine(f"sqlite:///{path}"))) as writer:
        _, cpu_s, wall_s = run_and_measure(lambda: _in_turn(writer.append, incoming))
        again = writer.append(incoming[:_AT_ONCE])
    if again.inserted:
        raise ValueError(f"{again.inserted:,} orders were stored twice")
    return rate(size, cpu_s, wall_s, _result(path, "liquidations"))


def _in_turn(append: Callable[[list["Incoming"]], object], incoming: list["Incoming"]) -> None:
    for first in range(0, len(incoming), _AT_ONCE):
        append(incoming[first : first + _AT_ONCE])


def executemany(folder: Path, size: int) -> Measured:
    """SQLAlchemy's, of rows that are ready, into one table with the same key."""
    from sqlalchemy import Column, MetaData, Table, create_engine, insert

    path = folder / "plain.sqlite"
    _make(path)
    rows = [dict(zip(_NAMES, order, strict=True)) for order in orders(size)]
    table = Table("orders", MetaData(), *(Column(name) for name in _NAMES))
    engine = create_engine(f"sqlite:///{path}")

    def append() -> None:
        for first in range(0, size, _AT_ONCE):
            with engine.begin() as connection:
                connection.execute(insert(table), rows[first : first + _AT_ONCE])

    _, cpu_s, wall_s = run_and_measure(append)
    engine.dispose()
    return rate(size, cpu_s, wall_s, _result(path, "orders"))


def sqlite_alone(folder: Path, size: int) -> Measured:
    """``sqlite3``'s ``executemany`` of tuples that are ready, into the same table."""
    path, rows = folder / "plain.sqlite", list(orders(size))
    _make(path)
    marks = ", ".join("?" * len(_NAMES))
    statement = f"INSERT INTO orders VALUES ({marks})"  # noqa: S608 - our own
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")

        def append() -> None:
            for first in range(0, size, _AT_ONCE):
                connection.executemany(statement, rows[first : first + _AT_ONCE])
                connection.commit()

        _, cpu_s, wall_s = run_and_measure(append)
    return rate(size, cpu_s, wall_s, _result(path, "orders"))


def _make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_TABLE)


ROW = Row(
    name="append",
    work="appending 100,000 liquidations, 5,000 to a commit",
    unit="a second",
    better="more",
    goal=Goal(200_000, peer="sqlite3 alone", peer_made=487_000),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:liqtrend"),
        Contestant("executemany", f"{_HERE}:executemany"),
        Contestant("sqlite3 alone", f"{_HERE}:sqlite_alone"),
    ),
    size=100_000,
    compares=(
        "The rows are ready in memory for each. LiqTrend books them by its rules and adds up "
        "their minutes; SQLAlchemy's executemany and sqlite3 alone put them into one table with "
        "the same key, where an order that is there already is an error. All orders are equal at "
        "the end, and LiqTrend stores none of them twice."
    ),
    growth=(Growth("liquidations", f"{_HERE}:liqtrend", (50_000, 200_000, 800_000)),),
)
