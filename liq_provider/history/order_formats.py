"""
File formats of recorded liquidations. A row is turned back into the frame that the venue sent
and read by that venue's own parser, so history and live data cannot be understood differently.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from liq_provider.core.durations import FOREVER_MS, MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.errors import ImportRefused
from liq_provider.history.bad_row import BadRow
from liq_provider.history.days import TARDIS_VENUES, DayFile, named_day, tardis_of
from liq_provider.history.lines import csv_rows, endings, json_answers, json_lines, lines_of
from liq_provider.venues import VENUES
from liq_provider.venues.fields import milliseconds
from liq_provider.venues.frame import Frame
from liq_provider.venues.row_readers import Columns, RecordedFrame, TardisRow, TardisRows
from liq_provider.venues.units import Unit

# The recording machine's clock and this one's may disagree.
_CLOCKS_MS = MINUTE_MS

# To name the market of a row that was refused; what it means, the venue's parser knows.
_SYMBOL = re.compile(rb'"(?:s|symbol|instId|contract)"\s*:\s*"([^"]{1,40})"')
_NAMED = 3


@dataclass(frozen=True, slots=True)
class VenueFrame:
    """
    :param received_ms: None if the file does not say
    :param market_id: to name the market of a row that is refused
    :param simulated: the file says that it never happened on the exchange
    """

    venue: str
    text: Frame
    received_ms: int | None = None
    market_id: str = ""
    simulated: bool = False


Record = list[Liquidation] | BadRow
_Lines = Iterator[tuple[int, VenueFrame | str]]
_Markets = Mapping[str, MarketTable]


def read(
    path: Path,
    name: str,
    markets: Mapping[str, MarketTable],
    now_ms: int | None = None,
    venue: str | None = None,
    simulated: set[str] | None = None,
) -> Iterator[Record]:
    """
    The liquidations of a file, row by row; a row that cannot be used is reported, not raised.

    :param name: one of ``FORMATS``
    :param markets: market tables by venue
    :param now_ms: rows from after that time are bad; None accepts any time
    :param venue: whose frames they are, where the file does not say
    :param simulated: is given the venues of which the file itself says that they are simulated
    :raises ImportRefused: the file as a whole is not of that format, or cannot be read
    """
    lines = FORMATS[name](path, markets) if venue is None else _bare_frames(path, venue)
    reader = FrameReader(path, name, markets, now_ms, simulated)
    try:
        for line, frame in lines:
            yield from reader.records(line, frame)
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from error


class FrameReader:
    """
    From the frames of a file to its liquidations; see ``read`` for the parameters.

    :ivar latest_ms: orders from after that are bad
    :ivar day: what the name of a day file says
    """

    def __init__(
        self,
        path: Path,
        name: str,
        markets: _Markets,
        now_ms: int | None,
        simulated: set[str] | None = None,
    ) -> None:
        self._path, self._markets = path, markets
        self.latest_ms = FOREVER_MS if now_ms is None else now_ms + _CLOCKS_MS
        self.day = day_of(path, name, markets)
        self._simulated = set() if simulated is None else simulated
        # One for the whole file: what a connection said may be needed to read what follows.
        self._sessions = {name: venue.session() for name, venue in VENUES.items()}

    def records(self, line: int, frame: VenueFrame | str) -> Iterator[Record]:
        """:return: what a line says, or what is wrong with it"""
        path = self._path
        if isinstance(frame, str):
            yield BadRow(path, line, frame)
            return
        if frame.simulated:
            self._simulated.add(frame.venue)
        received_ms, table = frame.received_ms, self._markets[frame.venue]
        parsed = self._sessions[frame.venue].parse(frame.text, table, received_ms or 0)
        if not parsed.understood:
            yield BadRow(path, line, "not a liquidation")
            return
        for reason, count in parsed.dropped.items():
            yield _dropped(path, line, frame, table, reason, count)
        orders = parsed.liquidations
        if received_ms is None:
            orders = [_received(order) for order in orders]
        for order in orders:
            if order.event_ms > self.latest_ms:
                yield BadRow(path, line, "its time lies in the future")
                break
            if self.day is not None and not self.day.holds(order):
                what = f"{order.venue} {order.market_id} at {order.event_ms}"
                yield BadRow(path, line, f"{what} is not what the file's name says")
                break
        else:
            if orders:
                yield list(orders)


def _dropped(
    path: Path, line: int, frame: VenueFrame, table: MarketTable, reason: str, count: int
) -> BadRow:
    unknown = reason == "unknown_market"
    named = [frame.market_id] if frame.market_id else _named_in(frame.text)
    named = [name for name in named if not unknown or table.get(name) is None]
    market = f": {', '.join(named[:_NAMED])}" if named else ""
    said = f"{reason}{market}" + (f" ({count})" if count > 1 else "")
    if not unknown:
        return BadRow(path, line, said)
    remedy = "start the sidecar once (liq-provider run), which loads the list"
    if table.plain:
        remedy = "only perpetuals in USD, USDT and USDC are recorded"
    said = f"{said} is in no market list of {frame.venue}; {remedy}"
    return BadRow(path, line, said, unknown_of=frame.venue)


def _named_in(frame: Frame) -> list[str]:
    text = frame.encode() if isinstance(frame, str) else frame
    return list(dict.fromkeys(name.decode("utf-8", "replace") for name in _SYMBOL.findall(text)))


def _received(order: Liquidation) -> Liquidation:
    latency_ms = VENUES[order.venue].latency_ms
    # By hand: this is done for every row, and ``replace`` takes several times as long.
    return Liquidation(
        order.venue,
        order.market_id,
        order.pair,
        order.base_asset,
        order.position_side,
        order.price,
        order.quantity,
        order.notional_usd,
        order.event_ms,
        order.event_ms + latency_ms,
        order.ordinal,
    )


@dataclass(frozen=True, slots=True)
class CsvReader:
    """
    How the rows of one CSV are read.

    :param needed: columns without which a row is of no use
    :param frame: of a row, or what is wrong with it
    :param at_once: how many rows are read at once, None to read each by itself
    :param unit: what the amount of a row counts; None if it has to be read by itself
    """

    needed: tuple[str, ...]
    frame: Callable[[dict[str, str]], VenueFrame | str]
    at_once: Columns | None
    unit: Callable[[Mapping[str, str]], Unit | None]


def csv_reader(path: Path, name: str, markets: _Markets) -> CsvReader | None:
    """
    :return: how the rows of a file are read; None if it is no CSV
    :raises ImportRefused: its name says what cannot be
    """
    if name == "tardis":
        tardis_of(path, markets)  # refuses what it cannot be
        return CsvReader(_TARDIS_COLUMNS, _tardis_row, _TARDIS_AT_ONCE, _tardis_unit)
    venue, reader = READERS.get(name, ("", None))
    if reader is None or (reader.answer and reader.json_suffixes & endings(path)):
        return None
    day = None if reader.day_name is None else named_day(path, venue, reader.day_name, markets)
    market_id = day.market_id if day else ""

    def frame(row: dict[str, str]) -> VenueFrame | str:
        return _framed(venue, reader.row(row, market_id))

    unit = reader.at_once.unit if reader.at_once else None
    return CsvReader(reader.columns, frame, reader.at_once, lambda _row: unit)


def _lines_of_csv(path: Path, reader: CsvReader) -> _Lines:
    for line, row in csv_rows(path, reader.needed):
        yield line, row if isinstance(row, str) else reader.frame(row)


def _rows_of(name: str, path: Path, markets: _Markets) -> _Lines:
    """The rows of a CSV, or the values of a JSON file, as a venue's file says they are read."""
    csv = csv_reader(path, name, markets)
    if csv is not None:
        yield from _lines_of_csv(path, csv)
        return
    venue, reader = READERS[name]
    for line, value in json_answers(path):
        for recorded in reader.answer(value) if reader.answer else ():
            yield line, _framed(venue, recorded)


