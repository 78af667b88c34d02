"""
File formats of recorded liquidations. A row is turned back into the frame that the venue sent
and read by that venue's own parser, so history and live data cannot be understood differently.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import orjson

from liq_provider.errors import ImportRefused
from liq_provider.history.days import TARDIS_VENUES, DayFile, snapshot_of, tardis_of
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
    market_id: str = ""


Record = list[Liquidation] | BadRow
_Lines = Iterator[tuple[int, _Frame | str]]
_Markets = Mapping[str, MarketTable]


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
        raise ImportRefused(f"{path}: {error.strerror or error}") from error


def _read(
    path: Path, name: str, markets: Mapping[str, MarketTable], now_ms: int | None
) -> Iterator[Record]:
    latest_ms = None if now_ms is None else now_ms + _CLOCKS_MS
    for line, frame in FORMATS[name](path, markets):
        if isinstance(frame, str):
            yield BadRow(path, line, frame)
            continue
        received_ms = frame.received_ms
        parsed = VENUES[frame.venue].parse(frame.text, markets[frame.venue], received_ms or 0)
        if not parsed.understood:
            yield BadRow(path, line, "not a liquidation")
            continue
        for reason, count in parsed.dropped.items():
            said = _explained(reason, frame)
            yield BadRow(path, line, f"{said} ({count})" if count > 1 else said)
        found = [_received(item, received_ms) for item in parsed.liquidations]
        if latest_ms is not None and any(item.event_ms > latest_ms for item in found):
            yield BadRow(path, line, "its time lies in the future")
        elif found:
            yield found


def _explained(reason: str, frame: _Frame) -> str:
    if reason != "unknown_market":
        return reason
    named = f"{frame.market_id}: " if frame.market_id else ""
    return f"{reason}: {named}in no market list of {frame.venue}; a running sidecar loads the lists"


def _received(item: Liquidation, received_ms: int | None) -> Liquidation:
    if received_ms is not None:
        return item
    return replace(item, received_ms=item.event_ms + ASSUMED_LATENCY_MS[item.venue])


def _binance_forceorder(path: Path, _markets: _Markets) -> _Lines:
    """The fields of ``o``: a CSV with the payload's names, or one JSON object a line."""
    if ".jsonl" in path.suffixes:
        for line, raw in _json_lines(path):
            order = raw.get("o", raw) if isinstance(raw, dict) else None
            broken = order is None
            yield line, "not a JSON object" if broken else _Frame("binance", orjson.dumps(raw))
        return
    for line, row in _csv_rows(path, ("s", "S", "p", "ap", "z", "T")):
        if isinstance(row, str):
            yield line, row
        else:
            yield line, _Frame("binance", orjson.dumps(row), market_id=row["s"])


def _okx_rest(path: Path, _markets: _Markets) -> _Lines:
    """Rows of OKX's REST history: ts, instId, side of the order, contracts, price."""
    for line, row in _csv_rows(path, ("ts", "instId", "side", "sz", "bkPx")):
        if isinstance(row, str):
            yield line, row
            continue
        yield line, _okx(row.pop("instId"), row)


def _okx(inst_id: str, detail: dict[str, str], received_ms: int | None = None) -> _Frame:
    item = {"instId": inst_id, "instType": "SWAP", "details": [detail]}
    message = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [item]}
    return _Frame("okx", orjson.dumps(message), received_ms, inst_id)


_SNAPSHOT_COLUMNS = ("time", "side", "price", "average_price", "accumulated_fill_quantity")


def _liquidation_snapshot(path: Path, markets: _Markets) -> _Lines:
    """Binance's public daily files: the symbol stands in the file's name only."""
    market_id = snapshot_of(path, markets).market_id
    for line, row in _csv_rows(path, _SNAPSHOT_COLUMNS):
        if isinstance(row, str):
            yield line, row
            continue
        order = {
            "s": market_id,
            "S": row["side"],
            "p": row["price"],
            "ap": row["average_price"],
            "z": row["accumulated_fill_quantity"],
            "T": row["time"],
        }
        yield line, _Frame("binance", orjson.dumps(order), market_id=market_id)


_TARDIS_COLUMNS = ("exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount")


