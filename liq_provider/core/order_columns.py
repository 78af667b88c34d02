"""Many liquidations at once: a column for each field, instead of an object for each order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.liquidation import Liquidation


class MarketName(NamedTuple):
    """What an order says of its market; see ``Liquidation``."""

    venue: str
    market_id: str
    pair: str
    base_asset: str


class MarketNames:
    """Markets by the number that stands for them in columns, as they were met. It only grows."""

    def __init__(self) -> None:
        self._names: list[MarketName] = []
        self._numbers: dict[MarketName, int] = {}

    def number(self, name: MarketName) -> int:
        """:return: what stands for it"""
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        return number

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, number: int) -> MarketName:
        return self._names[number]

    def __iter__(self) -> Iterator[MarketName]:
        return iter(self._names)


@dataclass(frozen=True, slots=True)
class OrderColumns:
    """
    Liquidations in the order in which they were read; all columns are of one length.

    :param names: of the markets, shared by all columns that are ever joined
    :param market: numbers of ``names``
    :param short: whether a short was liquidated
    """

    names: MarketNames
    market: IntArray
    short: BoolArray
    price: FloatArray
    quantity: FloatArray
    notional_usd: FloatArray
    event_ms: IntArray
    received_ms: IntArray
    ordinal: IntArray

    @classmethod
    def of(cls, orders: Sequence[Liquidation], names: MarketNames) -> "OrderColumns":
        """:return: columns of single orders"""
        # An object for each market, not for each order.
        told = [(order.venue, order.market_id, order.pair, order.base_asset) for order in orders]
        numbers = {name: names.number(MarketName(*name)) for name in dict.fromkeys(told)}
        return cls(
            names,
            np.array([numbers[name] for name in told], dtype=np.int64),
            np.array([order.position_side == "short" for order in orders], dtype=np.bool_),
            np.array([order.price for order in orders], dtype=np.float64),
            np.array([order.quantity for order in orders], dtype=np.float64),
            np.array([order.notional_usd for order in orders], dtype=np.float64),
            np.array([order.event_ms for order in orders], dtype=np.int64),
            np.array([order.received_ms for order in orders], dtype=np.int64),
            np.array([order.ordinal for order in orders], dtype=np.int64),
        )

    @classmethod
    def joined(cls, parts: Sequence["OrderColumns"]) -> "OrderColumns":
        """:return: one after the other; at least one part, and all of the same names"""
        if len(parts) == 1:
            return parts[0]
        return cls(
            parts[0].names,
            np.concatenate([part.market for part in parts]),
            np.concatenate([part.short for part in parts]),
            np.concatenate([part.price for part in parts]),
            np.concatenate([part.quantity for part in parts]),
            np.concatenate([part.notional_usd for part in parts]),
            np.concatenate([part.event_ms for part in parts]),
            np.concatenate([part.received_ms for part in parts]),
            np.concatenate([part.ordinal for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.event_ms)

    def markets(self) -> list[int]:
        """:return: numbers of the markets that they are of, as they were met"""
        rows = len(self)
        first = np.full(len(self.names), rows, dtype=np.int64)
        # Of several values that are written to one place, the last one stays.
        first[self.market[::-1]] = np.arange(rows - 1, -1, -1)
        present = np.flatnonzero(first < rows)
        met: list[int] = present[np.argsort(first[present])].tolist()
        return met

    def some(self, which: IntArray | BoolArray | slice) -> "OrderColumns":
        """:return: those orders"""
        return OrderColumns(
            self.names,
            self.market[which],
            self.short[which],
            self.price[which],
            self.quantity[which],
            self.notional_usd[which],
            self.event_ms[which],
            self.received_ms[which],
            self.ordinal[which],
        )

    def liquidations(self) -> Iterable[Liquidation]:
        """:return: each order by itself"""
        columns = (
            self.market.tolist(),
            self.short.tolist(),
            self.price.tolist(),
            self.quantity.tolist(),
            self.notional_usd.tolist(),
            self.event_ms.tolist(),
            self.received_ms.tolist(),
            self.ordinal.tolist(),
        )
        for market, short, price, quantity, usd, event_ms, received_ms, ordinal in zip(
            *columns, strict=True
        ):
            yield Liquidation(
                *self.names[market],
                "short" if short else "long",
                price,
                quantity,
                usd,
                event_ms,
                received_ms,
                ordinal,
            )