def _framed(venue: str, recorded: RecordedFrame | str) -> VenueFrame | str:
    if isinstance(recorded, str):
        return recorded
    return VenueFrame(venue, recorded.frame, market_id=recorded.market_id)


# Tardis' ``liquidations``: microseconds, the side of the order, the time of receipt.
_TARDIS_COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount")
_TARDIS_AT_ONCE = Columns(
    words=("exchange", "symbol", "side"),
    time="timestamp",
    price=("price",),
    amount="amount",
    per_ms=1_000,
    received="local_timestamp",
)


def _tardis_row(row: Mapping[str, str]) -> VenueFrame | str:
    known, side = TARDIS_VENUES.get(row["exchange"]), row["side"]
    if known is None:
        return f"{row['exchange']} is no venue of LiqTrend"
    if side not in ("buy", "sell"):
        return f"side {side!r} is neither buy nor sell"
    return _from_tardis(*known, row)


def _tardis_unit(row: Mapping[str, str]) -> Unit | None:
    known = TARDIS_VENUES.get(row["exchange"])
    return None if known is None else known[1].unit


def _from_tardis(venue: str, rows: TardisRows, row: Mapping[str, str]) -> VenueFrame | str:
    received_ms = milliseconds(row["local_timestamp"][:-3])
    if not received_ms:
        return "local_timestamp is missing or unreadable"
    market_id, event_ms = row["symbol"].upper(), row["timestamp"][:-3]
    frame = rows.frame(TardisRow(market_id, row["side"], row["price"], row["amount"], event_ms))
    return VenueFrame(venue, frame, received_ms, market_id)


