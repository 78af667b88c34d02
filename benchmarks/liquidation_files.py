"""Files of liquidations, made up and always the same, and a digest of what was read from them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

T0_MS = 1_709_251_200_000
_SYMBOLS = [f"{base}USDT" for base in ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK")]
_KINDS = ("int64", "U20", "bool", "float64", "float64", "float64")


def orders(rows: int) -> Iterator[tuple[int, str, str, str]]:
    """:return: time, symbol, side of the order, quantity: 25 a second, of eight markets"""
    for n in range(rows):
        side = "SELL" if n % 3 else "BUY"
        yield T0_MS + 40 * n, _SYMBOLS[n % 8], side, f"{1 + n % 977 / 100:.2f}"


def binance_csv(path: Path, rows: int, spoilt: Sequence[int] = ()) -> None:
    """:param spoilt: rows that have no price"""
    bad = set(spoilt)
    with path.open("w", encoding="utf-8") as file:
        file.write("s,S,q,p,ap,X,l,z,T\n")
        for n, (t, symbol, side, quantity) in enumerate(orders(rows)):
            price = "-" if n in bad else "50.1"
            sizes = f"{price},{price},FILLED,{quantity},{quantity}"
            file.write(f"{symbol},{side},{quantity},{sizes},{t}\n")


def orders_digest(columns: Sequence[Any]) -> str:
    """
    :param columns: time, symbol, whether a short, price, quantity, dollars
    :return: of all orders to the bit, whatever their order
    """
    arrays = [np.asarray(each).astype(kind) for each, kind in zip(columns, _KINDS, strict=True)]
    order = np.lexsort(arrays[::-1])
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array[order].tobytes())
    return digest.hexdigest()
