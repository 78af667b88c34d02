"""The liquidation histories that venues publish by REST, read by each venue's own parser."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from liq_provider.core.coverage import Interval
from liq_provider.core.durations import HOUR_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.errors import FeedError
from liq_provider.venues import VENUES
from liq_provider.venues.gate import order_of_history

Fetch = Callable[[str, Mapping[str, str]], Any]
# A market's orders in a gap and perhaps before it, and since when they are all there.
History = Callable[[Market, Interval, int, Fetch], tuple[list[Liquidation], int]]

_MAX_PAGES = 50
_OKX_PAGE = 100
_GATE_PAGE = 1_000
_GATE_WINDOW_MS = HOUR_MS
# How far before a gap a row is looked for that proves its beginning.
_GATE_BEFORE = 6


def _okx(market: Market, gap: Interval, now_ms: int, fetch: Fetch) -> tuple[list[Liquidation], int]:
    """Newest first, page by page, until a row at or before the gap's beginning."""
    found: list[Liquidation] = []
    after_ms = gap.end_ms
    for _ in range(_MAX_PAGES):
        page = _okx_page(market, after_ms, now_ms, fetch)
        found += page
        oldest_ms = min((order.event_ms for order in page), default=after_ms)
        if oldest_ms <= gap.start_ms:
            return found, gap.start_ms
        if oldest_ms >= after_ms:
            break
        # Orders of one moment may stand on both sides of a page's end.
        after_ms = oldest_ms + 1 if len(page) > 1 and oldest_ms + 1 < after_ms else oldest_ms
    return found, _after_oldest(found, gap)


def _okx_page(market: Market, after_ms: int, now_ms: int, fetch: Fetch) -> list[Liquidation]:
    answer = fetch(
        "/api/v5/public/liquidation-orders",
        {
            "instType": "SWAP",
            "uly": market.market_id.removesuffix("-SWAP"),
            "state": "filled",
            "after": str(after_ms),
            "limit": str(_OKX_PAGE),
        },
    )
    if not isinstance(answer, dict) or answer.get("code") != "0":
        said = answer.get("msg") if isinstance(answer, dict) else None
        raise FeedError(f"okx: the history of {market.market_id} is refused ({said})")
    items = answer.get("data")
    if not isinstance(items, list):
        raise FeedError(f"okx: the history of {market.market_id} was not understood")
    own = [item for item in items if isinstance(item, dict)]
    own = [item for item in own if item.get("instId") == market.market_id]
    frame = {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": own}
    return _parsed(market, frame, now_ms) if own else []


def _gate(
    market: Market, gap: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], int]:
    """Hour by hour backwards; a row before the gap proves that nothing of it was forgotten."""
    found: list[Liquidation] = []
    end_ms, first_ms = gap.end_ms, gap.start_ms - _GATE_BEFORE * _GATE_WINDOW_MS
    for _ in range(_MAX_PAGES):
        start_ms = max(end_ms - _GATE_WINDOW_MS, first_ms)
        page, full = _gate_page(market, Interval(start_ms, end_ms), now_ms, fetch)
        found += page
        if full:
            # More than a page in the window: only its newest are known.
            break
        if any(order.event_ms <= gap.start_ms for order in page):
            return found, gap.start_ms
        end_ms = start_ms
        if end_ms <= first_ms:
            break
    return found, _after_oldest(found, gap)


def _gate_page(
    market: Market, window: Interval, now_ms: int, fetch: Fetch
) -> tuple[list[Liquidation], bool]:
    rows = fetch(
        "/api/v4/futures/usdt/liq_orders",
        {
            "contract": market.market_id,
            "from": str(window.start_ms // 1000),
            "to": str(window.end_ms // 1000),
            "limit": str(_GATE_PAGE),
        },
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        said = rows.get("message") if isinstance(rows, dict) else None
        raise FeedError(f"gate: the history of {market.market_id} is refused ({said})")
    frame = {
        "channel": "futures.public_liquidates",
        "event": "update",
        "result": [order_of_history(row) for row in rows],
    }
    return (_parsed(market, frame, now_ms) if rows else []), len(rows) >= _GATE_PAGE


def _parsed(market: Market, frame: Mapping[str, Any], now_ms: int) -> list[Liquidation]:
    table = MarketTable(market.venue, [market])
    parsed = VENUES[market.venue].parse(orjson.dumps(frame), table, now_ms)
    if not parsed.understood or parsed.dropped:
        raise FeedError(
            f"{market.venue}: the history of {market.market_id} was not understood "
            f"({dict(parsed.dropped)})"
        )
    return list(parsed.liquidations)


def _after_oldest(found: list[Liquidation], gap: Interval) -> int:
    oldest_ms = min((order.event_ms for order in found), default=gap.end_ms)
    return max(gap.start_ms, min(oldest_ms + 1, gap.end_ms))


HISTORIES: Mapping[str, History] = {"gate": _gate, "okx": _okx}
