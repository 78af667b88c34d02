"""Imported orders on their way into the store, as many at once as one transaction takes."""

from collections.abc import Iterator

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.order_columns import MarketNames, OrderColumns
from liq_provider.store.database import store_errors


class OrderBatches:
    """
    Where it is cut does not depend on how the orders were read, so that sums of money have the
    same bits.

    :param size: of a batch; one record may make it larger
    """

    def __init__(self, names: MarketNames, size: int) -> None:
        self._names, self._size = names, size
        self._parts: list[OrderColumns] = []
        self._singles: list[Liquidation] = []
        self._waiting = 0

    def add(self, record: list[Liquidation] | OrderColumns) -> Iterator[OrderColumns]:
        """:return: what is to be stored now"""
        if not isinstance(record, OrderColumns):
            self._singles += record
            self._waiting += len(record)
            if self._waiting >= self._size:
                yield self.rest()
            return
        while self._waiting + len(record) >= self._size:
            taken = self._size - self._waiting
            self._take(record.some(slice(taken)))
            record = record.some(slice(taken, None))
            yield self.rest()
        self._take(record)

    def _take(self, columns: OrderColumns) -> None:
        self._gather()
        self._parts.append(columns)
        self._waiting += len(columns)

    def _gather(self) -> None:
        if self._singles:
            with store_errors("Importing"):
                self._parts.append(OrderColumns.of(self._singles, self._names))
            self._singles = []

    def rest(self) -> OrderColumns:
        """:return: what still waits"""
        self._gather()
        parts = self._parts or [OrderColumns.of((), self._names)]
        self._parts, self._waiting = [], 0
        return OrderColumns.joined(parts)
