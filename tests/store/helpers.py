"""Liquidations to store."""

from typing import Any

from liq_provider.liquidation import Liquidation
from liq_provider.store.booking import Incoming

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
