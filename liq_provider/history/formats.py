"""
File formats of recorded liquidations. A row is turned back into the frame that the venue sent
and read by that venue's own parser, so history and live data cannot be understood differently.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from liq_provider.errors import ImportRefused
from liq_provider.liquidation import Liquidation
from liq_provider.markets import MarketTable
from liq_provider.venues import VENUES

# How long after the trade a live feed would have delivered it, where the file does not say.
ASSUMED_LATENCY_MS = {"binance": 1_100, "bybit": 600, "okx": 1_000}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be used; ``line`` counts from 1."""

    path: Path
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Frame:
    venue: str
    text: bytes
    received_ms: int | None = None


Record = list[Liquidation] | BadRow
_Lines = Iterator[tuple[int, _Frame | str]]


def read(path: Path, name: str, markets: Mapping[str, MarketTable]) -> Iterator[Record]:
    """
    The liquidations of a file, row by row; a row that cannot be used is reported, not raised.

    :param name: one of ``FORMATS``
    :param markets: market tables by venue
    :raises ImportRefused: the file as a whole is not of that format
    """
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
        if parsed.liquidations:
            yield [_received(item, received_ms) for item in parsed.liquidations]


def _received(item: Liquidation, received_ms: int | None) -> Liquidation:
    if received_ms is not None:
        return item
    at_ms = item.event_ms + ASSUMED_LATENCY_MS[item.venue]
    return Liquidation(
        item.venue,
        item.market_id,
        item.pair,
        item.base_asset,
        item.position_side,
        item.price,
        item.quantity,
        item.notional_usd,
        item.event_ms,
        at_ms,
        item.ordinal,
    )


def _binance_forceorder(path: Path) -> _Lines:
    """The fields of ``o``: a CSV with the payload's names, or one JSON object a line."""
    if path.suffix == ".jsonl":
        for line, raw in _json_lines(path):
            order = raw.get("o", raw) if isinstance(raw, dict) else None
            yield line, "not a JSON object" if order is None else _Frame("binance", _dump(raw))
        return
    for line, row in _csv_rows(path, ("s", "S", "p", "ap", "z", "T")):
        yield line, row if isinstance(row, str) else _Frame("binance", _dump(row))


def _okx_rest(path: Path) -> _Lines:
    """Rows of OKX's REST history: ts, instId, side of the order, contracts, price."""
    for line, row in _csv_rows(path, ("ts", "instId", "side", "sz", "bkPx")):
        if isinstance(row, str):
            yield line, row
            continue
        item = {"instId": row.pop("instId"), "instType": "SWAP", "details": [row]}
        message = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [item]}
        yield line, _Frame("okx", _dump(message))


def _frames(path: Path) -> _Lines:
    """Recorded frames, one JSON object a line: venue, received_ms, frame (as text)."""
    for line, raw in _json_lines(path):
        if not isinstance(raw, dict) or raw.get("venue") not in VENUES:
            yield line, "venue is missing or unknown"
        elif not isinstance(raw.get("received_ms"), int) or not isinstance(raw.get("frame"), str):
            yield line, "received_ms or frame is missing"
        else:
            yield line, _Frame(raw["venue"], raw["frame"].encode(), raw["received_ms"])


def _csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise ImportRefused(f"{path}: no column {', '.join(missing)}; is this the format?")
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield reader.line_num, str(error)
                continue
            short = any(row[name] is None for name in needed)
            yield reader.line_num, "too few columns" if short else dict(row)


def _json_lines(path: Path) -> Iterator[tuple[int, object]]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                yield line, orjson.loads(raw)
            except orjson.JSONDecodeError:
                yield line, None


def _dump(value: object) -> bytes:
    # A row with surplus columns has the key None; they carry nothing.
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


FORMATS: dict[str, Callable[[Path], _Lines]] = {
    "binance-forceorder": _binance_forceorder,
    "okx-rest": _okx_rest,
    "frames": _frames,
}
