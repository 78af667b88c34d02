"""
Recorded liquidations of a file, many rows at once.

The rows' own reader stays the only authority: it reads the first row of each kind, and the columns
serve the others of that kind only if they say the same of that one, to the bit. What is not plain,
or can be no liquidation, it reads as well, and words what is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS
from liq_provider.core.order_columns import MarketName, MarketNames, OrderColumns
from liq_provider.errors import ImportRefused
from liq_provider.history.bad_row import BadRow
from liq_provider.history.column_values import BlockValues, ColumnParser
from liq_provider.history.lines import CsvRows, lines_of
from liq_provider.history.order_formats import (
    CsvReader,
    FrameReader,
    Record,
    csv_reader,
    read,
)
from liq_provider.history.text_blocks import ByLine, TextBlock, text_blocks
from liq_provider.venues import VENUES
from liq_provider.venues.base import Stateless
from liq_provider.venues.fields import MAX_NOTIONAL_USD
from liq_provider.venues.row_readers import Columns
from liq_provider.venues.units import Unit, in_our_units


def read_at_once(
    path: Path,
    name: str,
    markets: Mapping[str, MarketTable],
    names: MarketNames,
    now_ms: int | None = None,
    venue: str | None = None,
    simulated: set[str] | None = None,
) -> Iterator[Record | OrderColumns]:
    """
    The same as ``order_formats.read``, with the liquidations of many rows in one record.

    :param names: of the markets in the columns
    :raises ImportRefused: the file as a whole is not of that format, or cannot be read
    """
    csv = csv_reader(path, name, markets) if venue is None else None
    if csv is None or csv.at_once is None:
        yield from read(path, name, markets, now_ms, venue, simulated)
        return
    reader = FrameReader(path, name, markets, now_ms, simulated)
    rows: CsvRows | None = None
    blocks: _Blocks | None = None
    try:
        for block in text_blocks(path):
            if rows is None:
                rows = CsvRows(path, block.text, csv.needed)
                blocks = _Blocks(csv, csv.at_once, rows, reader, markets, names)
            elif blocks is not None:
                yield from blocks.read(block)
    except ByLine as left:
        yield from _by_line(path, left.line, csv, rows, reader)


def _by_line(
    path: Path, first: int, csv: CsvReader, rows: CsvRows | None, reader: FrameReader
) -> Iterator[Record]:
    """What stands from a line on; whatever is wrong with the file is found on the way."""
    try:
        for line, raw in lines_of(path):
            if rows is None:
                rows = CsvRows(path, raw, csv.needed)
            elif line >= first:
                yield from _records(line, raw, csv, rows, reader)
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from error


def _records(
    line: int, raw: bytes, csv: CsvReader, rows: CsvRows, reader: FrameReader
) -> Iterator[Record]:
    row = rows.row(raw)
    if row is not None:
        yield from reader.records(line, row if isinstance(row, str) else csv.frame(row))


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the words of a row say, as its own reader understands them."""

    market: int
    short: bool
    contract_size: float
    linear: bool
    unit: Unit
    latency_ms: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What the rows of a block state, and which of them state what can be."""

    price: FloatArray
    amount: FloatArray
    event_ms: IntArray
    received_ms: IntArray | None
    likely: BoolArray


class _Blocks:
    """One file."""

    def __init__(
        self,
        csv: CsvReader,
        columns: Columns,
        rows: CsvRows,
        reader: FrameReader,
        markets: Mapping[str, MarketTable],
        names: MarketNames,
    ) -> None:
        self._csv, self._columns, self._rows = csv, columns, rows
        self._reader, self._markets, self._names = reader, markets, names
        self._parser = ColumnParser(rows.names, columns)
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def read(self, block: TextBlock) -> Iterator[Record | OrderColumns]:
        """:return: what is wrong with its rows, then its liquidations"""
        ends = block.ends
        values = self._parser.values(block.text, ends) if self._parser.usable else None
        read = None if values is None else self._orders(block, ends, values)
        left = np.ones(len(ends), dtype=np.bool_)
        if read is not None:
            left[read[0]] = False
        singles: list[Liquidation] = []
        at: list[int] = []
        for row in np.flatnonzero(left).tolist():
            for record in self._by_itself(block, ends, row):
                if isinstance(record, BadRow):
                    yield record
                else:
                    singles += record
                    at += [row] * len(record)
        yield from self._in_order(read, singles, at)

    def _in_order(
        self,
        read: tuple[IntArray, OrderColumns] | None,
        singles: list[Liquidation],
        at: list[int],
    ) -> Iterator[OrderColumns]:
        """As the rows stand in the file: of equal orders the first is stored."""
        if not singles:
            if read is not None:
                yield read[1]
            return
        alone = OrderColumns.of(singles, self._names)
        if read is None:
            yield alone
            return
        order = np.argsort(np.append(read[0], at), kind="stable")
        yield OrderColumns.joined([read[1], alone]).some(order)

    def _by_itself(self, block: TextBlock, ends: IntArray, row: int) -> Iterator[Record]:
        raw = _line(block, ends, row)
        yield from _records(block.first_line + row, raw, self._csv, self._rows, self._reader)

    def _orders(
        self, block: TextBlock, ends: IntArray, values: BlockValues
    ) -> tuple[IntArray, OrderColumns] | None:
        """:return: the rows that are plain, and their orders"""
        numbers = self._numbers(values)
        which = np.flatnonzero(numbers.likely)
        if not len(which):
            return None
        words_of = [(codes[which], len(words)) for codes, words in values.words]
        first, kind = _alike(words_of, len(which))
        kinds = [
            self._kind(_words_at(values, which[at]), block, ends, values, numbers, which[at])
            for at in first.tolist()
        ]
        known = np.array([one is not None for one in kinds], dtype=np.bool_)[kind]
        if not known.all():
            which, kind = which[known], kind[known]
        if not len(which):
            return None
        return self._columns_of(which, kind, kinds, values, numbers)

    def _numbers(self, values: BlockValues) -> _Numbers:
        price = values.prices[-1]
        for preferred in reversed(values.prices[:-1]):
            # What is not plain may state one all the same.
            price = np.where(_states_some(preferred) | np.isnan(preferred), preferred, price)
        event_ms, received_ms = values.times, values.received
        if self._columns.per_ms > 1:
            event_ms = event_ms // self._columns.per_ms
        first_ms, last_ms = EARLIEST_MS, min(LATEST_MS, self._reader.latest_ms)
        if self._reader.day is not None:
            reach = self._reader.day.reach
            first_ms, last_ms = max(first_ms, reach.start_ms), min(last_ms, reach.end_ms - 1)
        likely = _states_some(price) & _states_some(values.amounts)
        likely &= (event_ms >= first_ms) & (event_ms <= last_ms)
        if received_ms is not None:
            received_ms = received_ms // self._columns.per_ms
            likely &= (received_ms >= EARLIEST_MS) & (received_ms <= LATEST_MS)
        return _Numbers(price, values.amounts, event_ms, received_ms, likely)

    def _kind(
        self,
        words: tuple[str, ...],
        block: TextBlock,
        ends: IntArray,
        values: BlockValues,
        numbers: _Numbers,
        at: int,
    ) -> _Kind | None:
        """:return: what such words mean; None if each such row has to be read by itself"""
        known = self._kinds.get(words)
        if known is not None:
            return known
        row = int(values.rows[at])
        records = list(self._by_itself(block, ends, row))
        if len(records) != 1 or isinstance(records[0], BadRow) or len(records[0]) != 1:
            return None
        (order,) = records[0]
        unit = self._csv.unit(dict(zip(self._parser.words, words, strict=True)))
        market = self._markets[order.venue].get(order.market_id)
        if unit is None or market is None:
            return None
        if not isinstance(VENUES[order.venue].session(), Stateless):
            return None
        kind = _Kind(
            self._names.number(
                MarketName(order.venue, order.market_id, order.pair, order.base_asset)
            ),
            order.position_side == "short",
            market.contract_size,
            market.linear,
            unit,
            VENUES[order.venue].latency_ms,
        )
        if self._alone(kind, numbers, at) != order:
            return None
        self._kinds[words] = kind
        return kind

    def _alone(self, kind: _Kind, numbers: _Numbers, at: int) -> Liquidation:
        """:return: what the columns say of one row"""
        price, event_ms = float(numbers.price[at]), int(numbers.event_ms[at])
        quantity, notional_usd = in_our_units(
            price,
            float(numbers.amount[at]),
            kind.contract_size,
            linear=kind.linear,
            unit=kind.unit,
        )
        received_ms = event_ms + kind.latency_ms
        if numbers.received_ms is not None:
            received_ms = int(numbers.received_ms[at])
        return Liquidation(
            *self._names[kind.market],
            "short" if kind.short else "long",
            price,
            quantity,
            notional_usd,
            event_ms,
            received_ms,
        )

    def _columns_of(
        self,
        which: IntArray,
        kind: IntArray,
        kinds: list[_Kind | None],
        values: BlockValues,
        numbers: _Numbers,
    ) -> tuple[IntArray, OrderColumns]:
        price, amount = numbers.price[which], numbers.amount[which]
        quantity, notional_usd = np.zeros(len(which)), np.zeros(len(which))
        learned = [one if one is not None else _NOTHING for one in kinds]
        size = np.array([one.contract_size for one in learned])[kind]
        for linear, unit in {(one.linear, one.unit) for one in kinds if one is not None}:
            same = np.array([one.linear == linear and one.unit == unit for one in learned])[kind]
            with np.errstate(over="ignore", under="ignore"):
                quantity[same], notional_usd[same] = in_our_units(
                    price[same], amount[same], size[same], linear=linear, unit=unit
                )
        event_ms = numbers.event_ms[which]
        if numbers.received_ms is not None:
            received_ms = numbers.received_ms[which]
        else:
            received_ms = event_ms + np.array([one.latency_ms for one in learned])[kind]
        orders = OrderColumns(
            self._names,
            np.array([one.market for one in learned], dtype=np.int64)[kind],
            np.array([one.short for one in learned], dtype=np.bool_)[kind],
            price,
            quantity,
            notional_usd,
            event_ms,
            received_ms,
            np.zeros(len(which), dtype=np.int64),
        )
        rows = values.rows[which]
        sound = (notional_usd > 0) & (notional_usd <= MAX_NOTIONAL_USD) & _states_some(quantity)
        return (rows, orders) if sound.all() else (rows[sound], orders.some(sound))


_NOTHING = _Kind(0, False, 0.0, True, "contracts", 0)


def _states_some(values: FloatArray) -> BoolArray:
    """As ``fields.number`` has it."""
    return (values > 0.0) & (values < inf)


def _line(block: TextBlock, ends: IntArray, row: int) -> bytes:
    return block.text[ends[row - 1] if row else 0 : ends[row]]


def _words_at(values: BlockValues, at: int) -> tuple[str, ...]:
    return tuple(words[codes[at]] for codes, words in values.words)


def _alike(columns: list[tuple[IntArray, int]], rows: int) -> tuple[IntArray, IntArray]:
    """
    :param columns: numbers of words, and how many words there are
    :return: of each combination of words the first row, and for each row which one it has
    """
    code, many = np.zeros(rows, dtype=np.int64), 1
    for codes, words in columns:
        if many * words > _FEW:
            code = np.unique(code, return_inverse=True)[1]
            many = rows
        code, many = code * words + codes, many * words
    if many > _FEW:
        _, first, number = np.unique(code, return_index=True, return_inverse=True)
        return first, number
    # The same, without sorting: of several with one code, the last that is written stays.
    first_of = np.full(many, rows, dtype=np.int64)
    first_of[code[::-1]] = np.arange(rows - 1, -1, -1)
    present = np.flatnonzero(first_of < rows)
    numbers = np.zeros(many, dtype=np.int64)
    numbers[present] = np.arange(len(present))
    return first_of[present], numbers[code]


_FEW = 1 << 16
