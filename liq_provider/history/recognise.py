"""Which format a file has, by its name and its first line."""

import csv
from pathlib import Path
from typing import Any

import orjson

from liq_provider.errors import ImportRefused
from liq_provider.history.formats import FORMATS, opened

_HEAD = 1 << 16
_HEADERS = {
    "tardis": {"exchange", "symbol", "local_timestamp", "amount"},
    "okx-rest": {"instId", "side", "sz", "bkPx"},
    "liquidation-snapshot": {"time", "side", "accumulated_fill_quantity"},
    "binance-forceorder": {"s", "S", "z", "T"},
}


def recognise(path: Path) -> str:
    """
    :return: one of ``FORMATS``
    :raises ImportRefused: it looks like none of them
    """
    try:
        with opened(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise ImportRefused(f"{path}: cannot be read ({error})") from None
    line = head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    found = _of_json(line) if line.startswith(("{", "[")) else _of_header(line)
    if found is None:
        raise ImportRefused(
            f"{path}: looks like none of the formats ({', '.join(FORMATS)}); say --format"
        )
    return found


def _of_header(line: str) -> str | None:
    names = set(next(csv.reader([line]), []))
    return next((name for name, needed in _HEADERS.items() if needed <= names), None)


def _of_json(line: str) -> str | None:
    try:
        first: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(first, dict):
        return None
    if {"venue", "frame"} <= first.keys():
        return "frames"
    event = first.get("data", first)
    order = event.get("o", event) if isinstance(event, dict) else None
    return "binance-forceorder" if isinstance(order, dict) and {"s", "S"} <= order.keys() else None
