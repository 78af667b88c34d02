"""
How long a coin's year takes to read, and to measure, from a store of some million liquidations,
beside ``sqlite3`` alone.

    python -m benchmarks.reading [--orders 5000000] [--coins 400] [--read 20] [--rounds 5]

The store is made by the import's own way in. ``sqlite3`` alone reads the same sums from a table of
names and numbers in a file of its own, by an index that asks for just that, and hands over rows: no
arrays, nothing of what is known, no features. Before anything is timed, what is read is compared
with what SQL adds up in either file.

The year of 400 coins is that of ``--read`` of them in turn, others in each round, times as many.
"""

import argparse
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.side_by_side import Row, Times, Way, growth, in_turns
from liq_provider.config.settings import Settings
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.minute_features import history
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

YEAR_MIN = 525_600
START_MS = 1_735_689_600_000
END_MS = START_MS + YEAR_MIN * MINUTE_MS
VENUES = ("binance", "bybit", "okx")
SETTINGS = Settings.model_validate({"venues": {"gate": {"enabled": False}}})
MANY = 400
_AT_ONCE = 20_000
# One coin has a twentieth of all orders, as the largest one may; three differ by four times.
_BUSY, _SIZED = "BUSY", ("X1", "X4", "X16")
_X1_SHARE = 1 / 1_250

_PLAIN = """
CREATE TABLE plain.minutes (
  base_asset TEXT, minute_ms INTEGER, venue TEXT, long_usd REAL, short_usd REAL, count INTEGER,
  PRIMARY KEY (base_asset, minute_ms, venue)
) WITHOUT ROWID
"""


class Store:
    """
    A year of liquidations, and the same in a plain file.

    :param coins: that have few of them
    """

    def __init__(self, folder: Path, orders: int, coins: int) -> None:
        self.coins = [f"C{number:03}" for number in range(coins)]
        path = folder / "store.sqlite"
        with closing(Writer(open_engine(f"sqlite:///{path}"))) as writer:
            for venue in VENUES:
                writer.cover(venue, [Interval(START_MS, END_MS)], "import", END_MS)
            for some in self._orders(orders):
                writer.import_batch(some)
        self.reader = Reader(f"sqlite:///{path}")
        self.plain = sqlite3.connect(path)
        self.plain.execute("ATTACH ? AS plain", (str(folder / "plain.sqlite"),))
        self.plain.execute(_PLAIN)
        self.plain.execute(
            "INSERT INTO plain.minutes SELECT base_asset, minute_ms, venue, sum(long_usd), "
            "sum(short_usd), sum(long_count + short_count) FROM main.minutes GROUP BY 1, 2, 3"
        )
        self.plain.commit()

    def _orders(self, count: int) -> Iterator[list[Incoming]]:
        """:return: heavy-tailed ones, in the order of time"""
        rng, names = np.random.default_rng(1), [_BUSY, *_SIZED, *self.coins]
        shares = np.full(len(names), 1.0)
        shares[:4] = 0.05, _X1_SHARE, 4 * _X1_SHARE, 16 * _X1_SHARE
        shares[4:] = (1 - shares[:4].sum()) / len(self.coins)
        times = np.sort(rng.integers(START_MS, END_MS, count))
        for first in range(0, count, _AT_ONCE):
            size = min(_AT_ONCE, count - first)
            columns = (
                times[first : first + size],
                rng.choice(len(names), size, p=shares),
                rng.integers(len(VENUES), size=size),
                rng.lognormal(7, 2.5, size).round(2) + 0.01,
                rng.random(size) < 0.5,
            )
            yield [
                _order(VENUES[venue], names[coin], "long" if is_long else "short", usd, event_ms)
                for event_ms, coin, venue, usd, is_long in zip(
                    *(column.tolist() for column in columns), strict=True
                )
            ]

    def grid(self, coin: str) -> Any:
        """:return: its year, dense"""
        return self.reader.grids([coin], VENUES, START_MS, END_MS)[coin]

    def rows(self, coin: str) -> list[Any]:
        """:return: its year, as ``sqlite3`` alone has it"""
        return self.plain.execute(
            "SELECT venue, minute_ms, long_usd, short_usd, count FROM plain.minutes "
            "WHERE base_asset = ?",
            (coin,),
        ).fetchall()

    def measured(self, coin: str, *, quiet: bool = True) -> FeatureRows:
        """:return: features of its year"""
        return history(self.reader, coin, SETTINGS, 1, START_MS, END_MS, quiet=quiet).rows()

    def ends(self, table: str, column: str, where: str = "1") -> tuple[int, int]:
        """:return: the smallest and the largest, each looked up"""
        query = f"SELECT {column} FROM {table} WHERE {where} ORDER BY {column}"  # noqa: S608 - ours
        first, last = (self.plain.execute(f"{query} {by} LIMIT 1") for by in ("", "DESC"))
        return first.fetchone()[0], last.fetchone()[0]

    def refuse_difference(self, coin: str) -> None:
        """
        :raises SystemExit: what is read is not what SQL adds up
        """
        grid = self.grid(coin)
        for row, venue in enumerate(grid.venues):
            for table in ("main.minutes", "plain.minutes"):
                count = "long_count + short_count" if table.startswith("main") else "count"
                longs, shorts, orders = self.plain.execute(
                    f"SELECT total(long_usd), total(short_usd), total({count}) "  # noqa: S608
                    f"FROM {table} WHERE base_asset = ? AND venue = ?",
                    (coin, venue),
                ).fetchone()
                sums = [grid.long_usd[row].sum(), grid.short_usd[row].sum()]
                if not np.allclose(sums, [longs, shorts]) or grid.count[row].sum() != orders:
                    raise SystemExit(f"{coin}, {venue}: the grid differs from {table}")
        if not grid.covered.all():
            raise SystemExit(f"{coin}: not all of the year is known")
        every, busy = self.measured(coin), self.measured(coin, quiet=False)
        worth = np.flatnonzero(every.long_usd + every.short_usd)
        if not np.array_equal(every.z[worth], busy.z, equal_nan=True) or not len(worth):
            raise SystemExit(f"{coin}: z without quiet closes differs from that with them")
        first_ms, last_ms = self.ends("plain.minutes", "minute_ms", f"base_asset = '{coin}'")
        if self.reader.minute_span(coin) != (first_ms, last_ms + MINUTE_MS):
            raise SystemExit(f"{coin}: another span")


