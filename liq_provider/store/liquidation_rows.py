"""The rows of ``liquidations`` and ``minutes``, and what identifies an order."""

from collections.abc import Mapping
from typing import Any

from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import Liquidation
from liq_provider.store import schema

Row = dict[str, Any]
Identity = tuple[Any, ...]

IDENTITY_COLUMNS = tuple(schema.liquidations.primary_key)


def identity(order: Liquidation) -> Identity:
    """:return: the values of ``IDENTITY_COLUMNS``"""
    return (
        order.event_ms,
        order.venue,
        order.market_id,
        order.position_side,
        order.price,
        order.quantity,
        order.ordinal,
    )


def liquidation_row(order: Liquidation, minute_ms: int | None) -> Row:
    """
    :param minute_ms: the minute it counts in, if any
    """
    return {
        "event_ms": order.event_ms,
        "venue": order.venue,
        "market_id": order.market_id,
        "position_side": order.position_side,
        "price": order.price,
        "quantity": order.quantity,
        "ordinal": order.ordinal,
        "pair": order.pair,
        "base_asset": order.base_asset,
        "notional_usd": order.notional_usd,
        "received_ms": order.received_ms,
        "minute_ms": minute_ms,
    }


class MinuteSums:
    """Sums of liquidations by coin, minute, venue and pair."""

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self._sums: dict[Identity, list[float]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """
        :param row: of ``liquidations``, with a minute
        """
        key = (row["base_asset"], row["minute_ms"], row["venue"], row["pair"])
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0.0, 0.0, 0, 0]
        side = 0 if row["position_side"] == "long" else 1
        sums[side] += row["notional_usd"]
        sums[side + 2] += 1

    def rows(self) -> list[Row]:
        """:return: rows of ``minutes``, in the order of their key"""
        return [
            {
                "base_asset": base_asset,
                "minute_ms": minute_ms,
                "venue": venue,
                "pair": pair,
                "long_usd": sums[0],
                "short_usd": sums[1],
                "long_count": sums[2],
                "short_count": sums[3],
                "filled": False,
                "available_at": minute_ms + MINUTE_MS + self._settle_ms,
            }
            for (base_asset, minute_ms, venue, pair), sums in sorted(self._sums.items())
        ]
