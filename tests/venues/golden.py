"""
What each venue was seen to send, in ``tests/golden/<venue>``, and what is to be made of it.

``markets.json`` holds the markets that are known, ``wire.jsonl`` the frames of one connection
(text as ``frame``, bytes as ``frame_base64``), ``expected.jsonl`` a line for each of them with what
differs from saying nothing, ``history.json`` answers of the REST history, if the venue has one.
"""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from liq_provider.core.liquidation import Liquidation
from liq_provider.core.markets import Market, MarketTable
from liq_provider.venues import VENUES, Parsed
from liq_provider.venues.frame import Frame

GOLDEN = Path(__file__).parents[1] / "golden"
_QUIET = Parsed()


def table(name: str) -> MarketTable:
    """The markets of the frames."""
    rows = json.loads((GOLDEN / name / "markets.json").read_text())
    return VENUES[name].table(Market(name, **row) for row in rows)


def wire(name: str) -> list[tuple[int, Frame]]:
    """When each frame came, and the frame."""
    return [(row["received_ms"], _frame(row)) for row in _rows(name, "wire.jsonl")]


def _frame(row: Mapping[str, Any]) -> Frame:
    return row["frame"] if "frame" in row else b64decode(row["frame_base64"])


def expected(name: str) -> list[dict[str, Any]]:
    """What is to be made of each frame."""
    return list(_rows(name, "expected.jsonl"))


def _rows(name: str, file: str) -> Iterator[dict[str, Any]]:
    for line in (GOLDEN / name / file).read_text().splitlines():
        yield json.loads(line)


def history(name: str) -> dict[str, Any] | None:
    """Answers, and what they are to say."""
    path = GOLDEN / name / "history.json"
    return json.loads(path.read_text()) if path.exists() else None


def order(order: Liquidation) -> list[Any]:
    """A liquidation as the files have it."""
    return [
        *(order.market_id, order.pair, order.base_asset, order.position_side, order.price),
        *(round(order.quantity, 9), round(order.notional_usd, 6), order.event_ms, order.ordinal),
    ]


def told(said: Parsed) -> dict[str, Any]:
    """What a frame said, as the files have it."""
    stated: dict[str, Any] = {"liquidations": [order(one) for one in said.liquidations]}
    reply = said.reply
    stated["reply"] = reply.hex() if isinstance(reply, bytes) else reply
    for field in ("acknowledged", "error", "understood", "past", "life"):
        stated[field] = getattr(said, field)
    stated |= {"rejected": list(said.rejected), "unread": sorted(said.unread)}
    stated["dropped"] = dict(said.dropped)
    usual = {**{field: getattr(_QUIET, field) for field in stated}, "liquidations": []}
    usual |= {"rejected": [], "unread": []}
    return {field: value for field, value in stated.items() if value != usual[field]}
