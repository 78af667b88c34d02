"""Which format a file has, by its name and what it begins with."""

import csv
from pathlib import Path
from typing import Any

import orjson

from liq_provider.errors import ImportRefused
from liq_provider.history.archive import MANIFEST
from liq_provider.history.bar_formats import BAR_FORMATS
from liq_provider.history.lines import DAMAGED, opened, other_text, otherwise_split
from liq_provider.history.order_formats import FORMATS, READERS

_HEAD = 1 << 16
_PARQUET = b"PAR1"
_HEADERS = {
    "tardis": {"exchange", "symbol", "local_timestamp", "amount"},
    **{name: reader.header for name, (_, reader) in READERS.items()},
    "coinglass": {"longUsd", "shortUsd"},
}
# Answers of REST interfaces are often one long line, or pretty ones; their keys are enough.
_ANSWERS = {
    **{name: reader.keys for name, (_, reader) in READERS.items() if reader.keys},
    "coinalyze": (b'"symbol"', b'"history"', b'"l"'),
    "coinglass": (b'long_liquidation_usd"', b'short_liquidation_usd"'),
}


def recognise(path: Path) -> str:
    """
    :return: one of ``FORMATS`` or ``BAR_FORMATS``
    :raises ImportRefused: it looks like none of them
    """
    try:
        with opened(path) as file:
            head = file.read(_HEAD)
    except (OSError, *DAMAGED) as error:
        raise ImportRefused(f"{path}: cannot be read ({error})") from None
    other = other_text(head)
    if other is not None:
        raise ImportRefused(f"{path}: {other}")
    if head.startswith(_PARQUET):
        raise ImportRefused(f"{path}: is Parquet; import the folder with {MANIFEST}, as a whole")
    text = head.decode("utf-8-sig", "replace").lstrip()
    line = text.partition("\n")[0]
    names = set(_names(line))
    name = _of_json(line, head) if text.startswith(("{", "[")) else _of_header(names)
    for why, others in otherwise_split(line.encode()) if name is None else ():
        if _of_header(others) is not None:
            raise ImportRefused(f"{path}: {why}")
    if name is None and {"open", "high", "low", "close"} <= names:
        raise ImportRefused(f"{path}: holds candles; `liq-provider candles` reads those")
    if name is None:
        raise ImportRefused(
            f"{path}: looks like none of the formats "
            f"({', '.join([*FORMATS, *BAR_FORMATS])}); say --format"
        )
    return name


def _names(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _of_header(names: set[str]) -> str | None:
    return next((name for name, needed in _HEADERS.items() if needed <= names), None)


def _of_json(line: str, head: bytes) -> str | None:
    try:
        first: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        first = None
    if isinstance(first, dict):
        if "venue" in first and not first.keys().isdisjoint({"frame", "frame_base64"}):
            return "frames"
        for name, (_, reader) in READERS.items():
            if reader.recognise is not None and reader.recognise(first):
                return name
        if "arg" in first or "topic" in first:
            return None  # a bare frame: which venue sent it cannot be told for certain
    return next((name for name, keys in _ANSWERS.items() if all(k in head for k in keys)), None)
