"""
The numbers that stand for coins, pairs and markets in ``orders`` and ``sums``.

A number is given once, in the transaction that first needs it, and stands for ever. A process keeps
what it knows of them from one transaction to the next, but never what one gave that failed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select

from liq_provider.store import schema
from liq_provider.store.statements import insert_into

# Venue, pair, coin
Series = tuple[str, str, str]
# Venue, market, pair, coin
Names = tuple[str, str, str, str]

_TABLES = (schema.coin_keys, schema.series_keys, schema.market_keys)


# Market, its own series or None for that of the market's first order, coin, series
Numbers = tuple[int, int | None, int, int]


class Keys:
    """
    As of one transaction. Another may begin with it once this one has committed.

    :ivar coins: number by coin
    :ivar series: number by venue, pair and coin
    :ivar markets: number and series by venue and market
    :ivar numbers: what stands for the names of an order that ``know`` was asked for
    """

    def __init__(self, connection: Connection, before: "Keys | None" = None) -> None:
        self._connection = connection
        self.coins: dict[str, int] = {}
        self.series: dict[Series, int] = {}
        self.markets: dict[tuple[str, str], tuple[int, int]] = {}
        self.numbers: dict[Names, Numbers] = {}
        newest = connection.execute(select(*(_newest(table) for table in _TABLES))).one()
        # What is said of a store that was emptied or replaced since is not true any more.
        if before is not None and all(
            (last or 0) >= known for last, known in zip(newest, before.newest, strict=True)
        ):
            self.coins |= before.coins
            self.series |= before.series
            self.markets |= before.markets
            self.numbers |= before.numbers
        else:
            self._read()

    @property
    def newest(self) -> tuple[int, int, int]:
        """The largest numbers that are known of coins, series and markets."""
        coins, series = self.coins.values(), self.series.values()
        markets = (key for key, _ in self.markets.values())
        return max(coins, default=0), max(series, default=0), max(markets, default=0)

    def know(self, names: Iterable[Names]) -> None:
        """
        Give numbers to what has none yet.

        :param names: of orders
        """
        wanted = sorted(set(names) - self.numbers.keys())
        self.know_series((venue, pair, coin) for venue, _, pair, coin in wanted)
        firsts: dict[tuple[str, str], int] = {}
        for venue, market_id, pair, coin in wanted:
            if (venue, market_id) not in self.markets:
                firsts.setdefault((venue, market_id), self.series[venue, pair, coin])
        self._give(
            schema.market_keys,
            [
                {"venue": venue, "market_id": market_id, "series": series}
                for (venue, market_id), series in firsts.items()
            ],
        )
        for venue, market_id, pair, coin in wanted:
            market, first_series = self.markets[venue, market_id]
            series = self.series[venue, pair, coin]
            own = None if series == first_series else series
            self.numbers[venue, market_id, pair, coin] = market, own, self.coins[coin], series

    def know_series(self, series: Iterable[Series]) -> None:
        """
        The same.

        :param series: of sums
        """
        asked = set(series)
        # Of all: a series that another process numbered may be known before its coin is.
        coins = sorted({coin for *_, coin in asked} - self.coins.keys())
        wanted = sorted(asked - self.series.keys())
        self._give(schema.coin_keys, [{"base_asset": coin} for coin in coins])
        names = ("venue", "pair", "base_asset")
        self._give(schema.series_keys, [dict(zip(names, one, strict=True)) for one in wanted])

    def _give(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """In the order of their names, so that two processes never wait for each other."""
        if not rows:
            return
        # Another process may be first. Only in SQLite its numbers are larger than all of before.
        self._connection.execute(
            insert_into(self._connection, table).on_conflict_do_nothing(), rows
        )
        query = select(table)
        if self._connection.dialect.name == "sqlite":
            query = query.where(table.c.key > self.newest[_TABLES.index(table)])
        self._take(table, self._connection.execute(query).all())

    def _read(self) -> None:
        for table in _TABLES:
            self._take(table, self._connection.execute(select(table)).all())

    def _take(self, table: Table, rows: Sequence[Any]) -> None:
        if table is schema.coin_keys:
            self.coins.update((row.base_asset, row.key) for row in rows)
        elif table is schema.series_keys:
            self.series.update(((row.venue, row.pair, row.base_asset), row.key) for row in rows)
        else:
            self.markets.update(((row.venue, row.market_id), (row.key, row.series)) for row in rows)


def _newest(table: Table) -> Any:
    return select(func.max(table.c.key)).scalar_subquery()
