"""Liquidations to store, and what a model judge leaves."""

from typing import Any

from liq_provider.core.liquidation import Liquidation
from liq_provider.store.booked_minute import Incoming

T0 = 1_795_350_000_000  # the open of a minute
MINUTE = 60_000


def order(event_ms: int = T0, **changes: Any) -> Liquidation:
    """One order of 100 USD that arrived after half a second."""
    values: dict[str, Any] = {
        "venue": "bybit",
        "market_id": "BTCUSDT",
        "pair": "BTC/USDT:USDT",
        "base_asset": "BTC",
        "position_side": "long",
        "price": 50_000.0,
        "quantity": 0.002,
        "notional_usd": 100.0,
        "event_ms": event_ms,
        "received_ms": event_ms + 500,
    }
    return Liquidation(**(values | changes))


def incoming(event_ms: int = T0, since_ms: int = 0, **changes: Any) -> Incoming:
    """The same on its way into the store."""
    return Incoming(order(event_ms, **changes), since_ms)


def model_call(asked_ms: int = T0, call_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A row of ``model_calls``: one question about a wave that has just begun."""
    values: dict[str, Any] = {
        "call_id": call_id or f"call-{asked_ms}",
        "base_asset": "BTC",
        "symbol": "BTC/USDT:USDT",
        "direction": "SHORT",
        "wave_start_ms": asked_ms - 2_000,
        "close_ms": asked_ms - 2_000,
        "judge": "m@v1",
        "news_key": "none",
        "asked_ms": asked_ms,
        "latency_ms": 900,
        "requests": 1,
        "prompt": '[{"role": "user", "content": "data"}]',
        "answer": "{}",
        "prompt_tokens": 900,
        "answer_tokens": 120,
        "charged_tokens": 1_020,
        "cost_usd": 0.1 + 0.2,
        "outcome": "ok",
        "detail": "",
    }
    return values | changes


def headline(available_at: int = T0, item_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A row of ``news``, published ten minutes before it was found."""
    values: dict[str, Any] = {
        "base_asset": "BTC",
        "item_id": item_id or f"item-{available_at}",
        "title": "Bitcoin fällt",
        "source": "Wire",
        "summary": "",
        "published_ms": available_at - 10 * MINUTE,
        "provider": "rss",
        "available_at": available_at,
    }
    return values | changes


def verdict(**changes: Any) -> dict[str, Any]:
    """A row of ``verdicts`` whose words mean nothing."""
    texts = ("judge", "symbol", "news", "action", "confidence", "liq_note", "trend_note")
    return {
        **dict.fromkeys((*texts, "news_note", "action_reason"), "x"),
        "inputs": "{}",
        "guard": "[]",
        "base_asset": "BTC",
        "direction": "SHORT",
        "wave_start_ms": T0,
        "strength": "strong",
        "aligned": "yes",
        "news_key": "some-news",
        "downgrade": 0,
        "close_ms": T0,
        "available_at": T0 + 3_000,
        "expires_at": T0 + 32_000,
    } | changes