def _order(venue: str, coin: str, side: Any, usd: float, event_ms: int) -> Incoming:
    pair = f"{coin}/USDT:USDT"
    return Incoming(
        Liquidation(venue, f"{coin}USDT", pair, coin, side, 1.0, usd, usd, event_ms, event_ms)
    )


def year(store: Store, coin: str, rounds: int) -> Row:
    """:return: reading a coin's minutes"""
    ways: dict[str, Way] = {
        "grids": partial(store.grid, coin),
        "sqlite3 alone": partial(store.rows, coin),
    }
    name = f"minutes of a year, {len(store.rows(coin)):,} rows"
    return Row(name, in_turns(ways, rounds))


def spans(store: Store, rounds: int) -> Iterator[Row]:
    """:return: the first and last liquidation, of all and of a coin"""
    whole = store.reader.span()
    if whole != store.ends("main.liquidations", "event_ms"):
        raise SystemExit("another span of all")
    ways: dict[str, Way] = {
        "span()": store.reader.span,
        "sqlite3 alone": partial(store.ends, "main.liquidations", "event_ms"),
    }
    yield Row("span of all liquidations", in_turns(ways, rounds))
    coin, of = store.coins[0], f"base_asset = '{store.coins[0]}'"
    of_coin: dict[str, Way] = {
        "minute_span()": partial(store.reader.minute_span, coin),
        "sqlite3 alone": partial(store.ends, "plain.minutes", "minute_ms", of),
    }
    yield Row("span of a coin", in_turns(of_coin, rounds))


def many(store: Store, coins: int, rounds: int) -> Row:
    """
    :param coins: of a round
    :return: the year of as many coins, read and measured
    """

    def of_some(one: Callable[[str], object]) -> Callable[[], None]:
        names = cycle(store.coins)  # each way goes through them alike

        def some() -> None:
            for _ in range(coins):
                one(next(names))

        return some

    ways: dict[str, Way] = {
        "features without quiet closes": of_some(partial(store.measured, quiet=False)),
        "features of every close": of_some(store.measured),
        "minutes alone": of_some(store.grid),
        "sqlite3 alone": of_some(store.rows),
    }
    return Row(f"a year of {coins} coins", in_turns(ways, rounds))


def by_size(store: Store, rounds: int) -> dict[str, Sequence[Times]]:
    """:return: of coins with one, four and sixteen times as many liquidations"""
    ways: dict[str, Way] = {}
    for coin in _SIZED:
        ways[f"{coin} minutes"] = partial(store.grid, coin)
        ways[f"{coin} features"] = partial(store.measured, coin, quiet=False)
        ways[f"{coin} sqlite3"] = partial(store.rows, coin)
    times = list(in_turns(ways, rounds).values())
    names = ("minutes", "features without quiet closes", "sqlite3 alone")
    return {name: times[n::3] for n, name in enumerate(names)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--orders", type=int, default=5_000_000)
    parser.add_argument("--coins", type=int, default=MANY)
    parser.add_argument("--read", type=int, default=20, help="coins of a round")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    rounds = chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), chosen.orders, chosen.coins)
        with closing(store.plain):
            for coin in (_BUSY, *_SIZED, *store.coins[:2]):
                store.refuse_difference(coin)
            print(f"{chosen.orders:,} liquidations; median CPU time of {rounds} rounds, ", end="")
            print("between the quartiles, and how much of it the first one takes")
            rows = [year(store, coin, rounds) for coin in (_BUSY, store.coins[0])]
            rows += spans(store, rounds)
            rows.append(many(store, chosen.read, rounds))
            print("\n".join(line for row in rows for line in row.lines()))
            for name, times in rows[-1].ways.items():
                each_s = times.median_ms / chosen.read / 1e3
                print(f"  {MANY} coins, {name}: {MANY * each_s:.1f} s")
            for name, sized in by_size(store, rounds).items():
                ms = ", ".join(f"{one.median_ms:.1f}" for one in sized)
                power = growth((1, 4, 16), sized)
                print(f"liquidations of a coin x1, x4, x16: {name} {ms} ms, ", end="")
                print(f"by the power of {power:.2f}")


if __name__ == "__main__":
    main()
