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
from liq_provider.history.lines import csv_rows, json_answers, json_lines, lines_of
from liq_provider.venues import VENUES
from liq_provider.venues.fields import milliseconds
from liq_provider.venues.frame import Frame
from liq_provider.venues.row_readers import RecordedFrame, RowReader, TardisRow, TardisRows

# The recording machine's clock and this one's may disagree.
_CLOCKS_MS = MINUTE_MS

# To name the market of a row that was refused; what it means, the venue's parser knows.
_SYMBOL = re.compile(rb'"(?:s|symbol|instId|contract)"\s*:\s*"([^"]{1,40})"')
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Frame:
    venue: str
    text: Frame
    received_ms: int | None = None
    market_id: str = ""
    simulated: bool = False


Record = list[Liquidation] | BadRow
_Lines = Iterator[tuple[int, _Frame | str]]
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
    day = day_of(path, name, markets)
    try:
        yield from _read(
            path, lines, markets, now_ms, day, set() if simulated is None else simulated
        )
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from error


def _read(
    path: Path,
    lines: _Lines,
    markets: Mapping[str, MarketTable],
    now_ms: int | None,
    day: DayFile | None,
    simulated: set[str],
) -> Iterator[Record]:
    latest_ms = FOREVER_MS if now_ms is None else now_ms + _CLOCKS_MS
    # One for the whole file: what a connection said may be needed to read what follows.
    sessions = {name: venue.session() for name, venue in VENUES.items()}
    for line, frame in lines:
        if isinstance(frame, str):
            yield BadRow(path, line, frame)
            continue
        if frame.simulated:
            simulated.add(frame.venue)
        received_ms, table = frame.received_ms, markets[frame.venue]
        parsed = sessions[frame.venue].parse(frame.text, table, received_ms or 0)
        if not parsed.understood:
            yield BadRow(path, line, "not a liquidation")
            continue
        for reason, count in parsed.dropped.items():
            yield _dropped(path, line, frame, table, reason, count)
        orders = parsed.liquidations
        if received_ms is None:
            orders = [_received(order) for order in orders]
        for order in orders:
            if order.event_ms > latest_ms:
                yield BadRow(path, line, "its time lies in the future")
                break
            if day is not None and not day.holds(order):
                what = f"{order.venue} {order.market_id} at {order.event_ms}"
                yield BadRow(path, line, f"{what} is not what the file's name says")
                break
        else:
            if orders:
                yield list(orders)


def _dropped(
    path: Path, line: int, frame: _Frame, table: MarketTable, reason: str, count: int
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


def _rows_of(venue: str, reader: RowReader, path: Path, markets: _Markets) -> _Lines:
    """The rows of a CSV, or the values of a JSON file, as a venue's file says they are read."""
    if reader.answer is not None and reader.json_suffixes & set(path.suffixes):
        for line, value in json_answers(path):
            for recorded in reader.answer(value):
                yield line, _framed(venue, recorded)
        return
    day = None if reader.day_name is None else named_day(path, venue, reader.day_name, markets)
    for line, row in csv_rows(path, reader.columns):
        if isinstance(row, str):
            yield line, row
        else:
            yield line, _framed(venue, reader.row(row, day.market_id if day else ""))


def _framed(venue: str, recorded: RecordedFrame | str) -> _Frame | str:
    if isinstance(recorded, str):
        return recorded
    return _Frame(venue, recorded.frame, market_id=recorded.market_id)


_TARDIS_COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount")


def _tardis(path: Path, markets: _Markets) -> _Lines:
    """Tardis' ``liquidations``: microseconds, the side of the order, the time of receipt."""
    tardis_of(path, markets)  # refuses what it cannot be
    for line, row in csv_rows(path, _TARDIS_COLUMNS):
        if isinstance(row, str):
            yield line, row
            continue
        known, side = TARDIS_VENUES.get(row["exchange"]), row["side"]
        if known is None:
            yield line, f"{row['exchange']} is no venue of LiqTrend"
        elif side not in ("buy", "sell"):
            yield line, f"side {side!r} is neither buy nor sell"
        else:
            yield line, _from_tardis(*known, row)


def _from_tardis(venue: str, rows: TardisRows, row: Mapping[str, str]) -> _Frame | str:
    received_ms = milliseconds(row["local_timestamp"][:-3])
    if not received_ms:
        return "local_timestamp is missing or unreadable"
    market_id, event_ms = row["symbol"].upper(), row["timestamp"][:-3]
    frame = rows.frame(TardisRow(market_id, row["side"], row["price"], row["amount"], event_ms))
    return _Frame(venue, frame, received_ms, market_id)


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
            yield line, _Frame(venue, frame, milliseconds(received_ms), simulated=simulated)


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
            yield line, _Frame(venue, raw.strip())


# The kinds of files that hold liquidations of one venue alone, with its name.
READERS = {
    reader.name: (venue.name, reader) for venue in VENUES.values() for reader in venue.readers
}

FORMATS: dict[str, Callable[[Path, _Markets], _Lines]] = {
    **{name: partial(_rows_of, *of) for name, of in READERS.items()},
    "frames": _frames,
    "tardis": _tardis,
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
