"""
Liquidation bars of data vendors: sums over longer than a minute, stored as what they are.

Coinglass v4 (``/api/futures/liquidation/history`` and ``aggregated-history``) and Coinalyze v1
(``/liquidation-history``), as JSON answers or as CSV with a header.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS, MINUTE_MS
from liq_provider.errors import ImportRefused
from liq_provider.history.bad_row import BadRow
from liq_provider.history.lines import csv_rows, endings, json_of
from liq_provider.store.liquidation_rows import Row
from liq_provider.venues.fields import milliseconds

_TIMES = ("time", "timestamp", "t", "date")
_LONGS = ("long_liquidation_usd", "aggregated_long_liquidation_usd", "longUsd", "long_usd", "l")
_SHORTS = (
    *("short_liquidation_usd", "aggregated_short_liquidation_usd"),
    *("shortUsd", "short_usd", "s"),
)
# No bar ever held a thousandth of that.
_MAX_USD = 1e13
_COINALYZE_SYMBOL = re.compile(r"^(?P<base>[A-Z0-9]+?)(?P<quote>USDT|USDC|USD)_PERP\.[A-Z0-9]+$")


@dataclass(frozen=True, slots=True)
class Bar:
    """
    :param line: where it stands: line of a CSV, or number of the entry in a JSON answer
    :param market: the vendor's symbol, empty for all markets together
    """

    line: int
    market: str
    pair: str
    start_ms: int
    long_usd: float
    short_usd: float


@dataclass(frozen=True, slots=True)
class BarFile:
    """
    What a file holds, by coin and length.

    :param bars: rows of the table ``bars``
    :param bad: rows that could not be used
    :param duplicates: bars that the file repeats
    """

    bars: dict[tuple[str, int], list[Row]]
    bad: list[BadRow]
    duplicates: int


def read_bars(
    path: Path, source: str, pair: str | None, bar_min: int | None, settle_ms: int, now_ms: int
) -> BarFile:
    """
    :param source: one of ``BAR_FORMATS``
    :param pair: what the file is about, where it does not say so itself
    :param bar_min: length of the bars; the smallest step between two of them if None
    :param settle_ms: a bar is taken to be available this long after its close
    :param now_ms: bars that are not finished by then are bad; 0 accepts any time
    :raises ImportRefused: the file as a whole is no such file
    """
    bad: list[BadRow] = []
    by_market: dict[tuple[str, str], dict[int, Bar]] = {}
    duplicates = 0
    for read in BAR_FORMATS[source](path, pair):
        if isinstance(read, BadRow):
            bad.append(read)
            continue
        bars = by_market.setdefault((read.pair, read.market), {})
        before = bars.setdefault(read.start_ms, read)
        if before is read:
            continue
        if (before.long_usd, before.short_usd) == (read.long_usd, read.short_usd):
            duplicates += 1
        else:
            bad.append(BadRow(path, read.line, f"repeats line {before.line} with other sums"))
    if not by_market:
        raise ImportRefused(f"{path}: no row of it is a bar" + (f"; {bad[0]}" if bad else ""))
    by_coin: dict[tuple[str, int], list[Row]] = {}
    for (of_pair, market), bars in by_market.items():
        length = bar_min or _length(path, bars)
        rows = by_coin.setdefault((base_asset_of_pair(of_pair), length), [])
        for bar in bars.values():
            reason = _misfit(bar, length, now_ms)
            if reason:
                bad.append(BadRow(path, bar.line, reason))
                continue
            rows.append(_row(bar, source, market, of_pair, length, settle_ms))
    return BarFile(by_coin, sorted(bad, key=lambda row: row.line), duplicates)


def _row(bar: Bar, source: str, market: str, pair: str, bar_min: int, settle_ms: int) -> Row:
    return {
        "base_asset": base_asset_of_pair(pair),
        "source": source,
        "bar_min": bar_min,
        "start_ms": bar.start_ms,
        "market": market,
        "pair": pair,
        "long_usd": bar.long_usd,
        "short_usd": bar.short_usd,
        "available_at": bar.start_ms + bar_min * MINUTE_MS + settle_ms,
    }


def _misfit(bar: Bar, bar_min: int, now_ms: int) -> str | None:
    if bar.start_ms % (bar_min * MINUTE_MS):
        return f"does not begin at a whole bar of {bar_min} min"
    if now_ms and bar.start_ms + bar_min * MINUTE_MS > now_ms:
        return "is not finished yet, or lies in the future"
    return None


def _length(path: Path, bars: Mapping[int, Bar]) -> int:
    """The step that most neighbours have; a hole makes longer ones, a stray row shorter ones."""
    starts = sorted(bars)
    steps = Counter(later - before for before, later in pairwise(starts))
    if not steps:
        raise ImportRefused(f"{path}: one bar alone does not tell its length; say --bar")
    step_ms, _ = steps.most_common(1)[0]
    if step_ms % MINUTE_MS or DAY_MS % step_ms:
        raise ImportRefused(
            f"{path}: its rows are {step_ms / 1000:g} s apart, which is no length of a bar; "
            "say --bar"
        )
    return step_ms // MINUTE_MS


def _coinglass(path: Path, pair: str | None) -> Iterator[Bar | BadRow]:
    if pair is None:
        raise ImportRefused(f"{path}: does not say which coin it is about; say --pair")
    if ".csv" in endings(path):
        yield from _csv(path, pair)
        return
    answer = json_of(path)
    rows = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        said = answer.get("msg") if isinstance(answer, dict) else None
        raise ImportRefused(f"{path}: holds no list of bars" + (f", but {said!r}" if said else ""))
    for line, row in enumerate(rows, start=1):
        yield _bar(path, line, row, "", pair)


def _coinalyze(path: Path, pair: str | None) -> Iterator[Bar | BadRow]:
    if ".csv" in endings(path):
        if pair is None:
            raise ImportRefused(f"{path}: does not say which coin it is about; say --pair")
        yield from _csv(path, pair)
        return
    answer = json_of(path)
    if not isinstance(answer, list):
        raise ImportRefused(f"{path}: holds no list of markets")
    line = 0
    for market in answer:
        history = market.get("history") if isinstance(market, dict) else None
        symbol = market.get("symbol") if isinstance(market, dict) else None
        named = _COINALYZE_SYMBOL.match(symbol) if isinstance(symbol, str) else None
        if not isinstance(history, list) or named is None:
            line += 1
            yield BadRow(path, line, f"{symbol!r} is no market such as BTCUSDT_PERP.A")
            continue
        settle = named["base"] if named["quote"] == "USD" else named["quote"]
        of_pair = f"{named['base']}/{named['quote']}:{settle}"
        for row in history:
            line += 1
            yield _bar(path, line, row, str(symbol), of_pair)


def _csv(path: Path, pair: str) -> Iterator[Bar | BadRow]:
    try:
        for line, row in csv_rows(path, ()):
            yield (
                BadRow(path, line, row) if isinstance(row, str) else _bar(path, line, row, "", pair)
            )
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from None


def _bar(path: Path, line: int, row: Any, market: str, pair: str) -> Bar | BadRow:
    if not isinstance(row, dict):
        return BadRow(path, line, "is no bar")
    start_ms = _time(_first(row, _TIMES))
    long_usd, short_usd = _amount(_first(row, _LONGS)), _amount(_first(row, _SHORTS))
    if not start_ms:
        return BadRow(path, line, f"its time ({' or '.join(_TIMES)}) is missing or unreadable")
    if long_usd is None or short_usd is None:
        side = "long" if long_usd is None else "short"
        return BadRow(path, line, f"its {side} liquidations are missing or no amount in USD")
    return Bar(line, market, pair, start_ms, long_usd, short_usd)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _time(value: Any) -> int:
    """Milliseconds; both vendors also write seconds. 0 if it is neither."""
    return milliseconds(value) or milliseconds(_thousandfold(value))


def _thousandfold(value: Any) -> int:
    try:
        return int(value) * 1000
    except (TypeError, ValueError, OverflowError):
        return 0


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and 0 <= amount < _MAX_USD else None


BAR_FORMATS: dict[str, Callable[[Path, str | None], Iterator[Bar | BadRow]]] = {
    "coinglass": _coinglass,
    "coinalyze": _coinalyze,
}