def _frames(path: Path, _markets: _Markets) -> _Lines:
    """Recorded frames, one JSON object a line: venue, received_ms, and the frame."""
    for line, raw in json_lines(path):
        if not isinstance(raw, dict):
            yield line, "not a JSON object"
            continue
        venue, received_ms, frame = raw.get("venue"), raw.get("received_ms"), _frame_in(raw)
        if not isinstance(venue, str) or venue not in VENUES:
            yield line, "venue is missing or unknown"
        elif frame is None or not milliseconds(received_ms):
            yield line, "received_ms or frame is missing or unreadable"
        else:
            simulated = raw.get("simulated") is True
            yield line, VenueFrame(venue, frame, milliseconds(received_ms), simulated=simulated)


def _frame_in(raw: Mapping[str, Any]) -> bytes | None:
    """A text as it is, or what is no text as Base64."""
    text, encoded = raw.get("frame"), raw.get("frame_base64")
    if isinstance(text, str):
        return text.encode()
    try:
        return b64decode(encoded, validate=True) if isinstance(encoded, str) else None
    except ValueError:
        return None


def _bare_frames(path: Path, venue: str) -> _Lines:
    """What a venue sent, one frame a line, without a word on when it came."""
    for line, raw in lines_of(path):
        if raw.strip():
            yield line, VenueFrame(venue, raw.strip())


# The kinds of files that hold liquidations of one venue alone, with its name.
READERS = {
    reader.name: (venue.name, reader) for venue in VENUES.values() for reader in venue.readers
}

FORMATS: dict[str, Callable[[Path, _Markets], _Lines]] = {
    **{name: partial(_rows_of, name) for name in (*READERS, "tardis")},
    "frames": _frames,
}

# Recorded market by market: such a file says nothing about the markets that it does not hold.
# A Tardis file may be of one market or of all; if its name does not say, it is taken for less.
PER_MARKET = frozenset({"tardis", *(n for n, (_, reader) in READERS.items() if reader.per_market)})

# Day files, whose name may say what they cover.
DAY_FORMATS = frozenset({"tardis", *(n for n, (_, reader) in READERS.items() if reader.day_name)})


def day_of(path: Path, name: str, markets: Mapping[str, MarketTable]) -> DayFile | None:
    """
    :return: what the name of a day file says, None if it is none
    :raises ImportRefused: the name says what cannot be
    """
    if name == "tardis":
        return tardis_of(path, markets)
    venue, reader = READERS.get(name, ("", None))
    if reader is None or reader.day_name is None:
        return None
    return named_day(path, venue, reader.day_name, markets)