def _tardis(path: Path, markets: _Markets) -> _Lines:
    """Tardis' ``liquidations``: microseconds, the side of the order, the time of receipt."""
    tardis_of(path, markets)  # refuses what it cannot be
    for line, row in _csv_rows(path, _TARDIS_COLUMNS):
        if isinstance(row, str):
            yield line, row
            continue
        venue, side = TARDIS_VENUES.get(row["exchange"]), row["side"]
        if venue is None:
            yield line, f"{row['exchange']} is no venue of LiqTrend"
        elif side not in ("buy", "sell"):
            yield line, f"side {side!r} is neither buy nor sell"
        else:
            yield line, _from_tardis(venue, row)


def _from_tardis(venue: str, row: Mapping[str, str]) -> _Frame | str:
    event_ms = row["timestamp"][:-3]
    received_ms = milliseconds(row["local_timestamp"][:-3])
    if not received_ms:
        return "local_timestamp is missing or unreadable"
    market_id, price, amount = row["symbol"].upper(), row["price"], row["amount"]
    if venue == "okx":
        detail = {"side": row["side"], "sz": amount, "bkPx": price, "ts": event_ms}
        return _okx(market_id, detail, received_ms)
    if venue == "bybit":
        # Its own frames name the side of the position.
        side = "Buy" if row["side"] == "sell" else "Sell"
        item: dict[str, str | int] = {
            "T": milliseconds(event_ms),
            "s": market_id,
            "S": side,
            "v": amount,
            "p": price,
        }
        message = {"topic": f"allLiquidation.{market_id}", "type": "snapshot", "data": [item]}
        return _Frame("bybit", orjson.dumps(message), received_ms, market_id)
    order = {
        "s": market_id,
        "S": row["side"].upper(),
        "p": price,
        "ap": price,
        "z": amount,
        "T": event_ms,
    }
    return _Frame("binance", orjson.dumps(order), received_ms, market_id)


def _frames(path: Path, _markets: _Markets) -> _Lines:
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


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    A file as it is, from gzip, or the only one in a zip.

    :raises ImportRefused: a zip holds several files, or none
    """
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise ImportRefused(f"{path}: holds {len(names)} files instead of one")
            with archive.open(names[0]) as file:
                yield file
    elif path.suffix == ".gz":
        with gzip.open(path) as file:
            yield io.BufferedReader(file)
    else:
        with path.open("rb") as file:
            yield file


# Nothing that is a row is nearly that long; a file without line breaks is none of ours.
_LONGEST_LINE = 1 << 20


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    line = 0
    try:
        with opened(path) as file:
            while raw := file.readline(_LONGEST_LINE):
                line += 1
                if len(raw) == _LONGEST_LINE:
                    raise ImportRefused(f"{path}:{line}: is longer than any row; is this text?")
                yield line, raw
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise ImportRefused(f"{path}:{line}: is damaged or cut short ({error})") from error


def _csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """
    Line by line, because a stray quote in a broken row must not swallow the rows after it. No
    value of these formats contains a line break.
    """
    lines = _lines(path)
    _, first = next(lines, (0, b""))
    names = _csv_line(first.decode("utf-8-sig", "replace"))
    missing = [name for name in needed if name not in names]
    if missing:
        raise ImportRefused(f"{path}: no column {', '.join(missing)}; is this the format?")
    twice = [name for name in needed if names.count(name) > 1]
    if twice:
        raise ImportRefused(f"{path}: has two columns {', '.join(twice)}; which one is meant?")
    for line, raw in lines:
        values = _csv_line(raw.decode("utf-8", "replace"))
        if not values:
            continue
        if values == names:
            yield line, "the header once more; were two files joined?"
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
    for line, raw in _lines(path):
        if not raw.strip():
            continue
        try:
            yield line, orjson.loads(raw)
        except orjson.JSONDecodeError:
            yield line, None


FORMATS: dict[str, Callable[[Path, _Markets], _Lines]] = {
    "binance-forceorder": _binance_forceorder,
    "okx-rest": _okx_rest,
    "frames": _frames,
    "liquidation-snapshot": _liquidation_snapshot,
    "tardis": _tardis,
}

# Recorded market by market: such a file says nothing about the markets that it does not hold.
PER_MARKET = frozenset({"okx-rest"})

# Day files, whose name may say what they cover.
DAY_FORMATS = frozenset({"liquidation-snapshot", "tardis"})


def day_of(path: Path, name: str, markets: Mapping[str, MarketTable]) -> DayFile | None:
    """
    :return: what the name of a day file says, None if it is none
    :raises ImportRefused: the name says what cannot be
    """
    if name == "liquidation-snapshot":
        return snapshot_of(path, markets)
    return tardis_of(path, markets) if name == "tardis" else None
