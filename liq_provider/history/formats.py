"""
File formats of recorded liquidations. A row is turned back into the frame that the venue sent
and read by that venue's own parser, so history and live data cannot be understood differently.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from liq_provider.errors import ImportRefused
from liq_provider.history.rows import BadRow
from liq_provider.liquidation import Liquidation
from liq_provider.markets import MarketTable
from liq_provider.venues import VENUES
from liq_provider.venues.fields import milliseconds

# How long after the trade a live feed would have delivered it, where the file does not say.
ASSUMED_LATENCY_MS = {"binance": 1_100, "bybit": 600, "okx": 1_000}

# The recording machine's clock and this one's may disagree.
_CLOCKS_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Frame:
    venue: str
    text: bytes
    received_ms: int | None = None


Record = list[Liquidation] | BadRow
_Lines = Iterator[tuple[int, _Frame | str]]


def read(
    path: Path, name: str, markets: Mapping[str, MarketTable], now_ms: int | None = None
) -> Iterator[Record]:
    """
    The liquidations of a file, row by row; a row that cannot be used is reported, not raised.

    :param name: one of ``FORMATS``
    :param markets: market tables by venue
    :param now_ms: rows from after that time are bad; None accepts any time
    :raises ImportRefused: the file as a whole is not of that format, or cannot be read
    """
    try:
        yield from _read(path, name, markets, now_ms)
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror}") from error


def _read(
    path: Path, name: str, markets: Mapping[str, MarketTable], now_ms: int | None
) -> Iterator[Record]:
    latest_ms = None if now_ms is None else now_ms + _CLOCKS_MS
    for line, frame in FORMATS[name](path):
        if isinstance(frame, str):
            yield BadRow(path, line, frame)
            continue
        received_ms = frame.received_ms
        parsed = VENUES[frame.venue].parse(frame.text, markets[frame.venue], received_ms or 0)
        if not parsed.understood:
            yield BadRow(path, line, "not a liquidation")
            continue
        for reason, count in parsed.dropped.items():
            yield BadRow(path, line, f"{reason} ({count})" if count > 1 else reason)
        found = [_received(item, received_ms) for item in parsed.liquidations]
        if latest_ms is not None and any(item.event_ms > latest_ms for item in found):
            yield BadRow(path, line, "its time lies in the future")
        elif found:
            yield found


def _received(item: Liquidation, received_ms: int | None) -> Liquidation:
    if received_ms is not None:
        return item
    return replace(item, received_ms=item.event_ms + ASSUMED_LATENCY_MS[item.venue])


def _binance_forceorder(path: Path) -> _Lines:
    """The fields of ``o``: a CSV with the payload's names, or one JSON object a line."""
    if path.suffix == ".jsonl":
        for line, raw in _json_lines(path):
            order = raw.get("o", raw) if isinstance(raw, dict) else None
            broken = order is None
            yield line, "not a JSON object" if broken else _Frame("binance", orjson.dumps(raw))
        return
    for line, row in _csv_rows(path, ("s", "S", "p", "ap", "z", "T")):
        yield line, row if isinstance(row, str) else _Frame("binance", orjson.dumps(row))


def _okx_rest(path: Path) -> _Lines:
    """Rows of OKX's REST history: ts, instId, side of the order, contracts, price."""
    for line, row in _csv_rows(path, ("ts", "instId", "side", "sz", "bkPx")):
        if isinstance(row, str):
            yield line, row
            continue
        item = {"instId": row.pop("instId"), "instType": "SWAP", "details": [row]}
        message = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [item]}
        yield line, _Frame("okx", orjson.dumps(message))


def _frames(path: Path) -> _Lines:
    """Recorded frames, one JSON object a line: venue, received_ms, frame (as text)."""
    for line, raw in _json_lines(path):
        if not isinstance(raw, dict):
            yield line, "not a JSON object"
            continue
        venue, received_ms, frame = raw.get("venue"), raw.get("received_ms"), raw.get("frame")
        if not isinstance(venue, str) or venue not in VENUES:
            yield line, "venue is missing or unknown"
        elif not isinstance(frame, str) or not milliseconds(received_ms):
            yield line, "received_ms or frame is missing or unreadable"
        else:
            yield line, _Frame(venue, frame.encode(), milliseconds(received_ms))


def _csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """
    Line by line, because a stray quote in a broken row must not swallow the rows after it. No
    value of these formats contains a line break.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        names = _csv_line(file.readline())
        missing = [name for name in needed if name not in names]
        if missing:
            raise ImportRefused(f"{path}: no column {', '.join(missing)}; is this the format?")
        for line, text in enumerate(file, start=2):
            values = _csv_line(text)
            if not values:
                continue
            row = dict(zip(names, values, strict=False))
            short = any(name not in row for name in needed)
            yield line, "too few columns" if short else row


def _csv_line(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [""]


def _json_lines(path: Path) -> Iterator[tuple[int, object]]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                yield line, orjson.loads(raw)
            except orjson.JSONDecodeError:
                yield line, None


FORMATS: dict[str, Callable[[Path], _Lines]] = {
    "binance-forceorder": _binance_forceorder,
    "okx-rest": _okx_rest,
    "frames": _frames,
}

# Recorded market by market: such a file says nothing about the markets that it does not hold.
PER_MARKET = frozenset({"okx-rest"})
