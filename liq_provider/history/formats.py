"""
File formats of recorded liquidations. A row is turned back into the frame that the venue sent
and read by that venue's own parser, so history and live data cannot be understood differently.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import MarketTable
from liq_provider.errors import ImportRefused
from liq_provider.history.bad_row import BadRow
from liq_provider.history.days import TARDIS_VENUES, DayFile, snapshot_of, tardis_of
from liq_provider.history.lines import csv_rows, json_answers, json_lines, lines_of
from liq_provider.venues import VENUES
from liq_provider.venues.fields import milliseconds

# How long after the trade a live feed would have delivered it, where the file does not say.
ASSUMED_LATENCY_MS = {"binance": 1_100, "bybit": 600, "gate": 1_000, "okx": 1_000}
_OTHERS_LATENCY_MS = 1_000

# The recording machine's clock and this one's may disagree.
_CLOCKS_MS = 60_000
_ALWAYS_MS = 2**62

# To name the market of a row that was refused; what it means, the venue's parser knows.
_SYMBOL = re.compile(rb'"(?:s|symbol|instId|contract)"\s*:\s*"([^"]{1,40})"')
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Frame:
    venue: str
    text: bytes
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
    latest_ms = _ALWAYS_MS if now_ms is None else now_ms + _CLOCKS_MS
    for line, frame in lines:
        if isinstance(frame, str):
            yield BadRow(path, line, frame)
            continue
        if frame.simulated:
            simulated.add(frame.venue)
        received_ms, table = frame.received_ms, markets[frame.venue]
        parsed = VENUES[frame.venue].parse(frame.text, table, received_ms or 0)
        if not parsed.understood:
            yield BadRow(path, line, "not a liquidation")
            continue
        for reason, count in parsed.dropped.items():
            yield _dropped(path, line, frame, table, reason, count)
        found = parsed.liquidations
        if received_ms is None:
            found = [_received(item) for item in found]
        for item in found:
            if item.event_ms > latest_ms:
                yield BadRow(path, line, "its time lies in the future")
                break
            if day is not None and not day.holds(item):
                what = f"{item.venue} {item.market_id} at {item.event_ms}"
                yield BadRow(path, line, f"{what} is not what the file's name says")
                break
        else:
            if found:
                yield list(found)


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


def _named_in(text: bytes) -> list[str]:
    return list(dict.fromkeys(name.decode("utf-8", "replace") for name in _SYMBOL.findall(text)))


def _received(item: Liquidation) -> Liquidation:
    latency_ms = ASSUMED_LATENCY_MS.get(item.venue, _OTHERS_LATENCY_MS)
    # By hand: this is done for every row, and ``replace`` takes several times as long.
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
        item.event_ms + latency_ms,
        item.ordinal,
    )


def _binance_forceorder(path: Path, _markets: _Markets) -> _Lines:
    """The fields of ``o``: a CSV with the payload's names, or one JSON object a line."""
    if ".jsonl" in path.suffixes:
        for line, raw in json_lines(path):
            order = raw.get("o", raw) if isinstance(raw, dict) else None
            broken = order is None
            yield line, "not a JSON object" if broken else _Frame("binance", orjson.dumps(raw))
        return
    for line, row in csv_rows(path, ("s", "S", "p", "ap", "z", "T")):
        if isinstance(row, str):
            yield line, row
        else:
            yield line, _Frame("binance", orjson.dumps(row), market_id=row["s"])


def _okx_rest(path: Path, _markets: _Markets) -> _Lines:
    """
    OKX's REST history: its answers as JSON, or rows of ts, instId, side of the order, contracts
    and price.
    """
    if {".json", ".jsonl"} & set(path.suffixes):
        yield from _okx_answers(path)
        return
    for line, row in csv_rows(path, ("ts", "instId", "side", "sz", "bkPx")):
        if isinstance(row, str):
            yield line, row
            continue
        yield line, _okx(row.pop("instId"), row)


def _okx_answers(path: Path) -> _Lines:
    for line, answer in json_answers(path):
        found = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            said = answer.get("msg") if isinstance(answer, dict) else None
            yield line, f"no answer with data, but {said!r}" if said else "no answer with data"
            continue
        for item in found:
            message = {"arg": {"channel": "liquidation-orders"}, "data": [item]}
            market_id = item.get("instId") if isinstance(item, dict) else None
            yield line, _Frame("okx", orjson.dumps(message), None, str(market_id or ""))


def _okx(inst_id: str, detail: dict[str, str], received_ms: int | None = None) -> _Frame:
    item = {"instId": inst_id, "instType": "SWAP", "details": [detail]}
    message = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [item]}
    return _Frame("okx", orjson.dumps(message), received_ms, inst_id)


_SNAPSHOT_COLUMNS = ("time", "side", "price", "average_price", "accumulated_fill_quantity")


def _liquidation_snapshot(path: Path, markets: _Markets) -> _Lines:
    """Binance's public daily files: the symbol stands in the file's name only."""
    market_id = snapshot_of(path, markets).market_id
    for line, row in csv_rows(path, _SNAPSHOT_COLUMNS):
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
    for line, row in csv_rows(path, _TARDIS_COLUMNS):
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
    for line, raw in json_lines(path):
        if not isinstance(raw, dict):
            yield line, "not a JSON object"
            continue
        venue, received_ms, frame = raw.get("venue"), raw.get("received_ms"), raw.get("frame")
        if not isinstance(venue, str) or venue not in VENUES:
            yield line, "venue is missing or unknown"
        elif not isinstance(frame, str) or not milliseconds(received_ms):
            yield line, "received_ms or frame is missing or unreadable"
        else:
            simulated = raw.get("simulated") is True
            yield (
                line,
                _Frame(venue, frame.encode(), milliseconds(received_ms), simulated=simulated),
            )


def _bare_frames(path: Path, venue: str) -> _Lines:
    """What a venue sent, one frame a line, without a word on when it came."""
    for line, raw in lines_of(path):
        if raw.strip():
            yield line, _Frame(venue, raw.strip())


FORMATS: dict[str, Callable[[Path, _Markets], _Lines]] = {
    "binance-forceorder": _binance_forceorder,
    "okx-rest": _okx_rest,
    "frames": _frames,
    "liquidation-snapshot": _liquidation_snapshot,
    "tardis": _tardis,
}

# Recorded market by market: such a file says nothing about the markets that it does not hold.
# A Tardis file may be of one market or of all; if its name does not say, it is taken for less.
PER_MARKET = frozenset({"okx-rest", "tardis"})

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
