"""
Reading single values that an exchange sent, and building a record from them.

Exchanges write numbers as strings or as numbers, and now and then as nonsense. What cannot be
a forced order is refused with a reason that the status page counts, so that a change of
format shows as a rising number instead of as wrong money.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Literal
from zlib import crc32

import orjson

from liq_provider.core.doubts import ANY_COIN
from liq_provider.core.liquidation import Liquidation, PositionSide
from liq_provider.core.markets import Market
from liq_provider.core.moments import EARLIEST_MS, LATEST_MS
from liq_provider.errors import FeedError
from liq_provider.venues.base import Parsed
from liq_provider.venues.frame import Frame
from liq_provider.venues.units import Unit as Unit
from liq_provider.venues.units import in_our_units

Reason = Literal[
    "bad_record",
    "bad_side",
    "bad_price",
    "bad_quantity",
    "bad_notional",
    "bad_time",
    "coin_m",
    "unknown_market",
]

# Ordinals of orders with an id of their own begin here; together they fill 31 bits.
FIRST_OF_IDS = 1 << 30

# No single order is a hundred times larger than the largest that was ever liquidated.
MAX_NOTIONAL_USD = 1e10

NOTHING = Parsed()
# A message of a kind that we do not know, and one that is damaged or not of the shape that its
# kind has: liquidations of any coin may have been in that.
NOT_UNDERSTOOD = Parsed(understood=False)
DAMAGED = Parsed(understood=False, unread=(ANY_COIN,))
ACKNOWLEDGED = Parsed(acknowledged=1)


@dataclass(frozen=True, slots=True)
class Refused:
    """
    A record that was left out.

    :param base_asset: the coin that it is about, ``ANY_COIN`` if that cannot be told, None if
        it is about none that we record
    """

    reason: Reason
    base_asset: str | None


NOT_READABLE = Refused("bad_record", ANY_COIN)
UNKNOWN_KIND = Refused("bad_record", None)
UNKNOWN_MARKET = Refused("unknown_market", None)
COIN_M = Refused("coin_m", None)


def decode(frame: Frame) -> Any:
    """:return: what the JSON says, None if it is none"""
    try:
        return orjson.loads(frame)
    except (orjson.JSONDecodeError, TypeError):
        return None


def refused_for(market: Market | None) -> Refused:
    """:return: a record of a kind that we do not know, which is about one market"""
    return Refused("bad_record", None if market is None else market.base_asset)


def number(value: Any) -> float:
    """:return: the positive finite number that ``value`` states, else 0"""
    kind = value.__class__
    if kind is str or kind is float or kind is int:
        try:
            stated = float(value)
        except (ValueError, OverflowError):
            return 0.0
        if 0.0 < stated < inf:
            return stated
    return 0.0


def milliseconds(value: Any) -> int:
    """:return: the time that ``value`` states if it can be milliseconds, else 0"""
    if value.__class__ is not int:
        if value.__class__ is not str and value.__class__ is not float:
            return 0
        try:
            value = int(value)
        except (ValueError, OverflowError):
            return 0
    # Seconds, micro- and nanoseconds are refused rather than converted: a venue that changes its
    # unit may have changed more.
    return value if EARLIEST_MS <= value <= LATEST_MS else 0


def iso_milliseconds(value: Any) -> int:
    """
    :return: the time that ``value`` states with its zone, as some venues write it, else 0

    >>> iso_milliseconds("2026-09-17T13:39:47.542Z"), iso_milliseconds("2026-09-17 13:39:47")
    (1789652387542, 0)
    """
    try:
        stated = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return 0
    return 0 if stated.tzinfo is None else milliseconds(round(stated.timestamp() * 1000))


def build(
    market: Market,
    position_side: PositionSide,
    price: float,
    amount: float,
    event_ms: int,
    received_ms: int,
    unit: Unit = "contracts",
    own_id: str | int = "",
) -> Liquidation | Refused:
    """
    Turn the venue's units into ours.

    :param price: quote units per base unit, 0 if it was unreadable
    :param amount: 0 if it was unreadable
    :param unit: see ``in_our_units``
    :param event_ms: the venue's time, 0 if it was unreadable
    :param own_id: of the venue for this order, if it has one: equal orders of other ids count, and
        the same one counts once, in whichever messages they come
    :return: the record, or why there is none
    """
    if not price:
        return Refused("bad_price", market.base_asset)
    if not amount:
        return Refused("bad_quantity", market.base_asset)
    if not event_ms:
        return Refused("bad_time", market.base_asset)
    quantity, notional_usd = in_our_units(
        price, amount, market.contract_size, linear=market.linear, unit=unit
    )
    if not 0.0 < notional_usd <= MAX_NOTIONAL_USD or not 0.0 < quantity < inf:
        return Refused("bad_notional", market.base_asset)
    return Liquidation(
        market.venue,
        market.market_id,
        market.pair,
        market.base_asset,
        position_side,
        price,
        quantity,
        notional_usd,
        event_ms,
        received_ms,
        _ordinal_of(own_id),
    )


def _ordinal_of(own_id: str | int) -> int:
    """:return: 0 without an id; else what tells it from others of otherwise equal orders"""
    return FIRST_OF_IDS + crc32(str(own_id).encode()) % FIRST_OF_IDS if own_id != "" else 0


def collect(records: Sequence[Liquidation | Refused]) -> Parsed:
    """Keep the good records of a frame, count the others by reason, number the repeats."""
    if len(records) == 1:
        record = records[0]
        if isinstance(record, Liquidation):
            return Parsed((record,))
        unread = () if record.base_asset is None else (record.base_asset,)
        return Parsed(dropped={record.reason: 1}, unread=unread)
    kept: list[Liquidation] = []
    dropped: dict[str, int] = {}
    unread_coins: set[str] = set()
    for record in records:
        if isinstance(record, Liquidation):
            kept.append(record)
            continue
        dropped[record.reason] = dropped.get(record.reason, 0) + 1
        if record.base_asset is not None:
            unread_coins.add(record.base_asset)
    liquidations = number_repeats(kept) if len(kept) > 1 else kept
    return Parsed(liquidations, dropped=dropped, unread=unread_coins)


def number_repeats(
    liquidations: Iterator[Liquidation] | Sequence[Liquidation],
) -> list[Liquidation]:
    """
    Give otherwise equal orders of one message the ordinals 0, 1, 2, ...; those of one id of the
    venue's are one order.
    """
    seen: dict[Liquidation, int] = {}
    numbered = []
    for order in liquidations:
        count = seen.get(order, 0)
        seen[order] = count + 1
        if count == 0:
            numbered.append(order)
        elif order.ordinal < FIRST_OF_IDS:
            numbered.append(_with_ordinal(order, count))
    return numbered


def _with_ordinal(order: Liquidation, ordinal: int) -> Liquidation:
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
        order.received_ms,
        ordinal,
    )


def understood(page: Parsed, market: Market) -> list[Liquidation]:
    """
    :param page: what a page of a venue's history said
    :return: its orders
    :raises FeedError: some of it was not understood, so that it proves nothing
    """
    if not page.understood or page.dropped:
        raise FeedError(
            f"{market.venue}: the history of {market.market_id} was not understood "
            f"({dict(page.dropped)})"
        )
    return list(page.liquidations)
