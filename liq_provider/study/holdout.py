"""
The hold-out: the last part of a recording, which is looked at once.

Whoever tunes settings on a span sees its luck as skill. So a study leaves the last days alone
until it is told to open them, and the store remembers that it did. It remembers what a study
looks at without being told, too: other pairs or candles put the hold-out elsewhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS
from liq_provider.store import schema
from liq_provider.store.database import migrate, store_errors
from liq_provider.store.statements import insert_into
from liq_provider.study.pair_past import PairPast

SHARE = 0.3


@dataclass(frozen=True, slots=True)
class HoldOutLook:
    """When somebody looked at a span of the past."""

    start_ms: int
    end_ms: int
    opened_ms: int


def split(from_ms: int, to_ms: int) -> int:
    """:return: the midnight (UTC) where the hold-out begins; ``to_ms`` if there is no whole day"""
    cut = from_ms + (to_ms - from_ms) * (1 - SHARE)
    midnight = int(cut // DAY_MS) * DAY_MS
    return midnight if from_ms < midnight < to_ms else to_ms


def looked_at(pairs: Sequence[PairPast], opening: HoldOutLook) -> dict[str, HoldOutLook]:
    """:return: by coin, from the first to the last candle of the span that shows anything"""
    looks = {}
    for past in pairs:
        known = past.between(opening.start_ms, opening.end_ms).known_ms
        if len(known):
            span = (int(known[0]), int(known[-1]) + 1)
            looks[base_asset_of_pair(past.pair)] = HoldOutLook(*span, opening.opened_ms)
    return looks


def openings(
    engine: Engine, coins: Sequence[str], source: str, start_ms: int, end_ms: int
) -> list[HoldOutLook]:
    """:return: what was looked at of these coins and overlaps the span, oldest first"""
    migrate(engine)
    table = schema.holdouts.c
    with store_errors("Reading hold-outs"), engine.connect() as connection:
        rows = connection.execute(
            select(table.start_ms, table.end_ms, table.opened_ms)
            .where(table.base_asset.in_(list(coins)))
            .where(table.source == source)
            .where(table.end_ms > start_ms)
            .where(table.start_ms < end_ms)
            .order_by(table.opened_ms)
            .distinct()
        )
        return [HoldOutLook(*row) for row in rows]


def record(
    engine: Engine,
    looks: Mapping[str, HoldOutLook],
    source: str,
    settings: dict[str, object],
) -> None:
    """
    Remember for good what was looked at, and with which settings.

    :param looks: by coin
    """
    if not looks:
        return
    migrate(engine)
    rows = [
        {
            "base_asset": coin,
            "source": source,
            "start_ms": opening.start_ms,
            "end_ms": opening.end_ms,
            "opened_ms": opening.opened_ms,
            "detail": json.dumps(settings, sort_keys=True),
        }
        for coin, opening in sorted(looks.items())
    ]
    with store_errors("Remembering what was looked at"), engine.begin() as connection:
        # The first look is the one that counts.
        connection.execute(insert_into(connection, schema.holdouts).on_conflict_do_nothing(), rows)
