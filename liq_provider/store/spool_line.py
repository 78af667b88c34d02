"""
One liquidation as a line of the spool: its checksum, a space, and JSON.

The file lies beside the store for anybody to damage, so what is read from it is trusted as
little as a frame of an exchange. Lines of older versions have no checksum and begin with the
JSON.
"""

import json
from dataclasses import asdict, fields
from typing import Any
from zlib import crc32

import orjson

from liq_provider.core.liquidation import Liquidation
from liq_provider.store.booked_minute import Incoming
from liq_provider.venues import VENUES
from liq_provider.venues.fields import FIRST_OF_IDS, MAX_NOTIONAL_USD, milliseconds, number

_CHECKSUM = 8  # hexadecimal digits
_LONGEST_NAME = 64
_MOST_REPEATS = 100_000
_SLACK = 1e-6  # of a notional against price times quantity
_NAMES = frozenset(field.name for field in fields(Liquidation))


def write(incoming: Incoming, copy: bool = False) -> bytes:
    """
    :param copy: the store may have it already
    :return: the line, with its end
    """
    values = asdict(incoming)
    if copy:
        values["copy"] = True
    try:
        payload = orjson.dumps(values)
    except TypeError:
        # No liquidation, but somebody wants to look at it.
        payload = json.dumps(values, default=repr).encode()
    return b"%08x %s\n" % (crc32(payload), payload)


def read(line: bytes) -> tuple[Incoming, bool] | None:
    """:return: what the line holds and whether it is a copy, None if it is no liquidation"""
    payload = line.rstrip(b"\n")
    if not payload.startswith(b"{"):
        checksum, payload = payload[:_CHECKSUM], payload[_CHECKSUM + 1 :]
        if checksum != b"%08x" % crc32(payload):
            return None
    try:
        raw = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(raw, dict) or not {"liquidation", "since_ms"} <= raw.keys():
        return None
    since_ms, order = raw["since_ms"], raw["liquidation"]
    if since_ms.__class__ is not int or (since_ms and not milliseconds(since_ms)):
        return None
    if not isinstance(order, dict) or order.keys() != _NAMES or not _is_liquidation(order):
        return None
    return Incoming(Liquidation(**order), since_ms), raw.get("copy") is True


def _is_liquidation(order: dict[str, Any]) -> bool:
    """As strict as ``venues.fields.build`` is with what an exchange sends."""
    for name in ("venue", "market_id", "pair", "base_asset"):
        value = order[name]
        if not isinstance(value, str) or not value.isprintable():
            return False
        if not 0 < len(value) <= _LONGEST_NAME:
            return False
    if order["venue"] not in VENUES or order["position_side"] not in ("long", "short"):
        return False
    for name in ("price", "quantity", "notional_usd"):
        if isinstance(order[name], str) or not number(order[name]):
            return False
    notional_usd = order["notional_usd"]
    if notional_usd > MAX_NOTIONAL_USD:
        return False
    if abs(order["price"] * order["quantity"] - notional_usd) > _SLACK * notional_usd:
        return False
    for name in ("event_ms", "received_ms"):
        if order[name].__class__ is not int or not milliseconds(order[name]):
            return False
    ordinal = order["ordinal"]
    return ordinal.__class__ is int and (
        0 <= ordinal < _MOST_REPEATS or FIRST_OF_IDS <= ordinal < 2 * FIRST_OF_IDS
    )
